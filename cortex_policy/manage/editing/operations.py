"""Edit, create, copy, remove, rename and format grants: each is one write, and the caller consents before it."""

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.editing.grant_ids import list_unique_ids_or_all
from cortex_policy.manage.editing.plans import (
    Plan,
    check_existing_and_new_id_syntax,
    plan_copy_grant,
    plan_create_grant,
    plan_edit_grant,
    plan_format_grant,
    plan_remove_grant,
    plan_rename_grant,
)
from cortex_policy.manage.editing.results import FormatResult, WriteResult
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.editor_schema import try_to_create_editor_schema_file
from cortex_policy.manage.transaction.version_after_write import Version
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state.writer_lock import NO_WAIT, LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.diff.grants import GrantDiff
    from cortex_policy.manage.transaction.writer import GrantWriter

    ShowAndAsk = Callable[
        [GrantDiff], None
    ]  # prints the change, but not for JSON, and asks; raises if the answer is no


def edit_grant(
    root: Root, grant_id: str, edit: GrantEdit, show_and_ask: "ShowAndAsk", lock_wait: LockWait = NO_WAIT
) -> WriteResult:
    """Change a grant; if it has these values already, write nothing and ask nobody."""
    check_existing_and_new_id_syntax(grant_id)
    with open_grants_for_write(root, lock_wait, "set", grant_id) as writer:
        return _ask_and_write(writer, plan_edit_grant(writer.grants, grant_id, edit), show_and_ask)


def create_grant(
    root: Root, grant_id: str, text: str, show_and_ask: "ShowAndAsk", lock_wait: LockWait = NO_WAIT
) -> WriteResult:
    """Write a new grant, and the schema that it names if there is none."""
    check_existing_and_new_id_syntax(new_id=grant_id)
    with open_grants_for_write(root, lock_wait, "new", grant_id) as writer:
        written = _ask_and_write(writer, plan_create_grant(writer.grants, grant_id, text), show_and_ask)
        try_to_create_editor_schema_file(writer.policy.descriptor)
        return written


def copy_grant(
    root: Root, grant_id: str, other: str, show_and_ask: "ShowAndAsk", lock_wait: LockWait = NO_WAIT
) -> WriteResult:
    """Write the bytes of a grant as a new one; raise GrantError (22, 23) if a write to that grant would be refused."""
    check_existing_and_new_id_syntax(grant_id, other)
    with open_grants_for_write(root, lock_wait, "copy", grant_id) as writer:
        return _ask_and_write(writer, plan_copy_grant(writer.grants, grant_id, other), show_and_ask)


def remove_grant(root: Root, grant_id: str, show_and_ask: "ShowAndAsk", lock_wait: LockWait = NO_WAIT) -> WriteResult:
    """Remove a grant, valid or not; raise GrantError if it does not exist or differs from its stamp."""
    check_existing_and_new_id_syntax(grant_id)
    with open_grants_for_write(root, lock_wait, "remove", grant_id) as writer:
        return _ask_and_write(writer, plan_remove_grant(writer.grants, grant_id), show_and_ask)


def rename_grant(root: Root, grant_id: str, other: str, lock_wait: LockWait = NO_WAIT) -> WriteResult:
    """Give a grant another id; it allows the same, so nobody is asked."""
    check_existing_and_new_id_syntax(grant_id, other)
    with open_grants_for_write(root, lock_wait, "rename", grant_id) as writer:
        plan = plan_rename_grant(writer.grants, grant_id, other)
        return _written(plan, writer.rename(grant_id, other, plan.old or b""))


def format_and_write_each_grant(
    root: Root, grant_ids: tuple[str, ...], lock_wait: LockWait = NO_WAIT
) -> "Iterator[FormatResult]":
    """Write each grant in canonical layout, and yield its result; an error of one grant does not stop the others."""
    with open_grants_for_write(root, lock_wait, "fmt") as writer:
        for grant_id in list_unique_ids_or_all(root, grant_ids):
            try:
                written = _format_grant(writer, grant_id)
            except (GrantError, NotDoneError) as error:
                yield FormatResult(grant_id, None, error)
            else:
                yield FormatResult(grant_id, written)


def _format_grant(writer: "GrantWriter", grant_id: str) -> WriteResult:
    try:
        return _ask_and_write(writer, plan_format_grant(writer.grants, grant_id), lambda _: None)
    except OSError as error:  # the error of this grant alone: those before it are written
        raise NotDoneError(f"`{error.filename}`: {format_os_error_cause(error)}") from None


def _ask_and_write(writer: "GrantWriter", plan: Plan, show_and_ask: "ShowAndAsk") -> WriteResult:
    """Ask for consent, then write; ask nobody and write nothing if nothing changes."""
    if plan.new == plan.old:
        return plan.preview
    show_and_ask(plan.preview.change)
    if plan.new is None:
        return _written(plan, writer.remove(plan.id, plan.old or b""))
    return _written(plan, writer.write(plan.id, plan.old, plan.new, plan.mode))


def _written(plan: Plan, version: Version) -> WriteResult:
    return WriteResult(plan.preview.change, plan.preview.diff, version)
