"""Declarations of arguments, and values at and beside their bounds."""

from typing import Any

from scripts.vectors.chance import Chance

TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
LENGTHS = ("minLength", "maxLength", "minItems", "maxItems")
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 80, 81, 1.5, 0.1, -0.5, 1.0, 3.0, -0.0, 1e21, 1e16, 1e-7, 0.00001, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 10**40, 10**39,
    "", "a", "A", "b", "ab", "abc", "1", "true", "null", "a\n", "ä", "a\u0301", "\U0001f600", "\u2028", " a", "x" * 61, "fast", "slow", "K", "ß", "a,b",
)  # fmt: skip
_PATTERNS = ("^a+$", "a", "", "^[a-z]{1,3}$", r"^\d+$", "^.$", "a|b", r"^\w$", "(?=a)ab", "^(?!ab)a", "b$", r"\bab\b")
_BAD_PATTERNS = ("(", "[", "*", r"\p{L}", r"(a)\1", "(?<=a)b", "a{2,1}", "a{1001}", "[b-a]", "(?i)a", "a(?=b)", "\\")
_BROKEN: tuple[tuple[str, Any], ...] = (
    ("type", "text"), ("type", []), ("type", 3), ("type", ["string", "text"]), ("type", ["null"] * 8), ("type", None), ("enum", "a"), ("enum", {"a": 1}), ("minimum", "3"),
    ("maximum", True), ("exclusiveMinimum", None), ("exclusiveMaximum", "1"), ("minLength", -1), ("maxLength", 1.5), ("minItems", "1"), ("maxItems", None), ("minLength", True),
    ("pattern", 3), ("pattern", None), ("format", "uri"), ("format", None), ("format", ["path"]), ("multipleOf", 2), ("uniqueItems", True), ("properties", {}), ("required", []),
    ("$ref", "#"), ("anyOf", [{}]), ("not", {}), ("Type", "string"), ("minlength", 1), ("", 1), ("constructor", 1), ("toString", {}), ("items", True), ("items", []), ("items", None),
)  # fmt: skip
_NOTES: tuple[tuple[str, Any], ...] = (
    ("title", "T"),
    ("description", []),
    ("default", 3),
    ("examples", None),
    ("$comment", {}),
    ("deprecated", True),
    ("readOnly", 0),
    ("writeOnly", "x"),
)
_MAX_DEPTH = 3
_NAMES = ("a", "b", "n", "", "é", "__proto__", "constructor", "1")


def json_value(chance: Chance, depth: int = 0) -> Any:
    """Return a JSON value, mostly a small one."""
    if depth < _MAX_DEPTH and chance.is_true(0.3):
        if chance.is_true(0.5):
            return [json_value(chance, depth + 1) for _ in range(chance.number(0, 3))]
        return {chance.pick(_NAMES): json_value(chance, depth + 1) for _ in range(chance.number(0, 3))}
    return chance.pick(SCALARS)


def near_value(chance: Chance, value: Any) -> Any:
    """Return a value that is the same as another, or differs from it in one small thing."""
    if chance.is_true(0.35):
        return value
    if isinstance(value, bool) or value is None:
        return chance.pick((int(bool(value)), float(bool(value)), str(value).lower(), not value, None, [value]))
    if isinstance(value, int | float):
        return chance.pick(
            (
                value + 1,
                value - 1,
                _as_float(value),
                bool(value),
                str(value),
                value + 0.5 if abs(value) < 2**52 else value,
                [value],
                -value,
            )
        )
    if isinstance(value, str):
        return chance.pick(
            (value + "a", value[1:], value.upper(), value + "\n", value + "\u0301", [value], f" {value}")
        )
    if isinstance(value, list):
        return chance.pick(
            (
                value[1:],
                [*value, 1],
                value[::-1],
                [near_value(chance, part) for part in value],
                dict.fromkeys(map(str, range(len(value)))),
                *value[:1],
            )
        )
    changed = {name: near_value(chance, part) for name, part in value.items()}
    return chance.pick(
        (
            changed,
            {**value, "z": 1},
            dict(list(value.items())[::-1]),
            dict(list(value.items())[1:]),
            [value],
            list(value),
        )
    )


def _as_float(value: float) -> Any:
    return float(value) if abs(value) < 2**53 else value


def declared_value(chance: Chance) -> tuple[Any, Any]:
    """Return a declaration, and a value that meets it or nearly does."""
    if chance.is_true(0.02):
        return chance.pick((None, True, "string", 3, [], [{}])), json_value(chance)
    value = json_value(chance)
    declaration: dict[str, Any] = {}
    for _ in range(chance.pick((0, 1, 1, 2, 2, 3))):
        keyword, bound, wanted = chance.made(_KEYWORDS)
        declaration[keyword] = bound
        value = wanted
    if chance.is_true(0.12):
        keyword, bound = chance.pick(_BROKEN)
        declaration[keyword] = bound
    if chance.is_true(0.1):
        declaration.update([chance.pick(_NOTES)])
    return declaration, near_value(chance, value) if chance.is_true(0.7) else value


def _type(chance: Chance) -> tuple[str, Any, Any]:
    words: Any = chance.pick(TYPES) if chance.is_true(0.6) else chance.subset(TYPES, 0.4) or ["null"]
    return "type", words, json_value(chance)


def _enum(chance: Chance) -> tuple[str, Any, Any]:
    count = chance.pick((0, 1, 2, 3, 5, 12, 13))
    listed = [json_value(chance, 1) for _ in range(count)]
    return "enum", listed, chance.pick(listed) if listed else json_value(chance)


def _const(chance: Chance) -> tuple[str, Any, Any]:
    value = json_value(chance)
    return "const", value, value


def _bound(chance: Chance) -> tuple[str, Any, Any]:
    bound = chance.pick(
        (0, 1, 3, 80, 2.5, 1.0, -1, -0.0, 0.1, 2**53, 2**53 + 1, float(2**53), 1e16, 1e21, 10**40, 1e-7)
    )
    beside = (
        bound + chance.pick((0, 1, -1)) if isinstance(bound, int) else bound * chance.pick((1, 1.0000001, 0.9999999))
    )
    return chance.pick(BOUNDS), bound, beside


def _length(chance: Chance) -> tuple[str, Any, Any]:
    keyword, bound = chance.pick(LENGTHS), chance.pick((0, 1, 2, 3, 2.0))
    size = max(0, int(bound) + chance.pick((-1, 0, 1)))
    letters = "".join(chance.some(("a", "ä", "\U0001f600", "\u0301", "b"), size, size))
    return keyword, bound, letters if keyword.endswith("Length") else [json_value(chance, 2) for _ in range(size)]


def _pattern(chance: Chance) -> tuple[str, Any, Any]:
    value = "".join(chance.some(("a", "b", "ab", "1", "\n", " ", "ä"), 0, 3))
    return "pattern", chance.pick(_BAD_PATTERNS) if chance.is_true(0.12) else chance.pick(_PATTERNS), value


def _items(chance: Chance) -> tuple[str, Any, Any]:
    declaration, value = declared_value(chance)
    return "items", declaration, [value, *([near_value(chance, value)] if chance.is_true(0.5) else [])]


def _format(chance: Chance) -> tuple[str, Any, Any]:
    return "format", chance.pick(("path", "not-path")), chance.pick(("docs/x", "/etc", "", 3))


_KEYWORDS = (_type, _type, _enum, _const, _bound, _bound, _length, _length, _pattern, _items, _format)
