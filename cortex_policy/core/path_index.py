"""A set of paths that answers which of them lie below or around another path."""

from bisect import bisect_left, bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class PathIndex:
    """Paths relative to the root, sorted, so that what lies below or around another is found without a look at each.

    A file of 1 MiB may hold 100,000 of them, or one of 500,000 components: neither pairs nor prefixes are built.
    """

    def __init__(self, paths: "Iterable[str]") -> None:
        """Take them without a `/` at their end."""
        # with a `/` at the end those below a path are one run after it
        self._all = sorted({f"{path}/" for path in paths})
        self._outermost: list[str] = []
        for path in self._all:
            if not self._outermost or not path.startswith(self._outermost[-1]):
                self._outermost.append(path)

    def covers(self, path: str) -> bool:
        """Whether one of them is this path, or a directory around it."""
        return self.find_outermost_around(path) is not None

    def find_outermost_around(self, path: str) -> str | None:
        """Return the outermost of them that is this path or a directory around it, None if there is none."""
        whole = f"{path}/"
        # INVARIANT: of those that are not a prefix of each other only the last one up to it can be its prefix
        index = bisect_right(self._outermost, whole)
        outermost = self._outermost[index - 1] if index > 0 else None
        return outermost[:-1] if outermost is not None and whole.startswith(outermost) else None

    def count_below(self, path: str) -> int:
        """Return how many of them are this path or lie below it."""
        return bisect_left(self._all, f"{path}0") - bisect_left(self._all, f"{path}/")  # `0` comes next after `/`

    def is_outermost(self, path: str) -> bool:
        """Whether one of them lies in no other."""
        index = bisect_left(self._outermost, f"{path}/")
        return index < len(self._outermost) and self._outermost[index] == f"{path}/"

    def contains(self, path: str) -> bool:
        """Whether exactly this path is one of them."""
        index = bisect_left(self._all, f"{path}/")
        return index < len(self._all) and self._all[index] == f"{path}/"

    def __len__(self) -> int:
        return len(self._all)
