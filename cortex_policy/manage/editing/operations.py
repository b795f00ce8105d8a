"""Edit, create, copy, remove, rename and format grants: each is one write, and the caller consents before it."""

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import os_error_text
from cortex_policy.manage.diff.grants import GrantDiff, compare_grant_bytes
from cortex_policy.manage.editing.grant_ids import (
    check_new_id_syntax,
    existing_grant_error,
    given_ids_or_all,
    missing_grant_error,
)
from cortex_policy.manage.editing.new_bytes import edit_grant_bytes, format_grant_bytes
from cortex_policy.manage.editing.results import FormatResult, WriteResult, preview_change
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.editing.validity import require_valid_text
from cortex_policy.manage.editor_schema import create_schema
from cortex_policy.manage.transaction.writer import write_transaction
from cortex_policy.state import Root
from cortex_policy.state.grants import check_grant_id
from cortex_policy.state.writer_lock import NO_WAIT, LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.transaction.writer import GrantWriter

    Consent = Callable[[GrantDiff], None]  # raises if the answer is no


def edit_grant(
    root: Root, grant_id: str, edit: GrantEdit, consent: "Consent", lock_wait: LockWait = NO_WAIT
) -> WriteResult:
    """Change a grant; if it has these values already, write nothing and ask nobody."""
    check_grant_id(grant_id)
    with write_transaction(root, lock_wait, "set", grant_id) as writer:
        old = _read_existing_grant(writer, grant_id)
        new = edit_grant_bytes(root, grant_id, old, edit)
        if new == old:
            return preview_change(writer.root, grant_id, old, old)
        return _write_with_consent(writer, grant_id, old, new, consent)


def create_grant(
    root: Root, grant_id: str, text: str, consent: "Consent", lock_wait: LockWait = NO_WAIT
) -> WriteResult:
    """Write a new grant, and the schema that it names if there is none."""
    check_new_id_syntax(grant_id)
    with write_transaction(root, lock_wait, "new", grant_id) as writer:
        _raise_if_grant_exists(writer, grant_id)
        written = _write_with_consent(writer, grant_id, None, text.encode(), consent)
        create_schema(writer.policy.descriptor)
        return written


def copy_grant(root: Root, grant_id: str, other: str, consent: "Consent", lock_wait: LockWait = NO_WAIT) -> WriteResult:
    """Write the bytes of a grant as a new one."""
    check_grant_id(grant_id)
    check_new_id_syntax(other)
    with write_transaction(root, lock_wait, "copy", grant_id) as writer:
        data = _read_existing_grant(writer, grant_id)
        _raise_if_grant_exists(writer, other)
        require_valid_text(root, grant_id, data)
        return _write_with_consent(writer, other, None, data, consent, writer.grants.mode_for_copy(grant_id))


def remove_grant(root: Root, grant_id: str, consent: "Consent", lock_wait: LockWait = NO_WAIT) -> WriteResult:
    """Remove a grant, valid or not; raise GrantError if it does not exist or differs from its stamp."""
    check_grant_id(grant_id)
    with write_transaction(root, lock_wait, "remove", grant_id) as writer:
        old = _read_existing_grant(writer, grant_id)
        result = preview_change(writer.root, grant_id, old, None)
        writer.check_stamped(grant_id, old)
        consent(result.change)
        version = writer.remove(grant_id, old)
        return WriteResult(result.change, result.diff, is_written=True, version=version)


def rename_grant(root: Root, grant_id: str, other: str, lock_wait: LockWait = NO_WAIT) -> WriteResult:
    """Give a grant another id; it allows the same, so nobody is asked."""
    check_grant_id(grant_id)
    check_new_id_syntax(other)
    with write_transaction(root, lock_wait, "rename", grant_id) as writer:
        old = _read_existing_grant(writer, grant_id)
        _raise_if_grant_exists(writer, other)
        if not writer.grants.is_owned_by_caller:
            require_valid_text(root, grant_id, old)
        change = compare_grant_bytes(other, old, old)
        version = writer.rename(grant_id, other, old)
        return WriteResult(change, "", is_written=True, version=version)


def format_grants(root: Root, grant_ids: tuple[str, ...], lock_wait: LockWait = NO_WAIT) -> "Iterator[FormatResult]":
    """Write each grant in canonical layout, and yield its result; an error of one grant does not stop the others."""
    with write_transaction(root, lock_wait, "fmt") as writer:
        for grant_id in given_ids_or_all(root, grant_ids):
            try:
                written = _format_grant(writer, grant_id)
            except (GrantError, NotDoneError) as error:
                yield FormatResult(grant_id, None, error)
            else:
                yield FormatResult(grant_id, written)


def _format_grant(writer: "GrantWriter", grant_id: str) -> WriteResult:
    old = _read_existing_grant(writer, grant_id)
    new = format_grant_bytes(writer.root, grant_id, old)
    if new == old:
        return preview_change(writer.root, grant_id, old, old)
    try:
        return _write_with_consent(writer, grant_id, old, new)
    except OSError as error:  # the error of this grant alone: those before it are written
        raise NotDoneError(f"`{error.filename}`: {os_error_text(error)}") from None


def _write_with_consent(
    writer: "GrantWriter",
    grant_id: str,
    old: bytes | None,
    new: bytes,
    consent: "Consent | None" = None,
    mode: int = 0o644,
) -> WriteResult:
    """Ask for consent, unless nobody needs to, then write; what would be refused is refused before anybody is asked."""
    result = preview_change(writer.root, grant_id, old, new)
    if result.change.new.grant is None:
        raise AssertionError("an edit went wrong: nothing was written")  # a bug in this program
    if consent is not None:
        writer.grants.check_permissions(grant_id)
        writer.check_stamped(grant_id, old)
        consent(result.change)
    version = writer.write(grant_id, old, new, mode)
    return WriteResult(result.change, result.diff, is_written=True, version=version)


def _read_existing_grant(writer: "GrantWriter", grant_id: str) -> bytes:
    data = writer.grants.read(grant_id)
    if data is None:
        raise missing_grant_error(writer.root, grant_id)
    return data


def _raise_if_grant_exists(writer: "GrantWriter", grant_id: str) -> None:
    if writer.grants.read(grant_id) is not None:
        raise existing_grant_error(writer.root, grant_id)
