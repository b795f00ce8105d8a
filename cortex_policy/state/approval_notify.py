"""Run the program of the operator for a new request. Whatever it does, the call stays denied until a human answers."""

import os
import signal

from cortex_policy.core.model import CortexPolicyError

MAX_SECONDS = 5.0


def run_notify_program_and_find_failure(line: bytes) -> str:
    """Run the program that `approvals.notify` names, with a request's line as its input; return why that failed, or ''.

    Only the system and the user can set it: a project or an environment must not choose what an operator's check runs.
    It gets no variables of this program. After 5 seconds it is killed, with all that it started in its process group.
    """
    from cortex_policy.state.settings import read_setting  # noqa: PLC0415 - only a new request needs these

    try:
        program = read_setting("approvals.notify")
    except CortexPolicyError as error:
        return str(error)
    return "" if program is None else _run_program(str(program), line)


def _run_program(program: str, line: bytes) -> str:
    """Run the program with a line as its input, without CORTEX_ variables; return why it failed, '' if it did not."""
    import subprocess  # noqa: PLC0415 - 12 ms, and few have such a program

    from cortex_policy.core.text import format_os_error_cause  # noqa: PLC0415 - as above

    environment = {name: value for name, value in os.environ.items() if not name.startswith("CORTEX_")}
    try:
        with subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            start_new_session=True,
        ) as process:
            try:
                process.communicate(line, timeout=MAX_SECONDS)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                return f"`{program}` took more than {MAX_SECONDS:.0f} seconds"
    except OSError as error:
        return f"`{program}`: {format_os_error_cause(error)}"
    return f"`{program}` ended with {process.returncode}" if process.returncode else ""
