"""The ways through a pattern that an engine which backtracks tries, counted character by character."""

from cortex_policy.core.ecma_regex_automaton import EDGE, Automaton
from cortex_policy.core.ecma_regex_character_reader import END
from cortex_policy.core.ecma_regex_nodes import Assertion, PatternNode, Positions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

_BUILD_COST, _LETTER_COST = (
    200,
    10,
)  # moves that take about as long as what is done once for a pattern, and for a letter
_MAX_LETTERS = 24  # one for each class of characters


class TooMuchWorkError(Exception):
    """More was looked at than may be."""


class WorkLimit:
    """What may still be looked at, in moves from a position to another."""

    max_moves: int
    left: int

    def __init__(self, max_moves: int) -> None:
        """Allow this many moves."""
        self.max_moves, self.left = max_moves, max_moves

    def spend(self, moves: int) -> None:
        """Count moves; raise TooMuchWorkError if there are too many."""
        self.left -= moves
        if self.left < 0:
            raise TooMuchWorkError


class _Positions(int):
    """Positions as bits, like all sets of them; `twice` are those to which several ways lead."""

    twice: int

    def __new__(cls, once: int, twice: int = 0) -> "Self":
        ways = super().__new__(cls, once)
        ways.twice = twice
        return ways

    def __or__(self, other: int) -> "_Positions":
        own_bits, other_bits = int(self), int(other)
        return _Positions(own_bits | other_bits, self.twice | getattr(other, "twice", 0) | own_bits & other_bits)

    __ror__ = __or__

    def __lshift__(self, places: int) -> "_Positions":
        return _Positions(int(self) << places, self.twice << places)


class TriedText:
    """A text, the ways that are open after it, by position, and the ways that were tried so far."""

    text: str
    ways: dict[int, int]
    tried: int
    open: int

    def __init__(self, text: str, ways: dict[int, int], tried: int) -> None:
        """Sum up those that are open."""
        self.text, self.ways, self.tried = text, ways, tried
        self.open = sum(ways.values())


class BacktrackCounter:
    """The ways through one part of a pattern."""

    work: WorkLimit
    match: int
    follow: list[int]
    kinds: dict[int, str]
    automaton: Automaton
    first: list[tuple[int, int]]
    is_anchored: bool

    def __init__(self, node: PatternNode, work: WorkLimit, *, is_anchored: bool) -> None:
        """Find them; each move of counting is spent of the work."""
        work.spend(_BUILD_COST + node.size)
        self.work = work
        positions = Positions(node.size, _Positions(1))
        self.match = node.size
        first = node.link_positions(positions, 0, positions.one << node.size)
        self.follow = [*positions.follow, 0]
        self.kinds = {
            position: leaf.kind
            for leaf, bits in positions.leaves.items()
            if isinstance(leaf, Assertion)
            for position in _positions_in(bits)
        }
        self.automaton = Automaton(node, is_anchored=is_anchored)
        self.edges: dict[int, list[tuple[int, int]]] = {}
        self.first = self._edge_counts(first)
        self.is_anchored = is_anchored

    def empty_text(self) -> TriedText:
        """Return the text to extend from: no letter, and the ways that a match can begin with."""
        return TriedText("", dict(self.first), 0)

    def extend(self, text: TriedText, letter: str) -> TriedText | None:
        """Return a text with one letter more; None if no way is open after it, or one has led to a match."""
        self.work.spend(_LETTER_COST + len(text.ways))
        before = EDGE if not text.text else _is_word(text.text[-1])
        ways = self._pass_assertions(text.ways, before, _is_word(letter))
        accepted = self.automaton.positions_by_class[self.automaton.classes[ord(letter)]]
        next_ways: dict[int, int] = {}
        for position, count in ways.items():
            if accepted >> position & 1:
                self._follow_edges(next_ways, position, count)
        if not self.is_anchored:
            for position, count in self.first:
                if self.kinds.get(position) != "^":
                    next_ways[position] = next_ways.get(position, 0) + count
        if not next_ways or self.match in ways or self.match in next_ways:
            return None
        return TriedText(text.text + letter, next_ways, text.tried + sum(next_ways.values()))

    def _follow_edges(self, next_ways: dict[int, int], position: int, count: int) -> None:
        edges = self.edges.get(position)
        if edges is None:
            edges = self.edges[position] = self._edge_counts(self.follow[position])
        self.work.spend(len(edges) + 1)
        for target, times in edges:
            next_ways[target] = next_ways.get(target, 0) + count * times

    def _edge_counts(self, follow: int) -> list[tuple[int, int]]:
        twice = getattr(follow, "twice", 0)
        return [(position, 1 + (twice >> position & 1)) for position in _positions_in(int(follow))]

    def _pass_assertions(self, ways: dict[int, int], before: int, following: int) -> dict[int, int]:
        """Return ways with those through the assertions that hold, each passed once."""
        pending, passed = [position for position in ways if position in self.kinds], set[int]()
        ways = dict(ways) if pending else ways
        while pending:
            position = pending.pop()
            passed.add(position)
            kind, count = self.kinds[position], ways.pop(position, 0)
            is_border = (before > 0) != (following > 0)
            if kind != "$" and (before == EDGE if kind == "^" else is_border == (kind == "\\b")):
                self._follow_edges(ways, position, count)
                pending += [one for one in ways if one in self.kinds and one not in passed and one not in pending]
        return ways


def find_one_character_of_each_class(automaton: Automaton) -> str:
    """Return a character of each class, one that people can read if there is one."""
    classes = automaton.classes
    letter_by_class: dict[str, str] = {}
    for low, behind, name in zip([0, *classes.cuts], [*classes.cuts, END], classes.names, strict=True):
        if low < behind:
            code = next((code for code in (97, 48, 33) if low <= code < behind), max(low, min(33, behind - 1)))
            letter_by_class.setdefault(name, chr(code))
    return "".join(letter_by_class.values())[:_MAX_LETTERS]


def _is_word(letter: str) -> bool:
    return letter.isascii() and (letter.isalnum() or letter == "_")


def _positions_in(bits: int) -> "Iterator[int]":
    while bits:
        bit = bits & -bits
        bits ^= bit
        yield bit.bit_length() - 1
