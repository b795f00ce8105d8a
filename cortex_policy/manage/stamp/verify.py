"""Verify the stamp of a root."""

from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.model import STAMP_MISMATCH, GrantError
from cortex_policy.manage.transaction.read_only_grant_files import open_grants_read_only_without_lock
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.stamp import Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.listing import Track


class StampMismatch(Value):
    """A grant or `hooks.toml` that differs from the stamp; no id and a hint if the stamp itself is wrong."""

    id: str
    problem: str
    hint: str = ""


def find_unsafe_stamp_error_or_none(root: Root) -> GrantError | None:
    """Return the error that a check raises for the modes and owners of the stamp and its directories."""
    trust = TrustCheck(root)
    try:
        with suppress(FileNotFoundError), PolicyDirectory(trust) as policy:
            policy.read("stamp.json", 0)
        trust.raise_if_unsafe()
    except GrantError as error:
        return error
    return None


def find_stamp_mismatches(root: Root, track: "Track" = iter) -> tuple[StampMismatch, ...]:
    """Return the grants that differ from the stamp, sorted by id."""
    try:
        stamp = stamps.read_stamp(root)
    except GrantError as error:
        if error.reason is not STAMP_MISMATCH or error.hint == stamps.NEWER:  # it may be valid for another program
            raise
        return (StampMismatch("", error.detail, error.hint),)
    if stamp is None:
        hint = f"write one with `cortex-policy stamp write{format_root_option(root)}`"
        return (StampMismatch("", "there is no stamp", hint),)
    found = _current_digests(root, track)
    names = sorted({*found, *stamp.digests, *stamp.pending})
    return tuple(
        StampMismatch(grant_id, _mismatch_text(grant_id, found, stamp))
        for grant_id in names
        if not stamp.accepts(grant_id, found.get(grant_id))
    )


def _current_digests(root: Root, track: "Track") -> dict[str, str]:
    with suppress(FileNotFoundError), open_grants_read_only_without_lock(root) as files:
        return files.read_digests(track)
    return {}


def _mismatch_text(grant_id: str, found: dict[str, str], stamp: Stamp) -> str:
    if grant_id not in found:
        return "is stamped, and is not there"
    return "differs from its stamp" if grant_id in stamp.digests else "is not stamped"
