"""What is noted while a text is read that is not JSON: at most 100 problems, one for each cause."""

from cortex_policy.core.json_tree import find_line_and_column
from cortex_policy.schema.problems import UnlocatedProblem

MAX_PROBLEMS = 100
MAX_QUOTED = 40  # characters of the file in a message


def quote_and_shorten(part: str) -> str:
    """Return a part of the file as a message quotes it."""
    return f"`{part}`" if len(part) <= MAX_QUOTED else f"`{part[: MAX_QUOTED - 1]}…`"


def format_position(text: str, offset: int) -> str:
    """Return a place as a message names it."""
    return "line {} column {}".format(*find_line_and_column(text, offset))


class ProblemList:
    """Collects syntax problems in the order in which they are found."""

    def __init__(self) -> None:
        """Start with none."""
        self._problems: list[UnlocatedProblem] = []
        self._repeated: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._problems)

    @property
    def is_full(self) -> bool:
        """Whether there are as many problems as anybody reads."""
        return len(self._problems) >= MAX_PROBLEMS

    def add(self, code: str, span: tuple[int, int], message: str, hint: str = "") -> None:
        """Note one problem."""
        if not self.is_full:
            self._problems.append(UnlocatedProblem(code, message, hint, span=span))

    def add_repeated(self, kind: str, code: str, span: tuple[int, int], message: str, hint: str) -> None:
        """Note a repeated mistake once, at its first position, and count the others."""
        if kind in self._repeated:
            index, others = self._repeated[kind]
            self._repeated[kind] = (index, others + 1)
        elif not self.is_full:
            self._repeated[kind] = (len(self._problems), 0)
            self.add(code, span, message, hint)

    def remove(self, indexes: range) -> None:
        """Drop some problems by their numbers, as they were noted."""
        del self._problems[indexes.start : indexes.stop]
        self._repeated = {
            kind: (index - len(indexes) if index >= indexes.stop else index, others)
            for kind, (index, others) in self._repeated.items()
            if index not in indexes
        }

    def in_order(self) -> tuple[UnlocatedProblem, ...]:
        """Return the problems in the order of the text."""
        problems = list(self._problems)
        for index, others in self._repeated.values():
            one = problems[index]
            places = "place" if others == 1 else "places"
            message = f"{one.message}, and in {others} more {places}" if others else one.message
            problems[index] = UnlocatedProblem(one.code, message, one.hint, span=one.span)
        return tuple(sorted(problems, key=lambda one: (one.span or (0, 0), one.code)))
