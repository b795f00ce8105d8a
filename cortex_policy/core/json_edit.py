"""Edits on the text of a JSON document: each changes the value it names and its separators, and no other byte.

New text follows the layout around it. Every function raises MalformedError for a text that `decode_json` refuses,
and UsageError for a pointer that names nothing or a value that does not fit.
"""

import json

from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.json_style import (
    NEWLINE,
    detect_colon_text,
    detect_separator,
    detect_style,
    find_indent_of_last_part,
    find_indent_of_line,
    format_in_style,
    make_bracket_padding,
    spell_json_value,
)
from cortex_policy.core.json_tree import JsonNode, parse_tree, require_node
from cortex_policy.core.model import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Edit = tuple[int, int, str]  # a span of the text, and what comes in its place


def replace_value(text: str, pointer: str, value: object) -> str:
    """Set the value at a pointer; keep the text if the value is the same."""
    return _splice_text(text, *_edit_to_replace(text, pointer, value))


def append_items(text: str, pointer: str, values: "Sequence[object]") -> str:
    """Add elements at the end of the array at a pointer, as if one after the other."""
    for some in (values[:1], values[1:2], values[2:]):  # the first two show what parts the others
        text = _splice_text(text, *_edit_to_append(text, pointer, some)) if some else text
    return text


def insert_member(text: str, pointer: str, key: str, value: object) -> str:
    """Add a member at the end of the object at a pointer; raise UsageError if the key is there already."""
    return _splice_text(text, *_edit_to_insert(text, pointer, key, value))


def remove_value(text: str, pointer: str) -> str:
    """Remove the element or the member at a pointer, and one separator with it."""
    return _splice_text(text, *_edit_to_remove(text, pointer))


def remove_items(text: str, pointer: str, indexes: "set[int]") -> str:
    """Remove these elements of the array at a pointer, as if one after the other."""
    if not indexes:
        return text
    if len(indexes) == len(_container_at(_parse_text(text), pointer, "array").children):
        return remove_value(remove_items(text, pointer, indexes - {0}), f"{pointer}/0")
    return _splice_text(text, *_edit_to_remove_items(text, pointer, indexes))


def rename_key(text: str, pointer: str, key: str) -> str:
    """Give the member at a pointer another key."""
    node = require_node(_parse_text(text), pointer)
    if node.key is None:
        raise UsageError(f"`{pointer}` is not a member of an object")
    return _splice_text(text, node.key_start, node.key_end, spell_json_value(key))


# INVARIANT: an edit is made without a tree, which may take 100 MB: what needs one returns the span and its new text
def _edit_to_replace(text: str, pointer: str, value: object) -> "Edit":
    root = _parse_text(text)
    node = require_node(root, pointer)
    old = text[node.start : node.end]
    if spell_json_value(json.loads(old)) == spell_json_value(value):
        return node.start, node.end, old
    if not isinstance(value, dict | list):
        return node.start, node.end, spell_json_value(value)  # no look at the style of all of it
    indent = find_indent_of_line(text, node.start_in_container)
    return node.start, node.end, format_in_style(value, detect_style(text, root), indent)


def _edit_to_append(text: str, pointer: str, values: "Sequence[object]") -> "Edit":
    root = _parse_text(text)
    return _edit_to_add_at_end(text, root, _container_at(root, pointer, "array"), "", values)


def _edit_to_insert(text: str, pointer: str, key: str, value: object) -> "Edit":
    root = _parse_text(text)
    node = _container_at(root, pointer, "object")
    if any(part.key == key for part in node.children):
        raise UsageError(f"`{key}` is there already")
    colon = detect_colon_text(text, reversed(node.children)) or detect_style(text, root).colon
    return _edit_to_add_at_end(text, root, node, spell_json_value(key) + colon, [value])


def _edit_to_remove(text: str, pointer: str) -> "Edit":
    root = _parse_text(text)
    node = require_node(root, pointer)
    if node is root:
        raise UsageError("the whole document cannot be removed")
    parent = require_node(root, pointer.rpartition("/")[0])
    before = [part for part in parent.children if part.start < node.start]
    after = [part for part in parent.children if part.start > node.start]
    if before:
        return before[-1].end, node.end, ""
    if after:
        return node.start_in_container, after[0].start_in_container, ""
    # INVARIANT: the whitespace after the bracket stays: `_edit_to_add_at_end` found it in an empty container
    start = node.start_in_container if node.end == parent.end - 1 else parent.start + 1
    return start, parent.end - 1, ""


def _edit_to_remove_items(text: str, pointer: str, indexes: "set[int]") -> "Edit":
    parts = _container_at(_parse_text(text), pointer, "array").children
    first, *others = [index for index in range(len(parts)) if index not in indexes]
    # each but the first keeps what parts it from the one before it
    pieces = [text[parts[index - 1].end : parts[index].end] for index in others]
    written = "".join([text[parts[first].start : parts[first].end], *pieces])
    return parts[0].start, parts[-1].end, written


def _parse_text(text: str) -> JsonNode:
    decode_json(text.encode())
    return parse_tree(text)


def _container_at(root: JsonNode, pointer: str, kind: str) -> JsonNode:
    node = require_node(root, pointer)
    if node.kind != kind:
        raise UsageError(f"`{pointer}` is not an {kind}")
    return node


def _edit_to_add_at_end(text: str, root: JsonNode, node: JsonNode, prefix: str, values: "Sequence[object]") -> "Edit":
    style, indent = detect_style(text, root), find_indent_of_line(text, node.start_in_container)
    if not node.children:
        spaces = text[node.start + 1 : node.end - 1]
        opening, closing = (spaces, "") if spaces else make_bracket_padding(node.kind, style, indent)
        deeper = indent + style.unit if NEWLINE.search(opening) else indent
        return node.start + 1, node.end - 1, opening + prefix + format_in_style(values[0], style, deeper) + closing
    indent, end = find_indent_of_last_part(text, node), node.children[-1].end
    separator = detect_separator(text, node, style)
    return end, end, "".join(separator + prefix + format_in_style(value, style, indent) for value in values)


def _splice_text(text: str, start: int, end: int, written: str) -> str:
    result = text[:start] + written + text[end:]
    try:
        decode_json(result.encode())
    except MalformedError as error:  # too large or too deep with the new value
        raise UsageError(f"the value does not fit: {error}") from None
    return result
