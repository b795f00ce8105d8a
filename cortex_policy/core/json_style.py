"""How a JSON document is laid out, and the text of a new value in that layout."""

import json
import re
from itertools import pairwise

from cortex_policy.core import Value
from cortex_policy.core.decode import decode_json
from cortex_policy.core.json_tree import JsonNode
from cortex_policy.core.model import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NEWLINE = re.compile(r"\r\n|\n|\r")
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


def detect_separator(text: str, node: JsonNode, style: Style) -> str:
    """Return what parts the last two of a container, or what would if there were two."""
    if len(node.children) > 1:
        return text[node.children[-2].end : node.children[-1].start_in_container]
    line_start = _LINE_START.search(text[node.start + 1 : node.children[0].start_in_container])
    return f",{line_start[0]}" if line_start else style.comma


def make_bracket_padding(kind: str, style: Style, indent: str) -> tuple[str, str]:
    """Return the text after the opening and before the closing bracket of a new array or object."""
    if kind in style.pads:
        return style.pads[kind], style.pads[kind]
    return style.newline + indent + style.unit, style.newline + indent


def format_in_style(value: object, style: Style, indent: str) -> str:
    """Return the text of a value in a style; `indent` is that of the line it begins in."""
    if not isinstance(value, dict | list) or not value:
        return spell_json_value(value)
    kind = "object" if isinstance(value, dict) else "array"
    opening, closing = make_bracket_padding(kind, style, indent)
    comma, deeper = (style.comma, indent) if kind in style.pads else ("," + opening, indent + style.unit)
    pairs = value.items() if isinstance(value, dict) else [(None, part) for part in value]
    parts = [
        ("" if key is None else spell_json_value(key) + style.colon) + format_in_style(part, style, deeper)
        for key, part in pairs
    ]
    return f"{_BRACKETS[kind][0]}{opening}{comma.join(parts)}{closing}{_BRACKETS[kind][1]}"


def spell_json_value(value: object) -> str:
    """Return the canonical spelling of a value; raise UsageError for one that no grant may hold."""
    try:
        spelling = json.dumps(value, ensure_ascii=False, allow_nan=False)
        decode_json(spelling.encode())
    except UnicodeEncodeError:
        raise UsageError("a lone surrogate cannot be written") from None
    except ValueError as error:
        raise UsageError(f"the value cannot be written: {error}") from None
    return spelling


def find_indent_of_line(text: str, offset: int) -> str:
    """Return the spaces that start the line of an offset."""
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    return _INDENT.match(text, start)[0]  # type: ignore[index] # no spaces match too


def find_indent_of_last_part(text: str, node: JsonNode) -> str:
    """Return the indent of the last line in a container that begins with one of its parts, not with the end of one."""
    for part in reversed(node.children):
        start = part.start_in_container
        if part is node.children[0] or _LINE_START.search(text[max(0, start - _MAX_INDENT) : start]):
            return find_indent_of_line(text, start)
    return ""


def detect_colon_text(text: str, members: "Iterable[JsonNode]") -> str:
    """Return the text between key and value in the first member that has both on one line, '' if none has."""
    gaps = (text[member.key_end : member.start] for member in members)
    return next((gap for gap in gaps if not NEWLINE.search(gap)), "")


def detect_style(text: str, root: JsonNode) -> Style:
    """Read off a document how it is laid out: from the first place that shows it."""
    filled = [node for node in root.walk() if node.children]
    newline = NEWLINE.search(text)
    colon = detect_colon_text(text, (node for node in root.walk() if node.key is not None)) or ": "
    commas = (text[left.end : right.start_in_container] for node in filled for left, right in pairwise(node.children))
    comma = next((gap for gap in commas if not NEWLINE.search(gap)), "," if colon == ":" else ", ")
    unit, pads = _detect_indent_unit(text, filled), dict(_detect_pads(text, root, filled))
    return Style(newline[0] if newline else "\n", unit, colon, comma, pads)


def _detect_indent_unit(text: str, filled: list[JsonNode]) -> str:
    for node in filled:
        inner = _LINE_START.search(text[node.start + 1 : node.children[0].start_in_container])
        if inner is None:
            continue
        outer, indent = find_indent_of_line(text, node.start_in_container), inner[0].lstrip("\r\n")
        if indent.startswith(outer) and indent != outer:
            return indent.removeprefix(outer)
    return "  "


def _detect_pads(text: str, root: JsonNode, filled: list[JsonNode]) -> "Iterator[tuple[str, str]]":
    """Yield the kinds that are on one line, with their padding; also a kind that does not occur yet."""
    for kind in _BRACKETS:
        first = next((node for node in filled if node.kind == kind and node is not root), None)
        pad = text[first.start + 1 : first.children[0].start_in_container] if first else ""
        if not NEWLINE.search(pad):
            yield kind, pad
