"""What can be wrong with the installation of this user: the program on PATH, completions, man pages, the editor."""

import os
import sysconfig
from shlex import quote

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.doctor.result import (
    OK,
    PROBLEM,
    WARNING,
    CheckResult,
    find_program_and_trust_problem,
    run_program,
)
from cortex_policy.manage.editing.editor_command import choose_editor_command
from cortex_policy.manage.listing import read_all_grant_rows
from cortex_policy.manage.settings.effective import find_configured_editor
from cortex_policy.state import Root, find_home_directory_or_empty
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.safe_directories import is_private_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.manage.listing import GrantRow

PROGRAM = "cortex-policy"
MIN_UNDECIDED = 20  # the first exit code of a call that could not be decided
# for each shell: how it is run, what it is asked, and the line that makes it complete
SHELLS = {
    "bash": (
        ("-ic",),
        f"{{ _comp_load {PROGRAM} || _completion_loader {PROGRAM}; }} >/dev/null 2>&1; complete -p {PROGRAM}",
        f"""echo 'eval "$({PROGRAM} completions bash)"' >> ~/.bashrc""",
    ),
    "zsh": (
        ("-ic",),
        f"(( $+_comps[{PROGRAM}] ))",
        f"echo 'source <({PROGRAM} completions zsh)' >> ~/.zshrc",
    ),
    "fish": (
        ("-c",),
        f"complete -C '{PROGRAM} chec' | string match -q 'check*'",
        f"echo '{PROGRAM} completions fish | source' >> ~/.config/fish/config.fish",
    ),
}


def examine_program_shell_and_editor(root: Root | None) -> "Iterator[CheckResult]":
    """Check what this user's shell finds; the program that it finds decides a call."""
    program = _check_program()
    yield program
    if root is not None and program.status == OK:
        yield from _check_decision(root)
    yield _check_completions()
    yield _check_man_page()
    yield _check_editor(root)


def _check_program() -> CheckResult:
    """Run the program that a script finds, if it is this one."""
    ours = os.path.join(sysconfig.get_path("scripts"), PROGRAM)
    found, unsafe = find_program_and_trust_problem(PROGRAM)
    command = f'export PATH="{os.path.dirname(ours)}:$PATH"' if os.path.exists(ours) else ""
    if not found:
        return CheckResult("program", WARNING, f"scripts do not find `{PROGRAM}`: it is not on PATH", command)
    if unsafe:
        return CheckResult("program", PROBLEM, f"{unsafe}, who would then decide every call of a script", command)
    if not os.path.exists(ours) or not os.path.samefile(found, ours):
        return CheckResult("program", WARNING, f"scripts find another installation, `{found}`", command)
    trial = run_program(found, "--version")
    if trial.code:
        return CheckResult("program", PROBLEM, f"`{found}` does not run: {trial.output}", command, trial.tried)
    return CheckResult("program", OK, f"scripts find `{found}`", tried=trial.tried)


def _check_decision(root: Root) -> "Iterator[CheckResult]":
    """Let the program explain the first call that a grant allows: that counts and records nothing."""
    grant = next((row.grant for row in _readable_rows(root) if row.grant is not None and row.grant.actions), None)
    if grant is None:
        return
    trial = run_program(
        find_program_and_trust_problem(PROGRAM)[0], "explain", "--root", root.path, "--", grant.id, grant.actions[0]
    )
    if trial.code is not None and trial.code < MIN_UNDECIDED:
        yield CheckResult("decision", OK, f"`{grant.id} {grant.actions[0]}` is decided", tried=trial.tried)
    else:
        message = f"`{grant.id} {grant.actions[0]}` is not decided: {trial.output.partition(chr(10))[0]}"
        yield CheckResult("decision", PROBLEM, message, f"{PROGRAM} status{format_root_option(root)}", trial.tried)


def _readable_rows(root: Root) -> "tuple[GrantRow, ...]":
    try:
        return read_all_grant_rows(root)
    except GrantError:  # the result of the grants says why
        return ()


def _check_completions() -> CheckResult:
    """Ask the user's shell, with its start-up files, whether it completes the program."""
    name = os.path.basename(os.environ.get("SHELL", ""))
    if name not in SHELLS:
        return CheckResult("completions", OK, "the shell is not bash, zsh or fish")
    shell, unsafe = find_program_and_trust_problem(name)
    if not shell or unsafe:
        return CheckResult("completions", WARNING, unsafe or f"`{name}` is not on PATH")
    home = find_home_directory_or_empty()
    if not is_private_path(home):  # its start-up files would run with the rights of this user
        return CheckResult("completions", WARNING, f"not tried: another user can change the home `{home}`")
    options, question, command = SHELLS[name]
    trial = run_program(shell, *options, question, TERM="dumb")
    if trial.code == 0:
        return CheckResult("completions", OK, f"{name} completes `{PROGRAM}`", tried=trial.tried)
    return CheckResult("completions", WARNING, f"{name} does not complete `{PROGRAM}`", command, trial.tried)


def _check_man_page() -> CheckResult:
    path, unsafe = find_program_and_trust_problem("man")
    if not path or unsafe:
        return CheckResult("man", WARNING if unsafe else OK, unsafe or "`man` is not installed")
    trial = run_program(path, "-w", PROGRAM)
    if trial.code == 0:
        return CheckResult("man", OK, "`man` finds the pages", tried=trial.tried)
    pages = os.path.join(sysconfig.get_path("data"), "share", "man")
    command = f"export MANPATH={quote(pages)}:" if os.path.isdir(os.path.join(pages, "man1")) else ""
    return CheckResult("man", WARNING, "`man` does not find the pages", command, trial.tried)


def _check_editor(root: Root | None) -> CheckResult:
    try:
        name = choose_editor_command(os.environ, find_configured_editor(root))[0]
    except NotDoneError as error:
        return CheckResult("editor", WARNING, error.detail, f"{PROGRAM} config set editor vi")
    path, unsafe = find_program_and_trust_problem(name)
    if not path:
        return CheckResult("editor", WARNING, f"the editor `{name}` is not found", f"{PROGRAM} config set editor vi")
    return CheckResult("editor", WARNING if unsafe else OK, unsafe or f"`edit` opens `{path}`")
