"""An automaton for a part of a pattern; its states are built on demand.

A state is the set of positions that the next character may match, as the bits of an integer. The number of steps
depends on the pattern and the value alone, not on what is cached from earlier values.
"""

from cortex_policy.core.ecma_regex_character_reader import WORDS
from cortex_policy.core.ecma_regex_nodes import Assertion, CharacterSet, Positions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.ecma_regex_nodes import PatternNode

EDGE = -1  # stands for the place before the first and after the last character
_MAX_CACHED = 2_000  # moves of an automaton, and characters whose class is cached


class State(dict[str, "tuple[State, int]"]):
    """Maps a text to the state that it leads to and the steps it takes; built on demand, never for the empty text.

    The texts are of classes, not of characters: see `Automaton.classes`.
    """

    __slots__ = ("automaton", "before", "positions", "weight")
    automaton: "Automaton"
    positions: int
    before: int  # above 0 if the last character is a word character; or EDGE
    weight: int  # the steps that one character takes from here

    def __missing__(self, text: str) -> "tuple[State, int]":
        if len(text) == 1:
            found = self.automaton.step(self, text), self.weight
        else:
            state, steps = self, 0
            for char in text:
                state, more = state[char]
                steps += more
            found = state, steps
        self.automaton.clear_cache_if_full()
        self[text] = found
        return found


class _LastState(State):
    """A state that no character leads out of."""

    __slots__ = ()

    def __missing__(self, text: str) -> tuple[State, int]:
        return self, 0


FOUND, DEAD = _LastState(), _LastState()  # a match was found; none is possible any more


class _Classes(dict[int, str]):
    """Maps a code point to its class, a character: all code points of a class lead a state to the same next state."""

    cuts: list[int]
    names: list[str]

    __slots__ = ("cuts", "names")

    def __init__(self, cuts: list[int], names: list[str]) -> None:
        super().__init__()
        self.cuts, self.names = cuts, names

    def __missing__(self, code: int) -> str:
        if len(self) >= _MAX_CACHED:
            self.clear()
        low, high = 0, len(self.cuts)
        while low < high:  # `bisect` would have to be loaded
            middle = (low + high) // 2
            if code < self.cuts[middle]:
                high = middle
            else:
                low = middle + 1
        found = self[code] = self.names[low]
        return found


class Automaton:
    """A part of a pattern, prepared to search for a match that ends anywhere.

    A match may begin anywhere, too, unless `is_anchored`. With `goes_on` the search continues after a match:
    `is_match_end` says whether one ends at a state. Several threads may use it at once: all add the same states.
    """

    classes: "_Classes"
    start: "State"

    def __init__(self, node: "PatternNode", *, is_anchored: bool = False, goes_on: bool = False) -> None:
        """Find which positions may follow which, and which characters they treat alike."""
        positions = Positions(node.size)
        self._match = 1 << node.size  # one position more: the match is complete
        self._follow = positions.follow
        first = node.link_positions(positions, 0, self._match)
        kinds = dict.fromkeys(("^", "$", "\\b", "\\B"), 0)
        sets: dict[tuple[int, ...], int] = {}
        for leaf, bits in positions.leaves.items():
            if isinstance(leaf, Assertion):
                kinds[leaf.kind] |= bits
            elif isinstance(leaf, CharacterSet):
                sets[leaf.bounds] = bits
        self._starts, self._ends, self._borders, insides = kinds.values()
        self._waiting = self._borders | insides  # they depend on the characters on both sides
        self._assertions = self._starts | self._ends | self._waiting
        self._word = self._match << 1 if self._waiting else 0  # the bit of a letter, digit or `_`
        self._again = 0 if is_anchored else first & ~self._starts
        self._end = 0 if goes_on else self._match
        self.positions_by_class: dict[str, int] = {}  # by class: the positions that match its characters
        self.classes = self._divide_code_points(sets)
        self._states: dict[tuple[int, int], State] = {}
        self._kept = 0
        self.start = FOUND if first & self._end else self._make_state(first, EDGE)

    def is_match_end(self, state: State, following: str) -> bool:
        """Whether a match ends at a state, before a character of this class, or '' at the end of the value."""
        if state is FOUND or state is DEAD:
            return state is FOUND
        behind = self.positions_by_class[following] & self._word if following else EDGE
        return bool(self._pass_assertions(state.positions, state.before, behind) & self._match)

    def step(self, state: State, following: str) -> State:
        """Return the state after a character of this class."""
        accepted = self.positions_by_class[following]
        word = accepted & self._word
        positions = state.positions
        if positions & self._waiting or state.before == EDGE:
            positions = self._pass_assertions(positions, state.before, word)
            if positions & self._end:
                return FOUND
        positions &= accepted
        next_positions = self._again
        while positions:
            bit = positions & -positions
            positions ^= bit
            next_positions |= self._follow[bit.bit_length() - 1]
        next_positions &= ~self._starts
        if next_positions & self._end:
            return FOUND
        return self._make_state(next_positions, word) if next_positions or not self._end else DEAD

    def clear_cache_if_full(self) -> None:
        """Drop all cached states if there are too many moves; a search that is in one continues from it."""
        self._kept += 1
        if self._kept > _MAX_CACHED:
            for state in (self.start, *self._states.values()):
                state.clear()
            self._states, self._kept = {}, 0

    def _divide_code_points(self, sets: dict[tuple[int, ...], int]) -> _Classes:
        """Divide the code points where a set begins or ends; code points that all sets treat alike get one name."""
        changes: dict[int, int] = {}
        for bounds, bits in [*sets.items(), (WORDS, self._word)]:
            for bound in bounds:
                changes[bound] = changes.get(bound, 0) ^ bits
        known, accepted, cuts = {0: "\0"}, 0, sorted(changes)
        names = ["\0"]
        for cut in cuts:
            accepted ^= changes[cut]
            names.append(known.setdefault(accepted, chr(len(known))))
        self.positions_by_class = {name: accepted for accepted, name in known.items()}
        return _Classes(cuts, names)

    def _make_state(self, positions: int, before: int) -> State:
        state = self._states.get((positions, before))
        if state is None:
            state = State()
            state.automaton, state.positions, state.before = self, positions, before
            has_assertions = positions & (self._waiting | self._starts)
            active = self._pass_assertions(positions, None, None) if has_assertions else positions
            state.weight = (active & ~self._match).bit_count()
            self._states[positions, before] = state  # INVARIANT: last, since other threads may read it from there
        return state

    def _pass_assertions(self, positions: int, before: int | None, following: int | None) -> int:
        """Add the positions after the assertions that hold here, after all assertions for None."""
        assertions = positions & self._assertions
        while assertions:
            bit = assertions & -assertions
            assertions ^= bit
            if before is None or following is None or self._is_assertion_met(bit, before, following):
                more = self._follow[bit.bit_length() - 1] & ~positions
                positions |= more
                assertions |= more & self._assertions
        return positions

    def _is_assertion_met(self, assertion: int, before: int, following: int) -> bool:
        if assertion & self._starts:
            return before == EDGE
        if assertion & self._ends:
            return following == EDGE
        return ((before > 0) != (following > 0)) == bool(assertion & self._borders)
