"""Search a value for a pattern of ECMAScript with the flag `u`, in time linear in the value.

Bounds: a value of more than 64 KiB, or that takes more than 300,000 steps, does not match. The
steps are the sum, over its characters, of the active positions, including those after an assertion.
"""

from _thread import _local
from time import sleep

from cortex_policy.core.ecma_regex_automaton import DEAD, FOUND, Automaton
from cortex_policy.core.ecma_regex_character_reader import PatternError
from cortex_policy.core.ecma_regex_parser import Pattern, parse_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from cortex_policy.core.ecma_regex_automaton import State

MAX_BYTES = 1 << 16  # of a value, in UTF-8
MAX_STEPS = 300_000
MAX_STEPS_OF_CALL = 10 * MAX_STEPS  # of all values: an array may hold any number of them
MAX_SHARED_STEPS = 10_000_000  # of one comparison, or of the calls of one log or case file: about 2 seconds
STEPS_AT_ONCE = 20_000  # after them other threads may run
_CALL_LIMIT = f"within {MAX_STEPS_OF_CALL:,} steps for all values of the call"
_SHARED_LIMIT = "within the steps that are left for all calls"
_BYTES_LIMIT, _STEPS_LIMIT = f"within {MAX_BYTES:,} bytes", f"within {MAX_STEPS:,} steps"
_COMPILE_STEPS, _COMPILE_POSITION_STEPS = (
    100,
    20,
)  # steps that take about as long as to make a pattern, and each of its positions
_SEARCH_STEPS = 20  # and to search an empty value
_PIECE = 16  # characters that are looked up at once
_STRETCH = 1024  # characters whose classes are found at once: a lookahead may need no more than the first ones
_MAX_PATTERNS, _MAX_TEXT = 64, 1 << 18  # patterns that are kept, and the characters of all of them


class PatternLimitError(ValueError):
    """A value that takes too much work for its pattern; the message names the bound."""


class StepLimit:
    """The steps of the current value, and of the values before it in the same call."""

    bound: int
    taken: int

    __slots__ = ("_before", "bound", "taken")

    def __init__(self) -> None:
        """Begin a call: no step is taken yet."""
        self.taken, self.bound, self._before = 0, STEPS_AT_ONCE, 0

    def begin_value(self) -> None:
        """Begin a value; raise PatternLimitError if the call has used up its steps."""
        self._before += self.taken
        self.taken, self.bound = 0, STEPS_AT_ONCE
        if self._before > MAX_STEPS_OF_CALL:
            raise PatternLimitError(_CALL_LIMIT)

    def raise_if_exceeded(self) -> None:
        """Let other threads run now and then; raise PatternLimitError if the value took too many steps."""
        if self.taken > self.bound:
            if self.taken > MAX_STEPS:
                raise PatternLimitError(_STEPS_LIMIT)
            self.bound += STEPS_AT_ONCE
            sleep(0)


class _ThreadState(_local):
    """The shared bound of one thread: other threads enforce at the same time."""

    shared: "SharedSteps | None" = None


class SharedSteps:
    """A bound on the steps of all searches of this thread inside the block, for callers that try thousands of values.

    Once it is used up, every search raises PatternLimitError: check `is_used_up`, or whether `skipped_searches` grew,
    before you report an answer. It may be entered several times; an inner bound also takes from the outer one.
    """

    left: int
    skipped_searches: int  # searches that were not made

    def __init__(self, max_steps: int = MAX_SHARED_STEPS) -> None:
        """Begin with all steps left."""
        self.left, self.skipped_searches = max_steps, 0

    @property
    def is_used_up(self) -> bool:
        """Whether no steps are left, so that answers no longer count."""
        return self.left <= 0

    def __enter__(self) -> "Self":
        self._outer, _thread.shared = _thread.shared, self
        if self._outer is not None:
            self.left = min(self.left, self._outer.left)
        self._begin = self.left
        return self

    def __exit__(self, *_: object) -> None:
        _thread.shared = self._outer
        if self._outer is not None:
            self._outer.left -= self._begin - self.left

    def raise_if_used_up(self) -> None:
        """Raise PatternLimitError if no steps are left."""
        if self.is_used_up:
            self.skipped_searches += 1
            raise PatternLimitError(_SHARED_LIMIT)


_thread = _ThreadState()


def spend_steps_of_shared_limit(count: int) -> bool:
    """Take steps from the shared bound of this thread, for work that is not a search; return whether any are left."""
    if _thread.shared is None:
        return True
    _thread.shared.left -= count
    return not _thread.shared.is_used_up


