"""Edits on the text of a JSON document: each changes the value it names and its separators, and no other byte.

New text follows the layout around it. Every function raises MalformedError for a text that `decode_json` refuses,
and UsageError for a pointer that names nothing or a value that does not fit.
"""

import json
import re
from itertools import pairwise

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.json_tree import JsonNode, node_at, parse_tree
from cortex_policy.core.model import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Edit = tuple[int, int, str]  # a span of the text, and what comes in its place

_NEWLINE = re.compile(r"\r\n|\n|\r")
_LINE_START = re.compile(r"(?:\r\n|\n|\r)[ \t]*\Z")
_MAX_INDENT = 200  # characters; a longer one is not looked for
_INDENT = re.compile(r"[ \t]*")
_BRACKETS = {"array": "[]", "object": "{}"}


class Style(Value):
    """How a document is laid out; `pads` has the text inside the brackets of an array or object on one line.

    A kind that is missing from `pads` is on several lines.
    """

    newline: str
    unit: str
    colon: str
    comma: str
    pads: "dict[str, str]"


def replace_value(text: str, pointer: str, value: object) -> str:
    """Set the value at a pointer; keep the text if the value is the same."""
    return _splice(text, *_replacement(text, pointer, value))


def append_items(text: str, pointer: str, values: "Sequence[object]") -> str:
    """Add elements at the end of the array at a pointer, as if one after the other."""
    for index in (0, 1):  # then two others show what parts them
        text = _splice(text, *_items(text, pointer, values[index : index + 1])) if values[index:] else text
    return _splice(text, *_items(text, pointer, values[2:])) if values[2:] else text


def insert_member(text: str, pointer: str, key: str, value: object) -> str:
    """Add a member at the end of the object at a pointer; raise UsageError if the key is there already."""
    return _splice(text, *_member(text, pointer, key, value))


def remove_value(text: str, pointer: str) -> str:
    """Remove the element or the member at a pointer, and one separator with it."""
    return _splice(text, *_removal(text, pointer))


def remove_items(text: str, pointer: str, indexes: "set[int]") -> str:
    """Remove these elements of the array at a pointer, as if one after the other."""
    if not indexes:
        return text
    if len(indexes) == len(_container(_tree(text), pointer, "array").children):
        return remove_value(remove_items(text, pointer, indexes - {0}), f"{pointer}/0")
    return _splice(text, *_removal_of_items(text, pointer, indexes))


def rename_key(text: str, pointer: str, key: str) -> str:
    """Give the member at a pointer another key."""
    node = node_at(_tree(text), pointer)
    if node.key is None:
        raise UsageError(f"`{pointer}` is not a member of an object")
    return _splice(text, node.key_start, node.key_end, _canonical_text(key))


# INVARIANT: an edit is made without a tree, which may take 100 MB: what needs one returns the span and its new text
def _replacement(text: str, pointer: str, value: object) -> "Edit":
    root = _tree(text)
    node = node_at(root, pointer)
    old = text[node.start : node.end]
    if _canonical_text(json.loads(old)) == _canonical_text(value):
        return node.start, node.end, old
    if not isinstance(value, dict | list):
        return node.start, node.end, _canonical_text(value)  # no look at the style of all of it
    return node.start, node.end, _format(value, _style(text, root), _indent(text, node.start_in_container))


def _items(text: str, pointer: str, values: "Sequence[object]") -> "Edit":
    root = _tree(text)
    return _addition(text, root, _container(root, pointer, "array"), "", values)


def _member(text: str, pointer: str, key: str, value: object) -> "Edit":
    root = _tree(text)
    node = _container(root, pointer, "object")
    if any(part.key == key for part in node.children):
        raise UsageError(f"`{key}` is there already")
    colon = _colon(text, reversed(node.children)) or _style(text, root).colon
    return _addition(text, root, node, _canonical_text(key) + colon, [value])


def _removal(text: str, pointer: str) -> "Edit":
    root = _tree(text)
    node = node_at(root, pointer)
    if node is root:
        raise UsageError("the whole document cannot be removed")
    parent = node_at(root, pointer.rpartition("/")[0])
    before = [part for part in parent.children if part.start < node.start]
    after = [part for part in parent.children if part.start > node.start]
    if before:
        return before[-1].end, node.end, ""
    if after:
        return node.start_in_container, after[0].start_in_container, ""
    # INVARIANT: whitespace after the bracket alone are those that `_addition` found in an empty container: they stay
    start = node.start_in_container if node.end == parent.end - 1 else parent.start + 1
    return start, parent.end - 1, ""


def _removal_of_items(text: str, pointer: str, indexes: "set[int]") -> "Edit":
    parts = _container(_tree(text), pointer, "array").children
    first, *others = [index for index in range(len(parts)) if index not in indexes]
    # each but the first keeps what parts it from the one before it
    pieces = [text[parts[index - 1].end : parts[index].end] for index in others]
    written = "".join([text[parts[first].start : parts[first].end], *pieces])
    return parts[0].start, parts[-1].end, written


def _tree(text: str) -> JsonNode:
    decode_json(text.encode())
    return parse_tree(text)


def _container(root: JsonNode, pointer: str, kind: str) -> JsonNode:
    node = node_at(root, pointer)
    if node.kind != kind:
        raise UsageError(f"`{pointer}` is not an {kind}")
    return node


