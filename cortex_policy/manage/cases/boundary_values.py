"""Values that meet the declaration of an argument, and values that just miss one keyword of it."""

from math import inf

from cortex_policy.core.arguments import argument_violation, declaration_error
from cortex_policy.core.compare.declarations import KEYWORDS
from cortex_policy.manage.cases.regex_samples import samples

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Declaration = dict[str, Any]

MOST = 1_000  # characters or items of a value that people are to read
_ONE_OF_EACH: "dict[str, Any]" = {
    "string": "text", "integer": 1, "number": 0.5, "boolean": True, "array": [], "object": {}, "null": None,
}  # fmt: skip
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTHS = ("minLength", "maxLength")
_SIZES = ("minItems", "maxItems")
_LISTED = 3  # values of a list that others are tried beside
_STEP = 0.01  # beside a bound of numbers that need not be whole


def meets(declaration: object, value: object) -> bool:
    """Whether a value meets a declaration."""
    return not argument_violation({"": declaration}, {"": value})


def enforced(declaration: "Declaration") -> list[str]:
    """Return the keywords that can deny a value by themselves."""
    return [keyword for keyword in declaration if keyword in KEYWORDS - {"format", "items"}]


def is_far(keyword: str, bound: object) -> bool:
    """Whether what misses a keyword is longer than what is read off it here."""
    return keyword in (*_LENGTHS, *_SIZES) and isinstance(bound, int | float) and bound >= MOST


def meeting(declaration: object, words: tuple[str, ...] = ()) -> "list[Any]":
    """Return values that meet a declaration: all that it lists, else those at its bounds, and one of each type."""
    if not isinstance(declaration, dict) or declaration_error(declaration, 0):
        return []
    # what it lists meets that, and a list may be long
    rest = {keyword: bound for keyword, bound in declaration.items() if keyword != "enum" or "const" in declaration}
    return _distinct(value for value in _candidates(declaration, words) if meets(rest, value))


def missing(declaration: object, words: tuple[str, ...] = ()) -> "Iterator[tuple[str, Any]]":
    """Yield (keyword, value): a value that misses it, and nothing else where that can be; `items.` leads inside."""
    if not isinstance(declaration, dict) or declaration_error(declaration, 0):
        return
    for keyword in enforced(declaration):
        rest = {name: bound for name, bound in declaration.items() if name != keyword}
        near = [value for value in _near(keyword, declaration, words) if misses(declaration, keyword, value)]
        alone = [value for value in near if meets(rest, value)]
        # null that a type names meets every other keyword, so that each kind just misses a type
        for value in _distinct(near if keyword == "type" else alone or near[:1]):
            yield keyword, value
    if "items" in declaration:
        good = meeting(declaration["items"], words)
        for keyword, value in missing(declaration["items"], words):
            for array in _filled([value], good, max(1, declaration.get("minItems", 0))):
                yield f"items.{keyword}", array


def misses(declaration: object, keyword: str, value: object) -> bool:
    """Whether a value misses this keyword, and is of the kind that the keyword speaks of."""
    if not isinstance(declaration, dict):
        return False
    if keyword.startswith("items."):
        inner = keyword.removeprefix("items.")
        return isinstance(value, list) and any(misses(declaration.get("items"), inner, part) for part in value)
    return keyword in declaration and _speaks_of(keyword, value) and not meets({keyword: declaration[keyword]}, value)


def _speaks_of(keyword: str, value: object) -> bool:
    if keyword in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if keyword in (*_LENGTHS, "pattern"):
        return isinstance(value, str)
    return isinstance(value, list) if keyword in _SIZES else True


def _candidates(declaration: "Declaration", words: tuple[str, ...]) -> "Iterator[Any]":
    if "const" in declaration:
        yield declaration["const"]
        return
    if "enum" in declaration:
        yield from declaration["enum"]
        return
    yield from _texts(declaration, words)
    yield from _numbers(declaration)
    yield from _arrays(declaration, words)
    types = declaration.get("type", "string")
    for word in [types] if isinstance(types, str) else types:
        yield _ONE_OF_EACH[word]


def _texts(declaration: "Declaration", words: tuple[str, ...]) -> "Iterator[str]":
    patterned = samples(declaration["pattern"]) if "pattern" in declaration else []
    for keyword in _LENGTHS:
        if (length := declaration.get(keyword, inf)) <= MOST:
            yield from (_sized(seed, int(length)) for seed in (*patterned, "x"))
    yield from patterned
    yield from words or ("text",)


