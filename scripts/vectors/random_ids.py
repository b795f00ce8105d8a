"""Words that can or cannot be the id of a grant."""

from scripts.vectors.chance import Chance
from scripts.vectors.texts import Vector

_WORDS = (
    "git",
    "fs.write",
    "a",
    "hooks",
    "hooks.toml",
    "A-1_b",
    "-x",
    ".git",
    "_x",
    "a/b",
    "..",
    "",
    " ",
    "é",
    "a\n",
    "a b",
    "\uff11",
    "\u212a",
    "\u017f",
    "a\0",
    "9",
)
_PIECES = (".", "-", "_", "a", "Z", "0", "hooks.toml", " ", "/", "\\", "ä", "\n", "~", "\u0661", "ﬁ")


def id_vector(chance: Chance) -> Vector:
    """Make a vector of the kind `ids`."""
    word = chance.pick(_WORDS) + "".join(chance.some(_PIECES, 0, 2))
    if chance.is_true(0.2):
        return {"kind": "ids", "word": {"parts": [word, {"repeat": "a", "times": chance.number(124, 129)}]}}
    return {"kind": "ids", "word": word}
