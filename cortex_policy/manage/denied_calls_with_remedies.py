"""The last calls of a root that were denied, and the command with which an operator would allow each."""

from cortex_policy.core import Value
from cortex_policy.core.decode import DECIDED_BY_RULES
from cortex_policy.core.ecma_regex import SharedSteps
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    GRANT_INVALID,
    GRANT_NOT_FOUND,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    STAMP_MISMATCH,
    STOPPED,
    WAITING,
    Grant,
    GrantError,
    Reason,
    Settings,
)
from cortex_policy.core.operator_commands import (
    append_root_option,
    format_program_command,
    format_set_command,
    make_option_words,
)
from cortex_policy.manage.replay.decision_without_rate import FULL_ARGS_HINT, has_full_args
from cortex_policy.manage.replay.denials_by_missing_permissions import UNTYPABLE
from cortex_policy.manage.replay.missing_permissions import MissingPermissions, find_missing_permissions_or_why_not
from cortex_policy.state.grants import read_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cortex_policy.manage.approvals import RequestDetails
    from cortex_policy.manage.audit.reader import Event
    from cortex_policy.state import Root

_DAMAGED = "every call of the grant is denied until that is fixed"
_BY_GRANT = (GRANT_NOT_FOUND, ACTION_NOT_ALLOWED, ARGUMENT_NOT_ALLOWED, PATH_OUTSIDE_SCOPE)


class DeniedCalls(Value):
    """Equal calls that were denied: when the last was, how many they were, and what would allow it.

    `args` is JSON: values or fingerprints by name, or a list of names, as the log has them; '' if there are none.
    `command` is '' if no command can, or none is needed any more; `note` says why, or what the command does not do.
    """

    at: float
    grant: str
    action: str
    reason: Reason
    args: str
    count: int
    command: str
    note: str


class Remedies:
    """Finds what would allow denied calls of a root by its present state."""

    def __init__(
        self, root: "Root", settings: Settings, requests: "Iterable[RequestDetails]", *, is_stopped: bool
    ) -> None:
        """Take what is known of the root."""
        self._root, self._settings, self._is_stopped = root, settings, is_stopped
        self.waiting: frozenset[str] = frozenset(one.id for one in requests if one.status == WAITING)
        self._grants: dict[str, Grant | GrantError] = {}

    def find(self, data: "dict[str, Any]") -> tuple[str, str]:
        """Return the command that would allow a call, and a note; one of them may be empty."""
        command, note = self._find(data)
        return command, note or ("" if command else UNTYPABLE)

    def _find(self, data: "dict[str, Any]") -> tuple[str, str]:
        reason, grant_id = data["reason"], data["grant"]
        if grant_id == DECIDED_BY_RULES:
            return self._command("hook", "edit"), "the rules of agents' hooks deny the call"
        if reason in (RATE_LIMITED, STOPPED, APPROVAL_REQUIRED):
            return self._of_moment(reason, data)
        if reason in _BY_GRANT:
            return self._of_grant(data)
        if reason == GRANT_INVALID:
            return self._command("edit", grant_id), _DAMAGED
        if reason == STAMP_MISMATCH:
            return self._command("stamp", "write"), "first look at the change with `cortex-policy diff --against stamp`"
        return self._command("doctor"), "this command says what is wrong, and how to fix it"

    def _of_moment(self, reason: str, data: "dict[str, Any]") -> tuple[str, str]:
        """Return what would have helped against a rate, a stop, or a lack of approval at that moment."""
        if reason == RATE_LIMITED:
            return self._command(
                "rate", "reset", data["grant"], data["action"]
            ), "or wait: each hit is free after a minute"
        if reason == STOPPED:
            return (self._command("resume"), "") if self._is_stopped else ("", "the stop has ended")
        if self._settings.sensitive == "ask":
            return "", "a human can approve the call when the caller asks again"
        return self._command(
            "config", "get", "sensitive"
        ), "the setting `sensitive` denies the call; this command says where `sensitive` is set"

    def _of_grant(self, data: "dict[str, Any]") -> tuple[str, str]:
        """Return the command that adds to the grant what the call lacks."""
        grant = self._grant(data["grant"])
        if isinstance(grant, GrantError):
            return (self._command("new", data["grant"]), "") if grant.reason is GRANT_NOT_FOUND else (
                self._command("edit", data["grant"]),
                _DAMAGED,
            )  # fmt: skip
        with SharedSteps() as steps:
            missing = find_missing_permissions_or_why_not(grant, data, self._settings)
            if steps.is_used_up:
                return "", "the patterns of the grant take too long"
        if isinstance(missing, MissingPermissions):
            return self._add(grant, missing)
        if data["action"] not in grant.actions:  # its arguments may be denied still: the log does not hold them
            command = self._in_root(format_set_command(grant.id, "allow", [data["action"]]))
            return command, "" if has_full_args(
                data
            ) else "the log does not say whether the arguments of the call would be allowed"
        command = self._command("edit", grant.id) if data["reason"] == ARGUMENT_NOT_ALLOWED else ""
        return command, missing if has_full_args(data) else f"{missing}; {FULL_ARGS_HINT}"

    def _add(self, grant: Grant, missing: MissingPermissions) -> tuple[str, str]:
        if missing == MissingPermissions():
            return "", "the grant allows the call now"
        if missing.arguments:
            names = ", ".join(f"`{one.name}`" for one in missing.arguments)
            return self._command("edit", grant.id), f"change the declaration of {names}"
        if any("," in one for one in missing.actions):  # `set` takes that for several actions
            return self._command("edit", grant.id), ""
        words = make_option_words("allow", missing.actions) + make_option_words("add-scope", missing.scopes)
        return self._command("set", grant.id, *words), ""

    def _grant(self, grant_id: str) -> Grant | GrantError:
        if grant_id not in self._grants:
            try:
                self._grants[grant_id] = read_grant(self._root, grant_id)
            except GrantError as error:
                self._grants[grant_id] = error
        return self._grants[grant_id]

    def _command(self, *words: str) -> str:
        return self._in_root(format_program_command(*words))

    def _in_root(self, command: str) -> str:
        return append_root_option(command, self._root.path)


def _group_denied_calls(calls: "Iterable[Event]", waiting: frozenset[str]) -> "list[tuple[Event, int]]":
    """Return the last of equal denied calls, with their number, but not those that wait; the newest first."""
    groups: dict[tuple[str, ...], tuple[Event, int]] = {}
    for event in calls:
        data = event[1]
        if not data["decision"] and data.get("peek") is not True and str(data.get("approval")) not in waiting:
            key = data["grant"], data["action"], str(data["reason"]), _args_text(data)
            _, count = groups.pop(key, (event, 0))
            groups[key] = event, count + 1
    return [*groups.values()][::-1]


def _args_text(data: "dict[str, Any]") -> str:
    try:
        return format_ascii_json(data["args"]) if data["args"] else ""
    except RecursionError:  # no log of ours
        return "(nested too deep)"


def group_denied_calls_with_remedies(
    calls: "Iterable[Event]", remedies: Remedies, most: int
) -> tuple[tuple[DeniedCalls, ...], int]:
    """Return the last denied calls, and how many kinds of them there are beyond these."""
    groups = _group_denied_calls(calls, remedies.waiting)
    found = [
        DeniedCalls(at, data["grant"], data["action"], data["reason"], _args_text(data), count, *remedies.find(data))
        for (at, data), count in groups[:most]
    ]
    return tuple(found), max(0, len(groups) - most)
