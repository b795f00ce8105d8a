"""Make the history entry of a write: who wrote, when, by which command, and what it means."""

from cortex_policy.core.compare.grants import GrantComparison
from cortex_policy.core.compare.verdicts import widens
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.manage.diff.grants import PolicyDiff
from cortex_policy.manage.transaction.stamp_file import compute_content_digest_or_none
from cortex_policy.state import Root
from cortex_policy.state.history import HistoryLimits, read_max_history_entries
from cortex_policy.state.history_entry import (
    MAX_GRANTS,
    MAX_TEXT_BYTES,
    MAX_WIDENED_LENGTH,
    GrantChange,
    HistoryEntry,
    find_current_author,
    format_current_time,
)
from cortex_policy.state.policy_files import is_valid_policy_text
from cortex_policy.state.stamp import Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cortex_policy.manage.transaction.stamp_file import FileChanges


def read_history_limits(root: Root) -> HistoryLimits:
    """Return how much history a root keeps; raise GrantError (settings_invalid) if settings are invalid."""
    return HistoryLimits(read_max_history_entries(root.path))


def make_entry_for_write(
    command: str,
    version: int,
    changes: "FileChanges",
    modes: "Mapping[str, int]",
    meaning: GrantComparison,
    *,
    is_owned_by_caller: bool = True,
    is_hand_edit: bool = False,
) -> HistoryEntry:
    """Return the entry of a write before it is made.

    In the root of another user only the text of a valid grant is kept: another file may hold a secret that only root
    can read. `is_hand_edit` says that the old bytes are a hand edit, which the write takes back.
    """
    kept = {
        text
        for name, pair in changes.items()
        for text in pair
        if is_to_be_kept_in_history(name, text, is_owned_by_caller=is_owned_by_caller)
    }
    grant_changes = tuple(
        GrantChange(
            name, compute_content_digest_or_none(old), compute_content_digest_or_none(new),
            old if old in kept else None,
            modes.get(name, 0o644), is_hand_edit,
        )
        for name, (old, new) in changes.items()
    )  # fmt: skip
    replaced = {old for old, _ in changes.values()}
    written = tuple(new for _, new in changes.values() if new is not None and new in kept and new not in replaced)
    widened = _widening_text(meaning)[:MAX_WIDENED_LENGTH]
    return HistoryEntry(
        version, format_current_time(), find_current_author(), command, meaning.verdict, widened, grant_changes,
        written=written,
    )  # fmt: skip


def make_entry_for_stamp(
    command: str, old: Stamp | None, new: Stamp, texts: "FileChanges", diff: PolicyDiff, *, is_owned_by_caller: bool
) -> HistoryEntry:
    """Return the entry of a new stamp, from the texts of the grants that differ from the old one.

    Without an old stamp, what was before is not known.
    """
    before = old.digests if old is not None else {}
    is_blind = old is None or len(texts) > MAX_GRANTS
    kept = _texts_to_keep(
        ((name, text) for name, pair in texts.items() for text in pair), is_owned_by_caller=is_owned_by_caller
    )
    changes = tuple(
        GrantChange(name, before.get(name), new.digests.get(name), text if text in kept else None)
        for name, (text, _) in texts.items()
    )
    return HistoryEntry(
        new.version, format_current_time(), find_current_author(), command,
        None if is_blind else diff.verdict, _widening_text_of_changes(diff),
        () if is_blind else changes, is_blind, tuple(text for _, text in texts.values() if text and text in kept),
        None if old is None or old.version == new.version - 1 else old.version,
    )  # fmt: skip


def _texts_to_keep(texts: "Iterable[tuple[str, bytes | None]]", *, is_owned_by_caller: bool) -> set[bytes]:
    """Return the texts that an entry has room for, from those of named files."""
    kept, left = set[bytes](), MAX_TEXT_BYTES
    for name, text in texts:
        if (
            text is not None
            and text not in kept
            and len(text) <= left
            and is_to_be_kept_in_history(name, text, is_owned_by_caller=is_owned_by_caller)
        ):
            kept.add(text)
            left -= len(text)
    return kept


def _widening_text_of_changes(diff: PolicyDiff) -> str:
    """Return what the changes of some grants allow in addition, with their ids if there is more than one."""
    said = [(one.name, _widening_text(one.meaning)) for one in diff.changes]
    return "; ".join(text if len(said) == 1 else f"{name}: {text}" for name, text in said if text)[:MAX_WIDENED_LENGTH]


def _widening_text(meaning: GrantComparison) -> str:
    return "; ".join(part.sentence for part in meaning.fields if widens(part.verdict) and part.sentence)


def is_to_be_kept_in_history(name: str, data: bytes | None, *, is_owned_by_caller: bool) -> bool:
    """Whether the history keeps a text of a file; a longer file was not read to its end."""
    return data is not None and len(data) <= MAX_BYTES and (is_owned_by_caller or is_valid_policy_text(name, data))
