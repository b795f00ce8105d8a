"""What a mistyped command line is told: one line in our words, and a hint that can be typed."""

import re
from shlex import quote
from typing import Any

import typer

from cortex_policy.cli.command_errors import print_json_error
from cortex_policy.cli.command_table import OTHER_OPTIONS, OTHER_WORDS, OTHER_WORDS_IN_GROUPS, PROGRAM
from cortex_policy.cli.exit_codes import starts_with_decision_command
from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import escape_message_to_one_line, format_guess_hint
from cortex_policy.run import split_argv_at_double_dash

USAGE_ERROR = 2
_QUIET_OPTIONS = frozenset(("-q", "--quiet"))
_QUOTED = re.compile(r"(?<!\w)'((?:[^'\\]|\\.)*)'(?!\w)")
_EXTRA_WORDS = re.compile(r"Got unexpected extra argument(?:\(s\)|s)? \((.*)\)", re.DOTALL)
_UNKNOWN_COMMAND = re.compile(r"No such command '(.*)'", re.DOTALL)


def print_usage_error(words: list[str], error: Any) -> None:
    """Print a usage error in the format asked for: programs read the output of `check` too."""
    message = str(error.format_message())
    if message.startswith("Usage: "):  # no words at all: the whole help
        typer.echo(message, err=True)
        return
    message, guess = _describe_error(error, message)
    command = _find_command_of_error(words, error)
    hint = " ".join(filter(None, (guess, f"see `{command} --help`")))
    _print_text_or_json(
        words, f"{command}: {escape_message_to_one_line(message)}\nhint: {escape_message_to_one_line(hint)}", message
    )
    if not starts_with_decision_command(words) and "--json" in words and not _QUIET_OPTIONS.intersection(words):
        print_json_error(message, hint, USAGE_ERROR)


def print_help_without_decision(words: list[str], error: Any) -> None:
    """Print the help of a command that decides: asked for beside other words, it is not an answer to the call."""
    message = f"`{error.option_name}` is not an option of a call, so nothing was decided"
    _print_text_or_json(words, f"{_find_command_of_error(words, error)}: {message}\n\n{error.ctx.get_help()}", message)


def _print_text_or_json(words: list[str], text: str, message: str) -> None:
    if words[:1] == ["run"]:
        words = [word for word in split_argv_at_double_dash(words)[0] if word != "--json"]  # it has no such option
    if not starts_with_decision_command(words) or not {"--json", *_QUIET_OPTIONS}.intersection(words):
        typer.echo(text, err=True)
    elif "--json" in words and not _QUIET_OPTIONS.intersection(words):
        from cortex_policy.check import Call, CallOutcome  # noqa: PLC0415 - only an error of a decision needs it
        from cortex_policy.render import render_outcome_unless_silent  # noqa: PLC0415

        outcome = CallOutcome(Call("", "", json=True), None, None, UsageError(escape_message_to_one_line(message)), 0)
        typer.echo(render_outcome_unless_silent(outcome).out, nl=False)


def _find_command_of_error(words: list[str], error: Any) -> str:
    """Return the command that reports an error; an option without its value has lost its command."""
    if error.ctx is not None:
        return str(error.ctx.command_path)
    return " ".join([PROGRAM, *words[: starts_with_decision_command(words)]])


def _describe_error(error: Any, message: str) -> tuple[str, str]:
    """Return the message of an error in our words, and a guess at what was meant."""
    if hasattr(error, "possibilities"):
        known = [name for param in error.ctx.command.params for name in param.opts if name.startswith("-")]
        guess = _find_option_of_other_name(error.option_name, known) or find_closest_word(error.option_name, known)
        return f"unknown option `{error.option_name}`", format_guess_hint(guess)
    if match := _UNKNOWN_COMMAND.match(message):
        name, known = match[1], list(error.ctx.command.commands)
        others = OTHER_WORDS_IN_GROUPS.get(error.ctx.info_name, {}) if error.ctx.parent is not None else OTHER_WORDS
        return f"unknown command `{name}`", format_guess_hint(others.get(name) or find_closest_word(name, known))
    if match := _EXTRA_WORDS.match(message):
        return f"unexpected word `{match[1]}`", format_guess_hint(_guess_option(error, match[1]))
    return _reword_message(error, message), ""


def _find_option_of_other_name(typed: str, known: list[str]) -> str:
    """Return the option of a command that is called otherwise elsewhere, '' if the command has none such."""
    meant = OTHER_OPTIONS.get(typed.replace("-", "").replace("_", "").casefold(), ())
    return next((option for option in meant if option in known), "")


def _guess_option(error: Any, words: str) -> str:
    """Return the option whose value a word too many may be, with the word: a choice of it, or the path of a call."""
    for param in error.ctx.command.params:
        if words in getattr(param.type, "choices", ()) or ("--path" in param.opts and quote(words) == words):
            return f"{max(param.opts, key=len)} {words}"
    return ""


def _reword_message(error: Any, message: str) -> str:
    """Return one of Typer's messages in lower case, with user input in backticks."""
    if getattr(error, "param", None) is not None and not hasattr(error, "param_type"):
        message = f"'{_parameter_label(error.param)}': {error.message}"
    message = message.replace("is not a valid int", "is not an integer")
    message = _QUOTED.sub(r"`\1`", " ".join(message.removeprefix("Invalid value: ").split())).removesuffix(".")
    return message[:1].lower() + message[1:]


def _parameter_label(param: Any) -> str:
    return str(max(param.opts, key=len) if param.param_type_name == "option" else param.metavar)
