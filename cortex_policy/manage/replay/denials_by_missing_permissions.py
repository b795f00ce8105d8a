"""Denied calls of a log, grouped by the permissions that they lacked."""

from collections import deque

from cortex_policy.core import shorten_message
from cortex_policy.core.model import ALLOWED, GRANT_NOT_FOUND, RATE_LIMITED, Grant, GrantError, Rate, ResolvedPath
from cortex_policy.core.path_arguments import collapse_path, find_path_arguments, may_be_path_argument
from cortex_policy.core.sliding_window import WINDOW_SECONDS
from cortex_policy.core.text import MAX_MESSAGE_BYTES
from cortex_policy.manage.replay.call_replayer import MAX_CACHED, TOO_SLOW, CallReplayer, make_decision_key_or_none
from cortex_policy.manage.replay.decision_without_rate import has_full_args, is_undecidable_even_by_full_log
from cortex_policy.manage.replay.missing_permissions import (
    MAX_SCOPES,
    ArgumentChange,
    MissingPermissions,
    find_missing_permissions_or_why_not,
    find_scopes_for_path_or_why_not,
    select_outermost_scopes,
    widen_to_few_scopes,
)
from cortex_policy.manage.replay.past_call import PastCall, reduce_event_to_past_call
from cortex_policy.manage.replay.rate_replay import (
    add_hits,
    drop_and_count_expired_hits,
    is_peek_or_repeat_event,
    read_cost_in_event,
)
from cortex_policy.state.grants import is_grant_id
from cortex_policy.state.ledger_ring import join_tool_and_action_by_colon

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cortex_policy.core.model import Settings

MAX_GROUPS = 200  # a log may name any grant and action
_MAX_DIRECTORIES = 1000
_MAX_VALUES = 10  # of an `enum`
_EMPTY_GRANT = Grant("", "-", (), Rate(1), {})
MAX_TYPED = MAX_MESSAGE_BYTES // 2  # characters of the words of a command that people type
UNTYPABLE = "the action or a path of the call has characters that cannot be typed"
TOO_MANY_GROUPS = "the log holds too many kinds of denied calls"
RATE_TOO_LOW, NO_GRANT = "rate", "new"


class HitWindow:
    """The hits of the last minute, by the times of the log."""

    def __init__(self) -> None:
        """Start without hits."""
        self._hits: deque[list[Any]] = deque()
        self._used = 0

    def total_after(self, at: float, cost: int) -> int:
        """Return the number of hits in the window with these added."""
        self._used -= drop_and_count_expired_hits(self._hits, at - WINDOW_SECONDS)
        return self._used + cost

    def add_hits(self, at: float, cost: int) -> None:
        """Count hits that were taken at a time of the log."""
        add_hits(self._hits, at, cost)
        self._used += cost


class DeniedGroup:
    """Denied calls that lack the same permissions: their number, the first one, and what would allow them all."""

    first: PastCall
    grant_id: str
    kind: str

    def __init__(self, grant_id: str, kind: str, first: PastCall) -> None:
        """Start without calls."""
        self.grant_id, self.kind, self.first = grant_id, kind, first
        self.call_count = self.within_rate = self.peak = 0
        self.actions: dict[str, None] = {}
        self.scopes: dict[str, None] = {}
        self._tops: set[str] = set()  # the first directories of the scopes
        self.argument_changes: dict[tuple[str, str], list[object]] = {}
        self.windows: dict[str, HitWindow] = {}

    def note_missing_permissions(self, permissions: MissingPermissions) -> bool:
        """Add what one more call lacks; return False if it is too much to list."""
        if len(self.actions) <= MAX_TYPED:  # with more it is not suggested
            self.actions |= dict.fromkeys(permissions.actions)
        if len(self._tops) <= MAX_SCOPES:  # with more it is not suggested
            self.scopes |= dict.fromkeys(permissions.scopes)
            self._tops |= {scope.partition("/")[0] for scope in permissions.scopes}
        if len(self.scopes) > 2 * _MAX_DIRECTORIES:
            widest = select_outermost_scopes(tuple(self.scopes))
            self.scopes = dict.fromkeys(widest if len(widest) <= _MAX_DIRECTORIES else widen_to_few_scopes(widest))
        return all(self._add_argument_change(one) for one in permissions.arguments)

    def _add_argument_change(self, change: ArgumentChange) -> bool:
        values = self.argument_changes.setdefault((change.name, change.keyword), [])
        if change.keyword != "enum":
            further = min if change.keyword.startswith("min") else max
            values[:] = [further([*values, change.value])]  # type: ignore[type-var] # a bound is a number
        elif not any(type(value) is type(change.value) and value == change.value for value in values):
            if len(values) == _MAX_VALUES:
                return False
            values.append(change.value)
        return True


