"""A reader of what is nearly JSON: it notes what is wrong, takes it for what was meant, and goes on."""

import json
import re

from cortex_policy.core.decode import MAX_DEPTH, MAX_DIGITS
from cortex_policy.core.spans import place
from cortex_policy.schema.problems import MOST_FOUND, Finding

MOST_SHOWN = 40
_TOKEN = re.compile(
    r"(?P<template>\$\{[^{}\n]*\}|\{\{[^{}\n\":]*\}\}|\{%[^\n]*?%\}|<%[^\n]*?%>)"
    r"|(?P<blank>[ \t\r\n]+)|(?P<mark>[{}\[\],:])|(?P<string>\")|(?P<line>//[^\n]*|\#[^\n]*)|(?P<block>/\*)"
    "|(?P<quote>['`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb])"
    "|(?P<word>[^\\s{}\\[\\],:\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\\x00-\\x1f]+)|(?P<odd>.)",
    re.DOTALL,
)
_BODY = re.compile(r'[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*')
_BAD_ESCAPE = re.compile(r'\\(?:u(?![0-9a-fA-F]{4})|[^"\\/bfnrtu])')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CLOSERS = {
    "'": "'",
    "`": "`\u2019'",
    "\u201c": "\u201d\u201c",
    "\u201e": "\u201c\u201d",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
}
_PAIRS = {"}": "{", "]": "["}
_WORDS = {
    **dict.fromkeys(("True", "TRUE", "yes", "on"), "true"), **dict.fromkeys(("False", "FALSE", "no", "off"), "false"),
    **dict.fromkeys(("None", "nil", "NULL", "Null", "undefined"), "null"),
}  # fmt: skip
_NUMBERLIKE = re.compile(r"[-+]?(?:[0-9.]|inf|nan)", re.IGNORECASE)
# what an open object or array waits for
KEY, COLON, VALUE, COMMA = "a key", "`:`", "a value", "`,`"
_INSTEAD = {(COLON, "="): (":", "_colon"), (COLON, "=>"): (":", "_colon"), (COMMA, ";"): (",", "_comma")}


class _Open:
    """An object or array that is not closed yet."""

    def __init__(self, mark: str, start: int) -> None:
        self.mark, self.start = mark, start
        self.awaits = KEY if mark == "{" else VALUE
        self.comma: int | None = None  # the last one, if nothing has followed it
        self.keys: dict[str, int] = {}


class _EnoughError(Exception):
    """Whatever follows would be a follow-up, or too much."""


