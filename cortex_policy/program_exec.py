"""Find the file of a command, and become it by exec.

The command gets the process as our caller made it: everything that a check opens is closed by the exec, and what Python
itself changes at its start is put back.
"""

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` loads `enum`, which costs 6 ms
import os
from stat import S_ISDIR, S_ISREG

from cortex_policy.core.model import CortexPolicyError, Reason

COMMAND_NOT_FOUND = Reason("command_not_found", "command not found", 127)
COMMAND_NOT_EXECUTABLE = Reason("command_not_executable", "command cannot be run", 126)
COUNTED = "; the call was counted, and the command did not run"
_PYTHON_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8")  # what Python sets `LC_CTYPE` to in the C locale
_SHELL = "/bin/sh"


def find_program(name: str) -> str:
    """Return the file of a command as a shell finds it; raise CortexPolicyError (127, 126) if there is none.

    An empty part of PATH is the working directory. The path is not made absolute: a script finds in `$0` what it would
    find without us, and the working directory does not change before the exec.
    """
    places = os.environ.get("PATH", os.defpath).split(":") if name else []
    files = [name] if "/" in name else [f"{place or '.'}/{name}" for place in places]
    for file in files:
        if _is_executable(file):
            return file
    raise _search_error(name, files)


def _is_executable(file: str) -> bool:
    try:
        mode = os.stat(file).st_mode
    except OSError:
        return False
    return S_ISREG(mode) and os.access(file, os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _search_error(name: str, files: list[str]) -> CortexPolicyError:
    """Say why none of the files that a name may stand for can be executed."""
    if name not in files:  # directories on PATH do not count, nor do those that cannot be searched
        files = [file for file in files if os.path.isfile(file)]
    if not files:
        hint = "give the path of its file, or add its directory to PATH"
        return CortexPolicyError(COMMAND_NOT_FOUND, f"`{name}` is not in PATH", hint)
    try:
        mode = os.stat(files[0]).st_mode
    except OSError as error:
        return make_execution_error(files[0], error, "")
    if S_ISREG(mode):
        return CortexPolicyError(
            COMMAND_NOT_EXECUTABLE, f"`{files[0]}` is not executable", "make it executable with `chmod +x`"
        )
    what = "directory" if S_ISDIR(mode) else "special file"
    return CortexPolicyError(COMMAND_NOT_EXECUTABLE, f"`{files[0]}` is a {what}")


def make_execution_error(file: str, error: OSError, more: str = COUNTED) -> CortexPolicyError:
    """Return the error for a file that the system does not execute."""
    from cortex_policy.core.text import format_os_error_cause  # noqa: PLC0415 - only a failure needs it

    is_absent = isinstance(error, FileNotFoundError | NotADirectoryError)
    reason = COMMAND_NOT_FOUND if is_absent else COMMAND_NOT_EXECUTABLE
    return CortexPolicyError(reason, f"`{file}`: {format_os_error_cause(error)}{more}")


def execute_program_or_return_error(program: str, words: list[str]) -> CortexPolicyError:
    """Replace this process by a program, and return the error if the system refuses.

    The program is executed by the name that was found, not by a descriptor: a script would see `/dev/fd/3` as its name,
    and its interpreter could not open it unless the descriptor were inherited. If somebody else can replace the file,
    the answer does not protect it in either case.
    """
    try:
        _restore_environment()
        _restore_signals()
        try:
            os.execv(program, words)  # noqa: S606 - the command is the caller's
        except OSError as error:
            from errno import ENOEXEC  # noqa: PLC0415 - few programs are scripts without `#!`

            if error.errno != ENOEXEC or _is_binary(program):
                raise
            # a script without `#!` is one of the shell; a name with `-` first would be its option
            script = f"./{program}" if program.startswith("-") else program
            os.execv(_SHELL, [_SHELL, script, *words[1:]])  # noqa: S606 - as above
    except OSError as error:
        _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)  # so that no reader that has gone changes the exit code
        return make_execution_error(program, error)


def _is_binary(file: str) -> bool:
    """Whether a file is not a text, such as a program of another machine: a shell would take its bytes for commands."""
    with open(file, "rb", buffering=0) as content:
        return b"\0" in content.read(128)


def _restore_environment() -> None:
    """Put back `LC_CTYPE`, which Python sets in the C locale; without `/proc` nobody knows what it was."""
    if os.environ.get("LC_CTYPE") not in _PYTHON_LOCALES:
        return
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return
    given = [entry for entry in entries if entry.startswith(b"LC_CTYPE=")]
    if given:
        os.putenv("LC_CTYPE", given[0].partition(b"=")[2])
    else:
        os.unsetenv("LC_CTYPE")


def _restore_signals() -> None:
    """Put back the signals that Python changes at its start.

    What a caller had for SIGPIPE and SIGXFSZ cannot be known any more: the command gets the default.
    """
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        # blocked meanwhile: a Ctrl-C that comes now ends the command, while Python would forget it
        mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT,))
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
