"""Arguments with names and values that are paths, nearly are, or hide some inside."""

from typing import Any

from cortex_policy.core.path_arguments import LAST_WORDS, PATH_NAMES
from scripts.vectors.chance import Chance
from scripts.vectors.texts import Vector, with_document

_WORDS = tuple(sorted(PATH_NAMES | LAST_WORDS))
_BEFORE = (
    "out",
    "log_",
    "my-",
    "URL",
    "max_",
    "x",
    "é",
    "É",
    "a.b ",
    "3",
    "input",
    "with",
    "",
    "",
    "",
    "XML2",
    "\u017f",
    "_",
)
_AFTER = ("", "", "", "2", "_", "s", "10", "x", "_count", "-", "Ex", "٣", "é")
_OTHER = (
    "n",
    "note",
    "profile",
    "filter",
    "query",
    "pathology",
    "",
    "_",
    "xpath",
    "uri",
    "target",
    "dirty",
    "\ufb01le",
    "\u017fource",
    "fold\u0065\u0301r",
    "K",
    "constructor",
    "__proto__",
)
_MAX_DEPTH = 3
_TEXTS = ("docs/x", "/etc/passwd", "", "a", "~", "https://e/x")


def path_argument_vector(chance: Chance) -> Vector:
    """Make a vector of the kind `path_arguments`."""
    args = named_values(chance, 1, 3)
    declarations = {name: _declaration(chance) for name in args if chance.is_true(0.25)}
    return {"kind": "path_arguments", **with_document("declarations", declarations), **with_document("args", args)}


def _declaration(chance: Chance) -> Any:
    word = chance.pick(("path", "not-path", "path", "uri"))
    return chance.pick(
        (
            {"format": word},
            {"items": {"format": word}},
            {"format": "not-path", "items": {"items": {"format": word}}},
            {},
            "path",
            {"items": 3},
        )
    )


def path_name(chance: Chance) -> str:
    """Return the name of an argument."""
    if chance.is_true(0.2):
        return chance.pick(_OTHER)
    word = chance.pick(_WORDS)
    word = chance.pick(
        (word, word, word.capitalize(), word.upper(), word[:2] + "_" + word[2:], word[:1] + "-" + word[1:])
    )
    return chance.pick(_BEFORE) + word + chance.pick(_AFTER)


def named_values(chance: Chance, low: int, high: int, depth: int = 0) -> dict[str, Any]:
    """Return arguments, or members of an object."""
    return {path_name(chance): _value(chance, depth) for _ in range(chance.number(low, high))}


def _value(chance: Chance, depth: int) -> Any:
    if depth > _MAX_DEPTH or chance.is_true(0.45):
        return chance.pick(_TEXTS)
    if chance.is_true(0.35):
        return chance.pick((3, True, None, 1.5, [], {}, [None], [1, "a"], ["docs", "a"], [["docs"]], ["docs", {}]))
    if chance.is_true(0.5):
        return named_values(chance, 0, 2, depth + 1)
    return [_value(chance, depth + 1) for _ in range(chance.number(0, 3))]
