"""One layout for all grants, and not a token changed on the way."""

import json
from pathlib import Path

import pytest
from hypothesis import given

from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.model import GrantError
from cortex_policy.manage.editing.formatting import _Layout, lay_out_grant_text
from tests.support.checkout import DOCUMENTS
from tests.support.json_documents import MANY, TOKEN, documents
from tests.support.work import counted

VALID = sorted((DOCUMENTS / "valid").glob("*.json"))


@MANY
@given(documents)
def test_formatting_changes_only_the_layout(text: str) -> None:
    """The value is equal, and each token is spelled as before."""
    new = lay_out_grant_text(text)
    assert TOKEN.findall(new) == TOKEN.findall(text)
    assert json.dumps(decode_json(new.encode())) == json.dumps(decode_json(text.encode()))
    assert lay_out_grant_text(new) == new


@MANY
@given(documents)
def test_any_layout_becomes_the_same_canonical_layout(text: str) -> None:
    """However a document was laid out, it looks the same afterwards."""
    tokens = TOKEN.findall(text)
    assert lay_out_grant_text(" ".join(tokens)) == lay_out_grant_text("\r\n\t".join(tokens)) == lay_out_grant_text(text)
    assert "\r" not in lay_out_grant_text(text)
    assert not any(line != line.rstrip(" ") or "\t" in line for line in lay_out_grant_text(text).split("\n"))


def test_a_grant_has_the_expected_canonical_layout() -> None:
    """One key a line, arrays on one line where they fit."""
    text = """
    {"tool":"git", "actions": [
        "tree", "sn\\u0069ppet"], "rate": {"perMinute" : 30.0}, "args": {}, "fsScope": [],
     "x": [1.50, [true, []], {}], "y": [[{"a": null}], 1]}"""
    assert lay_out_grant_text(text) == (
        '{\n  "tool": "git",\n  "actions": ["tree", "sn\\u0069ppet"],\n  "rate": {\n    "perMinute": 30.0\n  },\n'
        '  "args": {},\n  "fsScope": [],\n  "x": [1.50, [true, []], {}],\n'
        '  "y": [\n    [\n      {\n        "a": null\n      }\n    ],\n    1\n  ]\n}\n'
    )


@pytest.mark.parametrize(("length", "columns"), [(85, [1, 100, 8, 1, 0]), (86, [1, 8, 93, 5, 4, 8, 1, 0])])
def test_an_array_is_on_one_line_up_to_100_columns(length: int, columns: list[int]) -> None:
    """Its key and its comma count."""
    text = lay_out_grant_text(f'{{"a": ["{"x" * length}", 1], "b": 2}}')
    assert [len(line) for line in text.split("\n")] == columns


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_an_example_keeps_its_tokens(file: Path) -> None:
    """And ends with one newline."""
    text = file.read_bytes().decode()
    assert TOKEN.findall(lay_out_grant_text(text)) == TOKEN.findall(text)
    assert lay_out_grant_text(text).endswith("}\n")


@pytest.mark.parametrize("text", ["", "{", '{"a": 1, "a": 2}', "[NaN]", "[" * 65 + "]" * 65])
def test_a_text_that_does_not_decode_is_not_formatted(text: str) -> None:
    """It is to be mended first."""
    with pytest.raises(MalformedError):
        lay_out_grant_text(text)


def test_arrays_in_arrays_are_measured_once() -> None:
    """Not again for each array around them."""
    text = json.dumps([[[[[["x" * 30] * 5] * 5] * 5] * 5] * 5])
    with counted(_Layout.width_on_one_line) as work:
        lay_out_grant_text(text)
    assert work["width_on_one_line"] < 3 * text.count("x" * 30) * 2


def test_a_layout_that_is_too_large_is_not_made() -> None:
    """Of some brackets in brackets it has 25 times as much."""
    text = json.dumps([json.loads("[" * 60 + "]" * 60)] * 3_000, separators=(",", ":"))
    with (
        counted(_Layout.add_value) as work,
        pytest.raises(GrantError, match="canonical layout is larger than 1048576 bytes"),
    ):
        lay_out_grant_text(text)
    assert work["add_value"] < text.count("[") / 4
