"""What can be wrong with the hooks of pre-commit that prove the grants of a repository."""

import os

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.doctor.result import (
    OK,
    PROBLEM,
    WARNING,
    CheckResult,
    find_program_and_trust_problem,
    run_program,
)
from cortex_policy.manage.init.pre_commit import (
    CONFIGURATION,
    PRE_COMMIT_HOOKS,
    find_writable_repository,
    read_pre_commit_configuration_or_empty,
)
from cortex_policy.state import Root
from cortex_policy.state.grants_errors import format_root_option

NAME = "hooks"
PROGRAM = "pre-commit"


def examine_pre_commit_hooks(root: Root) -> CheckResult:
    """Check whether the hooks are complete, can run, and are installed."""
    try:
        top = find_writable_repository(root.path)
    except NotDoneError as error:
        return CheckResult(NAME, OK, error.detail)
    text = read_pre_commit_configuration_or_empty(top)
    missing = [hook.id for hook in PRE_COMMIT_HOOKS if f"id: {hook.id}" not in text]
    if len(missing) == len(PRE_COMMIT_HOOKS):
        return CheckResult(NAME, OK, f"`{top}/{CONFIGURATION}` has none of the hooks")
    if missing:
        message = f"`{top}/{CONFIGURATION}` lacks {', '.join(missing)}"
        return CheckResult(NAME, WARNING, message, f"cortex-policy init --pre-commit{format_root_option(root)}")
    return _check_pre_commit_program(top)


def _check_pre_commit_program(top: str) -> CheckResult:
    path, unsafe = find_program_and_trust_problem(PROGRAM)
    if not path or unsafe:
        return CheckResult(NAME, WARNING, unsafe or f"`{PROGRAM}` is not on PATH", f"pip install {PROGRAM}")
    trial = run_program(path, "--version")
    if trial.code != 0:
        return CheckResult(
            NAME, PROBLEM, f"`{path}` does not run: {trial.output}", f"pip install {PROGRAM}", trial.tried
        )
    return _check_git_hook(top)


def _check_git_hook(top: str) -> CheckResult:
    """Ask git where its hooks are, and look for the one of pre-commit."""
    git, unsafe = find_program_and_trust_problem("git")
    if not git or unsafe:
        return CheckResult(NAME, WARNING, unsafe or "`git` is not on PATH")
    trial = run_program(git, "-C", top, "-c", "core.fsmonitor=false", "rev-parse", "--git-path", "hooks")
    if trial.code != 0:
        return CheckResult(NAME, WARNING, trial.output.partition("\n")[0], tried=trial.tried)
    hook = os.path.join(top, trial.output, PROGRAM)
    if os.access(hook, os.X_OK):
        return CheckResult(NAME, OK, f"`{hook}` runs the hooks before each commit", tried=trial.tried)
    return CheckResult(
        NAME, WARNING, f"`{hook}` is missing, so the hooks do not run", f"{PROGRAM} install", trial.tried
    )
