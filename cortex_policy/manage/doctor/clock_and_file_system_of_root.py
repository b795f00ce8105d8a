"""What can be wrong with the host: its clock, its file systems, and what the kernel gives to programs that stay."""

import os
import sys
import time

from cortex_policy.core.text import format_os_error_cause
from cortex_policy.library.inotify import ENTRIES, Inotify
from cortex_policy.library.reader_acknowledgements import PREFIX as READER_PREFIX
from cortex_policy.manage.doctor.result import (
    OK,
    PROBLEM,
    WARNING,
    CheckResult,
    find_program_and_trust_problem,
    run_program,
)
from cortex_policy.state import CLOCK, Root
from cortex_policy.state.ledger_directory import is_on_known_local_file_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TOLERANCE_SECONDS = 2.0
MORE_WATCHES = "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512"


def examine_clock_and_file_system_of_root(root: Root | None, state_dir: str) -> "Iterator[CheckResult]":
    """Check the clock and, of a root, its file system and the watches of its stores."""
    yield _check_clock(root)
    if root is not None:
        yield _check_file_system(root)
        if _has_store(state_dir):
            yield _check_watches(root)


def _check_clock(root: Root | None) -> CheckResult:
    """Read both clocks; a directory that changed in the future shows that the clock was set back."""
    before, after = time.clock_gettime_ns(CLOCK), time.clock_gettime_ns(CLOCK)
    if after < before:
        return CheckResult("clock", PROBLEM, "the clock since boot goes back: budgets would not be exact")
    ahead = os.stat(root.policy_path).st_ctime - time.time() if root is not None else 0.0
    if ahead > TOLERANCE_SECONDS:
        message = f"the clock was set back: `{root.policy_path if root else ''}` changed {ahead:.0f} seconds from now"
        return CheckResult("clock", WARNING, message, "sudo timedatectl set-ntp true")
    path, unsafe = find_program_and_trust_problem("timedatectl")
    if path and not unsafe:
        trial = run_program(path, "show", "-p", "NTPSynchronized", "--value")
        if trial.output == "no":
            message = "the clock is not synchronized: times in the audit log may be wrong"
            return CheckResult("clock", WARNING, message, "sudo timedatectl set-ntp true", trial.tried)
    return CheckResult("clock", OK, "both clocks go forward")


def _check_file_system(root: Root) -> CheckResult:
    if sys.platform != "linux" or is_on_known_local_file_system(os.path.realpath(root.path)):
        return CheckResult("file-system", OK, f"`{root.path}` is local")
    message = f"`{root.path}` is on a network file system: each host counts budgets of its own"
    return CheckResult("file-system", WARNING, message)


def _has_store(state_dir: str) -> bool:
    """Whether a program has a store that names itself as a reader, which leaves a file beside the rate state."""
    try:
        return any(name.startswith(READER_PREFIX) for name in os.listdir(state_dir))
    except OSError:
        return False


def _check_watches(root: Root) -> CheckResult:
    """Watch the policy directory, as a store does."""
    queue = None
    try:
        queue = Inotify()
        queue.watch(root.policy_path, ENTRIES)
    except OSError as error:
        message = f"a store cannot watch `{root.policy_path}` and reads everything again every 20 ms"
        return CheckResult("inotify", WARNING, f"{message}: {format_os_error_cause(error)}", MORE_WATCHES)
    finally:
        if queue is not None:
            queue.close()
    return CheckResult("inotify", OK, "stores can watch the policy directory")