class Reader:
    """Reads one text; quick and flat, whatever the text."""

    def __init__(self, text: str) -> None:
        """Take a text that was refused."""
        self._text, self._at, self._last = text, 0, 0
        self._stack: list[_Open] = []
        self._is_done = False
        self._found: list[Finding] = []

    def findings(self) -> tuple[Finding, ...]:
        """Return what is wrong, in the order of the text."""
        try:
            while self._at < len(self._text):
                self._step()
            self._end()
        except _EnoughError:
            pass
        return tuple(self._found)

    def _step(self) -> None:
        match = _TOKEN.match(self._text, self._at)
        if match is None:  # `odd` takes any character
            raise AssertionError(self._at)
        start, self._at = match.span()
        getattr(self, f"_{match.lastgroup}")(start)

    def _note(self, code: str, message: str, hint: str, start: int, end: int) -> None:
        self._found.append(Finding(code, message, hint, span=(start, end)))
        if len(self._found) == MOST_FOUND:
            raise _EnoughError

    def _blank(self, start: int) -> None:
        """Pass over blanks."""

    def _template(self, start: int) -> None:
        word = shortened(self._text[start : self._at])
        self._note(
            "syntax-json", f"`{word}` is a placeholder that nothing filled", "write what it stands for", start, self._at
        )
        self._value(start, word)

    def _line(self, start: int) -> None:
        self._note("syntax-comment", "JSON has no comments", 'say it in a key: `"$comment": "..."`', start, self._at)

    def _block(self, start: int) -> None:
        end = self._text.find("*/", self._at)
        self._at = end + 2 if end >= 0 else len(self._text)
        self._line(start)

    def _odd(self, start: int) -> None:
        character = self._text[start]
        kind = "blank" if character.isspace() else "character"
        message = f"a {kind} that JSON does not know: U+{ord(character):04X}"
        self._note("syntax-json", message, "remove it", start, self._at)

    def _mark(self, start: int) -> None:
        mark = self._text[start]
        if mark in "{[":
            self._open(mark, start)
        elif mark in "}]":
            self._close(mark, start)
        elif self._is_done or not self._stack:
            self._after(start)
        elif mark == ",":
            self._comma(start)
        else:
            self._colon(start)

    def _string(self, start: int) -> None:
        while True:
            body = _BODY.match(self._text, self._at)
            self._at = body.end() if body else self._at
            stop = self._text[self._at : self._at + 1]
            if stop == '"':
                self._at += 1
                break
            if stop in ("", "\n", "\r", "\\"):
                self._note("syntax-json", "a string has no end", 'end it with `"`, on the same line', start, self._at)
                raise _EnoughError
            message = f"a control character in a string: U+{ord(stop):04X}"
            self._note("syntax-json", message, f"write {json.dumps(stop)[1:-1]} instead", self._at, self._at + 1)
            self._at += 1
        self._value(start, self._checked(start))

    def _checked(self, start: int) -> str:
        """Return the text of a string, whatever is wrong with it."""
        literal = self._text[start : self._at]
        for bad in _BAD_ESCAPE.finditer(literal):
            hint = "a backslash is written twice"
            self._note("syntax-json", f"`{bad[0]}` is no escape", hint, start + bad.start(), start + bad.end())
        try:
            value = str(json.loads(literal))
        except ValueError:
            return literal
        if any("\ud800" <= character <= "\udfff" for character in value):
            message = "a string holds half of a character: a lone surrogate"
            self._note("syntax-string", message, "write the whole character", start, self._at)
        return value

    def _quote(self, start: int) -> None:
        closers = _CLOSERS.get(self._text[start], "")
        line = self._text.find("\n", self._at)
        ends = [self._text.find(one, self._at, line if line >= 0 else len(self._text)) for one in closers]
        end = min((one for one in ends if one >= 0), default=-1)
        self._at = end + 1 if end >= 0 else line if line >= 0 else len(self._text)
        message = f"`{self._text[start]}` is no quote in JSON"
        self._note("syntax-quotes", message, 'use double quotes: `"`', start, self._at)
        if end < 0:
            raise _EnoughError
        self._value(start, self._text[start + 1 : end])

    def _word(self, start: int) -> None:
        word = self._text[start : self._at]
        awaits = self._stack[-1].awaits if self._stack else VALUE
        if len(word) > 1 and word.endswith(";"):
            word, self._at = word[:-1], self._at - 1
        if (awaits, word) in _INSTEAD:
            self._instead(*_INSTEAD[awaits, word], start)
            return
        if not (self._is_done or (word in ("true", "false", "null") and awaits != KEY)):
            self._judge(word, start, is_key=awaits == KEY)
        self._value(start, word)

    def _instead(self, mark: str, take: str, start: int) -> None:
        """Take one mark for another, whose place it has."""
        word = self._text[start : self._at]
        self._note("syntax-json", f"`{word}` stands where `{mark}` must", f"write `{mark}`", start, self._at)
        getattr(self, take)(start)

    def _judge(self, word: str, start: int, *, is_key: bool) -> None:
        shown = shortened(word)
        if is_key:
            self._note("syntax-quotes", f"the key `{shown}` has no quotes", f'write "{shown}"', start, self._at)
        elif _NUMBER.fullmatch(word):
            if len(word.lstrip("-")) > MAX_DIGITS and word.lstrip("-").isdecimal():
                self._note("syntax-number", f"a number of more than {MAX_DIGITS} digits", "write less", start, self._at)
            elif abs(float(word[:MAX_DIGITS])) == float("inf"):
                self._note("syntax-number", f"a number that is too large: `{shown}`", "write less", start, self._at)
        elif word in _WORDS:
            self._note("syntax-json", f"`{shown}` is not JSON", f"JSON writes `{_WORDS[word]}`", start, self._at)
        elif _NUMBERLIKE.match(word):
            self._note("syntax-number", f"`{shown}` is no JSON number", "write it as in 30", start, self._at)
        else:
            self._note("syntax-quotes", f"`{shown}` has no quotes", f'write "{shown}"', start, self._at)

    def _value(self, start: int, name: str) -> None:
        """Take a scalar: a key, a value, or one too many."""
        self._begin(start)
        if not self._stack:
            self._is_done = True
        elif self._stack[-1].awaits == KEY:
            self._key(start, name)
        else:
            self._stack[-1].awaits = COMMA
        self._last = self._at

    def _begin(self, start: int) -> None:
        """Note what is missing before a value."""
        if self._is_done:
            self._after(start)
        if self._stack and self._stack[-1].awaits in (COMMA, COLON):
            top = self._stack[-1]
            what = "a comma" if top.awaits == COMMA else "`:`"
            self._note("syntax-json", f"{what} is missing", "add it after what stands here", self._last - 1, self._last)
            top.awaits = VALUE if top.awaits == COLON or top.mark == "[" else KEY
        if self._stack:
            self._stack[-1].comma = None

    def _key(self, start: int, name: str) -> None:
        top = self._stack[-1]
        if name in top.keys:
            line, column = place(self._text, top.keys[name])
            message = f"the key `{shortened(name)}` stands twice, first at line {line} column {column}"
            self._note("syntax-key", message, "keep one of them", start, self._at)
        top.keys.setdefault(name, start)
        top.awaits = COLON

    def _open(self, mark: str, start: int) -> None:
        self._begin(start)
        if self._stack and self._stack[-1].awaits == KEY:
            self._note("syntax-json", "a key is missing", 'a member is written `"key": value`', start, self._at)
        if len(self._stack) == MAX_DEPTH:
            self._note("syntax-limit", f"it is nested deeper than {MAX_DEPTH}", "a grant is flat", start, self._at)
            raise _EnoughError
        self._stack.append(_Open(mark, start))

    def _close(self, mark: str, start: int) -> None:
        if self._is_done or _PAIRS[mark] not in [one.mark for one in self._stack]:
            self._note("syntax-json", f"`{mark}` closes nothing", "remove it, or open what it closes", start, self._at)
            if self._is_done or not self._stack:
                raise _EnoughError
            return
        while self._stack[-1].mark != _PAIRS[mark]:
            self._unclosed(self._stack.pop())
        top = self._stack.pop()
        if top.comma is not None:
            self._note(
                "syntax-comma", "a comma too many", "remove it: none stands after the last", top.comma, top.comma + 1
            )
        elif top.awaits == COLON or (top.mark == "{" and top.awaits == VALUE):
            self._note(
                "syntax-json", "a value is missing", 'a member is written `"key": value`', self._last - 1, self._last
            )
        self._closed()

    def _closed(self) -> None:
        self._last = self._at
        if self._stack:
            self._stack[-1].awaits = COMMA
        else:
            self._is_done = True

    def _unclosed(self, one: _Open, others: int = 0) -> None:
        closer, more = "}" if one.mark == "{" else "]", f", and {others} in it" if others else ""
        self._note("syntax-json", f"`{one.mark}` is never closed{more}", f"add `{closer}`", one.start, one.start + 1)

    def _comma(self, start: int) -> None:
        top = self._stack[-1]
        if top.awaits == COMMA:
            top.comma = start
        elif top.comma is not None or not top.keys or top.awaits == KEY:
            self._note("syntax-comma", "a comma too many", "remove it", start, self._at)
        else:
            self._note("syntax-json", "a value is missing", 'a member is written `"key": value`', start, self._at)
        top.awaits = KEY if top.mark == "{" else VALUE
        self._last = self._at

    def _colon(self, start: int) -> None:
        while self._stack[-1].mark == "[" and "{" in [one.mark for one in self._stack]:
            self._unclosed(self._stack.pop())  # what stands before it is the next key of what surrounds it
            self._stack[-1].awaits = COLON
        if self._stack[-1].awaits == COLON:
            self._stack[-1].awaits = VALUE
        else:
            self._note(
                "syntax-json", "`:` stands where none can", "it stands between a key and its value", start, self._at
            )
        self._last = self._at

    def _after(self, start: int) -> None:
        end = self._text.find("\n", start)
        if self._is_done:
            message, hint = "there is text after the value", "a file holds one grant: move what follows away"
        else:
            message, hint = f"`{self._text[start]}` stands where a value should", "a grant is an object: `{...}`"
        self._note("syntax-json", message, hint, start, end if end >= 0 else len(self._text))
        raise _EnoughError

    def _end(self) -> None:
        """Note what is still open: all of it has one cause."""
        if self._stack:
            self._unclosed(self._stack[0], len(self._stack) - 1)


def shortened(text: str) -> str:
    """Return the start of a text that may be long."""
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."
