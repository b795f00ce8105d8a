"""Write and verify the stamp of a root, and wait for a version of it."""

import re
from contextlib import suppress
from shlex import quote
from time import monotonic, sleep

from cortex_policy.core import Value
from cortex_policy.core.model import STAMP_MISMATCH, CortexPolicyError, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.library.acknowledgements import Acknowledgement, check_reader_name, prune_and_list_acknowledgements
from cortex_policy.manage.transaction.record import entry_for_stamp, history_limits
from cortex_policy.manage.transaction.recovery import digest_grants, recover, supported_version
from cortex_policy.state import Root, git_ignore
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import atomic_replace
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.history import History
from cortex_policy.state.stamp import Stamp
from cortex_policy.state.writer_lock import NO_WAIT, LockWait, hold_writer_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cortex_policy.manage.listing import Track

POLL_SECONDS = 0.05


class StampMismatch(Value):
    """A grant that differs from the stamp; the id is empty if the stamp itself is wrong."""

    id: str
    problem: str


def write_stamp(root: Root, lock_wait: LockWait = NO_WAIT) -> tuple[Stamp, bool]:
    """Stamp every grant as it is now; return the stamp, and whether it changed."""
    with hold_writer_lock(root, lock_wait) as lock:
        history = History(lock, history_limits(root))
        with suppress(CortexPolicyError):  # an error here is reported below, or the stamp is made again
            recover(root, lock, history)
        file, grants = stamps.stamp_file(root.path), _digests_if_present(lock.open_tools())
        data = _read_bytes(lock.policy, file)
        try:
            old = stamps.decode_stamp(data, root)
        except GrantError:  # broken by a merge or by hand: the version is kept, the rest is made again
            old = None
        if old is not None and old.grants == grants and not old.pending:
            return old, False
        last = _last_version(data, file) if old is None else supported_version(old, file)
        if last + 1 not in stamps.VERSIONS:
            raise NotDoneError(f"the version in `{file}` cannot go up any more", _removal_hint(file))
        new = Stamp(last + 1, grants, {})
        history.begin(entry_for_stamp(old, new))
        try:
            atomic_replace(lock.policy.descriptor, "stamp.json", stamps.encode_stamp(new), look=lock.check_held)
        except BaseException:
            history.drop_failed(old)
            raise
        history.commit_and_prune(new)
        git_ignore.create_git_ignore(lock.policy.descriptor)
        return new, True


def _digests_if_present(opening: "AbstractContextManager[PolicyDirectory]", track: "Track" = iter) -> dict[str, str]:
    """Open a directory and return the digests of its grants; no digests if it does not exist."""
    with suppress(FileNotFoundError), opening as tools:
        return digest_grants(tools, track)
    return {}


def _read_bytes(policy: PolicyDirectory, file: str) -> bytes:
    """Return the bytes of the stamp; raise NotDoneError if it is not a regular file, which is never removed."""
    try:
        return stamps.read_stamp_bytes(policy) or b""
    except GrantError as error:
        raise NotDoneError(error.detail, _removal_hint(file) if error.hint else "") from None


def _last_version(data: bytes, file: str) -> int:
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


def unsafe_stamp_error(root: Root) -> GrantError | None:
    """Return the error that a check raises for the modes and owners of the stamp and its directories."""
    trust = TrustCheck(root)
    try:
        with suppress(FileNotFoundError), PolicyDirectory(trust) as policy:
            policy.read("stamp.json", 0)
        trust.raise_if_unsafe()
    except GrantError as error:
        return error
    return None


def verify_stamp(root: Root, track: "Track" = iter) -> tuple[StampMismatch, ...]:
    """Return the grants that differ from the stamp, sorted by id."""
    try:
        stamp = stamps.read_stamp(root)
    except GrantError as error:
        if error.reason is not STAMP_MISMATCH or error.hint == stamps.NEWER:  # it may be valid for another program
            raise
        return (StampMismatch("", error.detail),)
    if stamp is None:
        return (StampMismatch("", "there is no stamp"),)
    found = _digests_if_present(PolicyDirectory(TrustCheck(root), "tools"), track)
    names = sorted({*found, *stamp.grants, *stamp.pending})
    return tuple(
        StampMismatch(grant_id, _mismatch(grant_id, found, stamp))
        for grant_id in names
        if not stamp.accepts(grant_id, found.get(grant_id))
    )


def wait_for_version(root: Root, version: int, timeout_seconds: float | None = None) -> Stamp:
    """Wait until the stamp has at least a version, and return it; raise NotDoneError at the time-out, if any."""
    deadline = None if timeout_seconds is None else monotonic() + timeout_seconds
    while True:
        stamp = stamps.read_stamp(root)
        if stamp is not None and stamp.version >= version:
            return stamp
        if deadline is not None and not monotonic() < deadline:
            last = f"at version {stamp.version}" if stamp is not None else "not there"
            raise NotDoneError(f"the stamp is {last}, not at version {version} yet")
        sleep(POLL_SECONDS)


def _mismatch(grant_id: str, found: dict[str, str], stamp: Stamp) -> str:
    if grant_id not in found:
        return "is stamped, and is not there"
    return "differs from its stamp" if grant_id in stamp.grants else "is not stamped"


def wait_for_readers(
    root: Root, name: str, version: int | None = None, timeout_seconds: float | None = None
) -> tuple[Acknowledgement, ...]:
    """Wait until each live process of a reader runs at least a version, and return what they acknowledge.

    At least one process must exist. Without a version it is that of the stamp now. Raise NotDoneError at the time-out
    (None: wait without end), and if there is neither a version nor a stamp.
    """
    check_reader_name(name)
    expected = _stamp_version(root) if version is None else version
    deadline = None if timeout_seconds is None else monotonic() + timeout_seconds
    while True:
        readers = tuple(sorted(prune_and_list_acknowledgements(root, name), key=lambda each: each.pid))
        if readers and all(each.version >= expected for each in readers):
            return readers
        if deadline is not None and not monotonic() < deadline:
            raise NotDoneError(_late_readers(name, readers, expected))
        sleep(POLL_SECONDS)


def _stamp_version(root: Root) -> int:
    stamp = stamps.read_stamp(root)
    if stamp is None:
        message = "there is no stamp, so there is no version to wait for"
        raise NotDoneError(message, "write one with `cortex-policy stamp write`")
    return stamp.version


def _late_readers(name: str, readers: tuple[Acknowledgement, ...], expected: int) -> str:
    if not readers:
        return f"no process has acknowledged anything as reader `{name}`"
    late_readers = [each for each in readers if each.version < expected]
    processes = ", ".join(f"process {each.pid} runs version {each.version}" for each in late_readers)
    return f"reader `{name}` does not run version {expected} yet: {processes}"
