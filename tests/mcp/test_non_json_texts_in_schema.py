"""How a tool reads the texts in its arguments, by its schema."""

from typing import Any

import pytest

from cortex_policy.mcp.non_json_texts_in_schema import UNKNOWN_TEXTS, TextArguments, find_non_json_texts_in_schema

TEXT: dict[str, Any] = {"type": "string"}
JSON = {"type": "string", "contentMediaType": "application/json"}


def test_a_tool_that_declares_no_json_reads_none_inside_of_arguments() -> None:
    """Whatever its arguments are called."""
    names = {"content": TEXT, "format": TEXT, "contents": {"type": "array", "items": TEXT}}
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}, **names},
        "$defs": {"A": {"properties": names}},
    }
    assert find_non_json_texts_in_schema(schema) == TextArguments(
        frozenset(("content", "format")), has_nested_json=False
    )


@pytest.mark.parametrize(
    "member",
    [
        JSON,
        {"type": "string", "format": "json-string"},
        {"properties": {"b": JSON}},
        {"items": {"anyOf": [JSON, {"type": "null"}]}},
        {"prefixItems": [{}, JSON]},
        {"additionalProperties": {"allOf": [{"oneOf": [JSON]}]}},
        {"$ref": "https://example.com/schema.json"},
    ],
)
def test_json_in_a_text_is_found_wherever_it_is_declared(member: dict[str, Any]) -> None:
    """In an argument and behind a reference; the other texts of the tool stay texts."""
    expected = TextArguments(frozenset(("t",)), has_nested_json=True)
    assert find_non_json_texts_in_schema({"properties": {"t": TEXT, "a": member}}) == expected
    assert (
        find_non_json_texts_in_schema({"properties": {"t": TEXT, "a": {"$ref": "#/$defs/A"}}, "$defs": {"A": member}})
        == expected
    )


def test_a_text_of_which_another_schema_may_say_more_is_no_plain_text() -> None:
    """One beside it, or one for all arguments."""
    both = {"type": "string", "$ref": "#/$defs/A"}
    unknown = TextArguments(frozenset(), has_nested_json=True)
    assert find_non_json_texts_in_schema({"properties": {"t": both}, "$defs": {"A": JSON}}) == unknown
    assert find_non_json_texts_in_schema({"properties": {"t": TEXT}, "allOf": [{"properties": {"t": JSON}}]}) == unknown


def test_a_schema_that_cannot_be_read_whole_may_declare_json() -> None:
    """One that is none, or that is too large; one that holds itself ends."""
    assert find_non_json_texts_in_schema(None) == UNKNOWN_TEXTS
    assert find_non_json_texts_in_schema({"examples": [[] for _ in range(100_001)]}).has_nested_json
    loop: dict[str, Any] = {"properties": {}}
    loop["properties"]["a"] = loop
    assert not find_non_json_texts_in_schema(loop).has_nested_json
