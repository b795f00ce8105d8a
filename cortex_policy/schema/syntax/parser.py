"""Parse text that is nearly JSON to its end: note each mistake that is recognized, and go on as if it were fixed.

The parser stops at the first thing it does not recognize and notes it: what follows would be guesses.
"""

import re

from cortex_policy.schema.syntax.brackets import CLOSERS, OPENERS, Brackets, UnrecognizedError
from cortex_policy.schema.syntax.frames import (
    COLON,
    ITEM,
    NEXT,
    VALUE,
    Frame,
    add_missing_value_problem,
    note_duplicate_key,
    note_extra_commas,
)
from cortex_policy.schema.syntax.problem_list import ProblemList, format_position, quote_and_shorten
from cortex_policy.schema.syntax.tokens import Token, Tokenizer

_PIECE = re.compile(r"[^\s,\[\]{}]{1,41}|.?", re.DOTALL)
_SEPARATORS = (",", ";")


class TolerantParser:
    """Parses one value from an offset on; `end` is where the value ends, None if the parser did not get there."""

    start: int
    tokenizer: Tokenizer
    brackets: Brackets

    def __init__(self, text: str, problems: ProblemList, start: int = 0) -> None:
        """Start before the value."""
        self.text = text
        self.problems = problems
        self.tokenizer = Tokenizer(text, problems, start)
        self.brackets = Brackets(text, problems, self.tokenizer, start)
        self.start = start
        self.end: int | None = None
        self._own = range(0)  # problems about the last token
        self._last = Token("", start, start)  # scalar
        self._steps = {
            ITEM: self._take_item,
            COLON: self._take_colon,
            VALUE: self._take_value,
            NEXT: self._take_after_item,
        }

    def parse(self) -> "TolerantParser":
        """Parse until the value ends, the text ends, or something is not recognized."""
        self.start = self.tokenizer.skip_to_next_token()
        try:
            while self.end is None and not self.problems.is_full:
                token = self._next_token()
                if token.kind == "end":
                    self.brackets.note_unclosed()
                    break
                self._take_token(token)
        except UnrecognizedError:
            pass
        return self

    def _next_token(self) -> Token:
        frame = self.brackets.inner
        self.tokenizer.skip_to_next_token()
        known = len(self.problems)
        token = self.tokenizer.next_token(key=frame.kind == "{" and frame.awaits in (ITEM, NEXT))
        self._own = range(known, len(self.problems))
        return token

    def _take_token(self, token: Token) -> None:
        if token.kind in OPENERS:
            if self.brackets.close_bracket(token):
                self._complete_value(token.end)
            return
        while not self._steps[self.brackets.inner.awaits](self.brackets.inner, token):
            pass

    # each step says whether it took the token; if not, the frame awaits something else now
    def _take_item(self, frame: Frame, token: Token) -> bool:
        if token.kind in _SEPARATORS:
            self._take_separator(frame, token)
            return True
        note_extra_commas(frame, "", self.problems)
        if frame.kind == "[":
            frame.awaits = VALUE
            return False
        if token.kind == "{" and self.tokenizer.is_followed_by('"}'):
            self.brackets.note_unbalanced((token.start, token.end), "this `{` is one too many", "delete it")
            return True
        if not token.is_scalar:
            raise self._stop_at_unrecognized(token, "expecting a key in double quotes")
        note_duplicate_key(frame, token, self.text, self.problems)
        frame.key, frame.end, frame.awaits = token, token.end, COLON
        return True

    def _take_colon(self, frame: Frame, token: Token) -> bool:
        """Take the token after a key; return False if it was not a colon and has to be taken as something else."""
        if token.kind == "=":
            span = (token.start, token.end)
            symbol = self.text[token.start : token.end]
            self.problems.add_repeated(
                "=", "syntax-json", span, f"`{symbol}` is used where JSON has a colon", "write `:`"
            )
        frame.awaits = VALUE
        if token.kind in (":", "="):
            return True
        if token.kind in _SEPARATORS:
            add_missing_value_problem(frame, self.problems)
            frame.awaits = NEXT
        elif token.is_scalar and self.tokenizer.is_followed_by(":"):
            add_missing_value_problem(frame, self.problems)
            frame.awaits = ITEM
        elif token.kind == "junk":
            raise self._stop_at_unrecognized(token, "expecting `:`")
        else:
            message = f"a colon is missing after the key {quote_and_shorten(frame.key.text)}"
            self.problems.add("syntax-json", self._span_after(frame.end), message, "write `:`")
        return False

    def _take_value(self, frame: Frame, token: Token) -> bool:
        if token.kind in ("{", "["):
            self.brackets.open_bracket(token)
        elif token.is_scalar:
            self._last = token
            self._complete_value(token.end)
        elif token.kind == ":" and frame.kind == "{":
            self.problems.add_repeated("::", "syntax-json", (token.start, token.end), "a colon too many", "delete it")
        elif token.kind in _SEPARATORS and frame.kind == "{":
            add_missing_value_problem(frame, self.problems)
            frame.awaits = NEXT
            return False
        else:
            raise self._stop_at_unrecognized(token, "expecting a value")
        return True

    def _take_after_item(self, frame: Frame, token: Token) -> bool:
        if token.kind in _SEPARATORS:
            self._take_separator(frame, token)
            return True
        if token.kind == ":" and self._last.kind == "string" and self._last.end == frame.end:
            if frame.kind == "{":
                self._open_missing_object(self._last)
                return True
            if self.brackets.has_open("{"):
                self._close_unclosed_arrays(self._last)
                return True
        is_item = token.is_scalar and self.tokenizer.is_followed_by(":=") if frame.kind == "{" else token.is_value
        if not is_item:
            raise self._stop_at_unrecognized(token, f"expecting `,` or `{CLOSERS[frame.kind]}`")
        self.problems.add("syntax-json", self._span_after(frame.end), "a comma is missing", "write `,`")
        frame.awaits = ITEM
        return False

    def _open_missing_object(self, key: Token) -> None:
        """Open the object that a key in the place of a value belongs to."""
        message = f"the `{{` before the key {quote_and_shorten(key.text)} is missing"
        self.brackets.note_unbalanced((key.start, key.end), message, "write `{`")
        self.brackets.open_bracket(Token("{", key.start, key.end))
        note_duplicate_key(self.brackets.inner, key, self.text, self.problems)
        self.brackets.inner.key, self.brackets.inner.awaits = key, VALUE

    def _close_unclosed_arrays(self, key: Token) -> None:
        """Close the arrays around a key: it belongs to the object around them."""
        frame = self.brackets.inner
        hint = f"write `]` before the key {quote_and_shorten(key.text)} at {format_position(self.text, key.start)}"
        self.brackets.note_unbalanced((frame.start, frame.start + 1), "`[` is never closed", hint)
        self.brackets.close_arrays()
        self._complete_value(key.start)
        note_duplicate_key(self.brackets.inner, key, self.text, self.problems)
        self.brackets.inner.key, self.brackets.inner.awaits = key, VALUE

    def _take_separator(self, frame: Frame, token: Token) -> None:
        if token.kind == ";":
            message = "`;` is used where JSON has a comma"
            self.problems.add_repeated(";", "syntax-comma", (token.start, token.end), message, "write `,`")
        frame.add_comma(token.start)

    def _complete_value(self, end: int) -> None:
        frame = self.brackets.inner
        frame.count += 1
        frame.end = end
        frame.awaits = NEXT
        if not frame.kind:
            self.end = end

    def _span_after(self, end: int) -> tuple[int, int]:
        """Return the span at which something is missing: one character, none at the end of a line."""
        return end, end + (self.text[end : end + 1] not in ("", "\n", "\r"))

    def _stop_at_unrecognized(self, token: Token, expected: str) -> UnrecognizedError:
        self.problems.remove(self._own)  # a fault inside a token does not matter where no token belongs
        piece = match[0] if (match := _PIECE.match(self.text, token.start)) else ""
        if piece.startswith('\\"'):
            hint = "the quotes are escaped: delete the backslashes"
        elif piece.startswith(":") and self.brackets.inner.kind == "[":
            hint = "a key and its value belong in `{` and `}`"
        else:
            hint = "the rest was not read"
        self.problems.add(
            "syntax-json", (token.start, token.start + len(piece)), f"{expected}, not {quote_and_shorten(piece)}", hint
        )
        return UnrecognizedError()