class Regex:
    """A pattern; may be used by several threads at once."""

    pattern: Pattern
    size: int  # its positions

    def __init__(self, pattern: str) -> None:
        """Parse it; raise PatternError."""
        self.pattern = parse_pattern(pattern)
        self.size = sum(node.size for node, _ in self.pattern.lookaheads) + self.pattern.body.size
        # if a match may begin anywhere, all parts are tried at once, from the end of the value backwards
        self._is_forward = self.pattern.is_anchored or not self.pattern.lookaheads
        self._parts: list[tuple[Automaton, bool]] = []

    def _build_automata(self) -> list[tuple[Automaton, bool]]:
        """Build the automata when they are first needed: most programs that read a grant match nothing."""
        if not self._parts:
            lookaheads, body = self.pattern.lookaheads, self.pattern.body
            if self._is_forward:
                heads = [(Automaton(node, is_anchored=True), holds) for node, holds in lookaheads]
                self._parts = [*heads, (Automaton(body), True)]
            else:
                nodes = [*lookaheads, (body, True)]
                self._parts = [(Automaton(node.reverse(), goes_on=True), holds) for node, holds in nodes]
        return self._parts

    def search(self, value: str, steps: StepLimit | None = None) -> bool:
        """Whether a value holds a match; raise PatternLimitError if that takes too much work.

        `steps` are those of the call that gives the value.
        """
        steps = steps or StepLimit()
        steps.begin_value()
        text = str.__str__(value)
        if not text.isascii():
            text = _join_surrogates(text)
        if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise PatternLimitError(_BYTES_LIMIT)
        shared = _thread.shared
        if shared is not None:
            shared.raise_if_used_up()
        try:
            return self._search_forwards(text, steps) if self._is_forward else self._search_backwards(text, steps)
        finally:
            if shared is not None:
                shared.left -= steps.taken + _SEARCH_STEPS

    def _search_forwards(self, text: str, steps: StepLimit) -> bool:
        return all(matches_automaton(automaton, text, steps) == holds for automaton, holds in self._build_automata())

    def _search_backwards(self, text: str, steps: StepLimit) -> bool:
        """Whether at some place each lookahead has its wanted result and the rest matches."""
        parts = self._build_automata()
        states = [automaton.start for automaton, _ in parts]
        for char in reversed(text):
            column = [automaton.classes[ord(char)] for automaton, _ in parts]
            if _is_match_end_for_all(parts, states, column):
                return True
            moves = [state[name] for state, name in zip(states, column, strict=True)]
            states = [state for state, _ in moves]
            steps.taken += sum([more or 1 for _, more in moves])  # a part without positions left costs a step too
            steps.raise_if_exceeded()
        return _is_match_end_for_all(parts, states, [""] * len(states))


def _is_match_end_for_all(parts: list[tuple[Automaton, bool]], states: "list[State]", column: list[str]) -> bool:
    """Whether each part ends a match before these classes, or ends none if it must not hold."""
    found = zip(parts, states, column, strict=True)
    return all(automaton.is_match_end(state, name) == holds for (automaton, holds), state, name in found)


def matches_automaton(automaton: Automaton, text: str, steps: StepLimit) -> bool:
    """Whether a text holds a match of one part; raise PatternLimitError."""
    state = automaton.start
    for start in range(0, len(text), _STRETCH):
        classes = text[start : start + _STRETCH].translate(automaton.classes)
        for at in range(0, len(classes), _PIECE):
            if state is FOUND or state is DEAD:
                return state is FOUND
            state, more = state[classes[at : at + _PIECE]]
            steps.taken += more
            if steps.taken > steps.bound:
                steps.raise_if_exceeded()
    return automaton.is_match_end(state, "")


def _join_surrogates(text: str) -> str:
    """Return text in which each pair of surrogates is one character, as in ECMAScript."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text


_pattern_cache: dict[str, Regex | str] = {}


def compile_pattern(pattern: str) -> Regex:
    """Return a compiled pattern, from a cache; raise PatternError if it is refused."""
    compiled, shared = _pattern_cache.get(pattern), _thread.shared
    if compiled is None:
        if shared is not None:
            shared.raise_if_used_up()
        if len(_pattern_cache) >= _MAX_PATTERNS or sum(map(len, [*_pattern_cache])) + len(pattern) > _MAX_TEXT:
            _pattern_cache.clear()
        try:
            compiled = Regex(pattern)
        except PatternError as error:
            compiled = str(error)
        _pattern_cache[pattern] = compiled
        if shared is not None:
            shared.left -= (
                _COMPILE_STEPS
                + len(pattern)
                + (_COMPILE_POSITION_STEPS * compiled.size if isinstance(compiled, Regex) else 0)
            )
    if isinstance(compiled, str):
        raise PatternError(compiled)
    return compiled
