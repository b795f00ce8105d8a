"""What an edit would have changed: the last calls of a grant in the audit log, decided by its old and new text.

Both texts decide, not the log: changes by earlier edits do not count. If both texts have the same rules, and the log
does not say enough to decide a call again, its recorded answer counts. Other grants of
the same tool, which share its budgets, are ignored.
"""

import os

from cortex_policy.core import Value
from cortex_policy.core.model import ALLOWED, GRANT_NOT_FOUND, RATE_LIMITED, CortexPolicyError, Grant, GrantError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.audit.log_files import list_log_files
from cortex_policy.manage.audit.reader import (
    ReadCounts,
    decode_replayable_calls,
    pause_garbage_collector,
    read_last_lines,
)
from cortex_policy.manage.replay.call_replayer import CallReplayer
from cortex_policy.manage.replay.decision_without_rate import UndecidedReason
from cortex_policy.state.audit_rotated_names import strip_compression_suffix
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.settings import read_setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

    from cortex_policy.core.model import Reason, Settings
    from cortex_policy.manage.audit.reader import Event
    from cortex_policy.manage.diff.grants import GrantDiff, GrantVersion
    from cortex_policy.state import Root

    Answers = dict[int, Reason | UndecidedReason]

MAX_LINES, MAX_BYTES = 10_000, 8 << 20


class EditImpact(Value):
    """The number of calls, and how many of them an edit newly allows, newly denies, or leaves undecided."""

    call_count: int
    newly_allowed_count: int
    newly_denied_count: int
    undecided_count: int

    @property
    def sentence(self) -> str:
        """The numbers in one line."""
        unknown = f", {self.undecided_count} undecided" if self.undecided_count else ""
        calls = "call" if self.call_count == 1 else f"{self.call_count} calls"
        return (
            f"of the last {calls}: {self.newly_allowed_count} no -> yes, {self.newly_denied_count} yes -> no{unknown}"
        )


def estimate_impact_as_text(root: "Root", change: "GrantDiff") -> str:
    """Return a sentence on what a change means for the last calls, or why that is unknown; '' without a log."""
    impact = estimate_impact_or_why_not(root, change)
    if isinstance(impact, EditImpact):
        return impact.sentence
    return f"note: {impact}" if impact else ""


def estimate_impact_or_why_not(root: "Root", change: "GrantDiff") -> EditImpact | str:
    """Return what a change means for the last calls, or why that is unknown; '' if there are no calls."""
    try:
        named = read_setting("audit.file", root.path)
        if not isinstance(named, str):
            return ""
        with pause_garbage_collector():
            impact = estimate_impact_from_log_lines(
                root, change, read_last_lines(named, _list_unpacked_rotations(named), MAX_LINES, MAX_BYTES)
            )
    except (OSError, CortexPolicyError) as error:  # an edit works without a log
        why = format_os_error_cause(error)
        return f"the audit log says nothing of this change: {why}"
    return impact if impact.call_count else ""


def _list_unpacked_rotations(log: str) -> list[str]:
    """Return the rotated files of a log that are not compressed, the newest last."""
    names = list_log_files(log) if os.path.isdir(os.path.dirname(log)) else []
    return [name for name in names if name != log and strip_compression_suffix(name) == name]


def estimate_impact_from_log_lines(root: "Root", change: "GrantDiff", lines: list[bytes]) -> EditImpact:
    """Decide the calls of a grant in these lines by its old and its new text."""
    name, settings = change.name, load_effective_settings(root.path)
    quoted = f'"{name}"'.encode()  # an id has one spelling: most lines of other grants need not be decoded
    events = decode_replayable_calls((line for line in lines if quoted in line), root.path, ReadCounts())
    calls = [call for call in events if call[1]["grant"] == name]
    old, new = _grant_or_error(change.old), _grant_or_error(change.new)
    before = _replay_calls(name, calls, old, new, settings)
    # the old text denied these by the known hits alone: no hits from before the log were needed
    limited = [number for number, answer in before.items() if answer is RATE_LIMITED]
    after = _replay_calls(name, calls, new, old, settings, frozenset(limited))
    pairs = [(before[number], after[number]) for number in range(len(calls))]
    unknown = sum(_is_undecided(*pair) for pair in pairs)
    sure = [(was is ALLOWED, now is ALLOWED) for was, now in pairs if not _is_undecided(was, now)]
    return EditImpact(len(calls), sure.count((False, True)), sure.count((True, False)), unknown)


def _is_undecided(before: "Reason | UndecidedReason", after: "Reason | UndecidedReason") -> bool:
    return isinstance(before, UndecidedReason) or isinstance(after, UndecidedReason)


def _grant_or_error(version: "GrantVersion") -> "Grant | GrantError":
    return version.grant if version.grant is not None else GrantError(GRANT_NOT_FOUND, version.problem)


def _replay_calls(
    name: str,
    calls: "list[Event]",
    grant: "Grant | GrantError",
    other: "Grant | GrantError",
    settings: "Settings",
    known_denials: "Container[int]" = (),
) -> "Answers":
    """Return what a grant answers to each call now, by the number of the call."""
    answers: Answers = {}
    replayer = CallReplayer({name: grant}, settings, answers.__setitem__, known_denials)
    is_alike = isinstance(grant, Grant) and isinstance(other, Grant) and _rules_key(grant) == _rules_key(other)
    for number, (at, data) in enumerate(calls):
        answer = replayer.decide_without_rate(data)
        if (
            isinstance(answer, UndecidedReason)
            and is_alike
            and isinstance(other, Grant)
            and data["action"] in other.actions
        ):
            answer = _answer_in_event(data)
        replayer.add_call(at, data, number, answer)
    replayer.answer_all_waiting()
    return answers


def _rules_key(grant: Grant) -> "tuple[Any, ...]":
    return grant.tool, repr(grant.args), grant.fs_scope, grant.data_class  # in Python `1`, `1.0` and `true` are equal


def _answer_in_event(data: "dict[str, Any]") -> "Reason | None":
    reason: Reason = data["reason"]
    return None if reason in (ALLOWED, RATE_LIMITED) else reason
