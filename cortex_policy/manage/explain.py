"""Explain the outcome of a call from the bytes it was decided on, and find who could change it."""

from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.engine import find_denial_before_rate
from cortex_policy.core.explanation import Explanation, explain
from cortex_policy.core.explanation_steps import DENIES, FAILS, NOT_ASKED, RULES, RuleStep
from cortex_policy.core.model import (
    ALLOWED,
    APPROVAL_REQUIRED,
    GRANT_INVALID,
    GRANT_NOT_FOUND,
    GRANT_UNSAFE,
    RATE_LIMITED,
    STAMP_MISMATCH,
    STATE_UNAVAILABLE,
    STOPPED,
    WAITING,
    CortexPolicyError,
    Decision,
    GrantError,
    Request,
)
from cortex_policy.core.operator_commands import append_root_option, format_program_command
from cortex_policy.state import Root, make_policy_directory_path, sha256
from cortex_policy.state.approval_store import find_approvals_file_path
from cortex_policy.state.enforcement import resolve_paths_and_make_request
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.users import UserWithWriteAccess, find_user_with_write_access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.check import Call, CallOutcome
    from cortex_policy.core.model import Grant, Settings
    from cortex_policy.core.settings import SettingValue

_MAX_ERRORS = 5
_CHANGED_NOTE = "the grant has changed since the decision, so no lines are named"


class CallExplanation(Value):
    """An explanation, the grant's file if known, the owner who may run the command, and a note."""

    explanation: Explanation
    file: str | None = None
    owner: UserWithWriteAccess | None = None
    note: str = ""


class _DecidedCall(Value):
    """A decision and everything it was made from."""

    grant: "Grant"
    args: "Mapping[str, object]"
    settings: "Settings"
    decision: Decision
    root: str
    file: str


def explain_outcome(outcome: "CallOutcome") -> CallExplanation:
    """Explain a decision, or the error that prevented one."""
    call = outcome.call
    grant, args, settings, error = outcome.grant, outcome.args, outcome.settings, outcome.error
    if error is not None and _is_audit_error(error):  # it is opened before any rule is checked
        return _explain_error(error, "audit")
    origin = grant.origin if grant is not None else None
    if grant is None or args is None or settings is None or origin is None:
        return _explain_error(error) if error is not None else CallExplanation(Explanation(()))
    decision = outcome.decision if error is None else _decide_without_rate(call, grant, args, settings)
    if decision is None:
        return _explain_error(error) if error is not None else CallExplanation(Explanation(()))
    decided = _DecidedCall(grant, args, settings, decision, origin.root, origin.file)
    text = _read_decided_bytes(origin.root, grant.id, origin.sha256)
    explanation = _explain_decision(call, decided, text or b"")
    if error is not None:
        failed = RuleStep(explanation.steps[-1].rule, FAILS, error.detail)
        explanation = Explanation((*explanation.steps[:-1], failed), advice=error.hint)
    steward = find_user_with_write_access(_file_of_remedy(decided)) if explanation.remedy else None
    return CallExplanation(explanation, origin.file, steward, "" if text is not None else _CHANGED_NOTE)


def _decide_without_rate(
    call: "Call", grant: "Grant", args: "Mapping[str, object]", settings: "Settings"
) -> Decision | None:
    """Return the decision without the rate rule, whose state is unavailable; None if another rule fails too."""
    try:
        request = (
            resolve_paths_and_make_request(grant, grant.origin, call.action, args, settings)
            if grant.origin is not None
            else None
        )
    except CortexPolicyError:
        return None
    if request is None or find_denial_before_rate(grant, request, settings) is not None:
        return None
    return Decision(ALLOWED, paths=tuple((path, None) for path in request.paths))


def _explain_decision(call: "Call", decided: _DecidedCall, text: bytes) -> Explanation:
    decision = decided.decision
    request = Request(call.action, decided.args, tuple(path for path, _ in decision.paths), call.cost)
    explanation = explain(decided.grant, text, request, decision, decided.settings)
    remedy, advice = explanation.remedy, explanation.advice
    if decision.reason is APPROVAL_REQUIRED and not remedy:
        remedy, more = _unset_command(_find_sensitive_setting(decided.root))
        advice = "; ".join(filter(None, (advice, more)))
    if not _waits_for_human(decision):  # else an id is enough
        remedy = append_root_option(remedy, call.root)
    return Explanation(explanation.steps, explanation.nearest, explanation.allowed, remedy, advice)


def _waits_for_human(decision: Decision) -> bool:
    """Return whether a call waits for a human's answer."""
    approval = decision.approval
    return decision.reason is APPROVAL_REQUIRED and approval is not None and approval.status == WAITING


