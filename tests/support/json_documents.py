"""Generated JSON documents in many layouts, and what the tests of edits share about them."""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.support.chance import chance

MANY = chance(300)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+')


class Layout(NamedTuple):
    """How a document is written; `chaos` is the share of gaps that hold any blanks at all."""

    newline: str = "\n"
    unit: str | None = "  "
    arrays_inline: bool = True
    colon: str = ": "
    comma: str = ", "
    pad: str = ""
    empty: str = ""
    chaos: float = 0.0
    escapes: float = 0.0
    end: str = "\n"


layouts = st.builds(
    Layout,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([None, "  ", "    ", "\t", " "]),
    st.booleans(),
    st.sampled_from([": ", ":", " : ", ":\t"]),
    st.sampled_from([", ", ",", " , "]),
    st.sampled_from(["", " "]),
    st.sampled_from(["", "", " ", "\n"]),
    st.sampled_from([0.0, 0.0, 0.1, 1.0]),
    st.sampled_from([0.0, 0.0, 0.3]),
    st.sampled_from(["", "\n", "\r\n", " \n\n"]),
)

words = st.sampled_from(["docs", "a/b", "ä", "🔧", "", '"\\/\b\n', "\u2028", "x~y", "tree"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=4
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
grants = st.fixed_dictionaries(
    {
        "tool": words.filter(bool),
        "actions": st.lists(words, max_size=4),
        "rate": st.fixed_dictionaries({"perMinute": st.integers(1, 99)}, optional={"burst": scalars}),
    },
    optional={
        "args": st.dictionaries(words, values, max_size=2),
        "dataClass": st.sampled_from(["public", "internal", "sensitive"]),
        "fsScope": st.lists(words, max_size=3),
        "$schema": words,
        "rules": values,
    },
)


class _Writer:
    """Writes a document in a layout, by chance where the layout leaves it open."""

    def __init__(self, layout: Layout, random: Random) -> None:
        self.layout = layout
        self.random = random

    def gap(self, usual: str) -> str:
        """Return the blanks of a gap."""
        if self.random.random() >= self.layout.chaos:
            return usual
        return "".join(self.random.choice(" \t\n\r") for _ in range(self.random.randrange(4)))

    def scalar(self, value: object) -> str:
        """Return a scalar in one of its spellings."""
        plain = json.dumps(value, ensure_ascii=self.random.random() < self.layout.escapes)
        if self.random.random() >= self.layout.escapes:
            return plain
        if isinstance(value, str):
            data = value.encode("utf-16-be").hex()
            return '"' + "".join("\\u" + data[at : at + 4] for at in range(0, len(data), 4)) + '"'
        is_short = type(value) is int and abs(value) < 1 << 50
        return plain + self.random.choice([".0", "e0", ".00E+0"]) if is_short else plain

    def written(self, value: object, depth: int = 0) -> str:
        """Return a value as text."""
        if not isinstance(value, dict | list):
            return self.scalar(value)
        layout, (opening, closing) = self.layout, "{}" if isinstance(value, dict) else "[]"
        if not value:
            return opening + self.gap(layout.empty) + closing
        is_inline = layout.unit is None or (layout.arrays_inline and isinstance(value, list))
        line = layout.newline + (layout.unit or "") * depth
        lead, tail = (layout.pad, layout.pad) if is_inline else (line + (layout.unit or ""), line)
        left, right = (layout.comma if is_inline else "," + lead).split(",")
        parts = self.members(value, depth) if isinstance(value, dict) else self.elements(value, depth)
        text = next(parts) + "".join(f"{self.gap(left)},{self.gap(right)}{part}" for part in parts)
        return f"{opening}{self.gap(lead)}{text}{self.gap(tail)}{closing}"

    def members(self, value: dict[str, Any], depth: int) -> Iterator[str]:
        """Yield the members of an object as text."""
        before, after = self.layout.colon.split(":")
        for key, part in value.items():
            yield f"{self.scalar(key)}{self.gap(before)}:{self.gap(after)}{self.written(part, depth + 1)}"

    def elements(self, value: list[Any], depth: int) -> Iterator[str]:
        """Yield the elements of an array as text."""
        for part in value:
            yield self.written(part, depth + 1)


def laid_out(value: object, layout: Layout, random: Random) -> str:
    """Write a document in a layout."""
    writer = _Writer(layout, random)
    return writer.gap("") + writer.written(value) + writer.gap(layout.end)


def shuffled(grant: dict[str, Any], layout: Layout, random: Random) -> str:
    """Write a grant in a layout, its keys in any order."""
    keys = list(grant)
    random.shuffle(keys)
    return laid_out({key: grant[key] for key in keys}, layout, random)


documents = st.builds(laid_out, values | grants, layouts, st.randoms(use_true_random=False))
grant_texts = st.builds(shuffled, grants, layouts, st.randoms(use_true_random=False))


def pointers(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of a document with its JSON Pointer."""
    yield at, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from pointers(part, f"{at}/{str(step).replace('~', '~0').replace('/', '~1')}")


def same(left: object, right: object) -> bool:
    """Whether two decoded values are the same, types, -0.0 and the order of keys included."""
    return json.dumps(left) == json.dumps(right)
