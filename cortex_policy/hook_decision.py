"""Decide the call of a tool that an agent has sent: by the rules of hooks.toml, then by each grant (docs/hooks.md).

One module of more than 250 lines: each module costs a hook time.
"""

import os

from cortex_policy import import_from_bytecode
from cortex_policy.core.decode import DECIDED_BY_RULES, MalformedError, decode_json
from cortex_policy.core.engine import find_denial_before_rate
from cortex_policy.core.hooks import PayloadError
from cortex_policy.core.hooks.guarded_files import find_guarded_path_denial_text
from cortex_policy.core.hooks.payload import CANARY, MAX_BYTES, detect_agent, read_tool_call
from cortex_policy.core.hooks.ruling import (
    ToolOutcome,
    add_paths_to_arguments,
    apply_rules,
    find_misread_mcp_argument_denial_text,
    find_outside_path_denial_text,
)
from cortex_policy.core.hooks.tool_inputs import remove_ignored_inputs
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ALLOWED,
    ARGUMENT_NOT_ALLOWED,
    GRANT_INVALID,
    GRANT_NOT_FOUND,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    CortexPolicyError,
    Decision,
    GrantError,
    Request,
    Settings,
)
from cortex_policy.core.path_arguments import collapse_path
from cortex_policy.state import find_home_directory_or_empty, sha256
from cortex_policy.state.calls_seen_by_several_hooks import make_call_delivery
from cortex_policy.state.enforcement import (
    AuditedCall,
    check_host_stop,
    decide_resolved_request_and_take_hit,
    load_grant_without_host_stop_check,
    open_budgets_of_root,
)
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.hooks_file import find_guarded_links, load_rules_and_settings
from cortex_policy.state.paths import (
    PathWalk,
    ProtectedPaths,
    UnresolvablePathError,
    find_protected_paths,
    resolve_path_arguments,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.core.hooks.hook_rules import HookRules
    from cortex_policy.core.hooks.payload import ToolCall
    from cortex_policy.core.hooks.ruling import GrantCheck, Ruling
    from cortex_policy.core.model import Grant, Origin
    from cortex_policy.state import Root

    Guard = Callable[[str], str]  # why a path may not be touched, '' if it may
    Enter = Callable[[str], str]  # why a directory cannot be entered, '' once it is


_NOTHING = ProtectedPaths(frozenset(), ())
_NO_DEVICE = -1  # so that each link is looked at, whatever file system it is in


def decide_denial_text(data: bytes, named: str, root: str, tag: str, tell_agent: "Callable[[str], object]") -> str:
    """Decide a call, and take its hits; return why it is denied, in words for a model, '' if there is no objection.

    `named`, `root` and `tag` are of the installed line: the agent, '' for any, the root, and its tag. `tell_agent` gets
    the agent that the payload is of, '' for none.
    """
    try:
        document = decode_json(data, MAX_BYTES, allow_surrogates=True)
        tell_agent(detect_agent(document, named))
        call = read_tool_call(document, named)
    except MalformedError as error:
        return f"denied: the agent sent JSON that is not valid or not allowed here: {error}"
    except PayloadError as error:
        return f"denied: the agent sent something that the policy cannot read: {error}"
    return decide_tool_call(call, root, tag, _enter_directory).text


def decide_tool_call(call: "ToolCall", root: str, tag: str | None, enter: "Enter") -> ToolOutcome:
    """Decide a call, and take its hits. A delivery with a `tag` may be one of several of the same call.

    `enter` gets the directory of the call, from which its approvals and its lines in the audit log are then; it
    returns why that cannot be, '' if it is.
    """
    try:
        asked = _apply_rules_of_root(call, root, tag, enter)
    except CortexPolicyError as error:
        return ToolOutcome(_rules_error_text(call, error), error=error)
    return asked if isinstance(asked, ToolOutcome) else asked.decide()


def _apply_rules_of_root(
    call: "ToolCall", named_root: str, tag: str | None, enter: "Enter"
) -> "ToolOutcome | _GrantQuestions":
    """Return what the grants are asked; if the rules decide alone, write the audit log, and return what they say."""
    with AuditedCall(DECIDED_BY_RULES, call.tool, {}, 1, peek=False, is_recorded=call.tool != CANARY) as audited:
        check_host_stop()
        root = find_named_or_only_root(named_root)
        rules, settings = load_rules_and_settings(root)
        home = find_home_directory_or_empty()
        ruling = apply_rules(call, rules, home)
        tops = dict.fromkeys((root.path, call.cwd, home))
        guard = _make_guard(call, rules, find_guarded_links(tops, rules.guard) if ruling.paths else [])
        why = enter(call.cwd)
        cwd_denial = _ruling_denial_text(call, why) if why else ""
        denial = ruling.denial or _guarded_denial_text(call, ruling, guard) or (cwd_denial if ruling.checks else "")
        if not denial and ruling.checks:
            return _GrantQuestions(root, call, tag, ruling, guard)
        if call.tool != CANARY and settings.audit_file is not None:
            audited.set_root_and_open_log(root.path, remove_ignored_inputs(call.inputs, rules), settings)
        audited.decision = Decision(ACTION_NOT_ALLOWED if denial else ALLOWED)
    return ToolOutcome(denial, decision=audited.decision)


def _enter_directory(path: str) -> str:
    """Enter the directory of a call, for the audit log and for humans who approve; return why it cannot be."""
    try:
        os.chdir(path)
    except (OSError, ValueError):
        return "its working directory cannot be entered"
    return ""


def _make_guard(call: "ToolCall", rules: "HookRules", links: list[tuple[str, str]]) -> "Guard":
    def guarded_text(path: str) -> str:
        """Return why a path is guarded, as spelled or through a guarded link; '' if it is not."""
        spellings = [path, *(name + path[len(end) :] for name, end in links if f"{path}/".startswith(f"{end}/"))]
        return next(filter(None, (find_guarded_path_denial_text(one, call, rules) for one in spellings)), "")

    return guarded_text


def _guarded_denial_text(call: "ToolCall", ruling: "Ruling", guard: "Guard") -> str:
    why = _guarded_end_text(ruling.paths, guard)
    return _ruling_denial_text(call, why) if why else ""


def _rules_error_text(call: "ToolCall", error: CortexPolicyError) -> str:
    if error.reason is GRANT_NOT_FOUND:
        return _ruling_denial_text(call, "there are no rules for the tools of agents")
    if error.reason is GRANT_INVALID:
        return _ruling_denial_text(call, "the rules for the tools of agents are not valid")
    return _error_denial_text(error)


def _error_denial_text(error: CortexPolicyError) -> str:
    from cortex_policy.core.hooks.grant_denial import format_error_denial  # noqa: PLC0415 - only a denial needs it

    return format_error_denial(error)


def _ruling_denial_text(call: "ToolCall", why: str) -> str:
    from cortex_policy.core.hooks.ruling_denial import format_rules_denial  # noqa: PLC0415 - only a denial needs it

    return format_rules_denial(call.tool, why, is_final=True)


def _guarded_end_text(paths: tuple[str, ...], guard: "Guard") -> str:
    """Return why one of these paths may not be touched once its links are followed, '' if all may."""
    for path in paths:
        try:
            denials = list(map(guard, _final_paths(path)))
        except UnresolvablePathError as error:
            return f"`{path}` cannot be resolved: {error}"
        if why := next(filter(None, denials), ""):
            return why
    return ""


def _final_paths(path: str) -> set[str]:
    """Return where an absolute path ends if links are followed before its `..` are collapsed, and after."""
    text = path.partition("\0")[0]  # what C reads of it
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise UnresolvablePathError("it is not a path of this system") from None
    return {PathWalk(way, _NOTHING, _NO_DEVICE).path for way in {text, collapse_path(text)}}


class _GrantQuestions:
    """What the grants are asked about one call: all must allow it, and one hit is taken."""

    def __init__(self, root: "Root", call: "ToolCall", tag: str | None, ruling: "Ruling", guard: "Guard") -> None:
        self._root, self._cwd, self._guard = root, call.cwd, guard
        self._inputs = call.inputs
        self._delivery = make_call_delivery(call, tag) if tag is not None else None
        self._counted = next((check for check in ruling.checks if check.consumes), None)
        others = [check for check in ruling.checks if check is not self._counted]
        # INVARIANT: the hit comes last, so that none is taken for a call that another grant denies
        self._checks = others if self._counted is None else [*others, self._counted]

    def decide(self) -> ToolOutcome:
        """Ask until one denies, and return what it said; if all allow, what the last one said, which counts."""
        outcomes = map(self._ask, self._checks)
        outcome = next(outcomes)
        while not outcome.text and (after := next(outcomes, None)) is not None:
            outcome = after
        return outcome

    def _ask(self, check: "GrantCheck") -> ToolOutcome:
        is_peek = check is not self._counted
        audited = AuditedCall(check.grant, check.action, check.args, 1, peek=is_peek)
        try:
            with audited:
                grant, settings = load_grant_without_host_stop_check(self._root, check.grant)
                if grant.fs_scope and not check.no_path:
                    settings = Settings(**{**vars(settings), "require_path": True})
                audited.set_grant_and_open_log(grant, add_paths_to_arguments(grant, check), settings)
                decision = audited.decision = self._decide(check, grant, audited)
        except CortexPolicyError as error:
            return ToolOutcome(_error_denial_text(error), check, audited.grant, error=error)
        return ToolOutcome("" if decision else _grant_denial_text(check, grant, decision), check, grant, decision)

    def _decide(self, check: "GrantCheck", grant: "Grant", audited: AuditedCall) -> Decision:
        origin, settings = _origin_of(grant), audited.settings
        protected = find_protected_paths(origin, settings)
        if why := find_misread_mcp_argument_denial_text(grant, check):
            return Decision(ARGUMENT_NOT_ALLOWED, why)
        # INVARIANT: from the directories as the call spells them: a program may collapse `..` before links are followed
        requests = [
            Request(
                check.action,
                audited.args,
                resolve_path_arguments(grant, origin, audited.args, protected, start),
                unseen=self._unseen(grant, settings),
            )
            for start in dict.fromkeys((self._cwd, *check.directories))
        ]
        denial = self._first_path_denial(check, grant, requests, settings)
        if denial is not None:
            return denial
        budgets = open_budgets_of_root(origin.root_identity, settings, None if audited.peek else self._delivery)
        decision = decide_resolved_request_and_take_hit(
            grant, origin, requests[0], settings, budgets, peek=audited.peek
        )
        if audited.peek and decision.reason is RATE_LIMITED and self._is_repeat():
            return Decision(ALLOWED, "", (), decision.budget, decision.paths)  # its own hit may fill this budget
        return decision

    def _unseen(self, grant: "Grant", settings: Settings) -> str:
        """Return a digest of all inputs, ignored ones too, if a human must approve the call; else ''."""
        if settings.sensitive != "ask" or grant.data_class != "sensitive":
            return ""
        return str(sha256(ascii(self._inputs).encode("ascii")).hexdigest())

    def _first_path_denial(
        self, check: "GrantCheck", grant: "Grant", requests: list[Request], settings: Settings
    ) -> Decision | None:
        """Deny paths outside of the root or guarded, and those that are denied from another directory of the call."""
        for request in requests:
            why = find_outside_path_denial_text(grant, request) if check.within_root else ""
            ends = [path.resolved for path in request.paths if path.resolved is not None]
            why = why or next(filter(None, map(self._guard, ends)), "")
            if why:
                return Decision(PATH_OUTSIDE_SCOPE, why, paths=tuple((path, None) for path in request.paths))
        for request in requests[1:]:
            denial = find_denial_before_rate(
                grant, Request(request.action, request.args, request.paths, approved=True), settings
            )
            if denial is not None:
                return denial
        return None

    def _is_repeat(self) -> bool:
        """Whether the hit of this call was taken at an earlier delivery."""
        if self._counted is None or self._delivery is None:
            return False
        grant, settings = load_grant_without_host_stop_check(self._root, self._counted.grant)
        budgets = open_budgets_of_root(_origin_of(grant).root_identity, settings, self._delivery)
        return budgets.peek(grant.tool, self._counted.action, grant.rate.per_minute).repeat


def _grant_denial_text(check: "GrantCheck", grant: "Grant", decision: Decision) -> str:
    import_from_bytecode("core/text", "core/hooks/ruling_denial", "core/hooks/grant_denial")
    from cortex_policy.core.hooks.grant_denial import format_grant_denial  # noqa: PLC0415 - only a denial needs it

    return format_grant_denial(check, grant, decision)


def _origin_of(grant: "Grant") -> "Origin":
    if grant.origin is None:
        raise GrantError(GRANT_INVALID, "it was not loaded from a root")
    return grant.origin
