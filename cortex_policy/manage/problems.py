"""What is wrong with the text of a grant, each problem with its place; whether one is wrong, only `decode` says."""

from itertools import islice

from cortex_policy.core.decode import MAX_BYTES, Malformed, decode, decode_json
from cortex_policy.core.model import GrantError, Value
from cortex_policy.core.spans import Node, Stopped, place, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FOUND = 100  # problems of a text that decodes in parts
MOST_SHOWN = 100  # characters of a line


class Problem(Value):
    """A place in a text, and what is wrong there; line and column start at 1, columns count characters."""

    line: int
    column: int
    message: str


def problems(data: bytes) -> tuple[Problem, ...]:
    """Return what keeps a text from being a grant, in the order of the lines; nothing for a grant."""
    try:
        decode(data)
    except GrantError as error:
        found = _found(data, error.detail)
        return tuple(sorted(found, key=lambda one: (one.line, one.column))) or (Problem(1, 1, error.detail),)
    return ()


def excerpt(data: bytes, problem: Problem) -> tuple[str, int]:
    """Return the line of a problem, or what surrounds its place in a long one, and the index of the place in it."""
    lines = _text(data).split("\n")
    line = lines[problem.line - 1].removesuffix("\r") if problem.line <= len(lines) else ""
    start = max(0, problem.column - 1 - MOST_SHOWN // 2) if len(line) > MOST_SHOWN else 0
    return line[start : start + MOST_SHOWN], problem.column - 1 - start


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _found(data: bytes, detail: str) -> list[Problem]:
    if len(data) > MAX_BYTES:
        return []
    try:
        text = data.decode("utf-8")
        decode_json(data)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        return [Problem(*place(before, len(before)), detail)]
    except Malformed:
        return [] if text.startswith("\ufeff") else _malformed(text)
    root = scan(text)
    return [Problem(*place(text, _offset(root, message)), message) for message in detail.split("; ")]


def _malformed(text: str) -> list[Problem]:
    try:
        root = scan(text)
    except Stopped as stop:
        return [Problem(*place(text, stop.offset), stop.why)]
    return [Problem(*place(text, offset), message) for offset, message in islice(_refused(text, root), MOST_FOUND)]


def _refused(text: str, root: Node) -> "Iterator[tuple[int, str]]":
    """Yield what the scanner takes and the decoder does not: repeated keys, and scalars that stand for nothing."""
    for node in root.walk():
        seen: set[str | None] = set()
        for part in node.parts if node.kind == "object" else ():
            if part.key in seen:
                yield part.key_start, f"duplicate key `{part.key}`"
            seen.add(part.key)
            yield from _refused_scalar(text, part.key_start, part.key_end)
        if not node.parts:
            yield from _refused_scalar(text, node.start, node.end)


def _refused_scalar(text: str, start: int, end: int) -> "Iterator[tuple[int, str]]":
    try:
        decode_json(text[start:end].encode())
    except Malformed as error:
        yield start, str(error)


def _offset(root: Node, message: str) -> int:
    """Return where a problem of shape stands: the decoder names the key, and the first wrong part is the place."""
    key = message.split("`")[1] if "`" in message else ""
    node = next((part for part in root.parts if part.key == key), None)
    if node is None:  # it is missing, or the whole is no object
        return root.start
    if node.kind == "array":
        return next((part.start for part in node.parts if part.kind != "string"), node.start)
    return next((part.start for part in node.parts if key == "rate" and part.key == "perMinute"), node.start)
