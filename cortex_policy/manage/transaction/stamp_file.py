"""The stamp of a root as a writer reads, checks and replaces it, and the digests that it gets."""

from cortex_policy.core.model import STAMP_MISMATCH, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import replace_file_atomically
from cortex_policy.state.grants import PolicyDirectory
from cortex_policy.state.grants_errors import format_root_option, make_hand_edit_hint
from cortex_policy.state.stamp import Stamp, compute_content_digest
from cortex_policy.state.writer_lock import WriterLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    # the old and new bytes of each grant by its id, and of `hooks.toml` by that name; None: no such file
    FileChanges = Mapping[str, tuple[bytes | None, bytes | None]]


def read_supported_stamp_or_none(policy: PolicyDirectory) -> Stamp | None:
    """Return the stamp, None if there is none.

    Raise GrantError (22, 23) if it is a link or broken, NotDoneError if a newer program wrote it.
    """
    root, data = policy.trust.root, stamps.read_stamp_bytes(policy)
    stamp = stamps.decode_stamp_of_root(data, root) if data is not None else None
    if stamp is not None:
        require_no_unknown_stamp_members(stamp, stamps.make_stamp_path(root.path))
    return stamp


def require_no_unknown_stamp_members(old: Stamp, file: str) -> int:
    """Return the version of a stamp; raise NotDoneError if a newer program wrote members unknown to this one."""
    if old.unknown:
        names = ", ".join(f"`{name}`" for name in old.unknown)
        raise NotDoneError(f"`{file}` holds {names}, which this program does not know", stamps.NEWER)
    return old.version


def check_digest_is_stamped(root: Root, stamp: Stamp, name: str, digest: str | None) -> None:
    """Raise GrantError (23) if the digest of a file is not the one in its stamp."""
    if stamp.digests.get(name) != digest:
        raise GrantError(STAMP_MISMATCH, f"`{name}`", make_hand_edit_hint(format_root_option(root), name))


def make_pending_digest_pairs(
    changes: "FileChanges", *, is_hand_edit: bool
) -> dict[str, tuple[str | None, str | None]]:
    """Return the old and new digests that a stamp records for pending changes.

    Readers accept both, so a hand edit that is undone is not among them: the new one takes its place.
    """
    pairs = {
        name: (compute_content_digest_or_none(old), compute_content_digest_or_none(new))
        for name, (old, new) in changes.items()
    }
    return {name: (new if is_hand_edit else old, new) for name, (old, new) in pairs.items()}


def update_digests(digests: "Mapping[str, str]", new: "Mapping[str, str | None]") -> dict[str, str]:
    """Return the digests of a stamp after a change; None removes one."""
    return {name: digest for name, digest in {**digests, **new}.items() if digest is not None}


def compute_content_digest_or_none(data: bytes | None) -> str | None:
    """Return the digest of a file's bytes, None for no file."""
    return None if data is None else compute_content_digest(data)


def replace_stamp(lock: WriterLock, stamp: Stamp) -> Stamp:
    """Write the stamp while its lock is held, and return it."""
    replace_file_atomically(lock.policy.descriptor, "stamp.json", stamps.encode_stamp(stamp), 0o644, lock.check_held)
    return stamp
