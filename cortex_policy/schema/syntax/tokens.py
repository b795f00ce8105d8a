"""The words of a text that is nearly JSON: each is taken for what was meant, and what JSON does not know is noted."""

import re
from typing import NamedTuple

from cortex_policy.schema.syntax.findings import Notes, shown
from cortex_policy.schema.syntax.scalars import note_inside, note_number, note_word, unescaped

# every pattern reads a character once: hostile text of 1 MiB must not cost more than plain text does
_BLANKS = re.compile(r"[ \t\n\r]*+")
_ODD_BLANKS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]++"
)
_LINE_COMMENT = re.compile(r"(?://|#)[^\n]*+")
_NUMBER = re.compile(r"[-+]?\.?[0-9][\w.+-]*+")
_WORD = re.compile(r"[-+]?[^\W\d][\w$.+-]*+|\$(?:\{[^}\s]{0,40}+\}|\([^)\s]{0,40}+\)|\w*+)")
_BARE_TEXT = re.compile(r'[^,\]}\n"\[{]*+')
_DOUBLE, _TYPOGRAPHIC, _TYPOGRAPHIC_SINGLE = '"', "“”„‟«»", "‘’‚‛‹›"  # noqa: RUF001 - these are what is looked for
_CLOSERS = {
    _DOUBLE: _DOUBLE, "'": "'", "`": "`",
    **dict.fromkeys(_TYPOGRAPHIC, _TYPOGRAPHIC + _DOUBLE),
    **dict.fromkeys(_TYPOGRAPHIC_SINGLE, _TYPOGRAPHIC_SINGLE + "'"),
}  # fmt: skip
_KINDS = {"'": "single quotes", "`": "backticks"}
_BODIES = {
    closers: re.compile(rf"[^{closers}\\\n]*+(?:\\[^\n][^{closers}\\\n]*+)*") for closers in set(_CLOSERS.values())
}
_AFTER_STRINGS = " \t\n\r,:}];=/#"
_STRING_ENDS = re.compile(r"[ \t]*+(?:[,:}\]\r\n]|\Z)")
_OPENINGS = (",", ":", "[", "{")
_TAIL = ",:[]{} \t\r"


class Word(NamedTuple):
    """A word and its span; `kind` is a mark (`{}[]:,;=`), string, scalar, bare, junk or end.

    `text` is what a string or a bare word means. (A million of them are made faster than a million `Value`s.)
    """

    kind: str
    start: int
    end: int
    text: str = ""

    @property
    def is_scalar(self) -> bool:
        """Whether it stands for a value by itself."""
        return self.kind in ("string", "scalar", "bare")

    @property
    def is_value(self) -> bool:
        """Whether a value starts with it."""
        return self.is_scalar or self.kind in ("{", "[")


