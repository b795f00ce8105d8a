"""What a change of a grant would write: worked out without a lock, and what the writes themselves build on."""

from cortex_policy.core import Value
from cortex_policy.core.decode import ID_HINT, MAX_BYTES
from cortex_policy.core.model import CortexPolicyError, GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import GrantDiff, compare_bytes
from cortex_policy.manage.diff.unified import unified_diff
from cortex_policy.manage.editing.formatting import format_grant_text
from cortex_policy.manage.editing.set_fields import GrantEdit, apply_edit
from cortex_policy.manage.editing.validity import require_valid_grant
from cortex_policy.state import Root
from cortex_policy.state.comparison_settings import comparison_settings
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_id, is_grant_id, read_grant
from cortex_policy.state.grants_errors import root_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


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


def preview_edit(root: Root, grant_id: str, edit: GrantEdit) -> WriteResult:
    """Return what `edit_grant` would write, without a lock."""
    check_id(grant_id)
    old = _read_without_lock(root, grant_id)
    return preview(root, grant_id, old, edited_bytes(root, grant_id, old, edit))


def preview_new(root: Root, grant_id: str, text: str) -> WriteResult:
    """Return what `create_grant` would write, without a lock."""
    check_new_id(grant_id)
    check_absent(root, grant_id)
    return preview(root, grant_id, None, text.encode())


def preview_copy(root: Root, grant_id: str, other: str) -> WriteResult:
    """Return what `copy_grant` would write, without a lock."""
    check_id(grant_id)
    check_new_id(other)
    data = _read_without_lock(root, grant_id)
    check_absent(root, other)
    refuse_invalid(root, grant_id, data)
    return preview(root, other, None, data)


def preview_remove(root: Root, grant_id: str) -> WriteResult:
    """Return what `remove_grant` would remove, without a lock."""
    check_id(grant_id)
    return preview(root, grant_id, _read_without_lock(root, grant_id), None)


def preview_rename(root: Root, grant_id: str, other: str) -> WriteResult:
    """Return what `rename_grant` would rename, without a lock."""
    check_id(grant_id)
    check_new_id(other)
    data = _read_without_lock(root, grant_id)
    check_absent(root, other)
    return WriteResult(compare_bytes(other, data, data), "")


def preview_format(root: Root, grant_ids: tuple[str, ...]) -> "Iterator[FormatResult]":
    """Yield what `format_grants` would write, without a lock; no ids mean all grants."""
    for grant_id in ids_or_all(root, grant_ids):
        try:
            old = _read_without_lock(root, grant_id)
            yield FormatResult(grant_id, preview(root, grant_id, old, formatted_bytes(root, grant_id, old)))
        except GrantError as error:
            yield FormatResult(grant_id, None, error)


def check_new_id(word: str) -> None:
    """Raise UsageError if a word cannot be the id of a grant."""
    if not is_grant_id(word):
        raise UsageError(f"`{word}` cannot be an id", ID_HINT)


def check_absent(root: Root, grant_id: str) -> None:
    """Raise NotDoneError if a grant exists already, without a lock."""
    if grant_id in ids_or_all(root, ()):
        raise exists_error(root, grant_id)


def preview(root: Root, grant_id: str, old: bytes | None, new: bytes | None) -> WriteResult:
    """Return what it means to replace one text of a grant by another; None is an absent grant."""
    change = compare_bytes(grant_id, old, new, comparison_settings(root.path))
    return WriteResult(change, unified_diff(grant_id, old, new))


def _read_without_lock(root: Root, grant_id: str) -> bytes:
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return tools.read(f"{grant_id}.json", MAX_BYTES + 1)
    except FileNotFoundError:
        raise missing_error(root, grant_id) from None


def missing_error(root: Root, grant_id: str) -> Exception:
    """Return the error for a grant that was not found, which names those that exist."""
    try:
        read_grant(root, grant_id)  # its error names the ids that exist
    except GrantError as error:
        return error
    return NotDoneError(f"`{grant_id}` was created just now", "look at it, then try again")


def exists_error(root: Root, grant_id: str) -> NotDoneError:
    """Return the error for an id that a grant has already."""
    return NotDoneError(
        f"`{grant_id}` exists already", f"see it with `cortex-policy show {grant_id}{root_option(root)}`"
    )


def refuse_invalid(root: Root, grant_id: str, data: bytes) -> None:
    """Raise GrantError (21), with the place of the first problem, if a text is not a grant."""
    require_valid_grant(root, grant_id, data, f"fix it with `cortex-policy edit {grant_id}{root_option(root)}`")


def edited_bytes(root: Root, grant_id: str, old: bytes, edit: GrantEdit) -> bytes:
    """Return the text of a grant after an edit: the same object if the edit changes nothing."""
    try:
        applied = apply_edit(old.decode(), edit, grant_id)
    except (GrantError, UnicodeDecodeError):
        refuse_invalid(root, grant_id, old)  # it says more
        raise
    return old if applied.is_unchanged else applied.text.encode()


def formatted_bytes(root: Root, grant_id: str, old: bytes) -> bytes:
    """Return the text of a grant in canonical layout; raise GrantError if it is too large then."""
    refuse_invalid(root, grant_id, old)
    return format_grant_text(old.decode()).encode()


def ids_or_all(root: Root, grant_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return ids without repetitions, or those of all grants if none is named."""
    for grant_id in grant_ids:
        check_id(grant_id)
    if grant_ids:
        return tuple(dict.fromkeys(grant_ids))
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return tuple(tools.grant_ids())
    except FileNotFoundError:
        return ()
