"""Apply the fixes that are certain: each is a write like any other."""

import os
from functools import partial

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import CortexPolicyError, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.transaction.version_after_write import NO_STAMP, NOT_WRITTEN, Version
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.schema.lint import apply_safe_fixes_to_bytes
from cortex_policy.state import Root, read_up_to
from cortex_policy.state.atomic_write import replace_file_atomically
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.validation.rule_selection_and_suppressions import Suppressions
    from cortex_policy.manage.validation.targets import ValidationTarget
    from cortex_policy.schema.problems import Report
    from cortex_policy.state.writer_lock import LockWait

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class FixResult(Value):
    """A file to fix: the new version of the stamp, or the error."""

    file: str
    version: Version = NOT_WRITTEN
    error: CortexPolicyError | None = None


def fix_files(
    files: "tuple[ValidationTarget, ...]", report: "Report", suppressions: "Suppressions", lock_wait: "LockWait"
) -> "Iterator[FixResult]":
    """Fix each file that has a fixable problem, and yield the result."""
    fixable = {problem.file for problem in report.problems if problem.fix is not None}
    for target in files:
        if target.shown in fixable:
            write, codes = (
                _fix_grant if target.is_in_place else _fix_other_file,
                suppressions.reported_codes(target.shown),
            )
            try:
                fix = partial(
                    apply_safe_fixes_to_bytes,
                    codes=codes,
                    settings=load_settings_for_grant_comparison(target.root or None),
                )
                yield FixResult(target.shown, write(target, fix, lock_wait))
            except (GrantError, NotDoneError) as error:
                yield FixResult(target.shown, error=error)
            except OSError as error:
                yield FixResult(target.shown, error=NotDoneError(format_os_error_cause(error)))


def _fix_grant(target: "ValidationTarget", fix: "Callable[[bytes], bytes]", lock_wait: "LockWait") -> Version:
    with open_grants_for_write(Root(target.root, trusts_owner=True), lock_wait, "validate --fix") as writer:
        old = writer.grants.read(target.id)
        return writer.write(target.id, old, _fix_bytes(old, fix))


def _fix_other_file(target: "ValidationTarget", fix: "Callable[[bytes], bytes]", _: "LockWait") -> Version:
    """Fix a file outside of any root: it has no lock and no stamp."""
    directory = os.open(os.path.dirname(target.path), _DIRECTORY)
    try:
        name = os.path.basename(target.path)
        old = _read_bytes(directory, name)

        def verify() -> None:
            """Raise NotDoneError if the file is no longer the one that was fixed."""
            if _read_bytes(directory, name) != old:
                raise NotDoneError(
                    "the file has changed in the meantime", "look at the file, then run the command again"
                )

        replace_file_atomically(directory, name, _fix_bytes(old, fix), verify=verify)
        return NO_STAMP
    finally:
        os.close(directory)


def _fix_bytes(old: bytes | None, fix: "Callable[[bytes], bytes]") -> bytes:
    """Return the fixed bytes; raise NotDoneError if there is nothing to fix any more, or no file."""
    new = fix(old) if old is not None else None
    if new is None or new == old:
        raise NotDoneError("the file has nothing to fix any more", "it has changed in the meantime: look at the file")
    return new


def _read_bytes(directory: int, name: str) -> bytes:
    descriptor = os.open(name, _FILE, dir_fd=directory)
    try:
        return read_up_to(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
