"""Decide past calls again by today's grants or by proposed ones, and report the answers that change."""

import os

from cortex_policy.core import Value
from cortex_policy.core.decode import parse_grant_file_name
from cortex_policy.core.model import ALLOWED, GRANT_UNSAFE, GrantError, Reason, UsageError
from cortex_policy.manage.audit.reader import ReadCounts, decode_replayable_calls, pause_garbage_collector
from cortex_policy.manage.diff.git_revisions import read_grant_texts_at_revision
from cortex_policy.manage.diff.grants import read_grant_file_bytes, read_grant_texts_and_safety_warnings
from cortex_policy.manage.replay.call_replayer import CallReplayer
from cortex_policy.manage.replay.decision_without_rate import (
    FULL_ARGS_HINT,
    UndecidedReason,
    is_undecidable_even_by_full_log,
)
from cortex_policy.manage.replay.past_call import (
    CallExample,
    PastCall,
    reduce_event_to_past_call,
    reduce_past_call_to_example,
)
from cortex_policy.state import Root
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.grants import find_named_or_only_root, may_hold_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cortex_policy.manage.replay.call_replayer import GrantsById

MAX_GROUPS = 1000  # of flips, and of undecided calls; a log may name any grant
OTHERS = "(others)"
WARM_UP_SECONDS = 61.0  # seconds of calls before the wanted ones: their hits count


class Flip(Value):
    """Calls of a grant whose answer changes from one reason to another: their number and the first one."""

    grant: str
    before: Reason
    after: Reason
    count: int
    example: CallExample

    @property
    def allows(self) -> bool:
        """Whether the calls were denied and are now allowed."""
        return self.after is ALLOWED


class UndecidedCalls(Value):
    """Calls of a grant that cannot be decided again, why, and what would help."""

    grant: str
    why: str
    hint: str
    count: int


class ReplayResult(Value):
    """The result of a replay: flips, the newly allowed ones first, undecided calls, and what was read."""

    flips: tuple[Flip, ...]
    undecided: tuple[UndecidedCalls, ...]
    same: int
    lines: int
    unreadable: int
    other_roots: int
    earlier: int

    @property
    def call_count(self) -> int:
        """How many calls were replayed."""
        return self.same + self.newly_allowed_count + self.newly_denied_count + self.undecided_count

    @property
    def newly_allowed_count(self) -> int:
        """How many calls were denied and are now allowed."""
        return sum(flip.count for flip in self.flips if flip.allows)

    @property
    def newly_denied_count(self) -> int:
        """How many calls were allowed and are now denied."""
        return sum(flip.count for flip in self.flips if not flip.allows)

    @property
    def is_inconclusive(self) -> bool:
        """Whether there may have been calls, but none was decided: such a replay shows nothing."""
        decided = self.call_count - self.undecided_count
        return not decided and bool(self.undecided_count or self.unreadable or self.other_roots)

    @property
    def undecided_count(self) -> int:
        """How many calls cannot be decided again."""
        return sum(one.count for one in self.undecided)


def replay_logged_calls(
    root: Root, lines: "Iterable[bytes]", counts: ReadCounts, grants: "GrantsById", since: float = float("-inf")
) -> ReplayResult:
    """Decide again the calls that were logged since a time; `counts` counts the lines.

    Today's settings count. Raises GrantError (settings_invalid) if they cannot be read.
    """
    groups = _AnswerGroups()
    replayer, earlier = CallReplayer(grants, load_effective_settings(root.path), groups.add_answer), 0
    with pause_garbage_collector():
        for at, data in decode_replayable_calls(lines, root.path, counts):
            if at >= since:
                replayer.add_call(at, data, reduce_event_to_past_call(data), replayer.decide_without_rate(data))
            else:
                earlier += 1
                if at >= since - WARM_UP_SECONDS:
                    replayer.add_call(at, data, None, replayer.decide_without_rate(data))
        replayer.answer_all_waiting()
    return ReplayResult(
        groups.flips(),
        groups.undecided_calls(),
        groups.same,
        counts.lines,
        counts.unreadable,
        counts.other_roots,
        earlier,
    )


def load_grants_of_root_or_dir_or_revision(root: Root, proposed: str | None = None) -> "GrantsById":
    """Return the current grants of a root, or those of a directory or a git revision.

    A directory is one that holds grants, or a root. Raises UsageError or NotDoneError for a word that is neither.
    """
    if proposed is None:
        return read_grant_texts_and_safety_warnings(root)[0]
    if not os.path.isdir(proposed):
        return read_grant_texts_at_revision(root, proposed)
    if may_hold_policy(proposed):
        return read_grant_texts_and_safety_warnings(find_named_or_only_root(proposed))[0]
    return _read_directory(proposed)


def _read_directory(path: str) -> "GrantsById":
    texts: dict[str, Any] = {}
    for name in os.listdir(path):
        if grant_id := parse_grant_file_name(name):
            file = f"{path}/{name}"
            # opening a pipe would wait for a writer
            is_file = os.path.isfile(file)
            texts[grant_id] = (
                read_grant_file_bytes(file) if is_file else GrantError(GRANT_UNSAFE, "it is not a regular file")
            )
    if not texts:
        raise UsageError(f"`{path}` holds no grants", "name a directory of `ID.json` files, a root or a git revision")
    return texts


class _AnswerGroups:
    """Groups flips and undecided calls, each with its count and first example."""

    def __init__(self) -> None:
        self._flips: dict[tuple[str, Reason, Reason], list[Any]] = {}
        self._unknown: dict[tuple[str, UndecidedReason, bool], int] = {}
        self.same = 0

    def add_answer(self, call: PastCall | None, answer: "Reason | UndecidedReason") -> None:
        """Count the answer to one call."""
        if call is None:
            return
        before = call.reason
        if isinstance(answer, UndecidedReason):
            is_beyond = is_undecidable_even_by_full_log(answer, is_full=call.has_full_args)
            key = _bounded_key(self._unknown, (call.grant, answer, is_beyond))
            self._unknown[key] = self._unknown.get(key, 0) + 1
        elif (before is ALLOWED) is (answer is ALLOWED):
            self.same += 1
        else:
            group = self._flips.setdefault(_bounded_key(self._flips, (call.grant, before, answer)), [0, call])
            group[0] += 1

    def flips(self) -> tuple[Flip, ...]:
        """Return the flips: the newly allowed ones first, then by frequency."""
        all_flips = [Flip(*key, count, reduce_past_call_to_example(call)) for key, (count, call) in self._flips.items()]
        return tuple(sorted(all_flips, key=lambda flip: (not flip.allows, -flip.count, flip.grant)))

    def undecided_calls(self) -> tuple[UndecidedCalls, ...]:
        """Return the undecided calls, the most frequent first."""
        calls = [
            UndecidedCalls(grant, why, "" if full else FULL_ARGS_HINT, count)
            for (grant, why, full), count in self._unknown.items()
        ]
        return tuple(sorted(calls, key=lambda one: (-one.count, one.grant)))


def _bounded_key(groups: "dict[Any, Any]", key: "tuple[Any, ...]") -> "tuple[Any, ...]":
    return key if key in groups or len(groups) < MAX_GROUPS else (OTHERS, *key[1:])
