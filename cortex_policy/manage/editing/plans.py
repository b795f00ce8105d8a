"""What a change of a grant would write, or why it is refused: the same plan for the write and for its preview."""

from contextlib import contextmanager

from cortex_policy.core import Value
from cortex_policy.core.model import GrantError
from cortex_policy.manage.editing.grant_bytes import edit_grant_bytes, validate_and_format_grant
from cortex_policy.manage.editing.grant_ids import (
    check_new_id_syntax,
    list_unique_ids_or_all,
    make_existing_grant_error,
    make_missing_grant_error,
)
from cortex_policy.manage.editing.results import FormatResult, WriteResult, preview_change
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.editing.validity import require_valid_policy_text
from cortex_policy.manage.transaction.read_only_grant_files import open_grants_read_only_without_lock
from cortex_policy.manage.transaction.recovery import check_file_stamped
from cortex_policy.manage.transaction.writer import open_grants_read_only
from cortex_policy.state import Root
from cortex_policy.state.grants import check_grant_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.manage.transaction.read_only_grant_files import GrantFiles


class Plan(Value):
    """A write that nothing refuses: the old and new bytes of a grant (None: no grant), and what the change means."""

    id: str
    old: bytes | None
    new: bytes | None
    preview: WriteResult
    mode: int = 0o644  # of a new file


def plan_edit_grant(files: "GrantFiles", grant_id: str, edit: GrantEdit) -> Plan:
    """Plan to change a grant; the new bytes are the old ones if it has these values already."""
    old = _read_existing_grant(files, grant_id)
    return _plan_change(files, grant_id, old, edit_grant_bytes(files.root, grant_id, old, edit))


def plan_create_grant(files: "GrantFiles", grant_id: str, text: str) -> Plan:
    """Plan to write a new grant."""
    _raise_if_grant_exists(files, grant_id)
    return _plan_change(files, grant_id, None, text.encode())


def plan_copy_grant(files: "GrantFiles", grant_id: str, other: str) -> Plan:
    """Plan to write the bytes of a grant as a new one."""
    data = _read_existing_grant(files, grant_id)
    _raise_if_grant_exists(files, other)
    require_valid_policy_text(files.root, grant_id, data)
    files.check_permissions(grant_id)  # the copy is stamped, and safe to read: so its bytes must be
    check_file_stamped(files, grant_id, data)
    return _plan_change(files, other, None, data, files.mode_for_copy(grant_id))


def plan_remove_grant(files: "GrantFiles", grant_id: str) -> Plan:
    """Plan to remove a grant, valid or not."""
    return _plan_change(files, grant_id, _read_existing_grant(files, grant_id), None)


def plan_rename_grant(files: "GrantFiles", grant_id: str, other: str) -> Plan:
    """Plan to give a grant another id; the plan has that id, and bytes that stay the same."""
    data = _read_existing_grant(files, grant_id)
    _raise_if_grant_exists(files, other)
    if not files.is_owned_by_caller:
        require_valid_policy_text(files.root, grant_id, data)
    check_file_stamped(files, grant_id, data)
    check_file_stamped(files, other, None)
    return Plan(other, data, data, preview_change(files.root, other, data, data))


def plan_format_grant(files: "GrantFiles", grant_id: str) -> Plan:
    """Plan to write a grant in canonical layout; `fmt --check` reports the layout of one that no write may change."""
    old = _read_existing_grant(files, grant_id)
    new = validate_and_format_grant(files.root, grant_id, old)
    return Plan(grant_id, old, new, preview_change(files.root, grant_id, old, new))


def preview_edit_grant(root: Root, grant_id: str, edit: GrantEdit) -> WriteResult:
    """Return what `edit_grant` would write, without a lock."""
    with _open_grants(root, grant_id) as files:
        return plan_edit_grant(files, grant_id, edit).preview


def preview_create_grant(root: Root, grant_id: str, text: str) -> WriteResult:
    """Return what `create_grant` would write, without a lock."""
    with _open_grants(root, new_id=grant_id) as files:
        return plan_create_grant(files, grant_id, text).preview


def preview_copy_grant(root: Root, grant_id: str, other: str) -> WriteResult:
    """Return what `copy_grant` would write, without a lock."""
    with _open_grants(root, grant_id, other) as files:
        return plan_copy_grant(files, grant_id, other).preview


def preview_remove_grant(root: Root, grant_id: str) -> WriteResult:
    """Return what `remove_grant` would remove, without a lock."""
    with _open_grants(root, grant_id) as files:
        return plan_remove_grant(files, grant_id).preview


def preview_rename_grant(root: Root, grant_id: str, other: str) -> WriteResult:
    """Return what `rename_grant` would rename, without a lock."""
    with _open_grants(root, grant_id, other) as files:
        return plan_rename_grant(files, grant_id, other).preview


def preview_format_of_each_grant(root: Root, grant_ids: tuple[str, ...]) -> "Iterator[FormatResult]":
    """Yield what `format_and_write_each_grant` would write, without a lock; no ids mean all grants."""
    with open_grants_read_only_without_lock(root) as files:
        for grant_id in list_unique_ids_or_all(root, grant_ids):
            try:
                yield FormatResult(grant_id, plan_format_grant(files, grant_id).preview)
            except GrantError as error:
                yield FormatResult(grant_id, None, error)


def check_existing_and_new_id_syntax(grant_id: str | None = None, new_id: str | None = None) -> None:
    """Raise GrantError for a word that can name no grant, UsageError for one that cannot name a new one."""
    if grant_id is not None:
        check_grant_id(grant_id)
    if new_id is not None:
        check_new_id_syntax(new_id)


@contextmanager
def _open_grants(root: Root, grant_id: str | None = None, new_id: str | None = None) -> "Iterator[GrantFiles]":
    check_existing_and_new_id_syntax(grant_id, new_id)
    with open_grants_read_only(root) as files:
        yield files


def _plan_change(files: "GrantFiles", grant_id: str, old: bytes | None, new: bytes | None, mode: int = 0o644) -> Plan:
    """Return the plan of a change; raise GrantError (22, 23) if its write would be refused."""
    result = preview_change(files.root, grant_id, old, new)
    if new is not None and result.change.new.grant is None:
        raise AssertionError("an edit went wrong: nothing was written")  # a bug in this program
    if new != old:
        if new is not None:  # a removal leaves nothing that could look safe
            files.check_permissions(grant_id)
        check_file_stamped(files, grant_id, old)
    return Plan(grant_id, old, new, result, mode)


def _read_existing_grant(files: "GrantFiles", grant_id: str) -> bytes:
    data = files.read(grant_id)
    if data is None:
        raise make_missing_grant_error(files.root, grant_id)
    return data


def _raise_if_grant_exists(files: "GrantFiles", grant_id: str) -> None:
    if files.read(grant_id) is not None:
        raise make_existing_grant_error(files.root, grant_id)
