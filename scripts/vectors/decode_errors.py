"""The class of an error of decoding, and its place: the words of a syntax error differ between Pythons."""

import re
from typing import Any

_PLACE = re.compile(r"line ([0-9]+) column ([0-9]+): (.*)", re.DOTALL)
_CLASSES = (
    ("larger than ", "too_large"),
    ("starts with a byte order mark", "byte_order_mark"),
    ("duplicate key ", "duplicate_key"),
    ("an integer of more than ", "too_many_digits"),
    ("a number that is too large", "too_large_number"),
    ("nested deeper than ", "too_deep"),
    ("a lone surrogate in a string", "lone_surrogate"),
    ("a grant is a JSON object", "not_an_object"),
)
_WHITESPACE = " \t\n\r"


def describe_error(detail: str, data: bytes) -> dict[str, Any]:
    """Return the class of an error, with its message where that is ours, and its place where all agree on it."""
    if match := _PLACE.fullmatch(detail):
        line, column, why = int(match[1]), int(match[2]), match[3]
        kind = "text_after_value" if why == "text after the value" else "syntax"
        is_unplaced = why.startswith("illegal trailing comma") or _is_behind_comma(data.decode(), line, column)
        return {"class": kind} if is_unplaced else {"class": kind, "line": line, "column": column}
    if detail.endswith(": not UTF-8"):
        return {"class": "not_utf8", "byte": int(detail.removeprefix("byte ").removesuffix(": not UTF-8"))}
    if detail.endswith("` is not JSON"):
        return {"class": "not_json_constant", "message": detail}
    kind = next((kind for start, kind in _CLASSES if detail.startswith(start)), "shape")
    return {"class": kind, "message": detail}


def _is_behind_comma(text: str, line: int, column: int) -> bool:
    """Whether a place is a closing bracket behind a comma: CPython 3.13 places that error one token earlier."""
    lines = text.split("\n")
    before = "\n".join([*lines[: line - 1], lines[line - 1][: column - 1]])
    return lines[line - 1][column - 1 : column] in ("]", "}") and before.rstrip(_WHITESPACE).endswith(",")
