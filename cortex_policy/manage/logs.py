"""The files of an audit log, those that it was rotated to included."""

import os
import re
from contextlib import ExitStack, contextmanager

from cortex_policy.manage.past import STDIN, opened
from cortex_policy.state.writers import NotDone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

_NUMBERED = re.compile(r"\.([0-9]{1,9})(?:\.gz)?")


def with_rotated(file: str) -> list[str]:
    """Return the names of a log and of those before it, the oldest first, as in `log.2.gz`, `log.1`, `log`.

    Where nothing came since it was rotated it is left out. Raises NotDone.
    """
    directory, name = os.path.split(file)
    found = []
    try:
        for other in os.listdir(directory or "."):
            number = _NUMBERED.fullmatch(other, len(name)) if other.startswith(name) else None
            if number:
                found.append((int(number[1]), os.path.join(directory, other)))
    except OSError as error:
        raise NotDone(f"`{file}`: {(error.strerror or str(error)).lower()}") from None
    rotated = [path for _, path in sorted(found, reverse=True)]
    # where there is nothing at all, opening it says so
    return [*rotated, *([file] if os.path.lexists(file) or not rotated else [])]


@contextmanager
def all_opened(names: "Sequence[str]") -> "Iterator[list[tuple[str, BinaryIO]]]":
    """Open logs, the oldest of which is named first; raise NotDone.

    The newest is opened first and none twice, so that none is missed that is renamed meanwhile.
    """
    with ExitStack() as stack:
        found: list[tuple[str, BinaryIO]] = []
        seen = set()
        for name in reversed(names):
            is_gone = name != STDIN and not os.path.lexists(name)
            if is_gone and len(names) > 1 and (found or name != names[0]):
                continue  # it was dropped or renamed meanwhile
            file = stack.enter_context(opened(name))
            if (identity := identity_of(file)) not in seen:
                seen.add(identity)
                found.append((name, file))
        yield found[::-1]


def identity_of(file: "BinaryIO") -> tuple[int, int]:
    """Return what stays as it is when a file is renamed."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino
