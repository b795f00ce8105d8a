"""Look for a value that makes a pattern slow, here or in an engine that backtracks, as most readers of grants have.

A search by example: what is found is a value, so there is no false alarm; that none is found proves nothing. An engine
that backtracks tries each way through the pattern. The ways are counted, character by character, over the texts in
which most ways are open.
"""

from cortex_policy.core.ecma_automaton import DEAD, EDGE, Automaton
from cortex_policy.core.ecma_characters import END, WORDS
from cortex_policy.core.ecma_nodes import Assertion, Node, Positions
from cortex_policy.core.ecma_regex import PatternError, PatternLimitError, Steps, compile_pattern, search_part
from cortex_policy.core.ecma_regex_parser import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

MOST_WAYS = 1_000_000  # for one value: what takes more is slow
LONGEST = 4_096  # characters of a value that a caller may well give
_STEPS, _WIDTH, _LETTERS = 200, 6, 24  # characters that are tried in a row, texts at a time, and letters for each
_WORK = 400_000  # moves from a position to another
_MOST_STATES = 300  # of an automaton, that are looked at
_PATIENCE = 16  # characters in which the ways may not grow


class _Ways(int):
    """Positions as bits, like all sets of them; `twice` are those to which several ways lead."""

    twice: int

    def __new__(cls, once: int, twice: int = 0) -> "Self":
        ways = super().__new__(cls, once)
        ways.twice = twice
        return ways

    def __or__(self, other: int) -> "_Ways":
        mine, theirs = int(self), int(other)
        return _Ways(mine | theirs, self.twice | getattr(other, "twice", 0) | mine & theirs)

    __ror__ = __or__

    def __lshift__(self, places: int) -> "_Ways":
        return _Ways(int(self) << places, self.twice << places)


class _TooMuchWork(Exception):
    pass


class _Text:
    """A text, the ways that are open behind it, by position, and the ways that were tried so far."""

    def __init__(self, text: str, ways: dict[int, int], tried: int) -> None:
        self.text, self.ways, self.tried = text, ways, tried
        self.open = sum(ways.values())


class _Counter:
    """The ways through one part of a pattern."""

    def __init__(self, node: Node, *, is_anchored: bool) -> None:
        positions = Positions(node.size, _Ways(1))
        self.match = node.size
        first = node.build(positions, 0, positions.one << node.size)
        self.follow = [*positions.follow, 0]
        self.kinds = {
            place: leaf.kind
            for leaf, bits in positions.leaves.items() if isinstance(leaf, Assertion) for place in _places(bits)
        }  # fmt: skip
        self.automaton = Automaton(node, is_anchored=is_anchored)
        self.edges: dict[int, list[tuple[int, int]]] = {}
        self.first = self._edges(first)
        self.is_anchored = is_anchored
        self.work = 0

    def start(self) -> _Text:
        """Return the empty text."""
        return _Text("", dict(self.first), 0)

    def add(self, text: _Text, letter: str) -> _Text | None:
        """Return a text with one letter more; None where no way is open behind it, or one has led to a match."""
        before = EDGE if not text.text else _is_word(text.text[-1])
        ways = self._passed(text.ways, before, _is_word(letter))
        accepted = self.automaton.accepted[self.automaton.classes[ord(letter)]]
        found: dict[int, int] = {}
        for place, count in ways.items():
            if accepted >> place & 1:
                self._lead(found, place, count)
        if not self.is_anchored:
            for place, count in self.first:
                if self.kinds.get(place) != "^":
                    found[place] = found.get(place, 0) + count
        if not found or self.match in ways or self.match in found:
            return None
        return _Text(text.text + letter, found, text.tried + sum(found.values()))

    def _lead(self, found: dict[int, int], place: int, count: int) -> None:
        edges = self.edges.get(place)
        if edges is None:
            edges = self.edges[place] = self._edges(self.follow[place])
        self.work += len(edges) + 1
        if self.work > _WORK:
            raise _TooMuchWork
        for target, times in edges:
            found[target] = found.get(target, 0) + count * times

    def _edges(self, follow: int) -> list[tuple[int, int]]:
        twice = getattr(follow, "twice", 0)
        return [(place, 1 + (twice >> place & 1)) for place in _places(int(follow))]

    def _passed(self, ways: dict[int, int], before: int, behind: int) -> dict[int, int]:
        """Return ways with those through the assertions that hold, each passed once."""
        left, passed = [place for place in ways if place in self.kinds], set[int]()
        ways = dict(ways) if left else ways
        while left:
            place = left.pop()
            passed.add(place)
            kind, count = self.kinds[place], ways.pop(place, 0)
            is_border = (before > 0) != (behind > 0)
            if kind != "$" and (before == EDGE if kind == "^" else is_border == (kind == "\\b")):
                self._lead(ways, place, count)
                left += [one for one in ways if one in self.kinds and one not in passed and one not in left]
        return ways


def slow_value(pattern: str) -> str:
    """Return a value for which an engine that backtracks tries over a million ways; '' where none is found."""
    try:
        parsed = parse(pattern)
    except PatternError:
        return ""
    parts = [*parsed.lookaheads, (parsed.body, True)] if parsed.is_anchored else [(parsed.body, True)]
    earlier: list[tuple[Automaton, bool]] = []
    for node, holds in parts:
        counter = _Counter(node, is_anchored=parsed.is_anchored)
        first = Automaton(node, is_anchored=True)
        for value in _slow_values(counter):
            is_reached = all(_holds(automaton, value) == wanted for automaton, wanted in earlier)
            if is_reached and _fails(first, value, is_anchored=parsed.is_anchored):
                return value
        earlier.append((first, holds))
    return ""


def _fails(automaton: Automaton, text: str, *, is_anchored: bool) -> bool:
    """Whether each of the first attempts at a text, and one in its middle, ends without a match."""
    starts = (0,) if is_anchored else (0, 1, 2, len(text) // 2)
    return not any(_holds(automaton, text[start:]) for start in starts)


def _holds(automaton: Automaton, text: str) -> bool:
    try:
        return search_part(automaton, text, Steps())
    except PatternLimitError:
        return False


def has_too_many_steps(pattern: str, length: int) -> bool:
    """Whether some value of this length, one letter again and again, needs more steps than a check takes."""
    for letter in _letters(Automaton(parse(pattern).body)):
        try:
            compile_pattern(pattern).search(letter * length)
        except PatternLimitError:
            return True
    return False


def never_matches(pattern: str) -> bool:
    """Whether it is certain that no value matches."""
    automaton = Automaton(parse(pattern).body)
    known, left = {id(automaton.start): automaton.start}, [automaton.start]
    while left:
        state = left.pop()
        if len(known) > _MOST_STATES or automaton.accepts(state, ""):
            return False
        for name in () if state is DEAD else automaton.accepted:
            following = state[name][0]
            if id(following) not in known:
                known[id(following)] = following
                left.append(following)
    return True


def _slow_values(counter: _Counter) -> "Iterator[str]":
    """Yield texts behind which too many ways were tried, and each with one character more, that they may not match."""
    try:
        for text in _slow_texts(counter):
            for last in ("", "!", *_letters(counter.automaton)):
                yield text + last
    except _TooMuchWork:
        return


def _slow_texts(counter: _Counter) -> "Iterator[str]":
    """Yield texts behind which too many ways were tried: short ones first, then ones that repeat something."""
    letters, texts = _letters(counter.automaton), [counter.start()]
    seeds = list(letters)
    most, patience = 1, _PATIENCE
    seen: set[frozenset[int]] = set()
    for _ in range(_STEPS):
        longer: dict[frozenset[int], _Text] = {}
        for text in texts:
            for letter in letters:
                if (more := counter.add(text, letter)) is None:
                    continue
                if more.tried > MOST_WAYS:
                    yield more.text
                    return
                key = frozenset(more.ways)
                if key not in longer or longer[key].open < more.open:
                    longer[key] = more
        texts = sorted(longer.values(), key=lambda text: text.open, reverse=True)[:_WIDTH]
        is_new = not seen.issuperset(longer)
        seen.update(longer)
        patience = _PATIENCE if is_new or (texts and texts[0].open > most) else patience - 1
        most = max(most, texts[0].open if texts else 0)
        if not texts or not patience:
            break
    seeds += [text.text for text in texts[:3]]
    yield from filter(None, (_repeated(counter, seed) for seed in seeds))


def _repeated(counter: _Counter, seed: str) -> str:
    """Return a seed again and again, if that opens more and more ways, until too many were tried; else ''."""
    text, at_last_look = counter.start(), 0
    for count in range(1, LONGEST):
        more = counter.add(text, seed[count % len(seed) - 1])
        if more is None:
            return ""
        text = more
        if text.tried > MOST_WAYS:
            return text.text
        if count.bit_count() == 1 and count >= _PATIENCE:  # each time that it has doubled
            if text.open < at_last_look * 3 // 2:
                return ""
            at_last_look = text.open
    return ""


def _letters(automaton: Automaton) -> str:
    """Return a character of each class, one that people can read if there is one."""
    classes = automaton.classes
    found: dict[str, str] = {}
    for low, behind, name in zip([0, *classes.cuts], [*classes.cuts, END], classes.names, strict=True):
        if low < behind:
            code = next((code for code in (97, 48, 33) if low <= code < behind), max(low, min(33, behind - 1)))
            found.setdefault(name, chr(code))
    return "".join(found.values())[:_LETTERS]


def _is_word(letter: str) -> bool:
    return any(low <= ord(letter) < behind for low, behind in zip(WORDS[::2], WORDS[1::2], strict=True))


def _places(bits: int) -> "Iterator[int]":
    while bits:
        bit = bits & -bits
        bits ^= bit
        yield bit.bit_length() - 1
