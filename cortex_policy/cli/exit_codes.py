"""The exit codes and their meaning, for help, man pages and README."""

from typing import TYPE_CHECKING

from cortex_policy.core.model import REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping

_DENIAL_CODES = range(10, 20)
_ERROR_CODES = range(20, 30)
_NOT_DONE = 3
_GENERAL_CODES = {
    1: "findings: a problem in what was validated or tested, a difference in what was verified, a change that"
    " allows more, a denial of every check, or a problem that `doctor` found",
    2: "usage",
    3: "not done, nothing was changed",
    70: "a bug in this program; every exit code except 0 means: not allowed",
    126: "the command of `run` or `mcp proxy` cannot be executed",
    127: "the command of `run` or `mcp proxy` was not found",
    130: "interrupted",
}
DECIDING = ("check", "enforce", "explain", "run")  # their exit codes are answers, and programs read them
_SUCCESS = {
    None: "allowed, or done",
    "run": "allowed; the command ended with 0 (its other codes are passed on)",
}
_WRITERS = ("init", "new", "set", "remove", "rename", "copy", "fmt", "edit", "undo", "stamp")
_STATE_READERS = ("rate", "approvals", "approve", "deny")  # they read what calls have left behind
_ROOTLESS = ("completions", "rule", "help")
_COMMANDS_OF_CODE = {
    1: ("validate", "test", "stamp", "diff", "fmt", "replay", "audit", "status", "doctor", "hook"),
    23: (*DECIDING, *_WRITERS, "hook", "export"),
    24: (*DECIDING, *_STATE_READERS),
    27: (*DECIDING, *_STATE_READERS, *_WRITERS, "config", "audit", "replay", "suggest", "hook", "export"),
    126: ("run", "mcp"),
    127: ("run", "mcp"),
}
# they change something, or their exit code is the answer: an output that cannot be written is not their error
_CHANGING = frozenset((
    *DECIDING, *_WRITERS, "undo", "stop", "resume", "approve", "deny", "stamp write", "stamp merge", "hook init",
    "hook edit", "hook install", "hook uninstall", "config set", "config unset", "config edit", "rate reset",
    "rate purge", "audit send",
))  # fmt: skip
_DRY_RUN_OPTIONS = ("dry_run", "check", "diff")
_CHANGING_OPTIONS = {"validate": ("fix",), "test": ("init",), "schema": ("install",), "export": ("out",)}


def starts_with_decision_command(words: list[str]) -> bool:
    """Return whether the exit code of a command line is a decision."""
    return bool(words) and words[0] in DECIDING


def is_changing_parsed_command(command: str, options: "Mapping[str, object]") -> bool:
    """Return whether a command with these options does more than print."""
    if command in _CHANGING_OPTIONS:
        return any(options.get(name) for name in _CHANGING_OPTIONS[command])
    return command in _CHANGING and not any(options.get(name) for name in _DRY_RUN_OPTIONS)


def list_exit_codes(command: str | None = None) -> list[tuple[int, str]]:
    """Return the exit codes of a command, or all of them, with their meaning, in order."""
    codes = _GENERAL_CODES | {reason.exit_code: f"{reason.message} ({reason})" for reason in REASONS}
    codes[0] = _SUCCESS.get(command, "allowed" if command in DECIDING else "done")
    return sorted(
        (code, meaning) for code, meaning in codes.items() if command is None or _can_exit_with(command, code)
    )


def _can_exit_with(command: str, code: int) -> bool:
    if code in _COMMANDS_OF_CODE:
        return command in _COMMANDS_OF_CODE[code]
    if code in _DENIAL_CODES:
        return command in DECIDING
    if code == _NOT_DONE:
        return command not in DECIDING
    return code not in _ERROR_CODES or command not in _ROOTLESS
