"""The scanner knows where each value stands, and agrees with `json` on what is JSON."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.json_tree import (
    JsonNode,
    JsonSyntaxError,
    find_line_and_column,
    parse_tree,
    require_node,
    split_pointer,
)
from cortex_policy.core.model import UsageError
from tests.support.json_documents import MANY, documents

PIECES = st.text(max_size=2) | st.sampled_from(
    ['"', "{", "}", "[", "]", ",", ":", "\\", "\\ud800", "-", "01", "1.", ".5", "1e", "+1", "NaN", "-Infinity", "\0",
     "\x0b", "\xa0", "\ufeff", "//", "'", "true", "nul", "True", "\u0661", "\\u00 1", "\\x", "1_0", "[" * 70]
)  # fmt: skip
MUTATED = st.builds(
    lambda text, start, length, piece: (
        text[: start % (len(text) + 1)] + piece + text[start % (len(text) + 1) + length :]
    ),
    documents,
    st.integers(0, 1 << 16),
    st.integers(0, 3),
    PIECES,
)


def refused(word: str) -> Any:
    """Refuse the constants that are not JSON."""
    raise ValueError(word)


def is_json(text: str) -> bool:
    """Whether Python's own decoder takes a text, without the constants that it adds to JSON."""
    try:
        json.loads(text, parse_constant=refused)
    except ValueError:
        return False
    return True


def stop_of(text: str) -> JsonSyntaxError | None:
    """Return where reading a text stops, None where it is read to its end."""
    try:
        parse_tree(text)
    except JsonSyntaxError as stopped:
        return stopped
    return None


def rebuilt(text: str, node: JsonNode) -> Any:
    """Return the value of a tree, decoding its scalars alone."""
    if node.kind == "object":
        assert all(json.loads(text[part.key_start : part.key_end]) == part.key for part in node.children)
        return {part.key: rebuilt(text, part) for part in node.children}
    if node.kind == "array":
        return [rebuilt(text, part) for part in node.children]
    return json.loads(text[node.start : node.end])


@MANY
@given(documents)
def test_the_tree_of_a_document_is_its_value(text: str) -> None:
    """Each span holds exactly its value."""
    assert json.dumps(rebuilt(text, parse_tree(text))) == json.dumps(decode_json(text.encode()))


@MANY
@given(MUTATED | st.lists(PIECES, max_size=8).map("".join))
def test_the_tree_parser_agrees_with_json(text: str) -> None:
    """Whatever stands in the text; where it stops lies inside of it."""
    stop = stop_of(text)
    if stop is None:
        assert is_json(text)
    else:
        assert not is_json(text) or "nested deeper" in stop.why
        assert 0 <= stop.offset <= len(text)


@MANY
@given(documents, st.integers(0, 1 << 16))
def test_parsing_stops_at_the_wrong_token(text: str, at: int) -> None:
    """A stray character is found where it stands, or where the word around it starts."""
    at %= len(text) + 1
    broken = text[:at] + "@" + text[at:]
    stop = stop_of(broken)
    if stop is None:
        assert is_json(broken)  # it stands inside a string
    else:
        assert re.fullmatch(r"[\w.+\\-]*", broken[stop.offset : at])


@MANY
@given(documents, st.integers(0, 1 << 16))
def test_a_text_cut_short_is_missing_its_end(text: str, at: int) -> None:
    """It stops at the end, or at the token that the end cuts."""
    cut = text[: at % (len(text) + 1)]
    stop = stop_of(cut)
    if stop is None:
        assert is_json(cut)
    else:
        assert re.fullmatch(r'(?s)".*|\\u?\w*|[\w.+-]*', cut[stop.offset :])


@pytest.mark.parametrize(
    ("text", "offset", "why"),
    [
        ("", 0, "expecting a value"),
        (" \n", 2, "expecting a value"),
        ("\ufeff{}", 0, "expecting a value"),
        ("[1,]", 3, "expecting a value"),
        ('{"a": 1,}', 8, "expecting a key in double quotes"),
        ("{a: 1}", 1, "expecting a key in double quotes"),
        ('{"a" 1}', 5, "expecting `:`"),
        ("[1 2]", 3, "expecting `,` or `]`"),
        ('{"a": 1', 7, "expecting `,` or `}`"),
        ("{} x", 3, "text after the value"),
        ('["a', 1, "a string that does not end"),
        ('["a\n"]', 3, "a control character in a string"),
        (r'["a\x"]', 3, "an unknown escape"),
        (r'["a\u12"]', 3, "an unknown escape"),
        ("[NaN]", 1, "expecting a value"),
        ("01", 1, "text after the value"),
        ("[" * 65 + "]" * 65, 64, "nested deeper than 64"),
        ("[" * 100_000, 64, "nested deeper than 64"),
    ],
)
def test_a_syntax_error_says_where_and_why_parsing_stopped(text: str, offset: int, why: str) -> None:
    """In words that fit behind a line and a column."""
    with pytest.raises(JsonSyntaxError) as caught:
        parse_tree(text)
    assert (caught.value.offset, caught.value.why) == (offset, why)


def test_a_syntax_error_is_a_malformed_error() -> None:
    """As from `decode_json`, with the place in front."""
    with pytest.raises(MalformedError, match=r"^line 2 column 4: text after the value$"):
        parse_tree("{\n}  x")


def test_nesting_of_exactly_64_is_accepted() -> None:
    """As `decode_json` does."""
    assert parse_tree("[" * 64 + "]" * 64).kind == "array"


def test_a_long_string_is_read_in_one_go() -> None:
    """Escapes cost no stack."""
    assert parse_tree('"' + "\\n" * 500_000 + '"').end == 1_000_002


def test_lines_and_columns_start_at_1_and_count_characters() -> None:
    """Whatever a character takes in bytes."""
    text = '{\r\n  "ä🔧": 1\r\n}'
    assert find_line_and_column(text, 0) == (1, 1)
    assert find_line_and_column(text, text.index("1")) == (2, 9)
    assert find_line_and_column(text, len(text)) == (3, 2)


def test_a_pointer_names_a_value() -> None:
    """By keys, unescaped, and by numbers without leading zeros."""
    text = '{"a/b": [10, {"m~n": 20}], "": 30, "0": 40}'
    root = parse_tree(text)
    for pointer, value in (("/a~1b/0", "10"), ("/a~1b/1/m~0n", "20"), ("/", "30"), ("/0", "40"), ("", text)):
        node = require_node(root, pointer)
        assert text[node.start : node.end] == value


@pytest.mark.parametrize("pointer", ["/b", "/a/2", "/a/-", "/a/00", "/a/-1", "/a/\u0661", "/a/0/x", "/a/" + "9" * 5000])
def test_a_pointer_may_name_nothing(pointer: str) -> None:
    """That is an error, never another value."""
    with pytest.raises(UsageError, match="there is nothing at"):
        require_node(parse_tree('{"a": [1, 2]}'), pointer)


@pytest.mark.parametrize("pointer", ["a", "#/a", "/a~", "/~2"])
def test_texts_that_are_not_pointers_are_refused(pointer: str) -> None:
    """Said before anything is looked up."""
    with pytest.raises(UsageError, match="not a JSON Pointer"):
        split_pointer(pointer)