def _sized(seed: str, length: int) -> str:
    """Return a text of this length that begins and ends as the seed does."""
    middle = len(seed) // 2
    filler = seed[middle : middle + 1] or "x"
    return seed[:length] if len(seed) >= length else seed[:middle] + filler * (length - len(seed)) + seed[middle:]


def _numbers(declaration: "Declaration") -> "Iterator[float]":
    for keyword in _NUMBERS:
        if keyword in declaration:
            bound = declaration[keyword]
            yield from (bound, *_beside(bound))
    yield from (1, 0)


def _beside(bound: float) -> tuple[float, ...]:
    """Return the numbers next to a bound, whole ones and others."""
    return (
        (bound - 1, bound + 1, bound - _STEP, bound + _STEP) if bound == bound // 1 else (bound - _STEP, bound + _STEP)
    )


def _arrays(declaration: "Declaration", words: tuple[str, ...]) -> "Iterator[list[Any]]":
    parts = meeting(declaration["items"], words) if "items" in declaration else list(words or ("text",))
    for keyword in _SIZES:
        if keyword in declaration:
            yield from _filled([], parts, declaration[keyword])
    for part in parts:
        yield from _filled([part], [part], max(1, declaration.get("minItems", 0)))


def _filled(start: "list[Any]", parts: "list[Any]", size: float) -> "Iterator[list[Any]]":
    """Yield an array of this size, filled with the first of some parts, unless it is too long for people to read."""
    more = size - len(start)
    if more <= 0:
        yield start
    elif parts and _weight(start) + more * _weight(parts[0]) <= MOST:
        yield [*start, *parts[:1] * int(more)]


def _weight(value: "Any") -> int:
    """Return about how many characters a value takes."""
    if isinstance(value, dict | list):
        return 1 + sum(map(_weight, value.values() if isinstance(value, dict) else value))
    return 1 + len(value) if isinstance(value, str) else 1


def _near(keyword: str, declaration: "Declaration", words: tuple[str, ...]) -> "list[Any]":
    """Return values around a keyword, some of which miss it."""
    bound = declaration[keyword]
    if keyword == "type":
        rest = {name: value for name, value in declaration.items() if name != keyword}
        return list(
            {_kind(value): value for value in (*_ONE_OF_EACH.values(), *reversed(meeting(rest, words)))}.values()
        )
    if keyword in ("enum", "const"):
        known = bound[:_LISTED] if keyword == "enum" else [bound]
        return [near for value in known for near in _beside_value(value)] + [*_ONE_OF_EACH.values()]
    if keyword in _NUMBERS:
        return [bound, *_beside(bound)]
    good = meeting({name: value for name, value in declaration.items() if name != keyword}, words)
    if keyword == "pattern":
        return _beside_pattern(str(bound), good)
    length = int(bound) + (-1 if keyword.startswith("min") else 1)
    if not 0 <= length <= MOST:
        return []
    if keyword in _LENGTHS:
        seeds = samples(declaration["pattern"]) if "pattern" in declaration else []
        return [_sized(seed, length) for seed in (*seeds, "x")]
    parts = meeting(declaration["items"], words) if "items" in declaration else ["text"]
    return list(_filled([], parts, length))


def _kind(value: object) -> str:
    """Return the word of the narrowest type that a value has."""
    return next(word for word in ("integer", *_ONE_OF_EACH) if meets({"type": word}, value))


def _beside_value(value: "Any") -> "list[Any]":
    if isinstance(value, str):
        return [f"{value}x", value.upper(), value[:-1]]
    return [value + 1, value - 1] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _beside_pattern(pattern: str, good: "list[Any]") -> list[str]:
    """Return texts that a pattern without its anchors, or with another letter in it, would take; then any."""
    found = []
    for seed in samples(pattern)[:2]:
        found += [f"!{seed}", f"{seed}!", f"{seed}\n", seed.upper(), seed[1:], seed[:-1]]
    return [*found, *(value for value in good if isinstance(value, str)), "", "0", "_", "!", "?!"]


def _distinct(values: "Any") -> "list[Any]":
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(repr(value), value)
    return list(seen.values())