def _addition(text: str, root: JsonNode, node: JsonNode, prefix: str, values: "Sequence[object]") -> "Edit":
    style, indent = _style(text, root), _indent(text, node.start_in_container)
    if not node.children:
        spaces = text[node.start + 1 : node.end - 1]
        opening, closing = (spaces, "") if spaces else _brackets(node.kind, style, indent)
        deeper = indent + style.unit if _NEWLINE.search(opening) else indent
        return node.start + 1, node.end - 1, opening + prefix + _format(values[0], style, deeper) + closing
    indent, end = _indent_of_last(text, node), node.children[-1].end
    separator = _separator(text, node, style)
    return end, end, "".join(separator + prefix + _format(value, style, indent) for value in values)


def _separator(text: str, node: JsonNode, style: Style) -> str:
    """Return what parts the last two of a container, or what would if there were two."""
    if len(node.children) > 1:
        return text[node.children[-2].end : node.children[-1].start_in_container]
    line_start = _LINE_START.search(text[node.start + 1 : node.children[0].start_in_container])
    return f",{line_start[0]}" if line_start else style.comma


def _brackets(kind: str, style: Style, indent: str) -> tuple[str, str]:
    """Return the text after the opening and before the closing bracket of a new array or object."""
    if kind in style.pads:
        return style.pads[kind], style.pads[kind]
    return style.newline + indent + style.unit, style.newline + indent


def _format(value: object, style: Style, indent: str) -> str:
    if not isinstance(value, dict | list) or not value:
        return _canonical_text(value)
    kind = "object" if isinstance(value, dict) else "array"
    opening, closing = _brackets(kind, style, indent)
    comma, deeper = (style.comma, indent) if kind in style.pads else ("," + opening, indent + style.unit)
    pairs = value.items() if isinstance(value, dict) else [(None, part) for part in value]
    parts = [
        ("" if key is None else _canonical_text(key) + style.colon) + _format(part, style, deeper)
        for key, part in pairs
    ]
    return f"{_BRACKETS[kind][0]}{opening}{comma.join(parts)}{closing}{_BRACKETS[kind][1]}"


def _canonical_text(value: object) -> str:
    """Return the canonical spelling of a value; raise UsageError for one that no grant may hold."""
    try:
        spelling = json.dumps(value, ensure_ascii=False, allow_nan=False)
        decode_json(spelling.encode())
    except UnicodeEncodeError:
        raise UsageError("a lone surrogate cannot be written") from None
    except ValueError as error:
        raise UsageError(f"the value cannot be written: {error}") from None
    return spelling


def _splice(text: str, start: int, end: int, written: str) -> str:
    result = text[:start] + written + text[end:]
    try:
        decode_json(result.encode())
    except MalformedError as error:  # too large or too deep with the new value
        raise UsageError(f"the value does not fit: {error}") from None
    return result


def _indent(text: str, offset: int) -> str:
    """Return the spaces that start the line of an offset."""
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    return _INDENT.match(text, start)[0]  # type: ignore[index] # no spaces match too


def _indent_of_last(text: str, node: JsonNode) -> str:
    """Return the indent of the last line in a container that begins with one of its parts, not with the end of one."""
    for part in reversed(node.children):
        start = part.start_in_container
        if part is node.children[0] or _LINE_START.search(text[max(0, start - _MAX_INDENT) : start]):
            return _indent(text, start)
    return ""


def _colon(text: str, members: "Iterable[JsonNode]") -> str:
    """Return the text between key and value in the first member that has both on one line, '' if none has."""
    gaps = (text[member.key_end : member.start] for member in members)
    return next((gap for gap in gaps if not _NEWLINE.search(gap)), "")


def _style(text: str, root: JsonNode) -> Style:
    """Read off a document how it is laid out: from the first place that shows it."""
    filled = [node for node in root.walk() if node.children]
    newline = _NEWLINE.search(text)
    colon = _colon(text, (node for node in root.walk() if node.key is not None)) or ": "
    commas = (text[left.end : right.start_in_container] for node in filled for left, right in pairwise(node.children))
    comma = next((gap for gap in commas if not _NEWLINE.search(gap)), "," if colon == ":" else ", ")
    return Style(newline[0] if newline else "\n", _unit(text, filled), colon, comma, dict(_pads(text, root, filled)))


def _unit(text: str, filled: list[JsonNode]) -> str:
    for node in filled:
        inner = _LINE_START.search(text[node.start + 1 : node.children[0].start_in_container])
        if inner is None:
            continue
        outer, indent = _indent(text, node.start_in_container), inner[0].lstrip("\r\n")
        if indent.startswith(outer) and indent != outer:
            return indent.removeprefix(outer)
    return "  "


def _pads(text: str, root: JsonNode, filled: list[JsonNode]) -> "Iterator[tuple[str, str]]":
    """Yield the kinds that are on one line, with their padding; also a kind that does not occur yet."""
    for kind in _BRACKETS:
        first = next((node for node in filled if node.kind == kind and node is not root), None)
        pad = text[first.start + 1 : first.children[0].start_in_container] if first else ""
        if not _NEWLINE.search(pad):
            yield kind, pad
