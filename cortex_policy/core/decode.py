"""Bytes to Grant, strictly: the one definition of a well-formed grant."""

from cortex_policy.core.model import GRANT_INVALID, Grant, GrantError, Rate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

try:
    from _json import make_scanner  # C, without `json`, which loads `re` and `enum` (8 ms)
except ImportError:  # another Python implementation
    from json.scanner import make_scanner  # type: ignore[assignment, unused-ignore]

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_DIGITS = 4300
DATA_CLASSES = ("public", "internal", "sensitive")
MAX_ID_LENGTH = 128
HOOKS_TOML = "hooks.toml"  # the rules of agents' hooks: stamped beside the grants under this name, so no grant has it
DECIDED_BY_RULES = HOOKS_TOML  # instead of the id of a grant in the audit log: these rules decided, and asked no grant
_WHITESPACE = " \t\n\r"
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_ID_CHARACTERS = _LETTERS | frozenset("._-")


class MalformedError(ValueError):
    """Text that is not the JSON we accept; says why, and where if that is known."""


ID_HINT = "an id is letters, digits, `.`, `_` and `-`, and starts with a letter or digit"


def is_grant_id(word: str) -> bool:
    """Whether a word can name a grant at all."""
    is_plain = 0 < len(word) <= MAX_ID_LENGTH and word[0] in _LETTERS and _ID_CHARACTERS.issuperset(word)
    return is_plain and word != HOOKS_TOML


def parse_grant_file_name(name: str) -> str:
    """Return the id of the grant in a file of this name, '' if the name is not `ID.json`."""
    grant_id = name.removesuffix(".json")
    return grant_id if grant_id != name and is_grant_id(grant_id) else ""


def _require_unique_members(pairs: "list[tuple[str, Any]]") -> "dict[str, Any]":
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                message = f"duplicate key `{name}`"
                raise MalformedError(message)
            seen.add(name)
    return members


def _parse_integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        message = f"an integer of more than {MAX_DIGITS} digits"
        raise MalformedError(message)
    return int(digits)


def _parse_real(digits: str) -> float:
    number = float(digits)
    if number - number != 0:  # it overflowed to an infinity, which is not JSON
        message = f"a number that is too large: `{digits:.40}`"
        raise MalformedError(message)
    return number


def _reject_constant(word: str) -> "Any":
    message = f"`{word}` is not JSON"
    raise MalformedError(message)


class _Context:
    """What the scanner asks for: strict strings, ordered pairs, no constants."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_require_unique_members)
    parse_float = staticmethod(_parse_real)
    parse_int = staticmethod(_parse_integer)
    parse_constant = staticmethod(_reject_constant)
    memo: "dict[str, str]" = {}  # noqa: RUF012 - the scanner empties it after each run


_scan: "Callable[[str, int], tuple[Any, int]]" = make_scanner(_Context())  # type: ignore[arg-type, unused-ignore]


def _check_tree(value: object, *, allow_surrogates: bool) -> None:
    """Refuse what only shows in the decoded value: containers nested too deep, and lone surrogates."""
    level = [value]  # what is equally deep: a text may hold half a million values
    for depth in range(MAX_DEPTH + 1):
        for part in () if allow_surrogates else level:
            if isinstance(part, str) and has_surrogate(part):
                message = "a lone surrogate in a string"
                raise MalformedError(message)
        lists = [part for part in level if isinstance(part, list)]
        dicts = [part for part in level if isinstance(part, dict)]
        if depth == MAX_DEPTH and (lists or dicts):
            message = f"nested deeper than {MAX_DEPTH}"
            raise MalformedError(message)
        level = [inner for part in (*lists, *dicts, *map(dict.values, dicts)) for inner in part]


def has_surrogate(text: str) -> bool:
    """Whether a text contains an incomplete character, which cannot be written as UTF-8."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _line_and_column(text: str, offset: int) -> str:
    line_start = text.rfind("\n", 0, offset) + 1
    return f"line {text.count(chr(10), 0, offset) + 1} column {offset - line_start + 1}"


