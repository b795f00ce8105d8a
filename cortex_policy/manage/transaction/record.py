"""Make the history entry of a write: who wrote, when, by which command, and what it means."""

import os
from time import gmtime, strftime

from cortex_policy.core.compare.grants import GrantComparison
from cortex_policy.core.compare.verdicts import widens
from cortex_policy.core.decode import MAX_BYTES, decode
from cortex_policy.core.model import GrantError
from cortex_policy.manage.diff.grants import compare_bytes
from cortex_policy.state import Root
from cortex_policy.state.history import HistoryLimits, history_length
from cortex_policy.state.history_entry import MAX_GRANTS, MAX_WIDENED_LENGTH, Author, GrantChange, HistoryEntry
from cortex_policy.state.stamp import Stamp, grant_digest
from cortex_policy.state.users import user_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.manage.transaction.recovery import GrantBytes

STAMP_COMMAND = "stamp write"
_SUDO_LENGTH = 64


def history_limits(root: Root) -> HistoryLimits:
    """Return how much history a root keeps; raise GrantError (settings_invalid) if settings are invalid."""
    return HistoryLimits(history_length(root.path))


def entry_for_write(
    command: str,
    version: int,
    changes: "GrantBytes",
    modes: "Mapping[str, int]",
    meaning: GrantComparison | None = None,
    *,
    is_owned_by_caller: bool = True,
) -> HistoryEntry:
    """Return the entry of a write before it is made; without a meaning there must be one change, which gives it.

    In the root of another user only the text of a valid grant is kept: another file may hold a secret that only root
    can read.
    """
    if meaning is None:
        ((grant_id, (old, new)),) = changes.items()
        meaning = compare_bytes(grant_id, old, new).meaning
    widened = "; ".join(part.sentence for part in meaning.fields if widens(part.verdict) and part.sentence)
    grant_changes = tuple(
        _history_change(grant_id, old, new, modes.get(grant_id, 0o644), is_owned_by_caller=is_owned_by_caller)
        for grant_id, (old, new) in changes.items()
    )
    return HistoryEntry(
        version, _now(), current_author(), command, meaning.verdict, widened[:MAX_WIDENED_LENGTH], grant_changes
    )


def entry_for_stamp(old: Stamp | None, new: Stamp) -> HistoryEntry:
    """Return the entry of a stamp that accepts the current grants; their previous content is not known."""
    changes = tuple(
        GrantChange(grant_id, old.grants.get(grant_id), new.grants.get(grant_id))
        for grant_id in sorted({*old.grants, *new.grants})
        if old.grants.get(grant_id) != new.grants.get(grant_id)
    ) if old is not None else ()  # fmt: skip
    is_blind = old is None or len(changes) > MAX_GRANTS
    return HistoryEntry(
        new.version, _now(), current_author(), STAMP_COMMAND, None, "", () if is_blind else changes, is_blind
    )


def current_author() -> Author:
    """Return the user who runs this, and the user behind sudo."""
    behind = os.environ.get("SUDO_USER", "")[:_SUDO_LENGTH] if os.geteuid() == 0 else ""
    return Author(user_label(os.geteuid()), os.geteuid(), behind or None)


def _now() -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())


def _history_change(
    grant_id: str, old: bytes | None, new: bytes | None, mode: int, *, is_owned_by_caller: bool
) -> GrantChange:
    before, after = (None if side is None else grant_digest(side) for side in (old, new))
    # a longer file was not read to its end
    is_kept = old is not None and len(old) <= MAX_BYTES and (is_owned_by_caller or is_valid_grant(old))
    return GrantChange(grant_id, before, after, old if is_kept else None, mode)


def is_valid_grant(data: bytes) -> bool:
    """Whether a text decodes as a grant."""
    try:
        decode(data)
    except GrantError:
        return False
    return True
