"""Edit, create, copy, remove, rename and format grants: each is one write, and the caller consents before it."""

from cortex_policy.core import Value
from cortex_policy.core.decode import ID_HINT, MAX_BYTES
from cortex_policy.core.model import GRANT_INVALID, CortexPolicyError, GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import os_error_text
from cortex_policy.manage.diff.grants import GrantDiff, compare_bytes
from cortex_policy.manage.diff.unified import unified_diff
from cortex_policy.manage.editing import set_fields
from cortex_policy.manage.editing.formatting import format_grant_text
from cortex_policy.manage.editing.validity import require_valid_grant
from cortex_policy.manage.transaction.writer import write_transaction
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_id, is_grant_id, read_grant
from cortex_policy.state.grants_errors import root_option
from cortex_policy.state.writer_lock import NO_WAIT, LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.transaction.writer import GrantWriter

    Consent = Callable[[GrantDiff], None]  # raises if the answer is no


class WriteResult(Value):
    """The result for one grant: what the change means, its unified diff, and whether it was written."""

    change: GrantDiff
    diff: str
    is_written: bool = False
    version: int | None = None  # of the stamp; None if nothing was written, or if the next write finishes the stamp


class FormatResult(Value):
    """The result of formatting one grant, or the error that prevented it."""

    id: str
    write: WriteResult | None
    error: CortexPolicyError | None = None

    @property
    def differs(self) -> bool:
        """Whether its layout is not the canonical one, or was not before the write."""
        return self.write is not None and bool(self.write.diff)


def preview_edit(root: Root, grant_id: str, edit: set_fields.GrantEdit) -> WriteResult:
    """Return what `edit_grant` would write, without a lock."""
    check_id(grant_id)
    old = _read_without_lock(root, grant_id)
    return _preview(grant_id, old, _edit_bytes(root, grant_id, old, edit))


def edit_grant(
    root: Root, grant_id: str, edit: set_fields.GrantEdit, consent: "Consent", lock_wait: LockWait = NO_WAIT
) -> WriteResult:
    """Change a grant; if it has these values already, write nothing and ask nobody."""
    check_id(grant_id)
    with write_transaction(root, lock_wait, "set") as writer:
        old = _read(writer, grant_id)
        new = _edit_bytes(root, grant_id, old, edit)
        return _preview(grant_id, old, old) if new == old else _write(writer, grant_id, old, new, consent)


def preview_new(root: Root, grant_id: str, text: str) -> WriteResult:
    """Return what `create_grant` would write, without a lock."""
    check_new_id(grant_id)
    check_absent(root, grant_id)
    return _preview(grant_id, None, text.encode())


def create_grant(
    root: Root, grant_id: str, text: str, consent: "Consent", lock_wait: LockWait = NO_WAIT
) -> WriteResult:
    """Write a new grant."""
    check_new_id(grant_id)
    with write_transaction(root, lock_wait, "new") as writer:
        _refuse_existing(writer, grant_id)
        return _write(writer, grant_id, None, text.encode(), consent)


def copy_grant(root: Root, grant_id: str, other: str, consent: "Consent", lock_wait: LockWait = NO_WAIT) -> WriteResult:
    """Write the bytes of a grant as a new one."""
    check_id(grant_id)
    check_new_id(other)
    with write_transaction(root, lock_wait, "copy") as writer:
        data = _read(writer, grant_id)
        _refuse_existing(writer, other)
        _refuse_invalid(root, grant_id, data)
        return _write(writer, other, None, data, consent, writer.grants.mode(grant_id))


def remove_grant(root: Root, grant_id: str, consent: "Consent", lock_wait: LockWait = NO_WAIT) -> WriteResult:
    """Remove a grant, whether it is valid or not."""
    check_id(grant_id)
    with write_transaction(root, lock_wait, "remove") as writer:
        old = _read(writer, grant_id)
        result = _preview(grant_id, old, None)
        writer.check_stamped(grant_id, old)
        consent(result.change)
        return WriteResult(result.change, result.diff, is_written=True, version=writer.remove(grant_id, old))


def rename_grant(root: Root, grant_id: str, other: str, lock_wait: LockWait = NO_WAIT) -> WriteResult:
    """Give a grant another id; it allows the same, so nobody is asked."""
    check_id(grant_id)
    check_new_id(other)
    with write_transaction(root, lock_wait, "rename") as writer:
        old = _read(writer, grant_id)
        _refuse_existing(writer, other)
        if not writer.grants.is_owned_by_caller:
            _refuse_invalid(root, grant_id, old)
        change = compare_bytes(other, old, old)
        return WriteResult(change, "", is_written=True, version=writer.rename(grant_id, other, old))


