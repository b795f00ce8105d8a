"""The steps of a write of the stamp while the writers' lock is held, whether the old one can be decoded or not."""

import re
from shlex import quote

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.transaction.read_only_grant_files import open_grants_read_only_with_held_lock
from cortex_policy.manage.transaction.stamp_file import replace_stamp
from cortex_policy.state import Root, git_ignore
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import PolicyDirectory
from cortex_policy.state.history import HistoryWriter
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.stamp import Stamp
from cortex_policy.state.writer_lock import WriterLock


def finish_interrupted_history_entry(history: HistoryWriter, digests: dict[str, str]) -> None:
    """Finish the entry of a write that was interrupted before its stamp broke, if the grants are as it left them.

    What only stamped them replaced nothing.
    """
    entry = history.read_pending_entry()
    if entry is not None and not entry.command.startswith("stamp "):
        history.name_or_drop_pending_entry(Stamp(entry.version, digests, {}))


def write_entry_and_stamp(lock: WriterLock, history: HistoryWriter, new: Stamp, entry: HistoryEntry) -> None:
    """Write the entry and the stamp, while the lock is held."""
    history.begin_write(entry)
    try:
        replace_stamp(lock, new)
    except BaseException:
        history.drop_entry_of_failed_write(None)
        raise
    history.commit_and_prune(new)
    git_ignore.create_git_ignore(lock.policy.descriptor)


def are_grants_owned_by_caller(lock: WriterLock) -> bool:
    """Whether the caller owns the directory of the grants, so that no other user wrote them."""
    with open_grants_read_only_with_held_lock(lock) as files:
        return files.is_owned_by_caller


def read_old_stamp_bytes_or_empty(policy: PolicyDirectory, file: str) -> bytes:
    """Return the bytes of the stamp; raise NotDoneError if it is not a regular file, which is never removed."""
    try:
        return stamps.read_stamp_bytes(policy) or b""
    except GrantError as error:
        raise NotDoneError(error.detail, _removal_hint(file) if error.hint else "") from None


def decode_stamp_or_none(root: Root, data: bytes) -> Stamp | None:
    """Return the stamp, None if there is none, or if a merge or a hand broke it."""
    try:
        return stamps.decode_stamp_of_root(data, root)
    except GrantError:
        return None


def find_highest_version_in_text(data: bytes, file: str) -> int:
    """Return the highest version in the text of a broken stamp, with or without conflict markers; 0 if there is none.

    Raise NotDoneError if the stamp is not broken, but of a format that only a newer program knows.
    """
    text = data.decode("utf-8", "replace")
    # a grant can be called `format` too: then a digest follows, or a pair of digests
    for word in re.findall(r'"format"\s*:\s*(?!\[|"sha256:)([^\s,}]+)', text):
        if word != str(stamps.FORMAT):
            raise NotDoneError(f"`{file}` is of format {word}, which this program does not know", stamps.NEWER)
    numbers = re.findall(r'"version"\s*:\s*([0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)', text)
    return max((int(min(float(number), stamps.VERSIONS.stop)) for number in numbers), default=0)


def _removal_hint(file: str) -> str:
    return f"look at it, then remove it with `rm -r {quote(file)}`"


def increment_stamp_version(last: int, file: str) -> int:
    """Return the version after the last one; raise NotDoneError if there is none."""
    if last + 1 not in stamps.VERSIONS:
        raise NotDoneError(f"the version in `{file}` is at its maximum", _removal_hint(file))
    return last + 1
