"""What grants a root has, and what state each is in."""

from cortex_policy.core.decode import MAX_BYTES, decode
from cortex_policy.core.model import GRANT_INVALID, Grant, GrantError, Value
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import Directory, Root, Trust, read_grant


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
        with Directory(Trust(root), "tools") as tools:
            ids = tools.grant_ids()
    except FileNotFoundError:
        return ()
    try:
        stamp = stamps.read(root)
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
        with Directory(Trust(root), "tools") as tools:
            return decode(tools.read(f"{grant_id}.json", MAX_BYTES + 1), grant_id)
    except (FileNotFoundError, GrantError):
        return None  # the row says why