class Words:
    """Read a text word by word, from a place on."""

    at: int
    cut: bool
    indent: int
    line: int

    def __init__(self, text: str, notes: Notes, start: int = 0) -> None:
        """Stand before the first word."""
        self.text = text
        self.notes = notes
        self.at = start
        self.indent = 0  # of the line of the last word
        self.cut = False  # the text ends within a string or a comment
        self.line = 0  # where it starts

    def next(self, *, key: bool) -> Word:
        """Return the word that `skip` led to, read as a key or as a value."""
        word = self._word(self.at, key=key)
        self.at = word.end
        return word

    def is_first(self, word: Word) -> bool:
        """Whether the last word is the first of its line."""
        return word.start - self.line == self.indent

    def follows(self, marks: str) -> bool:
        """Whether one of these characters comes next."""
        return self.text.startswith(tuple(marks), _end(_BLANKS, self.text, self.at))

    @property
    def is_over(self) -> bool:
        """Whether nothing but blanks is left."""
        return _end(_BLANKS, self.text, self.at) == len(self.text)

    def skip(self) -> int:
        """Return where the next word starts, after blanks and comments."""
        line = self.line
        while True:
            self._pass(_end(_BLANKS, self.text, self.at))
            if self.text.startswith(("//", "#", "/*"), self.at):
                self._comment()
            elif odd := _ODD_BLANKS.match(self.text, self.at):
                self._odd_blanks(odd)
            else:
                break
        if self.line != line:
            self.indent = self.at - self.line
        return self.at

    def _pass(self, end: int) -> None:
        newline = self.text.rfind("\n", self.at, end)
        self.line = newline + 1 if newline >= 0 else self.line
        self.at = end

    def _odd_blanks(self, odd: re.Match[str]) -> None:
        name = f"U+{ord(odd[0][0]):04X}"
        message, hint = f"{name} is not a blank of JSON", "write a space; a web page or an editor put it there"
        self.notes.add_habit(name, "syntax-json", odd.span(), message, hint)
        self.at = odd.end()

    def _comment(self) -> None:
        start = self.at
        if not self.text.startswith("/*", start):
            end = _end(_LINE_COMMENT, self.text, start)
            said = self.text[start:end].rstrip("\r")
        else:
            close = self.text.find("*/", start + 2)
            self.cut = close < 0
            end = len(self.text) if self.cut else close + 2
            said = self.text[start:end]
        lines = said.partition("\n")
        quoted = shown(lines[0].rstrip("\r") + "…" * bool(lines[1]))
        message = f"{quoted} is a comment{' that does not end' if self.cut else ''}"
        hint = 'delete it, or keep what it says in a key: `"$comment": "..."`'
        self.notes.add("syntax-comment", (start, start + len(said)), message, hint)
        self._pass(end)

    def _word(self, start: int, *, key: bool) -> Word:
        first = self.text[start : start + 1]
        if not first:
            return Word("end", start, start)
        if first in "{}[]:,;=":
            return Word(first, start, start + (2 if self.text.startswith("=>", start) else 1))
        if first in _CLOSERS:
            return self._string(start, key=key)
        if match := _NUMBER.match(self.text, start) or _WORD.match(self.text, start):
            return self._bare(match, key=key)
        return Word("junk", start, start + 1)

    def _bare(self, match: re.Match[str], *, key: bool) -> Word:
        word, start, end = match[0], match.start(), match.end()
        if self._closes(end):
            return self._unopened(start, end)
        if key:
            return self._unquoted(start, end, "the key ")
        if match.re is _NUMBER:
            note_number(word, match.span(), self.notes)
            return Word("scalar", start, end)
        if note_word(word, match.span(), self.notes):
            return Word("scalar", start, end)
        end = max(end, start + len(self.text[start : _end(_BARE_TEXT, self.text, start)].rstrip()))
        return self._unopened(start, end) if self._closes(end) else self._unquoted(start, end, "")

    def _closes(self, at: int) -> bool:
        return self.text.startswith('"', at) and self._is_apart(at + 1)

    def _is_apart(self, end: int) -> bool:
        return self.text[end : end + 1] in _AFTER_STRINGS

    def _unopened(self, start: int, end: int) -> Word:
        word = self.text[start:end]
        message = f"the quote before {shown(word)} is missing"
        self.notes.add("syntax-quotes", (start, end + 1), message, f"write {shown(_quoted(word))}")
        return Word("string", start, end + 1, word)

    def _unquoted(self, start: int, end: int, what: str) -> Word:
        word = self.text[start:end]
        message = f"{what}{shown(word)} has no quotes"
        # keys without quotes are a habit (JavaScript); a value without is a slip
        habit = "bare keys" if what else f"bare at {start}"
        self.notes.add_habit(habit, "syntax-quotes", (start, end), message, f"write {shown(_quoted(word))}")
        return Word("bare", start, end, word)

    def _string(self, start: int, *, key: bool) -> Word:
        opener = self.text[start]
        closers = _CLOSERS[opener]
        body = _end(_BODIES[closers], self.text, start + 1)
        if not self.text.startswith(tuple(closers), body):
            return self._open_string(start, body, closers, key=key)
        if opener == '"' and not self._is_apart(body + 1):
            return self._quote_within(start, body, key=key)
        return self._closed(start, body)

    def _closed(self, start: int, close: int) -> Word:
        """Return the string between two quotes, noting quotes of another kind and what it cannot hold."""
        content, opener = self.text[start + 1 : close], self.text[start]
        if opener != '"':
            kind = _KINDS.get(opener, "typographic quotes")
            hint = f"write {shown(_quoted(content))}: JSON has double quotes only"
            self.notes.add_habit(kind, "syntax-quotes", (start, close + 1), f"{kind} around {shown(content)}", hint)
        note_inside(self.text, (start + 1, close), self.notes, double=opener == '"')
        self.line = max(self.line, self.text.rfind("\n", start, close) + 1)
        return Word("string", start, close + 1, unescaped(content))

    def _quote_within(self, start: int, close: int, *, key: bool) -> Word:
        """Return a string with a letter right after it: its end is missing, or a quote within is not escaped."""
        if self.text[start:close].rstrip(" \t").endswith(_OPENINGS):
            return self._unclosed(start, close, key=key)
        last, following = close, close
        while last == close or not _STRING_ENDS.match(self.text, last + 1):
            following = _end(_BODIES[_DOUBLE], self.text, last + 1)
            if not self.text.startswith(_DOUBLE, following):
                break
            last = following
        if last > close:
            message = "a quote within a string is not escaped"
            self.notes.add("syntax-quotes", (close, close + 1), message, 'write `\\"`')
        note_inside(self.text, (start + 1, last), self.notes)
        return Word("string", start, last + 1, self.text[start + 1 : last])

    def _open_string(self, start: int, body: int, closers: str, *, key: bool) -> Word:
        """Return a string that does not end on its line: it goes on below, or its quote is missing."""
        # typographic quotes are not looked for below: each would be a look at all the text
        close = self.text.find(closers, body) if len(closers) == 1 else -1
        if close >= 0 and self._is_apart(close + 1):
            return self._closed(start, close)
        line_end = self.text.find("\n", body)
        return self._unclosed(start, len(self.text) if line_end < 0 else line_end, key=key)

    def _unclosed(self, start: int, end: int, *, key: bool) -> Word:
        """Return a string that lacks its quote: it ends before what cannot belong to it."""
        content = self.text[start + 1 : end]
        content = (content.partition(":")[0] if key else content).rstrip(_TAIL)
        end = start + 1 + len(content)
        self.cut = _end(_BLANKS, self.text, end) == len(self.text)
        hint = f"write {shown(_quoted(content))}" + (", and see whether the file was cut off" if self.cut else "")
        self.notes.add("syntax-json", (start, end), f"the string {shown(content)} does not end", hint)
        note_inside(self.text, (start + 1, end), self.notes, double=self.text[start] == _DOUBLE)
        return Word("string", start, end, content)


def _quoted(content: str) -> str:
    return f'"{content}"'


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
