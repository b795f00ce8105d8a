"""List the grants of a root, and the state of each."""

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_BYTES, decode_grant
from cortex_policy.core.model import GRANT_INVALID, GRANT_NOT_FOUND, Grant, GrantError
from cortex_policy.manage.global_denials import GlobalDenials, global_denials_to_json_members
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_grant_id, list_grant_ids, read_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Track = Callable[[list[str]], Iterable[str]]  # yields the ids, and follows the progress


class GrantRow(Value):
    """One grant of a list; `grant` is None if it does not decode, `problem` is empty if nothing is wrong."""

    id: str
    state: str
    grant: Grant | None
    problem: str
    hint: str


def read_all_grant_rows(root: Root, track: "Track" = iter) -> tuple[GrantRow, ...]:
    """Return every grant of a root, sorted by id; an invalid grant has a row too."""
    return read_rows_of_grants(root, list_grant_ids(root), track)


def read_rows_of_grants(root: Root, ids: "list[str]", track: "Track" = iter) -> tuple[GrantRow, ...]:
    """Return the rows of these grants, in their order."""
    try:
        stamp = stamps.read_stamp(root)
    except GrantError:  # an invalid stamp covers no grant; `find_stamp_read_error_or_none` says what is wrong with it
        stamp = None
    return tuple(_make_row(root, grant_id, stamp) for grant_id in track(ids))


def find_stamp_read_error_or_none(root: Root) -> GrantError | None:
    """Return why the stamp of a root cannot be read, None if it can, or if there is none."""
    try:
        stamps.read_stamp(root)
    except GrantError as error:
        return error
    return None


def read_grant_row(root: Root, grant_id: str) -> GrantRow:
    """Return one grant of a root as a row; raise GrantError (grant_not_found) if it does not exist."""
    check_grant_id(grant_id)
    for row in read_all_grant_rows(root):
        if row.id == grant_id:
            return row
    read_grant(root, grant_id)  # raises an error that names the ids that exist
    raise GrantError(GRANT_NOT_FOUND, f"`{grant_id}`")


def grant_list_to_json(denials: GlobalDenials, rows: "Iterable[GrantRow]") -> dict[str, object]:
    """Return the grants of a root, and why every check is denied if it is, as JSON members."""
    grants = [_grant_row_to_json(row) for row in rows]
    return {"root": denials.root.path, **global_denials_to_json_members(denials), "grants": grants}


def _grant_row_to_json(row: GrantRow) -> dict[str, object]:
    grant = row.grant
    return {
        "id": row.id,
        "tool": grant.tool if grant is not None else None,
        "actions": list(grant.actions) if grant is not None else None,
        "scope": list(grant.fs_scope) if grant is not None else None,
        "per_minute": grant.rate.per_minute if grant is not None else None,
        "data_class": grant.data_class if grant is not None else None,
        "state": row.state,
        "problem": row.problem or None,
    }


def _make_row(root: Root, grant_id: str, stamp: "stamps.Stamp | None") -> GrantRow:
    try:
        grant = read_grant(root, grant_id)
        digest = f"sha256:{grant.origin.sha256}" if grant.origin is not None else None
        if stamp is not None and stamp.accepts(grant_id, digest):
            return GrantRow(grant_id, "ok", grant, "", "")
        is_stamped = stamp is not None and grant_id in stamp.grant_digests
        return GrantRow(grant_id, "differs" if is_stamped else "unstamped", grant, "", "")
    except GrantError as error:
        if error.reason is GRANT_INVALID:
            return GrantRow(grant_id, "invalid", None, error.detail, error.hint)
        return GrantRow(grant_id, "unsafe", _decode_unsafe(root, grant_id), error.detail, error.hint)


def _decode_unsafe(root: Root, grant_id: str) -> Grant | None:
    """Decode a grant that checks refuse, so that an operator can see it."""
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return decode_grant(tools.read(f"{grant_id}.json", MAX_BYTES + 1), grant_id)
    except (FileNotFoundError, GrantError):
        return None  # the row says why
