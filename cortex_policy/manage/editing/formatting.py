"""The canonical layout of a grant: only spaces and line ends change."""

from cortex_policy.core.decode import decode_json
from cortex_policy.core.json_tree import JsonNode, parse_tree

WIDTH = 100
_UNIT = "  "


def format_grant_text(text: str) -> str:
    """Lay out a JSON text: two spaces a level, one key a line, arrays on one line if they fit, LF at the end.

    Keys keep their order, numbers and strings their spelling. Raise MalformedError if `decode_json` refuses the text.
    """
    decode_json(text.encode())
    return _layout(text, parse_tree(text), 0, 0) + "\n"


def _layout(text: str, node: JsonNode, depth: int, taken: int) -> str:
    """Return a value at a depth; the rest of its line takes `taken` columns."""
    if node.kind not in ("array", "object"):
        return text[node.start : node.end]
    opening, closing = text[node.start], text[node.end - 1]
    if not node.children:
        return opening + closing
    inline = _on_one_line(text, node)
    if inline is not None and taken + len(inline) <= WIDTH:
        return inline
    indent = "\n" + _UNIT * (depth + 1)
    parts = []
    for part in node.children:
        label = text[part.key_start : part.key_end] + ": " if part.key is not None else ""
        has_comma = part is not node.children[-1]
        parts.append(label + _layout(text, part, depth + 1, len(indent) - 1 + len(label) + has_comma))
    return f"{opening}{indent}{f',{indent}'.join(parts)}\n{_UNIT * depth}{closing}"


def _on_one_line(text: str, node: JsonNode) -> str | None:
    """Return an array on one line, None if an object inside needs lines of its own."""
    if node.kind == "object":
        return None if node.children else "{}"
    if node.kind != "array":
        return text[node.start : node.end]
    parts = [_on_one_line(text, part) for part in node.children]
    return None if None in parts else f"[{', '.join(filter(None, parts))}]"
