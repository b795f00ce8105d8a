"""What a change of a grant would write: worked out without a lock."""

from cortex_policy.core.model import GrantError
from cortex_policy.manage.diff.grants import compare_grant_bytes
from cortex_policy.manage.editing.grant_ids import (
    check_grant_absent,
    check_new_id_syntax,
    given_ids_or_all,
    missing_grant_error,
)
from cortex_policy.manage.editing.new_bytes import edit_grant_bytes, format_grant_bytes
from cortex_policy.manage.editing.results import FormatResult, WriteResult, preview_change
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.editing.validity import require_valid_text
from cortex_policy.state import Root
from cortex_policy.state.grants import check_grant_id
from cortex_policy.state.policy_files import read_policy_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def preview_edit(root: Root, grant_id: str, edit: GrantEdit) -> WriteResult:
    """Return what `edit_grant` would write, without a lock."""
    check_grant_id(grant_id)
    old = _read_without_lock(root, grant_id)
    return preview_change(root, grant_id, old, edit_grant_bytes(root, grant_id, old, edit))


def preview_create(root: Root, grant_id: str, text: str) -> WriteResult:
    """Return what `create_grant` would write, without a lock."""
    check_new_id_syntax(grant_id)
    check_grant_absent(root, grant_id)
    return preview_change(root, grant_id, None, text.encode())


def preview_copy(root: Root, grant_id: str, other: str) -> WriteResult:
    """Return what `copy_grant` would write, without a lock."""
    check_grant_id(grant_id)
    check_new_id_syntax(other)
    data = _read_without_lock(root, grant_id)
    check_grant_absent(root, other)
    require_valid_text(root, grant_id, data)
    return preview_change(root, other, None, data)


def preview_remove(root: Root, grant_id: str) -> WriteResult:
    """Return what `remove_grant` would remove, without a lock."""
    check_grant_id(grant_id)
    return preview_change(root, grant_id, _read_without_lock(root, grant_id), None)


def preview_rename(root: Root, grant_id: str, other: str) -> WriteResult:
    """Return what `rename_grant` would rename, without a lock."""
    check_grant_id(grant_id)
    check_new_id_syntax(other)
    data = _read_without_lock(root, grant_id)
    check_grant_absent(root, other)
    return WriteResult(compare_grant_bytes(other, data, data), "")


def preview_format(root: Root, grant_ids: tuple[str, ...]) -> "Iterator[FormatResult]":
    """Yield what `format_grants` would write, without a lock; no ids mean all grants."""
    for grant_id in given_ids_or_all(root, grant_ids):
        try:
            old = _read_without_lock(root, grant_id)
            yield FormatResult(grant_id, preview_change(root, grant_id, old, format_grant_bytes(root, grant_id, old)))
        except GrantError as error:
            yield FormatResult(grant_id, None, error)


def _read_without_lock(root: Root, grant_id: str) -> bytes:
    data = read_policy_file(root, grant_id)
    if data is None:
        raise missing_grant_error(root, grant_id)
    return data
