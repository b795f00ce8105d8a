"""JSON text as a tree of spans: where each value, member and element stands, for edits and for problems."""

import json
import re

from cortex_policy.core.decode import MAX_DEPTH, Malformed
from cortex_policy.core.model import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BLANKS = re.compile(r"[ \t\n\r]*+")
_OPEN_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*')
_SCALARS = (
    ("number", re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")),
    ("word", re.compile("true|false|null")),
)
_INDEX = re.compile("0|[1-9][0-9]{0,8}")


class Stopped(Malformed):
    """Text that is not JSON: the offset where reading it stops, and why."""

    def __init__(self, text: str, offset: int, why: str) -> None:
        """Name the place by line and column."""
        line, column = place(text, offset)
        super().__init__(f"line {line} column {column}: {why}")
        self.offset = offset
        self.why = why


class Node:
    """A value and its span; `kind` is object, array, string, number or word.

    `parts` are the values of an object's members or an array's elements, in order; a member's value knows its key.
    It has slots, as a text of 1 MiB may hold half a million of them.
    """

    __slots__ = ("end", "key", "key_end", "key_start", "kind", "parts", "start")
    kind: str
    start: int
    end: int
    parts: "tuple[Node, ...]"
    key: str | None
    key_start: int
    key_end: int

    def __init__(self, kind: str, start: int, end: int, parts: "tuple[Node, ...]" = ()) -> None:
        """Span a value that has no key."""
        self.kind, self.start, self.end, self.parts = kind, start, end, parts
        self.key, self.key_start, self.key_end = None, 0, 0

    @property
    def outset(self) -> int:
        """Where the part starts in its container: at its key, if it has one."""
        return self.start if self.key is None else self.key_start

    def walk(self) -> "Iterator[Node]":
        """Yield this value and all inside it, in the order of the text."""
        yield self
        for part in self.parts:
            yield from part.walk()


def scan(text: str) -> Node:
    """Return the tree of a JSON text; raise Stopped where it is none, or is nested too deep."""
    root = _value(text, _skip(text, 0), 0)
    rest = _skip(text, root.end)
    if rest < len(text):
        raise Stopped(text, rest, "text after the value")
    return root


def place(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of an offset; both start at 1, columns count characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def steps(pointer: str) -> tuple[str, ...]:
    """Return the unescaped steps of a JSON Pointer; raise UsageError where it is none."""
    first, *rest = pointer.split("/")
    if first or re.search("~(?![01])", pointer):
        raise UsageError(f"`{pointer}` is no JSON Pointer", "one is empty, or reads like /rate/perMinute")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in rest)


def node_at(root: Node, pointer: str) -> Node:
    """Return the value that a JSON Pointer names; raise UsageError where there is none."""
    node = root
    for step in steps(pointer):
        found = _part(node, step)
        if found is None:
            raise UsageError(f"there is nothing at `{pointer}`")
        node = found
    return node


def _part(node: Node, step: str) -> Node | None:
    if node.kind == "array":
        return node.parts[int(step)] if _INDEX.fullmatch(step) and int(step) < len(node.parts) else None
    return next((part for part in node.parts if part.key == step), None)


def _skip(text: str, offset: int) -> int:
    return _BLANKS.match(text, offset).end()  # type: ignore[union-attr] # no blanks match too


def _value(text: str, start: int, depth: int) -> Node:
    first = text[start : start + 1]
    if first and first in "{[":
        return _container(text, start, depth)
    if first == '"':
        return Node("string", start, _string_end(text, start))
    for kind, pattern in _SCALARS:
        if match := pattern.match(text, start):
            return Node(kind, start, match.end())
    raise Stopped(text, start, "expecting a value")


def _container(text: str, start: int, depth: int) -> Node:
    kind, close, read = ("object", "}", _member) if text[start] == "{" else ("array", "]", _value)
    if depth == MAX_DEPTH:
        raise Stopped(text, start, f"nested deeper than {MAX_DEPTH}")
    parts: list[Node] = []
    here = _skip(text, start + 1)
    while not text.startswith(close, here):
        if parts and not text.startswith(",", here):
            raise Stopped(text, here, f"expecting `,` or `{close}`")
        parts.append(read(text, _skip(text, here + 1) if parts else here, depth + 1))
        here = _skip(text, parts[-1].end)
    return Node(kind, start, here + 1, tuple(parts))


def _member(text: str, start: int, depth: int) -> Node:
    if not text.startswith('"', start):
        raise Stopped(text, start, "expecting a key in double quotes")
    end = _string_end(text, start)
    colon = _skip(text, end)
    if not text.startswith(":", colon):
        raise Stopped(text, colon, "expecting `:`")
    value = _value(text, _skip(text, colon + 1), depth)
    value.key, value.key_start, value.key_end = json.loads(text[start:end]), start, end
    return value


def _string_end(text: str, start: int) -> int:
    end = _OPEN_STRING.match(text, start).end()  # type: ignore[union-attr] # callers have seen the quote
    if text.startswith('"', end):
        return end + 1
    if end == len(text):
        raise Stopped(text, start, "a string that does not end")
    raise Stopped(text, end, "an unknown escape" if text[end] == "\\" else "a control character in a string")
