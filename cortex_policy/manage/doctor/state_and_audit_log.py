"""What can be wrong with the files that calls leave behind: rate state, audit log, their locks and file systems."""

import os
import sys
from shlex import quote
from tempfile import NamedTemporaryFile

from cortex_policy.core.model import Settings
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING, CheckResult, run_program
from cortex_policy.manage.doctor.root import make_check_results_from_denials
from cortex_policy.manage.global_denials import GlobalDenials
from cortex_policy.state import fcntl
from cortex_policy.state.audit_file import LOCK_SUFFIX, open_log_lock_or_minus_one
from cortex_policy.state.ledger_directory import is_on_known_local_file_system
from cortex_policy.state.users import find_user_name_or_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED_MEMORY = "/dev/shm/"  # noqa: S108 - only compared
FIRST_USER = 1000  # systemd removes nothing of users below
LINGER = "/var/lib/systemd/linger"
SYSTEMD = "/run/systemd/system"
_BLOCK = bytes(4096)
_LOGIND = "org.freedesktop.login1"
_ASK_LOGIND = ("get-property", _LOGIND, "/org/freedesktop/login1", f"{_LOGIND}.Manager", "RemoveIPC")


def examine_state_and_audit_log(settings: Settings, denials: GlobalDenials) -> "Iterator[CheckResult]":
    """Check the rate state and the audit log of the caller."""
    what = "budgets are counted" if settings.budgets_url is None else "what this host keeps of shared budgets is"
    found = list(make_check_results_from_denials(denials, "state", f"{what} in `{settings.state_dir}`"))
    yield from found
    if found[0].status == OK:
        yield _check_lock(settings.state_dir or "")
        yield _check_removal_at_logout(settings.state_dir or "")
    yield from make_check_results_from_denials(denials, "audit-log", _audit_text(settings))
    if settings.audit_file is not None and os.path.isfile(settings.audit_file):
        yield _check_audit_lock(settings.audit_file)
        yield _check_audit_file_system(settings.audit_file)


def _audit_text(settings: Settings) -> str:
    return (
        "there is no audit log: `audit.file` is not set"
        if settings.audit_file is None
        else f"`{settings.audit_file}` can be written"
    )


def _check_lock(state_dir: str) -> CheckResult:
    """Write a file where budgets are, lock it, and find it locked through another descriptor."""
    place = state_dir if os.path.isdir(state_dir) else os.path.dirname(state_dir.rstrip("/"))
    try:
        with NamedTemporaryFile(dir=place, prefix=".doctor-") as file:
            file.write(_BLOCK)
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _can_lock(file.name):
                message = f"locks do not work in `{place}`: budgets would not be exact"
                return CheckResult("lock", PROBLEM, message, f"findmnt -T {quote(place)}")
    except OSError as error:
        return CheckResult(
            "lock",
            PROBLEM,
            f"no file can be written and locked in `{place}`: {format_os_error_cause(error)}",
            f"df {quote(place)}",
        )
    return CheckResult("lock", OK, f"a file in `{place}` was written and locked, and a second lock was refused")


def _can_lock(name: str) -> bool:
    descriptor = os.open(name, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _check_removal_at_logout(state_dir: str) -> CheckResult:
    """Check whether the system removes the rate state at the last logout, so that budgets start full again."""
    name, fine = "remove-ipc", CheckResult("remove-ipc", OK, "a logout removes no rate state")
    if sys.platform != "linux" or not state_dir.startswith(SHARED_MEMORY) or os.geteuid() < FIRST_USER:
        return fine
    user = find_user_name_or_empty(os.geteuid())
    if not os.path.isdir(SYSTEMD) or os.path.exists(f"{LINGER}/{user}"):
        return fine
    trial = run_program("busctl", *_ASK_LOGIND)
    if trial.output == "b false":
        return CheckResult(name, OK, fine.message, tried=trial.tried)
    known = "" if trial.output == "b true" else " if `RemoveIPC` is on, as it is by default"
    message = f"the last logout removes `{state_dir}`{known}: the next call by ssh starts with full budgets"
    return CheckResult(name, WARNING, message, f"loginctl enable-linger {user or os.geteuid()}", trial.tried)


def _check_audit_lock(file: str) -> CheckResult:
    """Make the lock beside the log, as a check would: without it, whoever may read the log could stop all calls."""
    status = os.stat(file)
    descriptor = open_log_lock_or_minus_one(file, status)
    if descriptor >= 0:
        os.close(descriptor)
        return CheckResult("audit-lock", OK, f"`{file}{LOCK_SUFFIX}` can be locked")
    mode = "660" if status.st_mode & 0o020 else "600"
    lock = quote(file + LOCK_SUFFIX)
    command = f"sudo install -m {mode} -o {status.st_uid} -g {status.st_gid} /dev/null {lock}"
    message = (
        f"`{file}{LOCK_SUFFIX}` cannot be made or trusted: a process that may only read the log can stop all calls"
    )
    return CheckResult("audit-lock", WARNING, message, command)


def _check_audit_file_system(file: str) -> CheckResult:
    directory = os.path.dirname(file)
    if sys.platform != "linux" or is_on_known_local_file_system(os.path.realpath(directory)):
        return CheckResult("audit-file-system", OK, f"`{directory}` is local")
    message = f"`{directory}` is on a network file system: lines of several hosts may break each other's chain"
    return CheckResult(
        "audit-file-system", WARNING, message, "cortex-policy config set audit.file /var/log/cortex-policy.jsonl"
    )
