"""The canonical layout of a grant: only spaces and line ends change."""

from cortex_policy.core.decode import MAX_BYTES, MAX_DEPTH, decode_json
from cortex_policy.core.json_tree import JsonNode, parse_tree
from cortex_policy.core.model import GRANT_INVALID, GrantError

WIDTH = 100
_INDENTS = ["\n" + "  " * depth for depth in range(MAX_DEPTH + 1)]


def lay_out_grant_text(text: str) -> str:
    """Lay out a JSON text: two spaces a level, one key a line, arrays on one line if they fit, LF at the end.

    Keys keep their order, numbers and strings their spelling. Raise MalformedError if `decode_json` refuses the text,
    GrantError if the layout is larger than a grant may be.
    """
    decode_json(text.encode())
    layout = _Layout(text)
    layout.add_value(parse_tree(text), 0, 0)
    new = "".join(layout.pieces) + "\n"
    _check_layout_size(len(new.encode()))
    return new


def _check_layout_size(size: int) -> None:
    if size > MAX_BYTES:
        raise GrantError(
            GRANT_INVALID, f"its canonical layout is larger than {MAX_BYTES} bytes", "leave its layout as it is"
        )


class _Layout:
    """A text, and the pieces of its layout so far."""

    def __init__(self, text: str) -> None:
        self.pieces: list[str] = []
        self._text, self._size = text, 0
        self._widths: dict[JsonNode, int] = {}  # of the arrays that fit in a line

    def add_value(self, node: JsonNode, depth: int, taken: int) -> None:
        """Add a value at a depth; the rest of its line takes `taken` columns."""
        _check_layout_size(self._size)
        if not node.children or taken + self.width_on_one_line(node) <= WIDTH:
            self._add_on_one_line(node)
            return
        indent = _INDENTS[depth + 1]
        self.pieces.append(self._text[node.start])
        for part in node.children:
            label = self._text[part.key_start : part.key_end] + ": " if part.key is not None else ""
            comma = "," if part is not node.children[-1] else ""
            self.pieces += [indent, label]
            self._size += len(indent) + len(label)
            self.add_value(part, depth + 1, len(indent) - 1 + len(label) + len(comma))
            self.pieces.append(comma)
        self.pieces += [_INDENTS[depth], self._text[node.end - 1]]

    def _add_on_one_line(self, node: JsonNode) -> None:
        """Add a value on one line, with a space after each comma."""
        if node.kind not in ("array", "object"):
            self.pieces.append(self._text[node.start : node.end])
            return
        self.pieces.append(self._text[node.start])
        for index, part in enumerate(node.children):
            self.pieces.append(", " if index else "")
            self._add_on_one_line(part)
        self.pieces.append(self._text[node.end - 1])

    def width_on_one_line(self, node: JsonNode) -> int:
        """Return the columns of a value on one line; more than there are, if it does not fit or is an object."""
        if node.kind not in ("array", "object"):
            return node.end - node.start
        if node.kind == "object":
            return WIDTH + 1 if node.children else 2
        if node not in self._widths:
            width = 2 * max(1, len(node.children))  # the brackets, and what parts its values
            for part in node.children:
                if width > WIDTH:
                    return width
                width += self.width_on_one_line(part)
            self._widths[node] = width
        return self._widths[node]
