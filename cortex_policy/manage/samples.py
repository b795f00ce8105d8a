"""Texts that match a pattern, read off the tree that `re` makes of it."""

try:
    from re import _constants as codes  # type: ignore[attr-defined] # `sre_parse` is deprecated
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # another Python implementation: it has no such tree
    parser = codes = None

from cortex_policy.core.patterns import compiled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LETTERS = "ab1_- AZ./:@x\u00e9"
_COMMON = ("text", "a", "docs", "a-b", "1", "2026-01-01", "v1.0.0", "https://example.org", "a@example.org", "")
MOST_LETTERS = 1_000


def samples(pattern: str) -> list[str]:
    """Return some texts that match an ECMA pattern, the likeliest first; none where none is found."""
    known = compiled(pattern)
    if known is None:
        return []
    texts = [_sample(known.pattern, more) for more in (0, 1, 2)] if parser is not None else []
    return [text for text in dict.fromkeys([*filter(None, texts), *_COMMON]) if known.search(text)]


def _sample(pattern: str, more: int) -> str | None:
    try:
        return _text(parser.parse(pattern), more)
    except (ValueError, RecursionError, TypeError, parser.error):
        return None


def _text(tree: "Any", more: int) -> str:
    return "".join(_part(code, value, more) for code, value in tree)


def _part(code: "Any", value: "Any", more: int) -> str:
    if code is codes.LITERAL:
        return chr(value)
    if code in (codes.NOT_LITERAL, codes.ANY, codes.IN):
        known = _single(code, value)
        return known[more % len(known)]
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, most, tree = value
        return _repeated(_text(tree, more), min(least + more, most))
    if code is codes.SUBPATTERN:
        return _text(value[-1], more)
    if code is codes.BRANCH:
        return _text(value[1][min(more, len(value[1]) - 1)], more)
    return ""  # an anchor, or what looks around: whoever samples sees whether it holds


def _repeated(text: str, times: int) -> str:
    if len(text) * times > MOST_LETTERS:
        message = "too long for people to read"
        raise ValueError(message)
    return text * times


def _single(code: "Any", value: "Any") -> list[str]:
    """Return letters that one place of a pattern may hold."""
    if code is codes.ANY:
        return ["a", "1", "-"]
    if code is codes.NOT_LITERAL:
        return [letter for letter in _LETTERS if ord(letter) != value]
    holds = [letter for letter in [*_LETTERS, *_named(value)] if _is_in(value, letter)]
    return holds or [""]


def _named(parts: "Any") -> list[str]:
    """Return the letters that a set names, and the ends of its ranges."""
    literals = [chr(value) for code, value in parts if code is codes.LITERAL]
    return literals + [chr(end) for code, value in parts if code is codes.RANGE for end in value]


def _is_in(parts: "Any", letter: str) -> bool:
    import re  # noqa: PLC0415 - beside its parts

    is_negated = any(code is codes.NEGATE for code, _ in parts)
    found = False
    for code, value in parts:
        if code is codes.LITERAL:
            found |= ord(letter) == value
        elif code is codes.RANGE:
            found |= value[0] <= ord(letter) <= value[1]
        elif code is codes.CATEGORY:
            found |= bool(re.match(_CATEGORIES.get(str(value), "(?!)"), letter, re.ASCII))
    return found != is_negated


_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d", "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_WORD": r"\w", "CATEGORY_NOT_WORD": r"\W",
    "CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S",
}  # fmt: skip
