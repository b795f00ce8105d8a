"""Read from an agent's settings how it would run a hook: the words, the time-out, the fail-closed switch."""

import re

from cortex_policy.manage.hooks.hook_command import HookCommand
from cortex_policy.manage.hooks.hook_entry import PROJECT_VARIABLE
from cortex_policy.manage.hooks.own_hook_handlers import parse_own_hook_handler_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    Members = dict[str, object]

_DEFAULT_TIMEOUTS = {"claude": 600, "codex": 600, "gemini": 60, "cursor": 60, "copilot": 30, "vscode": 30}  # seconds
_PROGRAM = re.compile(r"(?:'([^']*cortex[-_]policy)'|([^\s'\"]*cortex[-_]policy))\s+hook\s")


def make_runnable_hook_command_or_none(agent: str, handler: "Members") -> HookCommand | None:
    """Return the line of a handler as its agent runs it, None if its program and root cannot be replaced."""
    line = parse_own_hook_handler_or_none(handler)
    program = _PROGRAM.search(line.command) if line is not None else None
    if line is None or program is None:
        return None
    words, is_variable = _exec_words(handler), line.root == f"${PROJECT_VARIABLE}"
    found = HookCommand(
        agent, words or (line.command,), program[1] or program[2], "" if is_variable else line.root,
        _timeout_seconds(agent, handler), is_shell=not words,
        fail_closed=handler.get("onFailure") == "block" or handler.get("failClosed") is True,
    )  # fmt: skip
    try:
        found.with_root("/").with_program("/")
    except ValueError:
        return None
    return found if is_variable or line.root.startswith("/") else None


def _exec_words(handler: "Members") -> tuple[str, ...]:
    """Return the words of a command that no shell reads, none if it is a text."""
    arguments = handler.get("args")
    if not isinstance(arguments, list):
        return ()
    program = handler.get("exec") or handler.get("command")
    return (str(program), *map(str, arguments))


def _timeout_seconds(agent: str, handler: "Members") -> float:
    value = handler.get("timeoutSec" if agent == "copilot" else "timeout")
    if not isinstance(value, int | float):
        return _DEFAULT_TIMEOUTS[agent]
    return value / 1000 if agent == "gemini" else value
