"""Run every check of `doctor`."""

from contextlib import suppress

from cortex_policy.core.model import GrantError
from cortex_policy.manage.doctor.clock_and_file_system_of_root import examine_clock_and_file_system_of_root
from cortex_policy.manage.doctor.pre_commit import examine_pre_commit_hooks
from cortex_policy.manage.doctor.program_shell_and_editor import examine_program_shell_and_editor
from cortex_policy.manage.doctor.result import PROBLEM, WARNING, CheckResult
from cortex_policy.manage.doctor.root import examine_root
from cortex_policy.manage.doctor.state_and_audit_log import examine_state_and_audit_log
from cortex_policy.manage.global_denials import find_global_denials
from cortex_policy.state import Root
from cortex_policy.state.settings import read_uncached_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def run_checks(root: Root | None) -> "Iterator[CheckResult]":
    """Yield the result of each check, of this machine and of a root; None if there is no root here."""
    if root is None:
        yield CheckResult("root", WARNING, "there is no policy root here", "cortex-policy init")
        yield from examine_clock_and_file_system_of_root(None, "")
    else:
        yield from _root_checks(root)
    yield from examine_program_shell_and_editor(root)


def _root_checks(root: Root) -> "Iterator[CheckResult]":
    denials, state_dir = find_global_denials(root), ""
    yield from examine_root(root, denials)
    with suppress(GrantError):  # the result of the settings says why
        settings = read_uncached_settings(root.path)
        state_dir = settings.state_dir or ""
        yield from examine_state_and_audit_log(settings, denials)
        if settings.budgets_url is not None:
            from cortex_policy.manage.doctor.budget_server import examine_budget_server  # noqa: PLC0415 - few hosts share budgets

            yield from examine_budget_server(settings)
    yield from examine_clock_and_file_system_of_root(root, state_dir)
    yield examine_pre_commit_hooks(root)


def find_worst_status(results: "list[CheckResult]") -> str:
    """Return `problem`, `warning` or `ok`: the worst of all, `ok` for no result."""
    found = {one.status for one in results}
    return next((status for status in (PROBLEM, WARNING) if status in found), "ok")
