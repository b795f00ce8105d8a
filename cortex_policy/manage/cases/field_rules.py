"""Rules for the fields of a case file: what each may be, as a test of its value and as words for people."""

from math import isfinite

from cortex_policy.core.decode import MAX_DEPTH, MAX_DIGITS, MalformedError, decode_json, is_grant_id
from cortex_policy.core.settings import BY_NAME
from cortex_policy.manage.cases.model import EXPECTABLE_REASONS, MAX_HITS, MAX_SECONDS, MAX_TIMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Members = Mapping[str, tuple[Callable[[Any], bool], str]]

CASE_SETTINGS = ("sensitive", "require_path", "undeclared_args")
_MAX_INTEGER: int = 10 ** (MAX_DIGITS - 1)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_integer_between(minimum: int, maximum: int) -> "Callable[[object], bool]":
    def is_integer(value: object) -> bool:
        """Return whether a value is an integer in the range; a boolean is none."""
        return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum

    return is_integer


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_SECONDS


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def _is_expectable(value: object) -> bool:
    return isinstance(value, str) and value in EXPECTABLE_REASONS


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, dict) for part in value)


def _is_json(value: object, depth: int = 0) -> bool:
    """Whether a value can be an argument: TOML has dates, NaN, infinities and giant hexadecimal numbers too."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict | list):
        return all(_is_json(part, depth + 1) for part in (value.values() if isinstance(value, dict) else value))
    if isinstance(value, int):
        return abs(value) < _MAX_INTEGER
    return value is None or isinstance(value, str) or (isinstance(value, float) and isfinite(value))


def parse_arguments_or_none(value: object) -> "dict[str, Any] | None":
    """Return the arguments of a call, None if they are invalid; arguments as text are JSON, which has a null."""
    if isinstance(value, str):
        try:
            value = decode_json(value.encode("utf-8", "surrogatepass"))
        except MalformedError:
            return None
    return value if isinstance(value, dict) and _is_json(value) else None


FILE_MEMBERS: "Members" = {
    "grant": (lambda value: isinstance(value, str) and is_grant_id(value), "the id of a grant"),
    "complete": (lambda value: isinstance(value, bool), "true or false"),
    "settings": (lambda value: isinstance(value, dict), f"a table of {' and '.join(CASE_SETTINGS)}"),
    "tree": (lambda value: isinstance(value, dict), "a table of directories, files and links"),
    "case": (_are_tables, "tables `[[case]]`"),
}  # fmt: skip
CASE_MEMBERS: "Members" = {
    "name": (lambda value: _is_text(value) and value.isprintable(), "a text of one line"),
    "action": (lambda value: isinstance(value, str), "a text"),
    "args": (
        lambda value: parse_arguments_or_none(value) is not None,
        "a table of JSON values, or a JSON object as text",
    ),
    "expect": (_is_expectable, f"one of {', '.join(EXPECTABLE_REASONS)}"),
    "remaining": (_is_integer_between(0, MAX_HITS), "a whole number"),
    "obligations": (_are_texts, "an array of texts"),
    "tool": (_is_text, "a text that is not empty"),
    "cost": (_is_integer_between(1, MAX_HITS), "a whole number of at least 1"),
    "cwd": (lambda value: isinstance(value, str), "a directory of the tree"),
    "times": (_is_integer_between(1, MAX_TIMES), f"a whole number from 1 to {MAX_TIMES}"),
    "advance_seconds": (_is_seconds, f"a number from 0 to {MAX_SECONDS}"),
}  # fmt: skip
TREE_MEMBERS: "Members" = {
    "directories": (_are_texts, "an array of paths"),
    "files": (_are_texts, "an array of paths"),
    "links": (
        lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
        "a table from paths to where each leads",
    ),
}
SETTINGS_MEMBERS: "Members" = {
    name: (BY_NAME[name].accepts, f"one of {', '.join(map(str, BY_NAME[name].values)).lower()}")
    for name in CASE_SETTINGS
}