def preview_format(root: Root, grant_ids: tuple[str, ...]) -> "Iterator[FormatResult]":
    """Yield what `format_grants` would write, without a lock; no ids mean all grants."""
    for grant_id in _ids_or_all(root, grant_ids):
        try:
            old = _read_without_lock(root, grant_id)
            yield FormatResult(grant_id, _preview(grant_id, old, _formatted_bytes(root, grant_id, old)))
        except GrantError as error:
            yield FormatResult(grant_id, None, error)


def format_grants(root: Root, grant_ids: tuple[str, ...], lock_wait: LockWait = NO_WAIT) -> "Iterator[FormatResult]":
    """Write each grant in canonical layout, and yield its result; an error of one grant does not stop the others."""
    with write_transaction(root, lock_wait, "fmt") as writer:
        for grant_id in _ids_or_all(root, grant_ids):
            try:
                written = _format_grant(writer, grant_id)
            except (GrantError, NotDoneError) as error:
                yield FormatResult(grant_id, None, error)
            else:
                yield FormatResult(grant_id, written)


def _format_grant(writer: "GrantWriter", grant_id: str) -> WriteResult:
    old = _read(writer, grant_id)
    new = _formatted_bytes(writer.root, grant_id, old)
    if new == old:
        return _preview(grant_id, old, old)
    try:
        return _write(writer, grant_id, old, new)
    except OSError as error:  # the error of this grant alone: those before it are written
        raise NotDoneError(f"`{error.filename}`: {os_error_text(error)}") from None


def check_new_id(word: str) -> None:
    """Raise UsageError if a word cannot be the id of a grant."""
    if not is_grant_id(word):
        raise UsageError(f"`{word}` cannot be an id", ID_HINT)


def check_absent(root: Root, grant_id: str) -> None:
    """Raise NotDoneError if a grant exists already, without a lock."""
    if grant_id in _ids_or_all(root, ()):
        raise _exists_error(root, grant_id)


def _write(
    writer: "GrantWriter",
    grant_id: str,
    old: bytes | None,
    new: bytes,
    consent: "Consent | None" = None,
    mode: int = 0o644,
) -> WriteResult:
    result = _preview(grant_id, old, new)
    if result.change.new.grant is None:
        raise AssertionError("an edit went wrong: nothing was written")  # a bug in this program
    if consent is not None:
        writer.grants.check_permissions(grant_id)  # do not ask about a change that would be refused
        writer.check_stamped(grant_id, old)
        consent(result.change)
    return WriteResult(result.change, result.diff, is_written=True, version=writer.write(grant_id, old, new, mode))


def _preview(grant_id: str, old: bytes | None, new: bytes | None) -> WriteResult:
    return WriteResult(compare_bytes(grant_id, old, new), unified_diff(grant_id, old, new))


def _read(writer: "GrantWriter", grant_id: str) -> bytes:
    data = writer.grants.read(grant_id)
    if data is None:
        raise _missing_error(writer.root, grant_id)
    return data


def _read_without_lock(root: Root, grant_id: str) -> bytes:
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return tools.read(f"{grant_id}.json", MAX_BYTES + 1)
    except FileNotFoundError:
        raise _missing_error(root, grant_id) from None


def _missing_error(root: Root, grant_id: str) -> Exception:
    try:
        read_grant(root, grant_id)  # its error names the ids that exist
    except GrantError as error:
        return error
    return NotDoneError(f"`{grant_id}` was created just now", "look at it, then try again")


def _refuse_existing(writer: "GrantWriter", grant_id: str) -> None:
    if writer.grants.read(grant_id) is not None:
        raise _exists_error(writer.root, grant_id)


def _exists_error(root: Root, grant_id: str) -> NotDoneError:
    return NotDoneError(
        f"`{grant_id}` exists already", f"see it with `cortex-policy show {grant_id}{root_option(root)}`"
    )


def _refuse_invalid(root: Root, grant_id: str, data: bytes) -> None:
    require_valid_grant(root, grant_id, data, f"fix it with `cortex-policy edit {grant_id}{root_option(root)}`")


def _edit_bytes(root: Root, grant_id: str, old: bytes, edit: set_fields.GrantEdit) -> bytes:
    _refuse_invalid(root, grant_id, old)
    applied = set_fields.apply_edit(old.decode(), edit, grant_id)
    return old if applied.is_unchanged else applied.text.encode()


def _formatted_bytes(root: Root, grant_id: str, old: bytes) -> bytes:
    _refuse_invalid(root, grant_id, old)
    new = format_grant_text(old.decode()).encode()
    if len(new) > MAX_BYTES:
        raise GrantError(GRANT_INVALID, f"`{grant_id}` would be larger than {MAX_BYTES} bytes in its canonical layout")
    return new


def _ids_or_all(root: Root, grant_ids: tuple[str, ...]) -> tuple[str, ...]:
    for grant_id in grant_ids:
        check_id(grant_id)
    if grant_ids:
        return tuple(dict.fromkeys(grant_ids))
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return tuple(tools.grant_ids())
    except FileNotFoundError:
        return ()