def _scan_value_at(text: str, start: int) -> "tuple[Any, int]":
    try:
        return _scan(text, start)
    except SystemError:
        # Python 3.11's scanner raises the error of `json.decoder`, which it does not load by itself
        import json.decoder  # noqa: F401, PLC0415

        return _scan(text, start)


def _scan_text(text: str) -> "Any":
    """Return the one JSON value of a text; raise MalformedError with its line and column if it is not just that."""
    start = len(text) - len(text.lstrip(_WHITESPACE))
    try:
        value, end = _scan_value_at(text, start)
    except StopIteration as stop:
        message = f"{_line_and_column(text, stop.value)}: expecting a value"
        raise MalformedError(message) from None
    except RecursionError:
        message = f"nested deeper than {MAX_DEPTH}"
        raise MalformedError(message) from None
    except ValueError as error:
        if isinstance(error, MalformedError):
            raise
        position = getattr(error, "pos", None)
        why = str(getattr(error, "msg", "a number that cannot be read")).lower()
        message = why if position is None else f"{_line_and_column(text, position)}: {why}"
        raise MalformedError(message) from None
    if text[end:].strip(_WHITESPACE):
        rest = end + len(text[end:]) - len(text[end:].lstrip(_WHITESPACE))
        message = f"{_line_and_column(text, rest)}: text after the value"
        raise MalformedError(message)
    return value


def decode_json(data: bytes, max_bytes: int = MAX_BYTES, *, allow_surrogates: bool = False) -> "Any":
    """Decode one JSON value as strictly as a grant; raise MalformedError with the cause.

    With `allow_surrogates` a string may hold lone surrogates: the caller must look for them in whatever it judges.
    """
    if len(data) > max_bytes:
        message = f"larger than {max_bytes} bytes"
        raise MalformedError(message)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1}: not UTF-8"
        raise MalformedError(message) from None
    if text.startswith("\ufeff"):
        message = "starts with a byte order mark"
        raise MalformedError(message)
    value = _scan_text(text)
    # a walk is only due where an escape or enough brackets could hide something
    if "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        _check_tree(value, allow_surrogates=allow_surrogates)
    return value


def to_whole_number(value: object) -> int | None:
    """Return the integer a JSON number stands for (`30`, `30.0`, `3e1`), None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _decode_strings(document: "dict[str, Any]", key: str, problems: list[str]) -> tuple[str, ...]:
    value = document.get(key, [])
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    problems.append(f"`{key}` must be an array of strings")
    return ()


def _decode_per_minute(document: "dict[str, Any]", problems: list[str]) -> int:
    rate = document.get("rate", {"perMinute": 1})
    number = to_whole_number(rate.get("perMinute")) if isinstance(rate, dict) else None
    if number is None or number < 1:
        problems.append('`rate` must be {"perMinute": N}, N an integer of at least 1')
        return 1
    return number


def decode_grant(data: bytes, grant_id: str = "") -> Grant:
    """Decode the bytes of a grant file; raise GrantError (grant_invalid) that names every problem of its shape."""
    try:
        document = decode_json(data)
    except MalformedError as error:
        raise GrantError(GRANT_INVALID, str(error)) from None
    return decode_grant_document(document, grant_id)


def decode_grant_document(document: object, grant_id: str = "") -> Grant:
    """Return the grant of a decoded document; raise GrantError (grant_invalid) as `decode_grant` does."""
    if not isinstance(document, dict):
        raise GrantError(GRANT_INVALID, "a grant is a JSON object")
    problems = [f"`{key}` is missing" for key in ("tool", "actions", "rate") if key not in document]
    tool, args = document.get("tool", "-"), document.get("args", {})
    if not isinstance(tool, str) or not tool:
        problems.append("`tool` must be a string that is not empty")
    if not isinstance(args, dict):
        problems.append("`args` must be an object")
    data_class = document.get("dataClass", "internal")
    if data_class not in DATA_CLASSES:
        problems.append("`dataClass` must be public, internal or sensitive")
    actions, scope = _decode_strings(document, "actions", problems), _decode_strings(document, "fsScope", problems)
    rate = Rate(_decode_per_minute(document, problems))
    if problems:
        raise GrantError(GRANT_INVALID, "; ".join(problems))
    return Grant(grant_id, tool, actions, rate, args, data_class, scope)
