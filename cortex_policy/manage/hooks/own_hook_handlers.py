"""Recognize the lines of this program in an agent's settings, also those of other versions and made by hand."""

import re
from itertools import pairwise
from shlex import split

from cortex_policy.core import Value
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.core.operator_commands import quote_for_shell

_LINE = re.compile(rf"cortex[-_]policy['\"]?\s+hook\s+({'|'.join((*AGENTS, 'auto'))})\b(.*)", re.DOTALL)


class ParsedHookCommand(Value):
    """A command that runs the hook, found in settings: its text, agent, root and tag, '' for what it does not name."""

    command: str
    agent: str
    root: str
    tag: str


def parse_own_hook_handler_or_none(handler: "dict[str, object]") -> ParsedHookCommand | None:
    """Parse the command of a handler; return None if it runs something else."""
    command = _format_handler_command(handler)
    match = _LINE.search(command)
    if match is None:
        return None
    words = _shell_words(match[2])
    return ParsedHookCommand(command, match[1], _value_of_option(words, "--root"), _value_of_option(words, "--install"))


def is_own_hook_handler(handler: "dict[str, object]") -> bool:
    """Whether a handler runs the hook of this program."""
    return parse_own_hook_handler_or_none(handler) is not None


def _format_handler_command(handler: "dict[str, object]") -> str:
    """Return the command of a handler as one text; of `sh -c TEXT` it is the text."""
    program = next((str(handler[key]) for key in ("exec", "command", "bash") if key in handler), "")
    arguments = handler.get("args")
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    if words[:1] == ["-c"] and words[1:]:
        return words[1]
    return " ".join([program, *map(quote_for_shell, words)]) if words else program


def _shell_words(text: str) -> list[str]:
    try:
        return split(text)
    except ValueError:  # a quote that is not closed: no shell runs it
        return []


def _value_of_option(words: list[str], name: str) -> str:
    """Return the value of an option in the words of a shell's text, '' if it has none."""
    for word, following in pairwise([*words, ""]):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2].rstrip(";")
    return ""