def _file_of_remedy(decided: _DecidedCall) -> str:
    """Return the path of the file that the operator's command would change."""
    decision = decided.decision
    if _waits_for_human(decision):
        return find_approvals_file_path(decided.settings)
    if decision.reason is APPROVAL_REQUIRED and (written := _find_sensitive_setting(decided.root)) is not None:
        return written.source
    if decision.reason is RATE_LIMITED and decision.retryable and decided.settings.budgets_url is not None:
        return decided.settings.budgets_key_file or ""  # whoever has the key may reset the budget
    if decision.reason is RATE_LIMITED and decision.retryable:
        from cortex_policy.state.settings import find_state_directory  # noqa: PLC0415 - few calls need it

        with suppress(CortexPolicyError):  # it was there a moment ago
            return f"{find_state_directory()}/ledger"
    return decided.file


def _read_decided_bytes(root: str, grant_id: str, digest: str | None) -> bytes | None:
    """Return the bytes the decision was made from, None if the file has changed or cannot be read."""
    with suppress(OSError, GrantError), PolicyDirectory(TrustCheck(Root(root, trusts_owner=True)), "tools") as tools:
        data = tools.read(f"{grant_id}.json", MAX_BYTES + 1)
        if sha256(data).hexdigest() == digest:
            return data
    return None


def _find_sensitive_setting(root: str) -> "SettingValue | None":
    """Return the effective `sensitive` setting, None if it is the default or unreadable."""
    from cortex_policy.core.settings import resolve_setting  # noqa: PLC0415 - only if something is set
    from cortex_policy.state.settings import read_layers  # noqa: PLC0415

    try:
        winner = resolve_setting(read_layers(root, asks_all=False), "sensitive").effective
    except CortexPolicyError:  # they changed since, and are invalid now
        return None
    return winner if winner.source else None


def _unset_command(written: "SettingValue | None") -> tuple[str, str]:
    """Return the command that undoes a setting, and a sentence that says where it is set."""
    if written is None:
        return "", ""
    if written.place == "environment":
        return "", f"it is set by `{written.source}` in the environment of the call"
    words = ("unset", "sensitive") if written.place == "project" else ("set", "sensitive", "allow")
    return format_program_command("config", *words, f"--{written.place}"), f"it is set in `{written.source}`"


def _is_audit_error(error: CortexPolicyError) -> bool:
    """Return whether the error is that the audit log cannot be written."""
    if error.reason is not STATE_UNAVAILABLE:
        return False
    from cortex_policy.state.audit_errors import AuditLogError  # noqa: PLC0415 - few calls fail so

    return isinstance(error, AuditLogError)


def _explain_error(error: CortexPolicyError, stage: str = "") -> CallExplanation:
    """Explain a call that failed before any rule was checked."""
    stage = stage or ("stop" if error.reason is STOPPED else str(error.reason).partition("_")[0])
    verdict = DENIES if error.reason is STOPPED else FAILS
    faults = _grant_error_steps(error)
    steps = faults or [RuleStep(stage, verdict, error.detail or error.reason.message)]
    explanation = Explanation((*steps, *(RuleStep(rule, NOT_ASKED) for rule in RULES)), advice=error.hint)
    path = _path_to_fix(error)
    note = ""
    if error.reason is GRANT_UNSAFE:
        note = (
            "only root can run this command" if "chown " in error.hint else "the owner of the file or root can fix this"
        )
    return CallExplanation(
        explanation, error.file, find_user_with_write_access(path) if path and error.hint else None, note
    )


def _path_to_fix(error: CortexPolicyError) -> str:
    """Return the path of the file to fix so that the call can be decided, '' if that is not one file."""
    if error.root is None:
        return ""
    policy = make_policy_directory_path(error.root)
    if error.reason in (GRANT_NOT_FOUND, GRANT_INVALID):
        return error.file or f"{policy}/tools/grant.json"
    return f"{policy}/stamp.json" if error.reason in (STAMP_MISMATCH, STOPPED) else ""


def _grant_error_steps(error: CortexPolicyError) -> list[RuleStep]:
    """Return a step for each of the first errors that `validate` finds in the grant."""
    if error.reason is not GRANT_INVALID or error.root is None or error.file is None:
        return []
    grant_id = error.file.rpartition("/")[2].removesuffix(".json")
    data = _read_decided_bytes(error.root, grant_id, error.sha256)
    if data is None:
        return []
    from cortex_policy.schema.lint import decode_and_lint_grant  # noqa: PLC0415 - loads pydantic, which costs 136 ms
    from cortex_policy.schema.problems import locate_problems  # noqa: PLC0415
    from cortex_policy.schema.rule_catalog import ERROR  # noqa: PLC0415

    errors = [
        one
        for one in locate_problems(error.file, data, decode_and_lint_grant(data, grant_id)[1])
        if one.severity == ERROR
    ]
    return [RuleStep("grant", FAILS, one.message, one.pointer, one.line) for one in errors[:_MAX_ERRORS]]
