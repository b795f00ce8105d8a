"""What can be wrong in a root: what denies every check, its grants, its stamp, and who else may write it."""

import os
from shlex import quote

from cortex_policy.core.model import (
    GRANT_UNSAFE,
    SETTINGS_INVALID,
    STAMP_MISMATCH,
    BudgetServerError,
    CortexPolicyError,
    GrantError,
)
from cortex_policy.core.text import format_count_with_noun
from cortex_policy.manage.doctor.result import (
    OK,
    PROBLEM,
    WARNING,
    CheckResult,
    find_command_at_end_of_hint,
    make_error_result,
)
from cortex_policy.manage.global_denials import GlobalDenials
from cortex_policy.manage.listing import read_all_grant_rows
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.unsafe_files import find_group_writer_problems
from cortex_policy.state import Root
from cortex_policy.state.grants import list_possible_roots_at_or_above
from cortex_policy.state.grants_errors import format_root_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NAMED = 5
_IDS = {SETTINGS_INVALID: "settings", GRANT_UNSAFE: "permissions", STAMP_MISMATCH: "stamp"}


def examine_root(root: Root, denials: GlobalDenials) -> "Iterator[CheckResult]":
    """Check a root, as the caller's checks find it."""
    yield _check_root(root)
    yield from _check_stops(denials)
    yield from make_check_results_from_denials(denials, "settings", "every source is valid")
    yield from make_check_results_from_denials(
        denials, "permissions", "only the owner and root can write what leads to the grants"
    )
    yield from _check_group_members(root)
    yield _check_grants(root)
    yield _check_stamp(root, denials)


def _find_doctor_check_id(error: CortexPolicyError) -> str:
    """Return the id of the check that an error of all checks belongs to."""
    if isinstance(error, BudgetServerError):
        return "budget-server"
    return _IDS.get(error.reason) or ("audit-log" if "audit" in type(error).__module__ else "state")


def make_check_results_from_denials(denials: GlobalDenials, check_id: str, fine: str) -> "Iterator[CheckResult]":
    """Yield a problem for each error that denies every check and belongs to this one, else what is fine."""
    found = [error for error in denials.errors if _find_doctor_check_id(error) == check_id]
    yield from (make_error_result(check_id, error) for error in found)
    if not found:
        yield CheckResult(check_id, OK, fine)


def _check_root(root: Root) -> CheckResult:
    above = list_possible_roots_at_or_above(os.getcwd())
    if root.path in above and len(above) > 1 and not os.environ.get("CORTEX_POLICY_ROOT"):
        message = f"a check in this directory must name its root: {len(above)} are above it, first `{root.path}`"
        return CheckResult("root", WARNING, message, f"export CORTEX_POLICY_ROOT={quote(root.path)}")
    return CheckResult("root", OK, root.path)


def _check_stops(denials: GlobalDenials) -> "Iterator[CheckResult]":
    for stop, hint in zip(denials.stops, denials.hints, strict=False):
        yield CheckResult("stop", PROBLEM, f"stopped {stop.sentence}", find_command_at_end_of_hint(hint))
    if not denials.stops:
        yield CheckResult("stop", OK, "there is no emergency stop")


def _check_group_members(root: Root) -> "Iterator[CheckResult]":
    """Yield who else is in a group that may write: a check does not look that up."""
    try:
        files = [f"{root.tools_path}/{row.id}.json" for row in read_all_grant_rows(root)]
    except GrantError:
        files = []
    problems = find_group_writer_problems(root, files)
    found = [CheckResult("members", WARNING, one.message, find_command_at_end_of_hint(one.hint)) for one in problems]
    yield from found or [CheckResult("members", OK, "no group lets others write")]


def _check_grants(root: Root) -> CheckResult:
    try:
        rows = read_all_grant_rows(root)
    except GrantError as error:
        return make_error_result("grants", error)
    broken = [f"{row.id} ({row.state})" for row in rows if row.state in ("invalid", "unsafe")]
    if broken:
        more = f" and {len(broken) - MAX_NAMED} more" if len(broken) > MAX_NAMED else ""
        message = f"checks refuse {', '.join(broken[:MAX_NAMED])}{more}"
        return CheckResult("grants", PROBLEM, message, f"cortex-policy validate{format_root_option(root)}")
    if not rows:
        command = f"cortex-policy new ID{format_root_option(root)}"
        return CheckResult("grants", PROBLEM, f"there are no grants in `{root.tools_path}`", command)
    return CheckResult("grants", OK, f"{len(rows)} can be loaded")


def _check_stamp(root: Root, denials: GlobalDenials) -> CheckResult:
    for error in denials.errors:
        if _find_doctor_check_id(error) == "stamp":
            return make_error_result("stamp", error)
    try:
        found = find_stamp_mismatches(root)
    except GrantError as error:
        return make_error_result("stamp", error, WARNING)
    names = [one.id for one in found if one.id]
    if names:
        message = f"{format_count_with_noun(len(names), 'grant')} differ from it: {', '.join(names[:MAX_NAMED])}"
        return CheckResult("stamp", WARNING, message, f"cortex-policy diff --against stamp{format_root_option(root)}")
    if found and found[0].problem != "there is no stamp":
        return CheckResult("stamp", WARNING, found[0].problem, find_command_at_end_of_hint(found[0].hint))
    return CheckResult("stamp", OK, found[0].problem if found else "the grants are as stamped")
