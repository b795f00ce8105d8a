"""Add paths to `guard` in `hooks.toml`, and leave the rest of its text, comments too, as it is."""

import re

from cortex_policy.core.decode import HOOKS_TOML, MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.toml import decode_toml
from cortex_policy.manage.editing.results import WriteResult, preview_change
from cortex_policy.manage.editing.validity import require_valid_policy_text
from cortex_policy.manage.settings.toml_edit import format_toml_literal
from cortex_policy.manage.transaction.recovery import check_file_stamped
from cortex_policy.manage.transaction.writer import open_grants_for_write, open_grants_read_only
from cortex_policy.state import Root
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.policy_files import raise_file_not_found
from cortex_policy.state.writer_lock import NO_WAIT, LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cortex_policy.manage.transaction.read_only_grant_files import GrantFiles

_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_GUARD = re.compile(r"^[ \t]*guard[ \t]*=[ \t]*\[", re.MULTILINE)
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n")


def preview_add_guarded_paths(root: Root, paths: "Iterable[str]") -> WriteResult:
    """Return what `add_guarded_paths` would write, without a lock."""
    with open_grants_read_only(root) as files:
        return _plan_guarded_paths(files, paths)[2]


def add_guarded_paths(
    root: Root, paths: "Iterable[str]", lock_wait: LockWait = NO_WAIT, command: str = "hook install"
) -> WriteResult:
    """Add absolute paths to `guard`, those that it lacks; ask nobody, since a rule only denies more then.

    Raise GrantError (20, 21, 23) if there is no valid `hooks.toml` that agrees with its stamp, NotDoneError if its text
    cannot be edited.
    """
    with open_grants_for_write(root, lock_wait, command) as writer:
        old, new, result = _plan_guarded_paths(writer.grants, paths)
        if new == old:
            return result
        version = writer.write(HOOKS_TOML, old, new)
        return WriteResult(result.change, result.diff, version)


def _plan_guarded_paths(files: "GrantFiles", paths: "Iterable[str]") -> tuple[bytes, bytes, WriteResult]:
    """Return the old and the new text, and what the change means; raise what a write would raise."""
    root, old = files.root, files.read(HOOKS_TOML)
    if old is None:
        raise_file_not_found(root, HOOKS_TOML)
    hint = f"fix it with `cortex-policy hook edit{format_root_option(root)}`"
    require_valid_policy_text(root, HOOKS_TOML, old, hint)
    new = insert_guarded_paths(old.decode(), tuple(paths)).encode()
    require_valid_policy_text(root, HOOKS_TOML, new, "name absolute paths")
    if new != old:
        files.check_permissions(HOOKS_TOML)
        check_file_stamped(files, HOOKS_TOML, old)
    return old, new, preview_change(root, HOOKS_TOML, old, new)


def insert_guarded_paths(text: str, paths: "Sequence[str]") -> str:
    """Return the text of a valid `hooks.toml` with more guarded paths; raise NotDoneError if that needs a person."""
    before = decode_toml(text.encode())
    known = before.get("guard", [])
    missing = [path for path in dict.fromkeys(paths) if path not in known]
    if not missing:
        return text
    try:
        literals = [format_toml_literal(path) for path in missing]
        for candidate in _text_candidates(text, literals, "\r\n" if "\r\n" in text else "\n"):
            if _decodes_to(candidate, before | {"guard": [*missing, *known]}):
                return candidate
    except UnicodeEncodeError:
        raise NotDoneError("a path to guard is not UTF-8") from None
    raise NotDoneError("`guard` cannot be found in the text", "add the paths with `cortex-policy hook edit`")


def _decodes_to(text: str, expected: dict[str, object]) -> bool:
    try:
        return decode_toml(text.encode()) == expected
    except MalformedError:
        return False


def _text_candidates(text: str, literals: list[str], ending: str) -> "Iterator[str]":
    """Yield texts that may have the paths: in the list that exists, or in a new one above the first rule."""
    table = _TABLE.search(text)
    end = table.start() if table else len(text)
    for found in _GUARD.finditer(text, 0, end):
        at = found.end()
        if rest := _REST_OF_LINE.match(text, at):
            lines = "".join(f"    {literal},{ending}" for literal in literals)
            yield f"{text[: rest.end()]}{lines}{text[rest.end() :]}"
        for separator in ("", ", "):
            yield f"{text[:at]}{', '.join(literals)}{separator}{text[at:]}"
    at = _end_of_keys(text, end)
    gap = "" if text[:at].endswith("\n") else ending
    yield f"{text[:at]}{gap}guard = [{', '.join(literals)}]{ending}{text[at:]}"


def _end_of_keys(text: str, end: int) -> int:
    """Return where the last line above the rules that is not blank or a comment ends."""
    at = last = 0
    for line in text[:end].splitlines(keepends=True):
        at += len(line)
        last = at if line.strip() and not line.lstrip().startswith("#") else last
    return last
