"""Past calls decided again on today's grants or on proposed ones, and what that flips."""

import json
import os

from cortex_policy.core.model import ALLOWED, GRANT_UNSAFE, GrantError, Reason, UsageError, Value
from cortex_policy.manage.audit.reader import Tally, events, unswept
from cortex_policy.manage.diff.git_revisions import grants_at_revision
from cortex_policy.manage.diff.grants import read_grant_file, read_grants
from cortex_policy.manage.replay.decider import Deciding
from cortex_policy.manage.replay.rules import FULL, Unknown, is_told
from cortex_policy.state import Root
from cortex_policy.state.enforcement import settings_of
from cortex_policy.state.grants import find_root, is_grant_id, may_hold_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cortex_policy.manage.replay.decider import Policy

MOST_GROUPS = 1000  # of flips, and of what is unknown; a log may name any grant
OTHERS = "(others)"
WARMING = 61.0  # seconds of calls before those that are asked for: their hits count
_MOST_SHOWN = 300  # characters of the arguments of an example


class Example(Value):
    """One call of many, as its event tells it."""

    action: str
    args: object
    time: str


class Flip(Value):
    """Calls of a grant that are answered otherwise: for the same reason then, for the same one now, with the first."""

    grant: str
    before: Reason
    after: Reason
    count: int
    example: Example

    @property
    def allows(self) -> bool:
        """Whether it is a no that becomes a yes."""
        return self.after is ALLOWED


class Open(Value):
    """Calls of a grant that nobody can decide again, why, and what would help."""

    grant: str
    why: str
    hint: str
    count: int


class Replay(Value):
    """What became of the calls of a log: flips to yes first, then what is undecided, and what was read."""

    flips: tuple[Flip, ...]
    undecided: tuple[Open, ...]
    same: int
    lines: int
    unreadable: int
    elsewhere: int
    earlier: int

    @property
    def calls(self) -> int:
        """How many calls were looked at."""
        return self.same + self.opened + self.closed + self.unknown

    @property
    def opened(self) -> int:
        """How many were denied and would pass."""
        return sum(flip.count for flip in self.flips if flip.allows)

    @property
    def closed(self) -> int:
        """How many passed and would be denied."""
        return sum(flip.count for flip in self.flips if not flip.allows)

    @property
    def is_blind(self) -> bool:
        """Whether there were calls, perhaps, and none of them was decided: such a replay shows nothing."""
        decided = self.calls - self.unknown
        return not decided and bool(self.unknown or self.unreadable or self.elsewhere)

    @property
    def unknown(self) -> int:
        """How many cannot be decided again."""
        return sum(one.count for one in self.undecided)


def replay(
    root: Root, lines: "Iterable[bytes]", tally: Tally, policy: "Policy", since: float = float("-inf")
) -> Replay:
    """Decide again the calls that were logged since a time; the tally counts the lines that are given.

    What is set now counts. Raises GrantError (settings_invalid) where nobody knows what that is.
    """
    groups = _Groups()
    deciding, earlier = Deciding(policy, settings_of(root.path), groups.settle), 0
    with unswept():
        for at, data in events(lines, root.path, tally):
            if at >= since:
                deciding.take(at, data, data)
            else:
                earlier += 1
                if at >= since - WARMING:
                    deciding.take(at, data, None)
        deciding.finish()
    return Replay(
        groups.flipped(), groups.opened(), groups.same, tally.lines, tally.unreadable, tally.elsewhere, earlier
    )


def policy_of(root: Root, proposed: str | None = None) -> "Policy":
    """Return the grants of a root as they stand, or those of a directory or a git revision.

    A directory is one that holds grants, or a root. Raises UsageError or NotDone for a word that is neither.
    """
    if proposed is None:
        return read_grants(root)[0]
    if not os.path.isdir(proposed):
        return grants_at_revision(root, proposed)
    if may_hold_policy(proposed):
        return read_grants(find_root(proposed))[0]
    return _directory(proposed)


def _directory(path: str) -> "Policy":
    found: dict[str, Any] = {}
    for name in os.listdir(path):
        if name.endswith(".json") and is_grant_id(name[:-5]):
            file = f"{path}/{name}"
            # a pipe in a directory that others made would be waited for
            is_file = os.path.isfile(file)
            found[name[:-5]] = read_grant_file(file) if is_file else GrantError(GRANT_UNSAFE, "it is no regular file")
    if not found:
        raise UsageError(f"`{path}` holds no grants", "name a directory of `ID.json` files, a root or a git revision")
    return found


class _Groups:
    """Gathers what flips, and what is unknown, each with its count and first example."""

    def __init__(self) -> None:
        self._flips: dict[tuple[str, Reason, Reason], list[Any]] = {}
        self._unknown: dict[tuple[str, Unknown, bool], int] = {}
        self.same = 0

    def settle(self, data: "dict[str, Any] | None", answer: "Reason | Unknown") -> None:
        """Count one call."""
        if data is None:
            return
        before = data["reason"]
        if isinstance(answer, Unknown):
            key = _room(self._unknown, (data["grant"], answer, is_told(data, answer)))
            self._unknown[key] = self._unknown.get(key, 0) + 1
        elif (before is ALLOWED) is (answer is ALLOWED):
            self.same += 1
        else:
            group = self._flips.setdefault(_room(self._flips, (data["grant"], before, answer)), [0, data])
            group[0] += 1

    def flipped(self) -> tuple[Flip, ...]:
        """Return the flips: those to yes first, the most frequent of each first."""
        found = [Flip(*key, count, example_of(data)) for key, (count, data) in self._flips.items()]
        return tuple(sorted(found, key=lambda flip: (not flip.allows, -flip.count, flip.grant)))

    def opened(self) -> tuple[Open, ...]:
        """Return what is unknown, the most frequent first."""
        found = [Open(grant, why, "" if full else FULL, count) for (grant, why, full), count in self._unknown.items()]
        return tuple(sorted(found, key=lambda one: (-one.count, one.grant)))


def _room(groups: "dict[Any, Any]", key: "tuple[Any, ...]") -> "tuple[Any, ...]":
    return key if key in groups or len(groups) < MOST_GROUPS else (OTHERS, *key[1:])


def example_of(data: "dict[str, Any]") -> Example:
    """Return a call as an example; of large arguments only their names are told, if these."""
    args = data["args"]
    if isinstance(args, dict) and len(json.dumps(args)) > _MOST_SHOWN:
        args = list(args)
    return Example(data["action"], args if len(json.dumps(args)) <= _MOST_SHOWN else None, data["time"])
