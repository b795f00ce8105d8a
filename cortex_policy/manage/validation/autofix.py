"""Make the repairs that are certain: each a write like any other."""

import os
from functools import partial

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import CortexPolicyError, GrantError, Value
from cortex_policy.manage.transaction.writer import write_transaction
from cortex_policy.schema.lint import repaired
from cortex_policy.state import Root, read_all
from cortex_policy.state.atomic_write import replace
from cortex_policy.state.writer_lock import NotDone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.validation.suppressions import Exemptions
    from cortex_policy.manage.validation.targets import Target
    from cortex_policy.schema.problems import Report
    from cortex_policy.state.writer_lock import Patience

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class Repair(Value):
    """A file that was to be repaired, the version of its stamp, and the error where it was not."""

    file: str
    version: int | None = None
    error: CortexPolicyError | None = None


def repair(
    files: "tuple[Target, ...]", report: "Report", exemptions: "Exemptions", patience: "Patience"
) -> "Iterator[Repair]":
    """Repair each file that has a problem with a fix, and yield what came of it."""
    fixable = {problem.file for problem in report.problems if problem.fix is not None}
    for target in files:
        if target.shown in fixable:
            write, codes = _in_place if target.is_in_place else _elsewhere, exemptions.codes_for(target.shown)
            try:
                yield Repair(target.shown, write(target, partial(repaired, codes=codes), patience))
            except (GrantError, NotDone) as error:
                yield Repair(target.shown, error=error)
            except OSError as error:
                yield Repair(target.shown, error=NotDone((error.strerror or str(error)).lower()))


def _in_place(target: "Target", mend: "Callable[[bytes], bytes]", patience: "Patience") -> int | None:
    with write_transaction(Root(target.root, named=True), patience, "validate --fix") as writer:
        old = writer.grants.read(target.id)
        return writer.write(target.id, old, _mended(old, mend)) if old is not None else None


def _elsewhere(target: "Target", mend: "Callable[[bytes], bytes]", _: "Patience") -> None:
    """Repair a file that is no root's: nobody locks or stamps it."""
    directory = os.open(os.path.dirname(target.path), _DIRECTORY)
    try:
        name = os.path.basename(target.path)
        old = _read(directory, name)

        def look() -> None:
            if _read(directory, name) != old:
                raise NotDone("it was changed meanwhile", "look at it, then try again")

        replace(directory, name, _mended(old, mend), look=look)
    finally:
        os.close(directory)


def _mended(old: bytes, mend: "Callable[[bytes], bytes]") -> bytes:
    """Return other bytes than the old ones, which may be but the start of a file that grew since it was looked at."""
    new = mend(old)
    if new == old:
        raise NotDone("there is nothing to mend in it any more", "it was changed meanwhile: look at it")
    return new


def _read(directory: int, name: str) -> bytes:
    descriptor = os.open(name, _FILE, dir_fd=directory)
    try:
        return read_all(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
