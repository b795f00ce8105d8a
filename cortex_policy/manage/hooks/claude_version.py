"""Whether the installed Claude Code knows the switch that makes a failed hook block."""

import re

from cortex_policy.manage.doctor.result import (
    OK,
    PROBLEM,
    WARNING,
    CheckResult,
    find_program_and_trust_problem,
    run_program,
)

NAME = "version"
FIRST = (2, 1, 295)  # older ones take `onFailure` for an unknown key, and let the call run
_WANTED = ".".join(map(str, FIRST))
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_UPDATE = "claude update"


def examine_claude_version() -> CheckResult:
    """Ask the program on PATH for its version."""
    path, unsafe = find_program_and_trust_problem("claude")
    if not path or unsafe:
        why = unsafe or "`claude` is not on PATH"
        return CheckResult(NAME, WARNING, f"{why}, and before {_WANTED} Claude Code runs the call if the hook fails")
    trial = run_program(path, "--version")
    found = _VERSION.match(trial.output) if trial.code == 0 else None
    if found is None:
        return CheckResult(NAME, WARNING, f"`{path}` does not print its version", tried=trial.tried)
    if tuple(map(int, found.groups())) < FIRST:
        message = f"Claude Code {found[0]} runs the call if the hook fails; {_WANTED} or newer blocks it"
        return CheckResult(NAME, PROBLEM, message, _UPDATE, trial.tried)
    return CheckResult(NAME, OK, f"Claude Code {found[0]} blocks if the hook fails", tried=trial.tried)
