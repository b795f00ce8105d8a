"""Ordinary paths below a root, resolved in one look at each component; all others go the way of `places`.

The root is known to be reached without a link (`Premises.straight`), and nothing that governs grants has a name below
it but `.cortex`. Where no component below it is a link or, by a mount, something else that governs, a path lands where
it says, which is what `places` would find. The kernel is asked for the whole way at once, where it can be; else for
each component.
"""

import os
from stat import S_IFLNK

from cortex_policy.core.model import Decision, ResolvedPath
from cortex_policy.core.prepared_grant import Prepared, is_plainly_spelled
from cortex_policy.state.paths import ENTER, MAX_COMPONENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.library.openat2 import Beneath
    from cortex_policy.library.preconditions import Premises

HOLDER = ".cortex"
MOST_ROUTES = 512
_KIND = 0o170000
_getcwd = os.getcwd


class Routes:
    """The paths of one grant that were resolved before: what such a call is answered if nothing on its way changed.

    What is kept is made of the words of the call and the working directory alone; the disk is asked each time.
    """

    __slots__ = ("_known", "_premises", "_prepared", "_reaches")

    def __init__(self, prepared: Prepared, premises: "Premises", beneath: "Beneath | None" = None) -> None:
        """Know none yet."""
        self._prepared, self._premises = prepared, premises
        self._reaches = beneath.reaches if beneath is not None else _never
        self._known: dict[tuple[str, str, str], tuple[bytes, str, Decision, Decision]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def answer(self, argument: str, given: str, *, is_told: bool) -> Decision | None:
        """Allow a call with one path; None to decline. `is_told`: with the budget as it is without hits."""
        try:
            here = _getcwd() if given[:1] != "/" else ""
        except OSError:
            return None
        known = self._known.get((argument, given, here)) or self._found(argument, given, here)
        if known is None:
            return None
        inside, absolute, told, untold = known
        if self._reaches(inside) or _is_as_written(absolute, self._premises):
            return told if is_told else untold
        return None

    def places(self, paths: "list[tuple[str, str]]") -> "list[ResolvedPath] | None":
        """Resolve several paths; None to decline."""
        found = []
        for argument, given in paths:
            try:
                place = _place(argument, given, _getcwd() if given[:1] != "/" else "", self._premises)
            except OSError:
                return None
            if place is None or place.resolved is None or not _is_as_written(place.resolved, self._premises):
                return None
            found.append(place)
        return found

    def _found(self, argument: str, given: str, here: str) -> "tuple[bytes, str, Decision, Decision] | None":
        place = _place(argument, given, here, self._premises)
        if place is None or place.resolved is None or place.resolved_inside is None:
            return None
        told, untold = self._prepared.answer([place], self._prepared.full), self._prepared.answer([place], None)
        if told is None or untold is None:
            return None
        if len(self._known) >= MOST_ROUTES:
            self._known.clear()
        known = self._known[argument, given, here] = (place.resolved_inside.encode(), place.resolved, told, untold)
        return known


def _never(_: bytes) -> bool:
    return False


def _place(argument: str, given: str, here: str, premises: "Premises") -> ResolvedPath | None:
    """Return where a path leads if no component of it is a link; None where that does not do."""
    top = premises.straight
    if top is None or not is_plainly_spelled(given):
        return None
    absolute = f"{here}/{given}" if here else given
    if len(absolute) > MAX_COMPONENTS:  # so that it has no more of them
        return None
    if not absolute.startswith(top) or len(absolute) == len(top) or not absolute.isascii():
        return None
    inside = absolute[len(top) :]
    if inside[: len(HOLDER)].casefold() == HOLDER:  # whatever begins so, `.cortexes` too
        return None
    return ResolvedPath(argument, given, inside, inside, absolute, "", "")


def _is_as_written(absolute: str, premises: "Premises") -> bool:
    """Whether no component below the root is a link, or a directory that governs grants.

    Each directory is looked at from the one above it, open: between two looks by name, others could swap what is above.
    """
    *above, last = absolute[premises.length :].split("/")
    try:
        here = os.open(premises.straight or "", ENTER)
    except OSError:
        return False
    try:
        status = os.fstat(here)
        if (status.st_dev, status.st_ino) != premises.identities[0]:
            return False
        for name in above:
            entered = os.open(name, ENTER, dir_fd=here)
            os.close(here)
            here = entered
            if _governs(os.fstat(here), premises):
                return False
        status = os.stat(last, dir_fd=here, follow_symlinks=False)
        is_holder = (status.st_dev, status.st_ino) == premises.guarded.holder
        return status.st_mode & _KIND != S_IFLNK and not is_holder and not _governs(status, premises)
    except FileNotFoundError:
        return True  # what does not exist is no link; what would follow it cannot exist either
    except (OSError, ValueError):
        return False
    finally:
        os.close(here)


def _governs(status: os.stat_result, premises: "Premises") -> bool:
    return (status.st_dev, status.st_ino) in premises.guarded.identities
