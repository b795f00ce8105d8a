"""The verdict on a change, and the words for what it changes."""

import json

from cortex_policy.core import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SAME, NARROWED, WIDENED, BOTH = "same", "narrowed", "widened", "both"
MAX_SHOWN = 120  # characters of a value
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-")


class FieldComparison(Value):
    """The change of one field, by its name in the file; the sentence is empty if it did not change."""

    field: str
    verdict: str
    sentence: str = ""


def combine_verdicts(verdicts: "Iterable[str]") -> str:
    """Return the verdict over several parts that each allow or deny."""
    found = set(verdicts)
    is_wider, is_narrower = bool(found & {WIDENED, BOTH}), bool(found & {NARROWED, BOTH})
    return make_verdict_from_subsets(is_inside=not is_wider, is_covered=not is_narrower)


def widens(verdict: str) -> bool:
    """Whether a verdict says that something may be allowed that was not."""
    return verdict in {WIDENED, BOTH}


def make_verdict_from_subsets(*, is_inside: bool, is_covered: bool) -> str:
    """Return the verdict on two sets of calls: whether the new one lies in the old one, and the old one in it."""
    if is_inside:
        return SAME if is_covered else NARROWED
    return WIDENED if is_covered else BOTH


def join_verbs_with_quoted_words(*parts: "tuple[str, list[str]]") -> str:
    """Return a sentence of verbs with their words; one without words is left out."""
    return "; ".join(f"{verb} {quote_and_join_words(words)}" for verb, words in parts if words)


def join_nonempty(*parts: str) -> str:
    """Return the parts of a sentence that say something, with commas between."""
    return ", ".join(part for part in parts if part)


def quote_and_join_words(words: "Iterable[str]") -> str:
    """Name words, in quotes where they would not be seen to end."""
    shown = [word if word and _BARE.issuperset(word) else json.dumps(word, ensure_ascii=False) for word in words]
    return shorten_value_text(", ".join(shown))


def shorten_value_text(text: str) -> str:
    """Return the text of a value, a long one cut off."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
