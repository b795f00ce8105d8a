"""The door: plain words of `check` go straight to the room behind it, everything else to Typer."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Never

    from cortex_policy.check import Call

BUG = 70
INTERRUPTED = 130
_FLAGS = {
    "--peek": "peek",
    "--require-path": "require_path",
    "--explain": "explain",
    "--json": "json",
    "--quiet": "quiet",
    "-q": "quiet",
}
_TEXTS = {"--args": "args_json", "--root": "root"}
_LISTS = {"--path": "paths", "--arg": "arg_words"}
_NUMBERS = {"--wait": "wait_seconds", "--cost": "cost"}


def main() -> "Never":
    """Run the program on the words of this process, and leave with its exit code."""
    code, said = BUG, ""
    try:
        _open_standard_descriptors()
        # here, so that one of our own modules that cannot be loaded is told from a verdict
        from cortex_policy.check import answer, leave  # noqa: PLC0415

        words = sys.argv[1:]
        call = read(words[1:]) if words[:1] == ["check"] else None
        if call is not None:
            leave(answer(call))
        code = _run(words)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a bug and must not end as 0 or 1
        said = _bug(error)
    _leave(code, said)


def _run(words: list[str]) -> int:
    """Run a command that is no plain check, and return its exit code."""
    if words[:1] == ["validate"]:
        import gc  # noqa: PLC0415 - no check needs it

        from cortex_policy.cli.commands.validate_argv import read as read_plain  # noqa: PLC0415
        from cortex_policy.cli.commands.validate_run import run  # noqa: PLC0415
        from cortex_policy.cli.exit_guard import guarded  # noqa: PLC0415 - as in main

        asked = read_plain(words[1:])
        if asked is not None:
            gc.disable()  # a look at ten thousand grants makes no cycles
            return guarded(lambda: run(asked), lambda: asked.fix)
    from cortex_policy.cli.app import run as run_any  # noqa: PLC0415 - loads Typer

    return run_any(words)


def _leave(code: int, said: str) -> "Never":
    """Exit with a code whatever becomes of the sentence."""
    try:
        os.write(2, said.encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)


def _bug(error: BaseException) -> str:
    trace, where = error.__traceback__, ""
    while trace is not None:
        where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    said = f"{str(error)!a:.200}".replace("[", "\\x5b")  # escaped: it may quote what a caller gave
    return f"cortex-policy: a bug in this program at {where}: {type(error).__name__}: {said}\n"


def _open_standard_descriptors() -> None:
    """Open whichever of descriptors 0-2 is closed, else the ledger becomes one and takes the denial's text."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free: this one


def read(words: list[str]) -> "Call | None":
    """Read the words after `check`; None for whatever is not plain, which Typer reads then."""
    from cortex_policy.check import Call, number  # noqa: PLC0415 - as in main

    plain: list[str] = []
    parts: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            plain.append(word)
        elif not _take_option(word, rest, parts):
            return None
    for option, field in _NUMBERS.items():
        if field in parts:
            parts[field] = number(option, parts[field])
    if len(plain) != 2 or None in parts.values():  # noqa: PLR2004 - a grant and an action
        return None
    grant, action = plain
    return Call(grant, action, **parts)


def _take_option(word: str, rest: "Any", parts: "dict[str, Any]") -> bool:
    """Put one option into the parts of the call; False for what is unknown, given twice or not plain."""
    if word in _FLAGS:
        name = _FLAGS[word]
        fresh = name not in parts
        parts[name] = True
        return fresh
    word, equals, behind = word.partition("=")
    value: str | None = behind if equals else next(rest, None)
    if value is None or (value.startswith("-") and not equals and value != "-"):
        return False
    if word in _LISTS:
        parts[_LISTS[word]] = (*parts.get(_LISTS[word], ()), value)
        return True
    field = _TEXTS.get(word) or _NUMBERS.get(word)
    if field is None or field in parts:
        return False
    parts[field] = value
    return True
