"""Sample texts that match a pattern, built from its parts."""

from functools import lru_cache

from cortex_policy.core.ecma_regex import (
    PatternError,
    PatternLimitError,
    Regex,
    compile_pattern,
    spend_steps_of_shared_limit,
)
from cortex_policy.core.ecma_regex_nodes import CharacterSet, Choice, Repeat, Series
from cortex_policy.core.ecma_regex_parser import parse_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.ecma_regex_nodes import PatternNode

_LETTERS = "ab1_- AZ./:@x\u00e9"
_COMMON_TEXTS = ("text", "a", "docs", "a-b", "1", "2026-01-01", "v1.0.0", "https://example.org", "a@example.org", "")
MAX_LENGTH = 1_000


def sample_matching_texts(pattern: str) -> list[str]:
    """Return some texts that match an ECMA pattern, the likeliest first; none if none is found."""
    try:
        return _sample_texts(pattern)
    except (PatternError, PatternLimitError):
        return []


@lru_cache(100)  # they are asked for with each keyword beside the pattern
def _sample_texts(pattern: str) -> list[str]:
    """Return the texts; raise PatternError, or PatternLimitError if the shared steps are used up."""
    regex, body = compile_pattern(pattern), parse_pattern(pattern).body
    texts = [text for more in (0, 1, 2) if len(text := _sample_of_node(body, more)) <= MAX_LENGTH]
    found = [text for text in dict.fromkeys([*texts, *_COMMON_TEXTS]) if _is_match(regex, text)]
    if not spend_steps_of_shared_limit(0):  # then some were not tried
        raise PatternLimitError
    return found


def _is_match(regex: Regex, text: str) -> bool:
    try:
        return regex.search(text)
    except PatternLimitError:
        return False


def _sample_of_node(node: "PatternNode", more: int) -> str:
    """Return a text that a part may match: with `more`, other letters, more rounds and later branches."""
    match node:
        case CharacterSet():
            letters = _sample_letters(node.bounds)
            return letters[more % len(letters)] if letters else ""
        case Series():
            return "".join(_sample_of_node(part, more) for part in node.parts)
        case Choice():
            return _sample_of_node(node.parts[min(more, len(node.parts) - 1)], more)
        case Repeat():
            times = node.min_count + more if node.max_count is None else min(node.min_count + more, node.max_count)
            text = _sample_of_node(node.parts[0], more)
            return text * min(times, MAX_LENGTH // max(len(text), 1) + 1)  # no more than shows that it is too long
    return ""  # an assertion: the caller checks if it holds


def _sample_letters(bounds: tuple[int, ...]) -> list[str]:
    """Return letters of a set: common ones first, then the ends of its ranges."""
    ranges = [*zip(bounds[::2], bounds[1::2], strict=True)]
    known = [letter for letter in _LETTERS if any(low <= ord(letter) < behind for low, behind in ranges)]
    return known + [chr(code) for low, behind in ranges for code in (low, behind - 1)]
