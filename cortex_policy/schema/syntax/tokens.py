"""The tokens of a text that is nearly JSON: each is read as it was meant, and what JSON does not know is noted."""

import re
from typing import NamedTuple

from cortex_policy.schema.syntax.problem_list import ProblemList, quote_and_shorten
from cortex_policy.schema.syntax.scalars import (
    note_and_recognize_value_word,
    note_invalid_number,
    note_invalid_string_content,
    unescape_string,
)

# every pattern reads a character once: hostile text of 1 MiB must not cost more than plain text does
_WHITESPACE = re.compile(r"[ \t\n\r]*+")
_ODD_WHITESPACE = re.compile(
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
_QUOTE_NAMES = {"'": "single quotes", "`": "backticks"}
_BODIES = {
    closers: re.compile(rf"[^{closers}\\\n]*+(?:\\[^\n][^{closers}\\\n]*+)*") for closers in set(_CLOSERS.values())
}
_AFTER_STRINGS = " \t\n\r,:}];=/#"
_STRING_ENDS = re.compile(r"[ \t]*+(?:[,:}\]\r\n]|\Z)")
_BEFORE_STRINGS = (",", ":", "[", "{")
_NOT_IN_STRING = ",:[]{} \t\r"


class Token(NamedTuple):
    """A word and its span; `kind` is a mark (`{}[]:,;=`), string, scalar, bare, junk or end.

    `text` is what a string or a bare word means. (A million of them are made faster than a million `Value`s.)
    """

    kind: str
    start: int
    end: int
    text: str = ""

    @property
    def is_scalar(self) -> bool:
        """Whether it is a value by itself."""
        return self.kind in ("string", "scalar", "bare")

    @property
    def is_value(self) -> bool:
        """Whether a value starts with it: a scalar, or an opening bracket."""
        return self.is_scalar or self.kind in ("{", "[")


class Tokenizer:
    """Reads a text token by token, from an offset on."""

    text: str
    problems: ProblemList
    position: int
    is_cut_off: bool
    indent: int
    line_start: int

    def __init__(self, text: str, problems: ProblemList, start: int = 0) -> None:
        """Start before the first token."""
        self.text, self.problems, self.position = text, problems, start
        self.indent = 0  # of the line of the last word
        self.is_cut_off = False  # the text ends within a string or a comment
        self.line_start = 0  # where the line starts

    def next_token(self, *, key: bool) -> Token:
        """Return the token at the position of `skip_to_next_token`, read as a key or as a value."""
        word = self._read_token(self.position, key=key)
        self.position = word.end
        return word

    def is_first_on_line(self, word: Token) -> bool:
        """Whether the last word is the first of its line."""
        return word.start - self.line_start == self.indent

    def is_followed_by(self, marks: str) -> bool:
        """Whether one of these characters comes next."""
        return self.text.startswith(tuple(marks), _match_end(_WHITESPACE, self.text, self.position))

    @property
    def is_at_end(self) -> bool:
        """Whether only whitespace is left."""
        return _match_end(_WHITESPACE, self.text, self.position) == len(self.text)

    def skip_to_next_token(self) -> int:
        """Skip whitespace and comments; return the offset of the next token."""
        line = self.line_start
        while True:
            self._advance_to(_match_end(_WHITESPACE, self.text, self.position))
            if self.text.startswith(("//", "#", "/*"), self.position):
                self._note_comment()
            elif unusual := _ODD_WHITESPACE.match(self.text, self.position):
                self._note_odd_spaces(unusual)
            else:
                break
        if self.line_start != line:
            self.indent = self.position - self.line_start
        return self.position

    def _advance_to(self, end: int) -> None:
        newline = self.text.rfind("\n", self.position, end)
        self.line_start = newline + 1 if newline >= 0 else self.line_start
        self.position = end

    def _note_odd_spaces(self, unusual: re.Match[str]) -> None:
        name = f"U+{ord(unusual[0][0]):04X}"
        message, hint = f"{name} is not whitespace in JSON", "write a space; a web page or an editor put it there"
        self.problems.add_repeated(name, "syntax-json", unusual.span(), message, hint)
        self.position = unusual.end()

    def _note_comment(self) -> None:
        start = self.position
        if not self.text.startswith("/*", start):
            end = _match_end(_LINE_COMMENT, self.text, start)
            comment = self.text[start:end].rstrip("\r")
        else:
            close = self.text.find("*/", start + 2)
            self.is_cut_off = close < 0
            end = len(self.text) if self.is_cut_off else close + 2
            comment = self.text[start:end]
        lines = comment.partition("\n")
        quoted = quote_and_shorten(lines[0].rstrip("\r") + "…" * bool(lines[1]))
        message = f"{quoted} is a comment{' that does not end' if self.is_cut_off else ''}"
        hint = 'delete it, or keep what it says in a key: `"$comment": "..."`'
        self.problems.add("syntax-comment", (start, start + len(comment)), message, hint)
        self._advance_to(end)

    def _read_token(self, start: int, *, key: bool) -> Token:
        first = self.text[start : start + 1]
        if not first:
            return Token("end", start, start)
        if first in "{}[]:,;=":
            return Token(first, start, start + (2 if self.text.startswith("=>", start) else 1))
        if first in _CLOSERS:
            return self._read_string(start, key=key)
        if match := _NUMBER.match(self.text, start) or _WORD.match(self.text, start):
            return self._read_bare(match, key=key)
        return Token("junk", start, start + 1)

    def _read_bare(self, match: re.Match[str], *, key: bool) -> Token:
        word, start, end = match[0], match.start(), match.end()
        if self._has_closing_quote(end):
            return self._read_without_opening_quote(start, end)
        if key:
            return self._read_without_quotes(start, end, "the key ")
        if match.re is _NUMBER:
            note_invalid_number(word, match.span(), self.problems)
            return Token("scalar", start, end)
        if note_and_recognize_value_word(word, match.span(), self.problems):
            return Token("scalar", start, end)
        end = max(end, start + len(self.text[start : _match_end(_BARE_TEXT, self.text, start)].rstrip()))
        if self._has_closing_quote(end):
            return self._read_without_opening_quote(start, end)
        return self._read_without_quotes(start, end, "")

    def _has_closing_quote(self, at: int) -> bool:
        return self.text.startswith('"', at) and self._is_end_of_string(at + 1)

    def _is_end_of_string(self, end: int) -> bool:
        return self.text[end : end + 1] in _AFTER_STRINGS

    def _read_without_opening_quote(self, start: int, end: int) -> Token:
        word = self.text[start:end]
        message = f"the quote before {quote_and_shorten(word)} is missing"
        self.problems.add(
            "syntax-quotes", (start, end + 1), message, f"write {quote_and_shorten(_put_in_quotes(word))}"
        )
        return Token("string", start, end + 1, word)

    def _read_without_quotes(self, start: int, end: int, what: str) -> Token:
        word = self.text[start:end]
        message, hint = (
            f"{what}{quote_and_shorten(word)} has no quotes",
            f"write {quote_and_shorten(_put_in_quotes(word))}",
        )
        # keys without quotes are a habit (JavaScript); a value without is a slip
        kind = "bare keys" if what else f"bare at {start}"
        self.problems.add_repeated(kind, "syntax-quotes", (start, end), message, hint)
        return Token("bare", start, end, word)

    def _read_string(self, start: int, *, key: bool) -> Token:
        opener = self.text[start]
        closers = _CLOSERS[opener]
        body = _match_end(_BODIES[closers], self.text, start + 1)
        if not self.text.startswith(tuple(closers), body):
            return self._read_multiline_string(start, body, closers, key=key)
        if opener == '"' and not self._is_end_of_string(body + 1):
            return self._read_string_with_inner_quote(start, body, key=key)
        return self._complete_string(start, body)

    def _complete_string(self, start: int, close: int) -> Token:
        """Return the string between two quotes, noting quotes of another kind and what it cannot hold."""
        content, opener = self.text[start + 1 : close], self.text[start]
        if opener != '"':
            kind = _QUOTE_NAMES.get(opener, "typographic quotes")
            hint = f"write {quote_and_shorten(_put_in_quotes(content))}: JSON has double quotes only"
            self.problems.add_repeated(
                kind, "syntax-quotes", (start, close + 1), f"{kind} around {quote_and_shorten(content)}", hint
            )
        note_invalid_string_content(self.text, (start + 1, close), self.problems, double=opener == '"')
        self.line_start = max(self.line_start, self.text.rfind("\n", start, close) + 1)
        return Token("string", start, close + 1, unescape_string(content))

    def _read_string_with_inner_quote(self, start: int, close: int, *, key: bool) -> Token:
        """Return a string with a letter right after it: its end is missing, or a quote within is not escaped."""
        if self.text[start:close].rstrip(" \t").endswith(_BEFORE_STRINGS):
            return self._read_unterminated_string(start, close, key=key)
        last, following = close, close
        while last == close or not _STRING_ENDS.match(self.text, last + 1):
            following = _match_end(_BODIES[_DOUBLE], self.text, last + 1)
            if not self.text.startswith(_DOUBLE, following):
                break
            last = following
        if last > close:
            message = "a quote within a string is not escaped"
            self.problems.add("syntax-quotes", (close, close + 1), message, 'write `\\"`')
        note_invalid_string_content(self.text, (start + 1, last), self.problems)
        return Token("string", start, last + 1, self.text[start + 1 : last])

    def _read_multiline_string(self, start: int, body: int, closers: str, *, key: bool) -> Token:
        """Return a string that does not end on its line: it goes on below, or its quote is missing."""
        # typographic quotes are not looked for below: each would be a look at all the text
        close = self.text.find(closers, body) if len(closers) == 1 else -1
        if close >= 0 and self._is_end_of_string(close + 1):
            return self._complete_string(start, close)
        line_end = self.text.find("\n", body)
        return self._read_unterminated_string(start, len(self.text) if line_end < 0 else line_end, key=key)

    def _read_unterminated_string(self, start: int, end: int, *, key: bool) -> Token:
        """Return a string that lacks its quote: it ends before what cannot belong to it."""
        content = self.text[start + 1 : end]
        content = (content.partition(":")[0] if key else content).rstrip(_NOT_IN_STRING)
        end = start + 1 + len(content)
        self.is_cut_off = _match_end(_WHITESPACE, self.text, end) == len(self.text)
        more = ", and see whether the file was cut off" if self.is_cut_off else ""
        hint = f"write {quote_and_shorten(_put_in_quotes(content))}{more}"
        self.problems.add("syntax-json", (start, end), f"the string {quote_and_shorten(content)} does not end", hint)
        note_invalid_string_content(self.text, (start + 1, end), self.problems, double=self.text[start] == _DOUBLE)
        return Token("string", start, end, content)


def _put_in_quotes(content: str) -> str:
    return f'"{content}"'


def _match_end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
