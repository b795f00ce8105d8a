"""Merge the files of two stamps, as git asks a merge driver to."""

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import stamp as stamps
from cortex_policy.state.stamp import Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class FileMerge(Value):
    """The bytes of the merged file, and why it still has to be merged, '' if it need not."""

    data: bytes
    conflict: str = ""


def merge_stamp_files(base: str, ours: str, theirs: str) -> FileMerge:
    """Merge the stamps of two files into ours, and return the result; raise NotDoneError if a file cannot be used.

    An empty base means that both sides are new. After a conflict the file has all three stamps, between markers.
    """
    try:
        merge = merge_stamps_or_mark_conflict(*map(_read_side, (base, ours, theirs)))
        with open(ours, "wb") as file:
            file.write(merge.data)
    except OSError as error:
        raise NotDoneError(f"`{error.filename}`: {format_os_error_cause(error)}") from None
    return merge


def _read_side(name: str) -> bytes:
    with open(name, "rb") as file:
        data = file.read(stamps.MAX_BYTES + 1)
    if len(data) > stamps.MAX_BYTES:
        raise NotDoneError(f"`{name}` is larger than {stamps.MAX_BYTES} bytes")
    return data


def merge_stamps_or_mark_conflict(base: bytes, ours: bytes, theirs: bytes) -> FileMerge:
    """Merge two stamps: each grant is that of the side which changed it, and the version comes after both."""
    try:
        before = stamps.parse_stamp(base) if base else Stamp(0, {}, {})
        first, second = stamps.parse_stamp(ours), stamps.parse_stamp(theirs)
    except MalformedError as error:
        return _conflict_file(base, ours, theirs, f"a stamp is broken: {error}")
    if any(side.pending or side.unknown for side in (first, second)):
        return _conflict_file(base, ours, theirs, "a stamp was not finished, or has members unknown to this program")
    both = sorted(_names_changed_by_both(before, first, second))
    if both:
        names = ", ".join(f"`{name}`" for name in both)
        return _conflict_file(base, ours, theirs, f"both sides changed {names}")
    version = max(first.version, second.version) + 1
    if version not in stamps.VERSIONS:
        return _conflict_file(base, ours, theirs, "the version is at its maximum")
    return FileMerge(stamps.encode_stamp(Stamp(version, _merge_digests(before, first, second), {})))


def _names_changed_by_both(base: Stamp, ours: Stamp, theirs: Stamp) -> "Iterator[str]":
    for name in {*base.digests, *ours.digests, *theirs.digests}:
        old, first, second = (side.digests.get(name) for side in (base, ours, theirs))
        if first != second and old not in (first, second):
            yield name


def _merge_digests(base: Stamp, ours: Stamp, theirs: Stamp) -> dict[str, str]:
    grants = dict(ours.digests)
    for name in {*base.digests, *theirs.digests}:
        old, new = base.digests.get(name), theirs.digests.get(name)
        if new != old:
            grants.pop(name, None)
            grants |= {name: new} if new is not None else {}
    return grants


def _conflict_file(base: bytes, ours: bytes, theirs: bytes, why: str) -> FileMerge:
    """Return the file of a conflict; a base that was a conflict itself would not be told from ours."""
    base = base if b"<<<<<<<" not in base else b""
    parts = ((b"<<<<<<< ours", ours), (b"||||||| base", base), (b"=======", theirs), (b">>>>>>> theirs", b""))
    lines = (line for marker, text in parts for line in (marker, *text.splitlines()))
    return FileMerge(b"".join(line + b"\n" for line in lines), why)
