"""JSON text as a tree that knows where each value, member and element is, for edits and for problems."""

import json
import re

from cortex_policy.core.decode import MAX_DEPTH, MalformedError
from cortex_policy.core.model import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_WHITESPACE = re.compile(r"[ \t\n\r]*+")
_OPEN_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*')
_SCALARS = (
    ("number", re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")),
    ("word", re.compile("true|false|null")),
)
_INDEX = re.compile("0|[1-9][0-9]{0,8}")


class JsonSyntaxError(MalformedError):
    """Text that is not JSON: the offset where reading it stops, and why."""

    def __init__(self, text: str, offset: int, why: str) -> None:
        """Name the place by line and column."""
        line, column = find_line_and_column(text, offset)
        super().__init__(f"line {line} column {column}: {why}")
        self.offset = offset
        self.why = why


class JsonNode:
    """A value and its span; `kind` is object, array, string, number or word.

    `children` are the values of an object's members or an array's elements, in order. It has slots, and few of them, as
    a text of 1 MiB may hold half a million of them.
    """

    __slots__ = ("children", "end", "kind", "start")
    kind: str
    start: int
    end: int
    children: "tuple[JsonNode, ...]"
    key: str | None = None
    key_start: int = 0
    key_end: int = 0

    def __init__(self, kind: str, start: int, end: int, children: "tuple[JsonNode, ...]" = ()) -> None:
        """Span a value that has no key."""
        self.kind, self.start, self.end, self.children = kind, start, end, children

    @property
    def start_in_container(self) -> int:
        """Where the part starts in its container: at its key, if it has one."""
        return self.start if self.key is None else self.key_start

    def walk(self) -> "Iterator[JsonNode]":
        """Yield this value and all inside it, in the order of the text."""
        left = [self]
        while left:
            node = left.pop()
            yield node
            left += reversed(node.children)


class _MemberNode(JsonNode):
    """The value of an object's member, with its key and the span of that."""

    __slots__ = ("key", "key_end", "key_start")

    def __init__(self, node: JsonNode, key: str, start: int, end: int) -> None:
        """Give a value a key."""
        super().__init__(node.kind, node.start, node.end, node.children)
        self.key, self.key_start, self.key_end = key, start, end


def parse_tree(text: str) -> JsonNode:
    """Return the tree of a JSON text; raise JsonSyntaxError if it is none, or is nested too deep."""
    root = _parse_value(text, _skip_whitespace(text, 0), 0)
    rest = _skip_whitespace(text, root.end)
    if rest < len(text):
        raise JsonSyntaxError(text, rest, "text after the value")
    return root


def find_line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of an offset; both start at 1, columns count characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def format_json_pointer(*steps: object) -> str:
    """Return the JSON Pointer of keys and indexes."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def split_pointer(pointer: str) -> tuple[str, ...]:
    """Return the unescaped steps of a JSON Pointer; raise UsageError if it is none."""
    first, *rest = pointer.split("/")
    if first or re.search("~(?![01])", pointer):
        raise UsageError(f"`{pointer}` is not a JSON Pointer", "one is empty, or reads like /rate/perMinute")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in rest)


def require_node(root: JsonNode, pointer: str) -> JsonNode:
    """Return the value that a JSON Pointer names; raise UsageError if there is none."""
    node = root
    for step in split_pointer(pointer):
        child = _child_at_step(node, step)
        if child is None:
            raise UsageError(f"there is nothing at `{pointer}`")
        node = child
    return node


def _child_at_step(node: JsonNode, step: str) -> JsonNode | None:
    if node.kind == "array":
        return node.children[int(step)] if _INDEX.fullmatch(step) and int(step) < len(node.children) else None
    return next((part for part in node.children if part.key == step), None)


def _skip_whitespace(text: str, offset: int) -> int:
    return _WHITESPACE.match(text, offset).end()  # type: ignore[union-attr] # no whitespace match too


def _parse_value(text: str, start: int, depth: int) -> JsonNode:
    first = text[start : start + 1]
    if first and first in "{[":
        return _parse_container(text, start, depth)
    if first == '"':
        return JsonNode("string", start, _find_string_end(text, start))
    for kind, pattern in _SCALARS:
        if match := pattern.match(text, start):
            return JsonNode(kind, start, match.end())
    raise JsonSyntaxError(text, start, "expecting a value")


def _parse_container(text: str, start: int, depth: int) -> JsonNode:
    kind, close, read = ("object", "}", _parse_member) if text[start] == "{" else ("array", "]", _parse_value)
    if depth == MAX_DEPTH:
        raise JsonSyntaxError(text, start, f"nested deeper than {MAX_DEPTH}")
    children: list[JsonNode] = []
    here = _skip_whitespace(text, start + 1)
    while not text.startswith(close, here):
        if children and not text.startswith(",", here):
            raise JsonSyntaxError(text, here, f"expecting `,` or `{close}`")
        children.append(read(text, _skip_whitespace(text, here + 1) if children else here, depth + 1))
        here = _skip_whitespace(text, children[-1].end)
    return JsonNode(kind, start, here + 1, tuple(children))


def _parse_member(text: str, start: int, depth: int) -> JsonNode:
    if not text.startswith('"', start):
        raise JsonSyntaxError(text, start, "expecting a key in double quotes")
    end = _find_string_end(text, start)
    colon = _skip_whitespace(text, end)
    if not text.startswith(":", colon):
        raise JsonSyntaxError(text, colon, "expecting `:`")
    return _MemberNode(
        _parse_value(text, _skip_whitespace(text, colon + 1), depth), json.loads(text[start:end]), start, end
    )


def _find_string_end(text: str, start: int) -> int:
    end = _OPEN_STRING.match(text, start).end()  # type: ignore[union-attr] # callers have seen the quote
    if text.startswith('"', end):
        return end + 1
    if end == len(text):
        raise JsonSyntaxError(text, start, "a string that does not end")
    raise JsonSyntaxError(text, end, "an unknown escape" if text[end] == "\\" else "a control character in a string")
