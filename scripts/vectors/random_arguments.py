"""Calls whose arguments meet their declarations or nearly do, and words that get the types which are declared."""

import json
from typing import Any

from scripts.vectors.chance import Chance
from scripts.vectors.random_values import TYPES, declared_value, json_value
from scripts.vectors.texts import Vector, with_document

_NAMES = ("a", "b", "lines", "mode", "path", "outFile", "é", "A", "constructor", "x y", "10", "9", "__proto__")
_WORDS = (
    "1", "-1", "1.0", "1.5", "01", "1e3", "true", "True", "null", "none", "", " ", "[1]", "[1, 2]", '{"a": 1}', '{"a": 1, "a": 2}', "[1,]", "{a: 1}", '"a"', '"a', "a",
    "NaN", "Infinity", "-0", "9007199254740993", "1e999", "[NaN]", "docs/x", '["docs/x"]', '"docs/x"', "\ufeff1", " 1 ", "1\n", "'1'", "[", "{}", "[]", "\\", "é", "[01]",
    '{"path": "docs"}', "tru", "-", "+1", "0x10", '["\\ud800"]', '"\\ud800"', "\ufeff[1]",
)  # fmt: skip
_WORD_NAMES = ("lines", "mode", "path", "file", "outFile", "max_files", "target", "x")


def argument_vector(chance: Chance) -> Vector:
    """Make a vector of the kind `arguments`, some of them with words."""
    if chance.is_true(0.05):
        return _much_work(chance)
    return _words(chance) if chance.is_true(0.16) else _values(chance)


def _much_work(chance: Chance) -> Vector:
    """Give values that take much work to match, one or many."""
    letter = chance.pick("abcdefgh")
    by, size, count = chance.pick((
        ("^%s", chance.number(65_530, 65_545), 1), ("%s{99}x", chance.number(3_000, 3_200), 1),
        ("%s{20}y|x$", chance.number(8_900, 9_000), chance.number(14, 22)),
    ))  # fmt: skip
    value = {"parts": ['"', {"repeat": letter, "times": size}, "x" if count > 1 else "", '"']}
    more = {"repeat": {"parts": [",", value]}, "times": count - 1}
    declaration = {"items": {"pattern": by % letter}, "maxItems": chance.pick((99, 1))}
    return {
        "kind": "arguments",
        "declarations": {"v": declaration},
        "args_text": {"parts": ['{"v": [', value, more, "]}"]},
    }


def _values(chance: Chance) -> Vector:
    declarations: dict[str, Any] = {}
    args: dict[str, Any] = {}
    for name in chance.some(_NAMES, 1, 3):
        declaration, value = declared_value(chance)
        if chance.is_true(0.9):
            declarations[name] = declaration
        if chance.is_true(0.95):
            args[name] = value
    if chance.is_true(0.3):
        args = dict(list(args.items())[::-1])
    return {"kind": "arguments", **with_document("declarations", declarations), **with_document("args", args)}


def _words(chance: Chance) -> Vector:
    name = chance.pick(_WORD_NAMES)
    declaration: Any = {"type": chance.pick(TYPES)}
    if chance.is_true(0.3):
        declaration = {"type": chance.some(TYPES, 1, 3)}
    if chance.is_true(0.15):
        declaration = chance.pick(
            (
                {},
                {"format": "path"},
                {"format": "not-path"},
                {"minimum": 1},
                {"enum": ["a", 1]},
                {"type": "text"},
                {"items": {"type": "integer"}},
            )
        )
    declarations = {name: declaration} if chance.is_true(0.8) else {}
    word = chance.pick(_WORDS) if chance.is_true(0.85) else json.dumps(json_value(chance))
    return {"kind": "arguments", **with_document("declarations", declarations), "args": {}, "words": {name: word}}
