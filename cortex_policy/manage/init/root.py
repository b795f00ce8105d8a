"""Create a root: the directory of its grants, and an example grant to try."""

import os

from cortex_policy.core import Value
from cortex_policy.core.model import ROOT_NOT_FOUND, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage import editor_schema
from cortex_policy.manage.editing.new_grant import format_new_grant
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.init.merge_driver import MergeDriver, check_git_repository, install_merge_driver
from cortex_policy.manage.init.pre_commit import (
    MADE,
    HookConfiguration,
    create_pre_commit_configuration,
    find_writable_repository,
)
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root, git_ignore
from cortex_policy.state.grants import may_hold_policy
from cortex_policy.state.safe_directories import make_directory, open_child_directory, open_directory_without_links
from cortex_policy.state.users import format_mkdir_command
from cortex_policy.state.writer_lock import NO_WAIT, LockWait

EXAMPLE = "example"
_EXAMPLE_EDIT = GrantEdit(per_minute=30, data_class="public", tool=EXAMPLE, allow=("read",), add_scopes=("docs",))


class InitResult(Value):
    """A root, the files created for it (absolute paths), and its hooks and its merge driver if they were requested."""

    root: Root
    created: tuple[str, ...]
    hooks: HookConfiguration | None = None
    driver: MergeDriver | None = None


def init_root(
    named: str | None = None, lock_wait: LockWait = NO_WAIT, *, with_hooks: bool = False, with_driver: bool = False
) -> InitResult:
    """Create what a root lacks, in the named directory or the working directory; overwrite nothing.

    Raise NotDoneError if a directory above is a root already: checks below it could not tell which root to use.
    """
    path = _resolve_directory(_root_name(named))
    _raise_if_inside_root(path)
    top = find_writable_repository(path) if with_hooks else None
    if with_driver:
        check_git_repository(path)
    root = Root(path, trusts_owner=named is not None)
    created = _create_missing(root, lock_wait)
    hooks = create_pre_commit_configuration(root, top) if top is not None else None
    driver = install_merge_driver(root) if with_driver else None
    created += [one.file for one in (hooks, driver) if one is not None and one.status == MADE]
    return InitResult(root, tuple(created), hooks, driver)


def _create_missing(root: Root, lock_wait: LockWait) -> list[str]:
    beside = [f"{root.policy_path}/{name}" for name in (git_ignore.NAME, editor_schema.NAME)]
    had_tools, existing = os.path.isdir(root.tools_path), [path for path in beside if os.path.lexists(path)]
    try:
        _make_directories(root.path)
    except OSError as error:
        raise NotDoneError(f"`{root.policy_path}`: {format_os_error_cause(error)}") from None
    created = [] if had_tools else [root.tools_path]
    with open_grants_for_write(root, lock_wait, "init") as writer:
        if not any(name.endswith(".json") for name in os.listdir(root.tools_path)):
            writer.write(EXAMPLE, None, format_new_grant(_EXAMPLE_EDIT).encode())
            created.append(f"{root.tools_path}/{EXAMPLE}.json")
        git_ignore.create_git_ignore(writer.policy.descriptor)
        editor_schema.try_to_create_editor_schema_file(writer.policy.descriptor)
    return [*created, *(path for path in beside if path not in existing and os.path.lexists(path))]


def _root_name(named: str | None) -> str:
    if named is not None:
        return named
    name = os.environ.get("CORTEX_POLICY_ROOT") or os.curdir
    if name != os.curdir and not name.startswith("/"):
        raise GrantError(
            ROOT_NOT_FOUND, f"CORTEX_POLICY_ROOT is not absolute: `{name}`", "name an absolute path, or unset it"
        )
    return name


def _resolve_directory(name: str) -> str:
    try:
        path = os.path.realpath(name, strict=True)
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "cannot be read"
        is_missing = isinstance(error, FileNotFoundError) and not os.path.lexists(name)
        hint = f"make it with `{format_mkdir_command(name)}`" if is_missing else ""
        raise GrantError(ROOT_NOT_FOUND, f"`{name}`: {why.lower()}", hint) from None
    if not os.path.isdir(path):
        raise GrantError(ROOT_NOT_FOUND, f"`{path}` is not a directory")
    return path


def _raise_if_inside_root(path: str) -> None:
    above = path
    while above != "/":
        above = os.path.dirname(above)
        if may_hold_policy(above):
            hint = f"keep its grants there: a root inside `{above}` would be ambiguous"
            raise NotDoneError(f"`{above}` is a root already, or cannot be examined", hint)


def _make_directories(path: str) -> None:
    """Create both directories without following links; `open_grants_for_write` refuses links that exist."""
    above = open_directory_without_links(path)
    try:
        make_directory(above, ".cortex")
        below = open_child_directory(above, ".cortex")
        try:
            make_directory(below, "policy")
        finally:
            os.close(below)
    finally:
        os.close(above)
