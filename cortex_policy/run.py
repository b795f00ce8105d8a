"""Decide a call, then become its command: `run`. A denied call never reaches the exec."""

import os

from cortex_policy.check import Call, CallOutcome, decide_outcome_with_wait
from cortex_policy.core import Value
from cortex_policy.core.model import CortexPolicyError, UsageError
from cortex_policy.program_exec import COUNTED, execute_program_or_return_error, find_program, make_execution_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never

    from cortex_policy.check import Notice
    from cortex_policy.core.model import Decision

PLACEHOLDER = "{}"
MAX_EXIT_CODE = 255
_DENIALS = range(10, 30)  # decided, or could not be decided
_SHELLS = frozenset(("sh", "ash", "bash", "dash", "fish", "ksh", "mksh", "rbash", "zsh"))


class Run(Value):
    """The words of one `run`: a call, and the command that follows if it is allowed."""

    call: Call
    command: tuple[str, ...]
    denied_exit: int | None = None
    for_each: bool = False
    nul: bool = False  # paths on standard input end with NUL


def split_argv_at_double_dash(argv: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Split the words after `run` at the first `--`: options, and the command, which is empty without one."""
    if "--" not in argv:
        return argv, ()
    index = argv.index("--")
    return argv[:index], tuple(argv[index + 1 :])


def parse_denied_exit_code_or_none(text: str) -> int | None:
    """Return the exit code that `--denied-exit` names, None unless it is 1 to 255."""
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    return int(digits) if 0 < len(digits) <= len(str(MAX_EXIT_CODE)) and int(digits) <= MAX_EXIT_CODE else None


def decide_and_exec_or_exit(run: Run, notice: "Notice | None" = None) -> "Never":
    """Decide a call and become its command, or run the command for each path; a denial exits with its code.

    The notice tells people that a call waits.
    """
    try:
        _check_words_fit(run)
        program = find_program(run.command[0])
    except CortexPolicyError as error:
        os._exit(_print_error(run, error))
    if run.for_each:
        os._exit(_run_for_each(run, program, notice))
    words = _decide_or_exit_code(run, notice)
    os._exit(words if isinstance(words, int) else _print_error(run, execute_program_or_return_error(program, words)))


def _run_for_each(run: Run, program: str, notice: "Notice | None") -> int:
    """Decide each path on standard input, and run the command for each allowed one; return the first code but 0."""
    from cortex_policy.run_for_each import read_paths_from_stdin  # noqa: PLC0415 - few runs have a list

    first = 0
    try:
        for path in read_paths_from_stdin(nul=run.nul):
            call = Call(**{**vars(run.call), "paths": (path,)})
            words = _decide_or_exit_code(Run(**{**vars(run), "call": call}), notice)
            code = words if isinstance(words, int) else _run_in_child(run, program, words)
            first = first or code
    except UsageError as error:  # the list is none
        code = _print_error(run, error)
        return first or code
    return first


def _run_in_child(run: Run, program: str, words: list[str]) -> int:
    from cortex_policy.run_for_each import fork_and_wait  # noqa: PLC0415 - as above

    try:
        return fork_and_wait(lambda: _print_error(run, execute_program_or_return_error(program, words)))
    except OSError as error:  # no process can be started
        return _print_error(run, make_execution_error(program, error))


def _decide_or_exit_code(run: Run, notice: "Notice | None") -> "list[str] | int":
    """Decide a call; return the words of its command, or the exit code of an error or denial, which is printed."""
    try:
        _check_single_path(run)
        outcome = decide_outcome_with_wait(run.call, notice)
        return _print_outcome(run, outcome) if outcome.exit_code else _fill_in_path(run, outcome.decision)
    except UsageError as error:
        return _print_error(run, error)


def _print_error(run: Run, error: CortexPolicyError) -> int:
    """Print why a command does not run, and return the exit code."""
    return _print_outcome(run, CallOutcome(run.call, None, None, error, 0))


def _print_outcome(run: Run, outcome: CallOutcome) -> int:
    from cortex_policy.render import render_outcome_unless_silent, write_rendered_texts  # noqa: PLC0415 - an allowed call prints nothing

    code = outcome.exit_code
    write_rendered_texts(render_outcome_unless_silent(outcome))
    return run.denied_exit if run.denied_exit is not None and code in _DENIALS else code


def _check_words_fit(run: Run) -> None:
    """Raise UsageError for words that do not fit together, before anything is decided."""
    call = run.call
    if run.nul and not run.for_each:
        message = "`-0` needs `--for-each`"
        raise UsageError(message)
    if run.for_each and (call.paths or call.args_json == "-"):
        message = f"`--for-each` reads paths from stdin, so `{'--path' if call.paths else '--args -'}` cannot be used"
        raise UsageError(message)
    if PLACEHOLDER in run.command[0]:
        message = f"`{PLACEHOLDER}` cannot be in the command's name, which is looked up before the call is decided"
        raise UsageError(message)
    if run.for_each and not _is_path_needed(run):
        message = f"no `{PLACEHOLDER}` in the command of `--for-each`"
        raise UsageError(message, f"`{PLACEHOLDER}` is where the path goes, as in `-- cat {PLACEHOLDER}`")
    if PLACEHOLDER in _find_script_in_command(run.command):
        message = f"`{PLACEHOLDER}` in a script would let the name of a file become a command"
        raise UsageError(message, f"""give it as an argument: `sh -c 'cat "$1"' sh {PLACEHOLDER}`""")


def _is_path_needed(run: Run) -> bool:
    return any(PLACEHOLDER in word for word in run.command)


def _check_single_path(run: Run) -> None:
    """Raise UsageError if the command needs a path, and the call has none, an empty one or several."""
    paths = run.call.paths
    if _is_path_needed(run) and (len(paths) != 1 or not paths[0]):
        given = f"{len(paths)} are given" if len(paths) > 1 else "it is empty" if paths else "no `--path` is given"
        message = f"`{PLACEHOLDER}` stands for one path, and {given}"
        raise UsageError(message, "" if paths else "to pass an empty JSON object, write `{ }`")


def _find_script_in_command(command: tuple[str, ...]) -> str:
    """Return the script that a shell gets with `-c` in a command such as `sudo bash -ec SCRIPT`, '' if none is seen."""
    is_shell = is_script_next = False
    for before, word in zip(("", *command), command, strict=False):
        if not is_shell:
            is_shell = os.path.basename(word) in _SHELLS
        elif word.startswith(("-", "+")):
            is_script_next = is_script_next or ("c" in word and not word.startswith("--"))
        elif before.startswith(("-", "+")) and before.endswith(("o", "O")):
            continue  # the name of an option, as in `-o pipefail`
        elif is_script_next:
            return word
        else:
            is_shell = False  # it reads a file
    return ""


def _fill_in_path(run: Run, decision: "Decision | None") -> list[str]:
    """Return the words of the command with the resolved path in them; raise UsageError if it has none."""
    if not _is_path_needed(run):
        return list(run.command)
    for place, _ in decision.paths if decision is not None else ():
        if place.argument == "path" and place.resolved is not None:
            return [word.replace(PLACEHOLDER, place.resolved) for word in run.command]
    message = f"`{PLACEHOLDER}` stands for a path, and `{run.call.paths[0]}` cannot be resolved to one{COUNTED}"
    raise UsageError(message)
