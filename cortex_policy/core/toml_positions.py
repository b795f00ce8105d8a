"""Where each key and value of a TOML text is, for problems: `tomllib` does not say."""

import re
from contextlib import suppress

from cortex_policy.core import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

Keys = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|\'\'\'(?:[^\']|\'(?!\'\'))*\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]+")
_PLACE = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)$")


class Span(Value):
    """The offsets of a key and of its value; the key of a table is its header, as is its value."""

    key_start: int
    key_end: int
    start: int
    end: int


class _OddTextError(ValueError):
    """The text is no TOML that this reads."""


def find_key_spans(text: str) -> dict[Keys, Span]:
    """Return the span of each key of a TOML text, by the keys and indexes that lead to it.

    The text must decode. Of one that does not, the spans up to there are returned.
    """
    scanner = _Scanner(text)
    with suppress(ValueError, RecursionError):
        scanner.scan_document()
    return scanner.spans


def find_error_offset(text: str, message: str) -> int:
    """Return where the message of `tomllib` says that reading stopped, 0 if it does not say."""
    found = _PLACE.search(message)
    if found is None:
        return 0
    if found[1] is None:
        return len(text)
    lines = text.split("\n")
    line, column = int(found[1]), int(found[2])
    return min(sum(len(one) + 1 for one in lines[: line - 1]) + column - 1, len(text))


class _Scanner:
    """Reads one text from its start to its end."""

    def __init__(self, text: str) -> None:
        self.spans: dict[Keys, Span] = {}
        self._text, self._at, self._key_end = text, 0, 0
        self._arrays: dict[Keys, int] = {}  # arrays of tables, with the index of their last table

    def scan_document(self) -> None:
        """Read all lines."""
        table: Keys = ()
        while self._skip_blanks() < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._scan_header()
            else:
                self._scan_pair(table)

    def _skip_blanks(self) -> int:
        self._at = self._end_of_match(_BLANK)
        return self._at

    def _end_of_match(self, pattern: "re.Pattern[str]") -> int:
        """Return where a pattern ends that begins here."""
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _OddTextError
        return found.end()

    def _take_mark(self, mark: str) -> None:
        self._skip_blanks()
        if not self._text.startswith(mark, self._at):
            raise _OddTextError
        self._at += len(mark)

    def _scan_header(self) -> Keys:
        start = self._at
        close = "]]" if self._text.startswith("[[", start) else "]"
        self._at += len(close)
        keys = self._scan_keys()
        self._take_mark(close)
        path: Keys = ()
        for index, key in enumerate(keys):
            path = (*path, key)
            if index == len(keys) - 1 and close == "]]":
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                self.spans.setdefault(path, Span(start, self._at, start, self._at))
                path = (*path, self._arrays[path])
        self.spans.setdefault(path, Span(start, self._at, start, self._at))
        return path

    def _scan_keys(self) -> list[str]:
        """Read a dotted key."""
        keys = list[str]()
        while not keys or self._text.startswith(".", self._at):
            self._at += bool(keys)
            self._skip_blanks()
            start = self._at
            is_quoted = self._text[start : start + 1] in ("'", '"')
            self._at = self._end_of_match(_STRING if is_quoted else _BARE)
            keys.append(self._unquote_key(self._text[start : self._at]) if is_quoted else self._text[start : self._at])
            self._key_end = self._at
            self._skip_blanks()
        return keys

    def _unquote_key(self, quoted: str) -> str:
        import tomllib  # noqa: PLC0415 - few keys have quotes

        return str(tomllib.loads(f"x = {quoted}")["x"])

    def _scan_pair(self, table: Keys) -> None:
        start = self._at
        keys, end = (*table, *self._scan_keys()), self._key_end
        self._take_mark("=")
        self._skip_blanks()
        value = self._at
        self._scan_value(keys)
        self.spans[keys] = Span(start, end, value, self._at)

    def _scan_value(self, path: Keys) -> None:
        first = self._text[self._at : self._at + 1]
        if first in ("'", '"') and first:
            self._at = self._end_of_match(_STRING)
        elif first == "[":
            self._scan_items("]", lambda index: self._scan_element((*path, index)))
        elif first == "{":
            self._scan_items("}", lambda _: self._scan_pair(path))
        else:
            end = self._end_of_match(_SCALAR)
            self._at += len(self._text[self._at : end].rstrip())

    def _scan_element(self, path: Keys) -> None:
        start = self._at
        self._scan_value(path)
        self.spans[path] = Span(start, self._at, start, self._at)

    def _scan_items(self, close: str, read: "Callable[[int], None]") -> None:
        self._at += 1
        index = 0
        while not self._text.startswith(close, self._skip_blanks()):
            if index:
                self._take_mark(",")
                if self._text.startswith(close, self._skip_blanks()):
                    break
            read(index)
            index += 1
        self._at += 1
