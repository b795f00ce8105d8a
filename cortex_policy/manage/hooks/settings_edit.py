"""Add an entry to the hooks in the text of an agent's settings, and remove it: every byte of others survives.

`remove_hook_entries_from_text` gives back the text that `add_hook_entry_to_text` was given. What it must know for that
is in the layout: brackets that `add_hook_entry_to_text` opened have whitespace before their end, and after an entry in
empty brackets of others there is none.
"""

import json
import re

from cortex_policy.core.json_tree import JsonNode
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.handlers import (
    HOOKS_KEY,
    HandlerPlace,
    find_member_or_none,
    list_handlers_of_all_events,
)
from cortex_policy.manage.hooks.json_layout import (
    CREATED,
    Layout,
    detect_layout_for_new_value,
    find_indent_of_line_at,
    format_json_value,
)
from cortex_policy.manage.hooks.jsonc import BOM, JsonText, parse_jsonc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    IsOurs = Callable[[dict[str, object]], bool]

_LINE_REST = re.compile(r"(?:[ \t]*+(?:/\*[^\r\n]*?\*/|//[^\r\n]*+))*+")  # the comments after a value, on its line
_BLANKS = " \t\r\n"


def add_hook_entry_to_text(text: str | None, event: str, entry: object, others: "dict[str, object]") -> str:
    """Add an entry to the list of an event; raise NotDoneError if the document has no place for it.

    `others` are the members that the document must have besides its hooks. A missing file (None) is created with a
    final newline, an empty one without.
    """
    if text is None or not text.strip(_BLANKS + BOM):
        created = _new_document_text({event: [entry]}, others)
        return f"{created}\n" if text is None else text + created
    document = parse_jsonc(text)
    root = _require_kind(document.tree, "object", "it")
    for key, value in others.items():
        if not _has_member(document, root, key, value):
            member = f'"{key}": {json.dumps(value)}'
            raise NotDoneError(f"it has no `{member}`, so the hook would not run", "add this member first")
    hooks = find_member_or_none(root, HOOKS_KEY)
    if hooks is None:
        return _insert_value(document, root, HOOKS_KEY, {event: [entry]})
    entries = find_member_or_none(_require_kind(hooks, "object", f"`{HOOKS_KEY}`"), event)
    if entries is None:
        return _insert_value(document, hooks, event, [entry])
    return _insert_value(document, _require_kind(entries, "array", f"`{HOOKS_KEY}.{event}`"), None, entry)


def remove_hook_entries_from_text(text: str, is_ours: "IsOurs", others: "dict[str, object]") -> str | None:
    """Remove the handlers that are ours, with all that was made for them; None if that is the whole file."""
    while text.strip(_BLANKS + BOM):
        document = parse_jsonc(text)
        ours = [place for place in list_handlers_of_all_events(document) if is_ours(place.handler)]
        if not ours:
            break
        created = _new_document_text({ours[0].event: [ours[0].group]}, others)
        before = text.removesuffix(created)
        if text == f"{created}\n":
            return None
        if before != text and not before.strip(_BLANKS + BOM):
            return before
        text = _remove_node(document, _outermost_made_for(document, ours[-1]))
    return text


def _new_document_text(events: "dict[str, object]", others: "dict[str, object]") -> str:
    """Return the text of a document with nothing else; no edit puts hooks before another member."""
    return format_json_value({HOOKS_KEY: events, **others}, CREATED, "")


def _has_member(document: JsonText, root: JsonNode, key: str, value: object) -> bool:
    """Whether an object has a member with this value, or with an object that has its members."""
    node = find_member_or_none(root, key)
    found = document.to_python(node) if node is not None else None
    if isinstance(found, dict) and isinstance(value, dict):
        return value.items() <= found.items()
    return found == value


def _require_kind(node: JsonNode, kind: str, name: str) -> JsonNode:
    if node.kind != kind:
        raise NotDoneError(f"{name} is not an {kind}", "correct the file first")
    return node


def _insert_value(document: JsonText, parent: JsonNode, key: str | None, value: object) -> str:
    """Add a value at the end of an object or array."""
    text, layout = document.text, detect_layout_for_new_value(document, parent)
    prefix = "" if key is None else f"{format_json_value(key, layout, '')}{layout.colon}"
    if not parent.children:  # its whitespace stays before the value, and none comes after
        end = parent.end - 1
        return f"{text[:end]}{prefix}{format_json_value(value, layout, '')}{text[end:]}"
    last = parent.children[-1]
    indent = find_indent_of_line_at(text, last.start_in_container) if layout.unit else ""
    gap = f"{layout.newline}{indent}" if layout.unit else layout.comma[1:]
    written = f"{gap}{prefix}{format_json_value(value, layout, indent)}"
    comma = _find_comma_behind(document, last)
    start = _end_of_comments(text, last.end if comma is None else comma + 1, layout)
    if comma is not None:
        return f"{text[:start]}{written},{text[start:]}"
    return f"{text[: last.end]},{text[last.end : start]}{written}{text[start:]}"


def _end_of_comments(text: str, offset: int, layout: Layout) -> int:
    """Return where the comments of a value end, which are on its line; text on one line goes before them."""
    return _LINE_REST.match(text, offset).end() if layout.unit else offset  # type: ignore[union-attr] # always matches


def _outermost_made_for(document: JsonText, place: HandlerPlace) -> JsonNode:
    """Return the outermost value that was made for a handler: itself, its group, or the brackets around that."""
    if not place.is_alone:
        return place.node
    inner, hooks = place.group_node, find_member_or_none(document.tree, HOOKS_KEY)
    for outer in (find_member_or_none(hooks, place.event) if hooks is not None else None, hooks):
        if outer is None or len(outer.children) > 1 or not _is_made_for(document, outer, inner):
            break
        inner = outer
    return inner


def _is_made_for(document: JsonText, outer: JsonNode, inner: JsonNode) -> bool:
    """Whether brackets were opened for what is in them: whitespace before their end, and no comment inside."""
    before, behind = document.text[outer.start + 1 : inner.start_in_container], document.text[inner.end : outer.end - 1]
    return bool(behind) and not (before + behind).strip(_BLANKS)


def _remove_node(document: JsonText, node: JsonNode) -> str:
    """Remove a value, the whitespace before it, and one comma."""
    text, start = document.text, node.start_in_container
    parent = next(outer for outer in document.tree.walk() if node in outer.children)
    index = parent.children.index(node)
    comma = _find_comma_behind(document, node)
    if index == 0 and comma is not None and len(parent.children) > 1:
        return text[:start] + text[parent.children[1].start_in_container :]
    if index == 0:
        return text[:start] + text[node.end if comma is None else comma + 1 :]
    gap = len(text[:start].rstrip(_BLANKS))
    if comma is not None:
        return text[:gap] + text[comma + 1 :]
    before = _find_comma_behind(document, parent.children[index - 1]) or gap
    return text[:before] + text[before + 1 : gap] + text[node.end :]


def _find_comma_behind(document: JsonText, node: JsonNode) -> int | None:
    """Return where the comma after a value is, None if there is none."""
    rest = document.uncommented[node.end :]
    offset = len(rest) - len(rest.lstrip(_BLANKS))
    return node.end + offset if rest[offset : offset + 1] == "," else None
