"""What a check of `doctor` found, and how it tries a program."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from shlex import join

from cortex_policy.core import Value
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.state.safe_directories import is_private_path

OK, WARNING, PROBLEM = STATUSES = ("ok", "warning", "problem")
TIMEOUT_SECONDS = 15
_COMMAND = re.compile("`([a-z][a-z0-9_.-]* [^`]+)`")


class CheckResult(Value):
    """One thing that was looked at, the command that fixes it ('' if none does), and the command that was tried."""

    id: str
    status: str
    message: str
    command: str = ""
    tried: str = ""


class ProgramRun(Value):
    """A program that was run: its command line, exit code and output; the code is None if it did not run, with why."""

    tried: str
    code: int | None
    output: str


def make_error_result(check_id: str, error: CortexPolicyError, status: str = PROBLEM) -> CheckResult:
    """Return a result for an error, with the command of its hint; a hint that says more is a part of the message."""
    sentence, command = error.detail or str(error), find_command_at_end_of_hint(error.hint)
    more = f"; {error.hint}" if error.hint and not command else ""
    return CheckResult(check_id, status, sentence + more, command)


def find_command_at_end_of_hint(hint: str) -> str:
    """Return the command with which a hint ends, '' if it has none, or several."""
    found = _COMMAND.findall(hint)
    return str(found[0]) if len(found) == 1 and hint.endswith(f"`{found[0]}`") else ""


def find_program_and_trust_problem(name: str) -> tuple[str, str]:
    """Return the path of a program, and why it must not be run, if so: another user could have replaced it."""
    path = shutil.which(name) or ""
    if path and not (os.path.isabs(path) and is_private_path(path)):
        return path, f"`{path}` can be replaced by another user"
    return path, ""


def run_program(*words: str, **variables: str) -> ProgramRun:
    """Run a program that was found, without a terminal or input, and end it after a while."""
    tried = join([os.path.basename(words[0]), *words[1:]])
    try:
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", env=os.environ | variables, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return ProgramRun(tried, None, f"it did not end within {TIMEOUT_SECONDS} seconds")
    except OSError as error:
        return ProgramRun(tried, None, os.strerror(error.errno or 0).lower())
    return ProgramRun(tried, process.returncode, output.strip())
