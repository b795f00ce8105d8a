"""Write the stamp of a root, so that it accepts the grants as they are now."""

import re
from contextlib import suppress
from shlex import quote

from cortex_policy.core import Value
from cortex_policy.core.model import CortexPolicyError, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import PolicyDiff
from cortex_policy.manage.editing.validity import require_valid_grant
from cortex_policy.manage.history.hand_edits import HandEdit, find_hand_edits
from cortex_policy.manage.transaction.grant_files import GrantFiles
from cortex_policy.manage.transaction.record import entry_for_stamp, history_limits
from cortex_policy.manage.transaction.recovery import recover, supported_version
from cortex_policy.state import Root, git_ignore
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import atomic_replace
from cortex_policy.state.grants import PolicyDirectory
from cortex_policy.state.grants_errors import root_option
from cortex_policy.state.history import History
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.stamp import Stamp, grant_digest
from cortex_policy.state.writer_lock import NO_WAIT, LockWait, WriterLock, hold_writer_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Consent = Callable[[PolicyDiff], None]  # raises if the answer is no


class StampResult(Value):
    """The stamp, whether it was written, and what it accepts that the one before did not."""

    stamp: Stamp
    is_written: bool
    diff: PolicyDiff


def write_stamp(root: Root, consent: "Consent", lock_wait: LockWait = NO_WAIT) -> StampResult:
    """Stamp every grant as it is now; ask for consent to what differs from the stamp before.

    Raise GrantError (21) for a grant that differs and does not load.
    """
    with hold_writer_lock(root, lock_wait) as lock:
        history, file = History(lock, history_limits(root)), stamps.stamp_file(root.path)
        with suppress(CortexPolicyError):  # an error here is reported below, or the stamp is made again
            recover(root, lock, history)
        data = read_stamp_file(lock.policy, file)
        old, note = _decode_or_none(root, data)
        digests, now = read_differing_grants(lock, old)
        if old is None:
            settle_by_files(history, digests)
        edits = find_hand_edits(root, old, now)
        diff = PolicyDiff(
            tuple(one.change for one in edits), len(digests) - len(now), (), (note,) if note and edits else ()
        )
        if old is not None and old.grants == digests and not old.pending:
            return StampResult(old, is_written=False, diff=diff)
        version = next_version(supported_version(old, file) if old is not None else last_version(data, file), file)
        for edit in edits:
            _refuse_invalid(root, edit)
        consent(diff)
        # INVARIANT: the digests are those of the texts that were shown
        new = Stamp(version, digests, {})
        texts = {edit.id: (edit.old, now[edit.id]) for edit in edits}
        replace_stamp(
            lock,
            history,
            new,
            entry_for_stamp("stamp write", old, new, texts, diff, is_owned_by_caller=is_owned_by_caller(lock)),
        )
        return StampResult(new, is_written=True, diff=diff)


def _decode_or_none(root: Root, data: bytes) -> tuple[Stamp | None, str]:
    """Return a stamp, None with a note if there is none that can be read: then every grant counts as new."""
    if not data:
        return None, "there is no stamp yet: every grant is new to it"
    try:
        return stamps.decode_stamp(data, root), ""
    except GrantError:  # broken by a merge or by hand: the version is kept, the rest is made again
        return None, "the stamp cannot be read: every grant is new to it"


def read_differing_grants(lock: WriterLock, stamp: Stamp | None) -> tuple[dict[str, str], dict[str, bytes | None]]:
    """Return the digest of every grant, and the bytes of those that differ from a stamp, None for no grant."""
    digests: dict[str, str] = {}
    stamped = stamp.grants if stamp is not None else {}
    differing: dict[str, bytes | None] = {}
    with suppress(FileNotFoundError), lock.open_tools() as tools:
        files = GrantFiles(tools)
        for grant_id in tools.grant_ids():
            data = files.read(grant_id)
            if data is not None:
                digests[grant_id] = grant_digest(data)
                if digests[grant_id] != stamped.get(grant_id):
                    differing[grant_id] = data
    return digests, differing | dict.fromkeys(stamped.keys() - digests.keys())


def _refuse_invalid(root: Root, edit: HandEdit) -> None:
    if isinstance(edit.new, bytes):
        where = root_option(root)
        hint = f"fix the file, or take it back with `cortex-policy undo {edit.id}{where}`"
        require_valid_grant(root, edit.id, edit.new, hint)


def settle_by_files(history: History, digests: dict[str, str]) -> None:
    """Name the entry of a write that was interrupted before its stamp broke, if the grants are as it left them."""
    entry = history.pending()
    if entry is not None:
        history.finish_pending(Stamp(entry.version, digests, {}))


def replace_stamp(lock: WriterLock, history: History, new: Stamp, entry: HistoryEntry) -> None:
    """Write the entry and the stamp, while the lock is held."""
    history.begin(entry)
    try:
        atomic_replace(lock.policy.descriptor, "stamp.json", stamps.encode_stamp(new), verify=lock.check_held)
    except BaseException:
        history.drop_failed(None)
        raise
    history.commit_and_prune(new)
    git_ignore.create_git_ignore(lock.policy.descriptor)


def is_owned_by_caller(lock: WriterLock) -> bool:
    """Whether the grants are the caller's."""
    with suppress(FileNotFoundError), lock.open_tools() as tools:
        return GrantFiles(tools).is_owned_by_caller
    return False


def read_stamp_file(policy: PolicyDirectory, file: str) -> bytes:
    """Return the bytes of the stamp; raise NotDoneError if it is not a regular file, which is never removed."""
    try:
        return stamps.read_stamp_bytes(policy) or b""
    except GrantError as error:
        raise NotDoneError(error.detail, _removal_hint(file) if error.hint else "") from None


def last_version(data: bytes, file: str) -> int:
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


def next_version(last: int, file: str) -> int:
    """Return the version after the last one; raise NotDoneError if there is none."""
    if last + 1 not in stamps.VERSIONS:
        raise NotDoneError(f"the version in `{file}` cannot go up any more", _removal_hint(file))
    return last + 1