class DenialGrouper:
    """Groups the calls of a log that were denied and would still be denied."""

    denied: int
    allowed_now: int

    def __init__(self, replayer: CallReplayer, settings: "Settings", only: str | None) -> None:
        """Take the replayer of today's grants, the settings, and the id of a grant, or None for all grants."""
        self._replayer, self._settings, self._only = replayer, settings, only
        self._windows: dict[str, HitWindow] = {}
        self._missing: dict[bytes | None, MissingPermissions | str] = {}
        self.groups: dict[object, DeniedGroup] = {}
        self.unfixable: dict[tuple[str, str, bool], int] = {}
        self.denied = self.allowed_now = 0

    def add_call(self, at: float, data: "dict[str, Any]", *, is_asked: bool) -> None:
        """Add one call of the log; only one that was denied and `is_asked` about gets into a group."""
        if self._only not in {None, data["grant"]}:
            return
        grant = self._replayer.load_grant_or_error(data["grant"])
        answer = self._replayer.decide_without_rate(data)
        is_denied = is_asked and data["reason"] is not ALLOWED
        self.denied += is_denied
        if isinstance(grant, GrantError):
            if is_denied:
                self._add_without_grant(at, data, grant)
        elif answer is None:
            self._add_allowed(at, data, grant, is_denied=is_denied)
        elif is_denied:
            self._add_denied(at, data, grant)

    def _add_allowed(self, at: float, data: "dict[str, Any]", grant: Grant, *, is_denied: bool) -> None:
        window, cost = self._window_of_action(grant.tool, data["action"]), read_cost_in_event(data)
        demand = window.total_after(at, cost)
        if not is_peek_or_repeat_event(data):
            window.add_hits(at, cost)
        if is_denied and demand > grant.rate.per_minute and data["reason"] is RATE_LIMITED:
            group = self._find_or_add_group(data, RATE_TOO_LOW)
            if group is not None:
                group.call_count, group.within_rate, group.peak = (
                    group.call_count + 1,
                    group.within_rate + 1,
                    max(group.peak, demand),
                )
        elif is_denied and data["reason"] is RATE_LIMITED:
            self._mark_unfixable(data, "the log is too short to work out the needed rate")
        elif is_denied:
            self.allowed_now += 1

    def _add_denied(self, at: float, data: "dict[str, Any]", grant: Grant) -> None:
        key = make_decision_key_or_none(data)
        missing = self._missing.get(key) if key is not None else None
        if missing is None:
            with self._replayer.steps as steps:
                before = steps.skipped_searches
                missing = find_missing_permissions_or_why_not(
                    self._replayer.relevant_part(data, grant), data, self._settings
                )
                missing = missing if steps.skipped_searches == before else TOO_SLOW
            if len(self._missing) >= MAX_CACHED:
                self._missing.clear()
            self._missing[key] = missing
        if isinstance(missing, str) or len(data["action"]) > MAX_TYPED:
            self._mark_unfixable(data, missing if isinstance(missing, str) else UNTYPABLE)
            return
        declared = tuple((one.name, one.keyword) for one in missing.arguments)
        group = self._find_or_add_group(data, (missing.actions, bool(missing.scopes), declared))
        if group is not None and group.note_missing_permissions(missing):
            self._count_call(group, at, data, self._window_of_action(grant.tool, data["action"]), grant.rate.per_minute)

    def _count_call(self, group: DeniedGroup, at: float, data: "dict[str, Any]", base: HitWindow, limit: int) -> None:
        """Count a call of a group, and whether the rate has room for it besides the calls that are allowed already."""
        cost, window = read_cost_in_event(data), group.windows.setdefault(data["action"], HitWindow())
        demand = base.total_after(at, 0) + window.total_after(at, cost)
        group.call_count += 1
        group.peak = max(group.peak, demand)
        if demand <= limit:
            group.within_rate += 1
            if not is_peek_or_repeat_event(data):
                window.add_hits(at, cost)

    def _add_without_grant(self, at: float, data: "dict[str, Any]", error: GrantError) -> None:
        if error.reason != GRANT_NOT_FOUND or not is_grant_id(data["grant"]) or not data["action"]:
            why = (
                "no grant can have this id"
                if error.reason == GRANT_NOT_FOUND
                else f"{error.reason.message}: fix the grant"
            )
            self._mark_unfixable(data, why)
            return
        scopes = _scopes_of_unresolved(data)
        if isinstance(scopes, str):
            self._mark_unfixable(data, scopes)
        elif len(data["action"]) > MAX_TYPED:
            self._mark_unfixable(data, UNTYPABLE)
        elif (group := self._find_or_add_group(data, (NO_GRANT, bool(scopes)))) is not None:
            group.note_missing_permissions(MissingPermissions((data["action"],), scopes))
            self._count_call(group, at, data, HitWindow(), 1 << 62)

    def _window_of_action(self, tool: str, action: str) -> HitWindow:
        return self._windows.setdefault(join_tool_and_action_by_colon(tool, action), HitWindow())

    def _find_or_add_group(self, data: "dict[str, Any]", kind: object) -> DeniedGroup | None:
        key = (data["grant"], kind)
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= MAX_GROUPS:
                self._mark_unfixable(data, TOO_MANY_GROUPS)
                return None
            name = (
                kind if isinstance(kind, str) else NO_GRANT if isinstance(kind, tuple) and kind[0] == NO_GRANT else ""
            )
            group = self.groups[key] = DeniedGroup(data["grant"], name, reduce_event_to_past_call(data))
        return group

    def _mark_unfixable(self, data: "dict[str, Any]", why: str) -> None:
        is_beyond = is_undecidable_even_by_full_log(why, is_full=has_full_args(data))
        key = shorten_message(data["grant"]), shorten_message(why), is_beyond
        if key not in self.unfixable and len(self.unfixable) >= MAX_GROUPS:
            key = "(others)", TOO_MANY_GROUPS, True
        self.unfixable[key] = self.unfixable.get(key, 0) + 1


def _scopes_of_unresolved(data: "dict[str, Any]") -> tuple[str, ...] | str:
    """Return the scopes for the paths of a call without a grant; its paths were never resolved."""
    if not has_full_args(data):
        is_pathless = not any(may_be_path_argument(_EMPTY_GRANT, str(name)) for name in data["args"])
        return () if is_pathless else "the log does not hold the paths that a new grant would need as scopes"
    root, cwd = data.get("root"), data["cwd"]
    all_scopes: dict[str, None] = {}
    for argument, given, is_path in find_path_arguments(_EMPTY_GRANT, data["args"]):
        if not is_path:
            continue
        if given is None or not isinstance(root, str) or not isinstance(cwd, str):
            return "a path of the call is invalid"
        path, below = collapse_path(given if given.startswith("/") else f"{cwd}/{given}"), root.rstrip("/") + "/"
        relative = path.removeprefix(below) if path.startswith(below) else None
        scopes = find_scopes_for_path_or_why_not(ResolvedPath(argument, given, relative, relative, path))
        if isinstance(scopes, str):
            return scopes
        all_scopes |= dict.fromkeys(scopes)
    return tuple(all_scopes)
