"""Values that satisfy the declaration of an argument, and values that just violate one keyword of it."""

from math import inf

from cortex_policy.core.arguments import find_declaration_problem_text_or_empty, find_value_violation_text
from cortex_policy.core.compare.declarations import KEYWORDS
from cortex_policy.core.ecma_regex import spend_steps_of_shared_limit
from cortex_policy.manage.cases.regex_samples import sample_matching_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Declaration = dict[str, Any]

MAX_SIZE = 1_000  # characters or items of a value that people are to read
_ONE_OF_EACH_TYPE: "dict[str, Any]" = {
    "string": "text", "integer": 1, "number": 0.5, "boolean": True, "array": [], "object": {}, "null": None,
}  # fmt: skip
_NUMBER_KEYWORDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTH_KEYWORDS = ("minLength", "maxLength")
_SIZE_KEYWORDS = ("minItems", "maxItems")
_MAX_LISTED = 3  # values of a list that others are tried beside
_STEPS_OF_A_VALUE = 40  # steps in patterns that take about as long as to look at a character of a value
_MAX_NUMBER = 10**300  # what is larger is not a float
_STEP = 0.01  # beside a bound of numbers that need not be whole


def is_declaration_satisfied_by(declaration: object, value: object) -> bool:
    """Whether a value satisfies a declaration without a problem; False if the shared steps are used up."""
    has_steps = spend_steps_of_shared_limit(_STEPS_OF_A_VALUE * (1 + _size_of(value)))
    return has_steps and not find_value_violation_text(declaration, value)


def find_keywords_except_format_and_items(declaration: "Declaration") -> list[str]:
    """Return the keywords that can deny a value by themselves."""
    return [keyword for keyword in declaration if keyword in KEYWORDS - {"format", "items"}]


def is_bound_too_large(keyword: str, bound: object) -> bool:
    """Whether a value that violates a keyword would be too long to generate."""
    if keyword in _NUMBER_KEYWORDS:
        return not _is_readable(bound)
    return keyword in (*_LENGTH_KEYWORDS, *_SIZE_KEYWORDS) and isinstance(bound, int | float) and bound >= MAX_SIZE


def sample_valid_values(declaration: object, words: tuple[str, ...] = ()) -> "list[Any]":
    """Return values that satisfy a declaration: all that it lists, or those at its bounds and one of each type."""
    if not isinstance(declaration, dict) or find_declaration_problem_text_or_empty(declaration, 0):
        return []
    # what it lists meets that, and a list may be long
    rest = {keyword: bound for keyword, bound in declaration.items() if keyword != "enum" or "const" in declaration}
    return _without_duplicates(_filter_satisfying(rest, _value_candidates(declaration, words)))


def _filter_satisfying(declaration: object, values: "Iterable[Any]") -> "Iterator[Any]":
    """Yield the values that satisfy a declaration, until the shared steps are used up: there may be a million."""
    for value in values:
        if is_declaration_satisfied_by(declaration, value):
            yield value
        elif not spend_steps_of_shared_limit(0):
            return


def sample_invalid_values(declaration: object, words: tuple[str, ...] = ()) -> "Iterator[tuple[str, Any]]":
    """Yield (keyword, value): the value violates it, and no other one if possible; `items.` means inside an array."""
    if not isinstance(declaration, dict) or find_declaration_problem_text_or_empty(declaration, 0):
        return
    for keyword in find_keywords_except_format_and_items(declaration):
        rest = {name: bound for name, bound in declaration.items() if name != keyword}
        close_values = [
            value
            for value in _values_near_keyword(keyword, declaration, words)
            if is_keyword_violated_by(declaration, keyword, value)
        ]
        alone = [value for value in close_values if is_declaration_satisfied_by(rest, value)]
        # null that a type names meets every other keyword, so that each kind just misses a type
        for value in _without_duplicates(close_values if keyword == "type" else alone or close_values[:1]):
            yield keyword, value
    if "items" in declaration:
        good = sample_valid_values(declaration["items"], words)
        for keyword, value in sample_invalid_values(declaration["items"], words):
            for array in _fill_array([value], good, max(1, declaration.get("minItems", 0))):
                yield f"items.{keyword}", array


def is_keyword_violated_by(declaration: object, keyword: str, value: object) -> bool:
    """Whether a value violates this keyword, and has a type that the keyword applies to."""
    if not isinstance(declaration, dict):
        return False
    if keyword.startswith("items."):
        inner = keyword.removeprefix("items.")
        return isinstance(value, list) and any(
            is_keyword_violated_by(declaration.get("items"), inner, part) for part in value
        )
    return (
        keyword in declaration
        and _applies_to(keyword, value)
        and not is_declaration_satisfied_by({keyword: declaration[keyword]}, value)
    )


def _applies_to(keyword: str, value: object) -> bool:
    if keyword in _NUMBER_KEYWORDS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if keyword in (*_LENGTH_KEYWORDS, "pattern"):
        return isinstance(value, str)
    return isinstance(value, list) if keyword in _SIZE_KEYWORDS else True


def _value_candidates(declaration: "Declaration", words: tuple[str, ...]) -> "Iterator[Any]":
    if "const" in declaration:
        yield declaration["const"]
        return
    if "enum" in declaration:
        yield from declaration["enum"]
        return
    yield from _text_candidates(declaration, words)
    yield from _number_candidates(declaration)
    yield from _array_candidates(declaration, words)
    types = declaration.get("type", "string")
    for word in [types] if isinstance(types, str) else types:
        yield _ONE_OF_EACH_TYPE[word]


