"""JSON without `json`: the same values, ASCII alone, and one text for equal values."""

import json
import math
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.json_text import format_ascii_json, format_canonical_json

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


class Colour(StrEnum):
    """A string that prints itself in another way."""

    RED = "red"


class Level(IntEnum):
    """An integer that prints itself in another way."""

    LOW = 3


class Loud(float):
    """A number that prints itself in another way."""

    def __repr__(self) -> str:
        return f"Loud({float(self)})"


@given(trees)
def test_the_text_reads_back_as_the_value(value: object) -> None:
    """Whatever reads JSON reads it back, from one line of ASCII."""
    for text in (format_ascii_json(value), format_ascii_json(value, ",", ":"), format_canonical_json(value)):
        assert json.loads(text) == value
        assert text.isascii()
        assert text.isprintable()


@given(trees)
def test_the_first_form_is_that_of_json(value: object) -> None:
    """Byte by byte."""
    assert format_ascii_json(value) == json.dumps(value)


@given(st.dictionaries(st.text(), scalars, max_size=5))
def test_the_order_of_members_makes_no_other_canonical_text(value: dict[str, object]) -> None:
    """Nor do tuples, nor a whole number with a fraction of zero."""
    turned = dict(reversed(value.items()))
    assert format_canonical_json([value]) == format_canonical_json((turned,))
    assert format_canonical_json({"n": 1.0}) == format_canonical_json({"n": 1}) == '{"n":1}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, '"NaN"'), (math.inf, '"Infinity"'), (-math.inf, '"-Infinity"'), ([10**5000], f'["{10**5000:#x}"]'),
        ([-(16**5000)], f'["-0x1{"0" * 5000}"]'), (True, "true"), (Level.LOW, "3"), (Colour.RED, '"red"'), (Loud(1.5), "1.5"),
        (-0.0, "-0.0"), ("\udcff\x00\u2028", '"\\udcff\\u0000\\u2028"'),
    ],
)  # fmt: skip
def test_values_without_json_are_written_as_strings(value: object, text: str) -> None:
    """Values of Python callers are written, whatever they are."""
    assert format_ascii_json(value) == text
    assert json.loads(format_canonical_json([value]))


def test_unknown_types_raise_a_type_error() -> None:
    """Nothing is guessed."""
    with pytest.raises(TypeError, match="no JSON for set"):
        format_ascii_json([{1}])
