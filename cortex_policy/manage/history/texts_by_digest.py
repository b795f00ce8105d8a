"""Find the text of a digest: in the history, or in the last commit. The digest proves that it is the text."""

from contextlib import suppress

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.git_revisions import read_grant_and_hooks_texts_at_revision
from cortex_policy.state import Root, history
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.stamp import compute_content_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def find_texts_by_digest(root: Root, digests: "Iterable[str]") -> dict[str, bytes]:
    """Return the text of each digest that is kept anywhere; take no lock."""
    missing, found = set(digests), dict[str, bytes]()
    for text in _all_known_texts(root) if missing else ():
        if (digest := compute_content_digest(text)) in missing:
            found[digest] = text
            if len(found) == len(missing):
                break
    return found


def _all_known_texts(root: Root) -> "Iterator[bytes]":
    with suppress(GrantError):  # the history is another user's, or none
        for entry in history.iterate_entries_newest_first(root, None):
            if isinstance(entry, HistoryEntry):
                yield from entry.texts
    with suppress(NotDoneError):  # there is no git, no repository, or no commit
        yield from (
            text for text in read_grant_and_hooks_texts_at_revision(root, "HEAD").values() if isinstance(text, bytes)
        )