def _text_candidates(declaration: "Declaration", words: tuple[str, ...]) -> "Iterator[str]":
    patterned = sample_matching_texts(declaration["pattern"]) if "pattern" in declaration else []
    for keyword in _LENGTH_KEYWORDS:
        if (length := declaration.get(keyword, inf)) <= MAX_SIZE:
            yield from (_text_of_length(seed, int(length)) for seed in (*patterned, "x"))
    yield from patterned
    yield from words or ("text",)


def _text_of_length(seed: str, length: int) -> str:
    """Return a text of this length with the same start and end as the seed."""
    middle = len(seed) // 2
    filler = seed[middle : middle + 1] or "x"
    return seed[:length] if len(seed) >= length else seed[:middle] + filler * (length - len(seed)) + seed[middle:]


def _number_candidates(declaration: "Declaration") -> "Iterator[float]":
    for keyword in _NUMBER_KEYWORDS:
        if keyword in declaration:
            bound = declaration[keyword]
            yield from (bound, *_numbers_beside(bound))
    yield from (1, 0)


def _numbers_beside(bound: float) -> "tuple[float, ...]":
    """Return the numbers next to a bound, whole ones and others."""
    if not _is_readable(bound):
        return ()
    whole = (bound - 1, bound + 1) if bound == bound // 1 else ()
    return (*whole, bound - _STEP, bound + _STEP)


def _array_candidates(declaration: "Declaration", words: tuple[str, ...]) -> "Iterator[list[Any]]":
    parts = sample_valid_values(declaration["items"], words) if "items" in declaration else list(words or ("text",))
    for keyword in _SIZE_KEYWORDS:
        if keyword in declaration:
            yield from _fill_array([], parts, declaration[keyword])
    for part in parts:
        yield from _fill_array([part], [part], max(1, declaration.get("minItems", 0)))


def _fill_array(start: "list[Any]", parts: "list[Any]", size: float) -> "Iterator[list[Any]]":
    """Yield an array of this size, filled with the first of some parts, unless it is too long for people to read."""
    more = size - len(start)
    if more <= 0:
        yield start
    elif parts and _size_of(start) + more * _size_of(parts[0]) <= MAX_SIZE:
        yield [*start, *parts[:1] * int(more)]


def _size_of(value: "Any") -> int:
    """Return the approximate number of characters of a value."""
    if isinstance(value, dict | list):
        return 1 + sum(map(_size_of, value.values() if isinstance(value, dict) else value))
    return 1 + len(value) if isinstance(value, str) else 1


def _values_near_keyword(keyword: str, declaration: "Declaration", words: tuple[str, ...]) -> "list[Any]":
    """Return values near the bound of a keyword; some of them violate it."""
    bound = declaration[keyword]
    if keyword == "type":
        rest = {name: value for name, value in declaration.items() if name != keyword}
        return list(
            {
                _type_of(value): value
                for value in (*_ONE_OF_EACH_TYPE.values(), *reversed(sample_valid_values(rest, words)))
            }.values()
        )
    if keyword in ("enum", "const"):
        known = bound[:_MAX_LISTED] if keyword == "enum" else [bound]
        return [close_value for value in known for close_value in _values_beside(value)] + [*_ONE_OF_EACH_TYPE.values()]
    if keyword in _NUMBER_KEYWORDS:
        return [bound, *_numbers_beside(bound)]
    good = sample_valid_values({name: value for name, value in declaration.items() if name != keyword}, words)
    if keyword == "pattern":
        return _texts_beside_pattern(str(bound), good)
    length = int(bound) + (-1 if keyword.startswith("min") else 1)
    if not 0 <= length <= MAX_SIZE:
        return []
    if keyword in _LENGTH_KEYWORDS:
        seeds = sample_matching_texts(declaration["pattern"]) if "pattern" in declaration else []
        return [_text_of_length(seed, length) for seed in (*seeds, "x")]
    parts = sample_valid_values(declaration["items"], words) if "items" in declaration else ["text"]
    return list(_fill_array([], parts, length))


def _type_of(value: object) -> str:
    """Return the name of the narrowest type of a value."""
    return next(
        word for word in ("integer", *_ONE_OF_EACH_TYPE) if not find_value_violation_text({"type": word}, value)
    )


def _values_beside(value: "Any") -> "list[Any]":
    if isinstance(value, str):
        return [f"{value}x", value.upper(), value[:-1]]
    return [value + 1, value - 1] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _texts_beside_pattern(pattern: str, good: "list[Any]") -> list[str]:
    """Return texts that a pattern without anchors, or with another letter, would match; then some others."""
    texts = []
    for seed in sample_matching_texts(pattern)[:2]:
        texts += [f"!{seed}", f"{seed}!", f"{seed}\n", seed.upper(), seed[1:], seed[:-1]]
    return [*texts, *(value for value in good if isinstance(value, str)), "", "0", "_", "!", "?!"]


def _is_readable(value: object) -> bool:
    """Whether no number in a value has more digits than people read, or than a case file may hold."""
    if isinstance(value, dict | list):
        return all(map(_is_readable, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or abs(value) < _MAX_NUMBER


def _without_duplicates(values: "Any") -> "list[Any]":
    seen: dict[str, Any] = {}
    for value in filter(_is_readable, values):
        seen.setdefault(repr(value), value)
    return list(seen.values())
