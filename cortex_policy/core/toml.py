"""TOML to a dict: the simple lines that settings use without `tomllib` and its 10 ms, everything else with it."""

from cortex_policy.core.decode import MAX_DEPTH, MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_WHITESPACE = " \t"
_DIGITS = "0123456789"
_BARE = _DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"
_MAX_DIGITS = 18
_MAX_LINE_LENGTH = 4096  # characters: each word that is read copies the rest of its line
Table = dict[str, "Any"]


class _NotSimpleError(Exception):
    """The text is wrong, or more than the plain reader knows: `tomllib` decides."""


def decode_toml(data: bytes) -> Table:
    """Decode a document; raise MalformedError, which says why."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        message = "it is not UTF-8"
        raise MalformedError(message) from None
    document = parse_simple_toml_or_none(text)
    return _decode_by_tomllib(text) if document is None else document


def _decode_by_tomllib(text: str) -> Table:
    import tomllib  # noqa: PLC0415 - 10 ms, and only few files need it

    # INVARIANT: `tomllib` keeps each prefix of a dotted key, and so takes the square of its parts
    if any(line.partition("=")[0].count(".") > MAX_DEPTH for line in text.split("\n")):
        message = f"it is not TOML: a key has more than {MAX_DEPTH} parts"
        raise MalformedError(message)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        message = f"it is not TOML: {why[:1].lower()}{why[1:]}"
        raise MalformedError(message) from None


def parse_simple_toml_or_none(text: str) -> Table | None:
    """Read a document of plain lines as `tomllib` reads it; None if a line is anything else."""
    try:
        return _SimpleReader(text).document
    except _NotSimpleError:
        return None


class _SimpleReader:
    """Reads tables, keys, one-line strings, plain numbers, booleans and arrays of strings."""

    def __init__(self, text: str) -> None:
        """Read a whole text into `document`; raise _NotSimpleError at the first line that is not plain."""
        self.document: Table = {}
        self._table = self.document
        self._dotted_tables: set[int] = set()  # tables that dotted keys made: no header may go on with one
        self._open: set[int] = set()  # those of this section, which its keys may go on with
        self._lines = self._simple_lines(text)
        for line in self._lines:
            if line[:1] == "[":
                self._open_table(line)
            elif line:
                self._read_pair(line)

    @staticmethod
    def _simple_lines(text: str) -> "Iterator[str]":
        for whole in text.split("\n"):
            line = whole.strip(_WHITESPACE)
            if len(line) > _MAX_LINE_LENGTH or not line.isprintable():
                raise _NotSimpleError
            yield "" if line[:1] == "#" else line

    def _open_table(self, line: str) -> None:
        *above, last = _require_end(_read_keys(line[1:]), "]")
        table = self.document
        for key in above:
            table = table.setdefault(key, {})
            if not isinstance(table, dict) or id(table) in self._dotted_tables:
                raise _NotSimpleError
        if last in table:
            raise _NotSimpleError
        self._table = table[last] = {}
        self._open = set()

    def _read_pair(self, line: str) -> None:
        keys, rest = _read_keys(line)
        rest = rest.lstrip(_WHITESPACE)
        if rest[:1] != "=":
            raise _NotSimpleError
        value = _require_end(self._read_value(rest[1:].lstrip(_WHITESPACE)))
        table = self._table
        for key in keys[:-1]:
            table = self._inner_table(table, key)
        if keys[-1] in table:
            raise _NotSimpleError
        table[keys[-1]] = value

    def _inner_table(self, table: Table, key: str) -> Table:
        if key not in table:
            table[key] = {}
            self._dotted_tables.add(id(table[key]))
            self._open.add(id(table[key]))
        if id(table[key]) not in self._open:
            raise _NotSimpleError
        inner: Table = table[key]
        return inner

    def _read_value(self, text: str) -> "tuple[Any, str]":
        if text[:1] == "[":
            return self._read_array(text[1:])
        for word, value in (("true", True), ("false", False)):
            if text.startswith(word):
                return value, text[len(word) :]
        rest = text.lstrip(_DIGITS)
        digits = text[: len(text) - len(rest)]
        if not digits:
            return _read_string(text)
        if len(digits) > _MAX_DIGITS or (digits[0] == "0" and digits != "0"):
            raise _NotSimpleError
        return (int(digits), rest) if rest[:1] != "." else _decimal(digits, rest[1:])

    def _read_array(self, text: str) -> tuple[list[str], str]:
        items: list[str] = []
        text = self._skip_to_next_word(text)
        while text[0] != "]":
            item, text = _read_string(text)
            items.append(item)
            text = self._skip_to_next_word(text)
            if text[0] == ",":
                text = self._skip_to_next_word(text[1:])
            elif text[0] != "]":
                raise _NotSimpleError
        return items, text[1:]

    def _skip_to_next_word(self, text: str) -> str:
        """Return the text from the next word on, which may be some lines below."""
        text = text.lstrip(_WHITESPACE)
        while not text or text[0] == "#":
            line = next(self._lines, None)
            if line is None:
                raise _NotSimpleError
            text = line
        return text


def _decimal(digits: str, text: str) -> tuple[float, str]:
    """Return a number with a fraction, but no exponent."""
    rest = text.lstrip(_DIGITS)
    fraction = text[: len(text) - len(rest)]
    if not fraction or len(fraction) > _MAX_DIGITS:
        raise _NotSimpleError
    return float(f"{digits}.{fraction}"), rest


def _require_end(read: "tuple[Any, str]", end: str = "") -> "Any":
    """Return what was read where nothing but its end and a comment follows."""
    value, rest = read
    rest = rest.removeprefix(end).lstrip(_WHITESPACE) if rest.startswith(end) else "?"
    if rest and rest[0] != "#":
        raise _NotSimpleError
    return value


def _read_keys(text: str) -> tuple[list[str], str]:
    keys = []
    while True:
        rest = text.lstrip(_BARE)
        key = text[: len(text) - len(rest)]
        if not key:
            key, rest = _read_string(text)
        keys.append(key)
        if rest[:1] != ".":
            return keys, rest
        text = rest[1:]


def _read_string(text: str) -> tuple[str, str]:
    quote = text[:1]
    end = text.find(quote, 1) if quote in ('"', "'") else -1
    body = text[1:end]
    if end < 0 or text[:3] == quote * 3 or (quote == '"' and "\\" in body):
        raise _NotSimpleError
    return body, text[end + 1 :]
