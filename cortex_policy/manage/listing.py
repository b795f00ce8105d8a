"""What grants a root has, and what state each is in."""

import os

from cortex_policy.core.decode import decode
from cortex_policy.core.model import GRANT_INVALID, GRANT_NOT_FOUND, Grant, GrantError, Value
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import Root, grant_ids, read_grant


class Row(Value):
    """One grant of a list; `grant` is None where it does not decode, `problem` empty where nothing is wrong."""

    id: str
    state: str
    grant: Grant | None
    problem: str
    hint: str


def rows(root: Root) -> tuple[Row, ...]:
    """Return every grant of a root, sorted by id; a broken one is a row, never the end of the list."""
    try:
        ids = grant_ids(root.tools)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise GrantError(GRANT_NOT_FOUND, f"`{root.tools}`: {os.strerror(error.errno or 0).lower()}") from None
    try:
        stamp = stamps.read(root.path)
    except GrantError:  # a broken stamp stamps nothing; `stamp verify` says what is wrong with it
        stamp = None
    return tuple(_row(root, grant_id, stamp) for grant_id in ids)


def _row(root: Root, grant_id: str, stamp: "stamps.Stamp | None") -> Row:
    try:
        grant = read_grant(root, grant_id)
        digest = f"sha256:{grant.origin.sha256}" if grant.origin is not None else None
        if stamp is not None and stamp.accepts(grant_id, digest):
            return Row(grant_id, "ok", grant, "", "")
        is_stamped = stamp is not None and grant_id in stamp.grants
        return Row(grant_id, "differs" if is_stamped else "unstamped", grant, "", "")
    except GrantError as error:
        if error.reason is GRANT_INVALID:
            return Row(grant_id, "invalid", None, error.detail, error.hint)
        return Row(grant_id, "unsafe", _shown(root, grant_id), error.detail, error.hint)


def _shown(root: Root, grant_id: str) -> Grant | None:
    """Decode a grant that no check would believe, so that an operator can see what it says."""
    try:
        descriptor = os.open(
            f"{root.tools}/{grant_id}.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return None  # the row says why
    try:
        return decode(os.read(descriptor, 1 << 20), grant_id)
    except (OSError, GrantError):
        return None
    finally:
        os.close(descriptor)
