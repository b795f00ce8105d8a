"""How the JSON of an agent's settings is laid out, and how new text follows that."""

import json
import re

from cortex_policy.core import Value
from cortex_policy.core.json_tree import JsonNode
from cortex_policy.manage.hooks.jsonc import JsonText

_NEWLINE = re.compile(r"\r\n|\n|\r")
_INDENT = re.compile(r"[ \t]*")


class Layout(Value):
    """The line end, the indentation of a level ('': all on one line), and what parts keys, values and elements."""

    newline: str
    unit: str
    colon: str
    comma: str


CREATED = Layout("\n", "  ", ": ", ", ")  # of a new file


def detect_layout_for_new_value(document: JsonText, parent: JsonNode) -> Layout:
    """Return the layout for a new value in an object or array: on several lines if its last value starts one."""
    text = document.text
    newline = _NEWLINE.search(text)
    is_compact = '":' in text and not re.search(r'":\s', text)
    colon, comma = (":", ",") if is_compact else (": ", ", ")
    starts_line = bool(parent.children) and not _line_before(text, parent.children[-1].start_in_container).strip()
    root = document.tree
    unit = (
        (find_indent_of_line_at(text, root.children[0].start_in_container) or "  ") if starts_line and newline else ""
    )
    return Layout(newline[0] if newline else "\n", unit, colon, comma)


def find_indent_of_line_at(text: str, offset: int) -> str:
    """Return the spaces and tabs that start the line of an offset."""
    return _INDENT.match(_line_before(text, offset))[0]  # type: ignore[index] # no spaces match too


def format_json_value(value: object, layout: Layout, indent: str) -> str:
    """Return a value as JSON; a list of words is on one line.

    Other brackets have whitespace before their end, which `settings_edit` relies on.
    """
    is_list = isinstance(value, list)
    if not isinstance(value, dict | list) or (is_list and not any(isinstance(part, dict | list) for part in value)):
        return json.dumps(value, ensure_ascii=False, separators=(layout.comma, layout.colon))
    pairs = value.items() if isinstance(value, dict) else [(None, part) for part in value]
    deeper = indent + layout.unit
    parts = [
        ("" if key is None else json.dumps(key, ensure_ascii=False) + layout.colon)
        + format_json_value(part, layout, deeper)
        for key, part in pairs
    ]
    opening, closing = "[]" if is_list else "{}"
    if not layout.unit:
        return f"{opening}{layout.comma.join(parts)} {closing}"
    line = f"{layout.newline}{deeper}"
    return f"{opening}{line}{f',{line}'.join(parts)}{layout.newline}{indent}{closing}"


def _line_before(text: str, offset: int) -> str:
    return text[max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1 : offset]
