"""Look for a value that makes a pattern slow, here or in an engine that backtracks, as most readers of grants have.

A search by example: what is found is a value, so there is no false alarm. If none is found, there
may still be one. The texts that are tried are those after which most ways are open.
"""

from cortex_policy.core.ecma_regex import PatternLimitError, StepLimit, matches_automaton
from cortex_policy.core.ecma_regex_automaton import DEAD, Automaton
from cortex_policy.core.ecma_regex_parser import Pattern
from cortex_policy.schema.backtracking import BacktrackCounter, TriedText, WorkLimit, find_one_character_of_each_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_WAYS = 1_000_000  # for one value: what takes more is slow
MAX_VALUE_LENGTH = 4_096  # characters of a value that a caller may well give
_SEARCH_DEPTH, _SEARCH_WIDTH = 200, 6  # characters that are tried in a row, and texts at a time
_MAX_STATES = 300  # of an automaton, that are looked at
_PATIENCE = 16  # characters in which the ways may not grow


def is_certainly_unmatchable(parsed: Pattern, work: WorkLimit) -> bool:
    """Whether it is certain that no value matches."""
    automaton = Automaton(parsed.body)
    known, pending = {id(automaton.start): automaton.start}, [automaton.start]
    while pending:
        state = pending.pop()
        if len(known) > _MAX_STATES or automaton.is_match_end(state, ""):
            return False
        for name in () if state is DEAD else automaton.positions_by_class:
            work.spend(state.weight)
            following = state[name][0]
            if id(following) not in known:
                known[id(following)] = following
                pending.append(following)
    return True


def exceeds_step_limit_on_repeated_letter(parsed: Pattern, length: int, work: WorkLimit) -> bool:
    """Whether some value of this length, one letter again and again, needs more steps than a check takes."""
    parts = [Automaton(node) for node, _ in (*parsed.lookaheads, (parsed.body, True))]
    return any(
        _has_match_or_unknown(part, letter * length, work) is None
        for part in parts
        for letter in find_one_character_of_each_class(part)
    )


def find_value_slow_to_backtrack(parsed: Pattern, work: WorkLimit) -> str:
    """Return a value for which an engine that backtracks tries over a million ways; '' if none is found."""
    parts = [*parsed.lookaheads, (parsed.body, True)] if parsed.is_anchored else [(parsed.body, True)]
    earlier: list[tuple[Automaton, bool]] = []
    for node, holds in parts:
        counter = BacktrackCounter(node, work, is_anchored=parsed.is_anchored)
        first = Automaton(node, is_anchored=True)
        for value in _candidate_values(counter):
            is_reached = all(
                _has_match_or_unknown(automaton, value, work) == expected for automaton, expected in earlier
            )
            if is_reached and _never_matches_text(first, value, work, is_anchored=parsed.is_anchored):
                return value
        earlier.append((first, holds))
    return ""


def _never_matches_text(automaton: Automaton, text: str, work: WorkLimit, *, is_anchored: bool) -> bool:
    """Whether each of the first attempts at a text, and one in its middle, ends without a match."""
    starts = (0,) if is_anchored else (0, 1, 2, len(text) // 2)
    return not any(_has_match_or_unknown(automaton, text[start:], work) for start in starts)


def _has_match_or_unknown(automaton: Automaton, text: str, work: WorkLimit) -> bool | None:
    """Whether a text holds a match, None if a check would not say."""
    steps = StepLimit()
    try:
        return matches_automaton(automaton, text, steps)
    except PatternLimitError:
        return None
    finally:
        work.spend(steps.taken)


def _candidate_values(counter: BacktrackCounter) -> "Iterator[str]":
    """Yield texts after which too many ways were tried, and each with one character more, that they may not match."""
    for text in _candidate_texts(counter):
        for last in ("", "!", *find_one_character_of_each_class(counter.automaton)):
            yield text + last


def _candidate_texts(counter: BacktrackCounter) -> "Iterator[str]":
    """Yield texts after which too many ways were tried: short ones first, then ones that repeat something."""
    letters, texts = find_one_character_of_each_class(counter.automaton), [counter.empty_text()]
    seeds = list(letters)
    max_open, letters_left = 1, _PATIENCE
    seen: set[frozenset[int]] = set()
    for _ in range(_SEARCH_DEPTH):
        longer: dict[frozenset[int], TriedText] = {}
        for text in texts:
            for letter in letters:
                if (more := counter.extend(text, letter)) is None:
                    continue
                if more.tried > MAX_WAYS:
                    yield more.text
                    return
                key = frozenset(more.ways)
                if key not in longer or longer[key].open < more.open:
                    longer[key] = more
        texts = sorted(longer.values(), key=lambda text: text.open, reverse=True)[:_SEARCH_WIDTH]
        is_new = not seen.issuperset(longer)
        seen.update(longer)
        letters_left = _PATIENCE if is_new or (texts and texts[0].open > max_open) else letters_left - 1
        max_open = max(max_open, texts[0].open if texts else 0)
        if not texts or not letters_left:
            break
    seeds += [text.text for text in texts[:3]]
    yield from filter(None, (_repeat_seed_until_slow(counter, seed) for seed in seeds))


def _repeat_seed_until_slow(counter: BacktrackCounter, seed: str) -> str:
    """Return a seed again and again, if that opens more and more ways, until too many were tried; else ''."""
    text, at_last_look = counter.empty_text(), 0
    for count in range(1, MAX_VALUE_LENGTH):
        more = counter.extend(text, seed[count % len(seed) - 1])
        if more is None:
            return ""
        text = more
        if text.tried > MAX_WAYS:
            return text.text
        if count.bit_count() == 1 and count >= _PATIENCE:  # each time that it has doubled
            if text.open < at_last_look * 3 // 2:
                return ""
            at_last_look = text.open
    return ""
