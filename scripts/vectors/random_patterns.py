"""Patterns of the dialect, and those that are refused, with values that nearly match."""

from typing import Any

from scripts.vectors.chance import Chance
from scripts.vectors.texts import Vector
from tests.support.ecma_patterns import COUNTS, ODD, pattern, value

_SMALL = ("a", "[ab]", "(?:ab)", "(a|b)", ".", r"\w", "a?", "(?:)", r"\b", "^", "a*")
_COUNTED = (
    "{0}",
    "{1}",
    "{2}",
    "{9}",
    "{99}",
    "{0,9}",
    "{2,}",
    "{31}",
    "{32}",
    "{999}",
    "{1000}",
    "{1001}",
    "{998,}",
    "{0,1000}",
    "{500,501}",
    "{2,1}",
    "{01,02}",
    "{,2}",
    "{ 1}",
)
_CLASS_PARTS = (
    "a",
    "a-c",
    "-",
    "^",
    "\\d",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\D",
    "\\b",
    "\\-",
    "\\]",
    "[",
    ".",
    "$",
    "z-a",
    "a-\\d",
    "\\u{1F600}",
    "\U0001f600-\U0001f602",
    "\\x41-\\x43",
    "\\0",
    "\\cA",
    "é",
    "!--",
    "\\B",
    "|",
)
_CLASS_LETTERS = (
    "a",
    "b",
    "-",
    "^",
    "5",
    "_",
    " ",
    "\u00a0",
    "\b",
    "]",
    "[",
    ".",
    "$",
    "\U0001f600",
    "\U0001f601",
    "A",
    "\0",
    "\x01",
    "é",
    "\ufeff",
    "\u0085",
    "\u180e",
    "\u200b",
    "\u2029",
    "\n",
    "|",
    "!",
    ",",
    "\\",
)


def pattern_vector(chance: Chance) -> Vector:
    """Make a vector of the kind `patterns`."""
    by, values = chance.made((_any, _any, _any, _odd, _counted, _class, _large_part))
    return {"kind": "patterns", "pattern": by, "values": values}


def _any(chance: Chance) -> tuple[Any, list[Any]]:
    return pattern(chance), [value(chance) for _ in range(chance.number(2, 5))]


def _odd(chance: Chance) -> tuple[Any, list[Any]]:
    """Put what is refused, or is nearly, beside something else."""
    before, after = (
        chance.pick(("", "a", "^", "(a)", "a|", "(?:", "[")),
        chance.pick(("", "b", "$", "|b", ")", ")b", "]", "+", "\\")),
    )
    return before + chance.pick(ODD) + chance.pick(("", "", chance.pick(COUNTS))) + after, [value(chance)]


def _counted(chance: Chance) -> tuple[Any, list[Any]]:
    part = chance.pick(_SMALL) + chance.pick(_COUNTED) + chance.pick(("", "", "?", "+"))
    if chance.is_true(0.3):
        part = f"(?:{part}){chance.pick(_COUNTED)}"
    by = chance.pick(("%s", "^%s$", "^%s", "^(?:%s)$", "(?=%s)a", "b%s")) % part
    lengths = (0, 1, 2, 3, 8, 9, 10, 31, 32, 99, 999, 1000, 1001)
    return by, [{"repeat": chance.pick(("a", "b", "ab")), "times": chance.pick(lengths)} for _ in range(3)]


def _class(chance: Chance) -> tuple[Any, list[Any]]:
    by = f"{chance.pick(('', '^'))}[{chance.pick(('', '', '^'))}{''.join(chance.some(_CLASS_PARTS, 0, 4))}]{chance.pick(('', '$', '+$', '{2}'))}"
    return by, ["".join(chance.some(_CLASS_LETTERS, 1, 2)) for _ in range(5)]


def _large_part(chance: Chance) -> tuple[Any, list[Any]]:
    """Come near a bound, now and then."""
    return chance.made((_class, _odd, _steps, _steps, _groups, _groups, _positions, _lookaheads))


def _groups(chance: Chance) -> tuple[Any, list[Any]]:
    """Come near the most groups in each other, or the longest pattern, or leave a group open."""
    if chance.is_true(0.45):
        return {
            "parts": [
                {"repeat": chance.pick(("a", "(", "|", "b", "c", "x", "[", ".")), "times": 65_530},
                "a" * chance.pick((6, 7, 8, 9)),
            ]
        }, ["a"]
    depth, opening = chance.pick((2, 63, 64, 65, 66)), chance.pick(("(", "(?:"))
    closing = chance.pick((depth, depth, depth - 1, depth + 1))
    return {
        "parts": [
            {"repeat": opening, "times": depth},
            "a",
            {"repeat": chance.pick((")", ")?", ")*")), "times": closing},
        ]
    }, ["a", "", "b"]


def _positions(chance: Chance) -> tuple[Any, list[Any]]:
    """Come near the most positions of a pattern, by characters, by counts, by both."""
    by = chance.pick(
        (
            "a{%d}b{500}",
            "(?:a{%d}|b{500})",
            "^a{%d}b{499}$",
            "(?=a{%d})b{500}",
            "a{%d}[ab]{499}.",
            "^(?:a{%d}b{498}){1}$",
        )
    )
    return by % chance.pick((1, 499, 500, 501)), [{"repeat": "a", "times": chance.pick((499, 500))}, "ab"]


def _lookaheads(chance: Chance) -> tuple[Any, list[Any]]:
    """Put several lookaheads before a body, one with a count in some cases."""
    heads = [
        f"(?{chance.pick('=!')}{chance.pick(('a', '.*b', '$', 'ab|b', '^a', '[^a]', '', '.b'))})"
        for _ in range(chance.number(1, 3))
    ]
    by = f"{chance.pick(('^', '', '^^'))}{''.join(heads)}{chance.pick(('', '', '', '*', '+', '?', '{2}'))}{chance.pick(('a', 'b$', '.', '', '(?:ab)+'))}"
    return by, ["".join(chance.some(("a", "b", "ab", "c"), 0, 4)) for _ in range(4)]


def _steps(chance: Chance) -> tuple[Any, list[Any]]:
    """Come near the bound on steps, or on the bytes of a value."""
    by, active = chance.pick(
        (("^a*$", 2), ("a{9}b", 10), ("^(?:a|^b)*$", 2), (r"^(?:\bx|a)*$", 4), ("^(?=a*$)(?!a*b)a*$", 6))
    )
    length = min(300_000 // active + chance.number(-50, 50), 65_536 + chance.number(-5, 5))
    return by, [{"repeat": "a", "times": length}]
