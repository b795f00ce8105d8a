"""Read text that is nearly JSON to its end: repair what is recognised, note it, and go on.

Where something is not recognised, that is noted and reading ends: what follows would be guesses.
"""

import re

from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.schema.syntax.findings import Findings, position_text, quote
from cortex_policy.schema.syntax.frames import (
    COLON,
    ITEM,
    NEXT,
    VALUE,
    Frame,
    note_commas,
    note_duplicate_key,
    note_missing_value,
)
from cortex_policy.schema.syntax.tokens import Token, Tokenizer

_CLOSING = {"{": "}", "[": "]", "": ""}
_OPENING = {"}": "{", "]": "["}
_PIECE = re.compile(r"[^\s,\[\]{}]{1,41}|.?", re.DOTALL)
_SEPARATORS = (",", ";")
MAX_REPAIR_DEPTH = 1000  # no mistake nests as deep: what follows is not worth its time
MAX_CLOSERS_SHOWN = 20  # in a hint


class _UnrecognizedError(Exception):
    """What comes next is not recognised."""


class TolerantParser:
    """Read one value from a place on; `end` is where it ends, None where reading did not get there."""

    is_unbalanced: bool
    start: int
    words: "Tokenizer"

    def __init__(self, text: str, notes: Findings, start: int = 0) -> None:
        """Stand before the value."""
        self.text = text
        self.notes = notes
        self.words = Tokenizer(text, notes, start)
        self.start = start
        self.end: int | None = None
        self.is_unbalanced = False
        self._frames = [Frame("", start, 0)]
        self._open = {"{": 0, "[": 0}
        self._is_deep = False
        self._own = range(0)  # notes about the last word
        self._last = Token("", start, start)  # scalar
        self._suspect: tuple[Frame, Token] | None = None
        self._steps = {ITEM: self._item, COLON: self._colon, VALUE: self._value, NEXT: self._next}

    def read(self) -> "TolerantParser":
        """Read on until the value ends, the text does, or nothing is recognised any more."""
        self.start = self.words.skip_blanks()
        try:
            while self.end is None and not self.notes.is_full:
                word = self._word()
                if word.kind == "end":
                    self._note_unclosed()
                    break
                self._take(word)
        except _UnrecognizedError:
            pass
        return self

    def note_balance(self, span: tuple[int, int], message: str, hint: str) -> None:
        """Note that brackets do not pair, once: whatever else does not pair may follow from it."""
        if not self.is_unbalanced:
            self.notes.add("syntax-json", span, message, hint)
        self.is_unbalanced = True

    def _word(self) -> Token:
        frame = self._frames[-1]
        self.words.skip_blanks()
        known = len(self.notes)
        word = self.words.next(key=frame.kind == "{" and frame.awaits in (ITEM, NEXT))
        self._own = range(known, len(self.notes))
        return word

    def _take(self, word: Token) -> None:
        if word.kind in _OPENING:
            self._close(word)
            return
        while not self._steps[self._frames[-1].awaits](self._frames[-1], word):
            pass

    # each step says whether it took the word; if not, the frame awaits something else now
    def _item(self, frame: Frame, word: Token) -> bool:
        if word.kind in _SEPARATORS:
            self._separator(frame, word)
            return True
        note_commas(frame, "", self.notes)
        if frame.kind == "[":
            frame.awaits = VALUE
            return False
        if word.kind == "{" and self.words.is_followed_by('"}'):
            self.note_balance((word.start, word.end), "`{` opens nothing", "delete it")
            return True
        if not word.is_scalar:
            raise self._lost(word, "expecting a key in double quotes")
        note_duplicate_key(frame, word, self.text, self.notes)
        frame.key, frame.end, frame.awaits = word, word.end, COLON
        return True

    def _colon(self, frame: Frame, word: Token) -> bool:
        if word.kind == "=":
            span = (word.start, word.end)
            sign = self.text[word.start : word.end]
            self.notes.add_repeated("=", "syntax-json", span, f"`{sign}` stands where JSON has a colon", "write `:`")
        frame.awaits = VALUE
        if word.kind in (":", "="):
            return True
        if word.kind in _SEPARATORS:
            note_missing_value(frame, self.notes)
            frame.awaits = NEXT
        elif word.is_scalar and self.words.is_followed_by(":"):
            note_missing_value(frame, self.notes)
            frame.awaits = ITEM
        elif word.kind == "junk":
            raise self._lost(word, "expecting `:`")
        else:
            message = f"a colon is missing after the key {quote(frame.key.text)}"
            self.notes.add("syntax-json", self._after(frame.end), message, "write `:`")
        return False

    def _value(self, frame: Frame, word: Token) -> bool:
        if word.kind in ("{", "["):
            self._open_frame(word)
        elif word.is_scalar:
            self._last = word
            self._complete(word.end)
        elif word.kind == ":" and frame.kind == "{":
            self.notes.add_repeated("::", "syntax-json", (word.start, word.end), "a colon too many", "delete it")
        elif word.kind in _SEPARATORS and frame.kind == "{":
            note_missing_value(frame, self.notes)
            frame.awaits = NEXT
            return False
        else:
            raise self._lost(word, "expecting a value")
        return True

    def _next(self, frame: Frame, word: Token) -> bool:
        if word.kind in _SEPARATORS:
            self._separator(frame, word)
            return True
        if word.kind == ":" and self._last.kind == "string" and self._last.end == frame.end:
            if frame.kind == "{":
                self._open_missing(self._last)
                return True
            if self._open["{"]:
                self._close_missing(self._last)
                return True
        is_item = word.is_scalar and self.words.is_followed_by(":=") if frame.kind == "{" else word.is_value
        if not is_item:
            raise self._lost(word, f"expecting `,` or `{_CLOSING[frame.kind]}`")
        self.notes.add("syntax-json", self._after(frame.end), "a comma is missing", "write `,`")
        frame.awaits = ITEM
        return False

    def _open_missing(self, key: Token) -> None:
        """Open the object that a key in the place of a value belongs to."""
        message = f"the `{{` before the key {quote(key.text)} is missing"
        self.note_balance((key.start, key.end), message, "write `{`")
        self._open_frame(Token("{", key.start, key.end))
        note_duplicate_key(self._frames[-1], key, self.text, self.notes)
        self._frames[-1].key, self._frames[-1].awaits = key, VALUE

    def _close_missing(self, key: Token) -> None:
        """Close the arrays that a key stands in: it is one of the object around them."""
        frame = self._frames[-1]
        hint = f"write `]` before the key {quote(key.text)} at {position_text(self.text, key.start)}"
        self.note_balance((frame.start, frame.start + 1), "`[` is never closed", hint)
        while self._frames[-1].kind == "[":
            self._open[self._frames.pop().kind] -= 1
        self._complete(key.start)
        note_duplicate_key(self._frames[-1], key, self.text, self.notes)
        self._frames[-1].key, self._frames[-1].awaits = key, VALUE

    def _separator(self, frame: Frame, word: Token) -> None:
        if word.kind == ";":
            message = "`;` stands where JSON has a comma"
            self.notes.add_repeated(";", "syntax-comma", (word.start, word.end), message, "write `,`")
        frame.add_comma(word.start)

    def _open_frame(self, word: Token) -> None:
        if len(self._frames) > MAX_DEPTH and not self._is_deep:
            self._is_deep = True
            message = f"nested deeper than {MAX_DEPTH}"
            self.notes.add("syntax-limit", (word.start, word.end), message, "a grant is flat: is this the right file?")
        if len(self._frames) > MAX_REPAIR_DEPTH:
            raise _UnrecognizedError
        self._open[word.kind] += 1
        self._frames[-1].awaits = NEXT
        self._frames.append(Frame(word.kind, word.start, self.words.indent))

    def _complete(self, end: int) -> None:
        frame = self._frames[-1]
        frame.count += 1
        frame.end = end
        frame.awaits = NEXT
        if not frame.kind:
            self.end = end

    def _close(self, word: Token) -> None:
        kind = _OPENING[word.kind]
        if not self._open[kind]:
            self.note_balance((word.start, word.end), f"`{word.kind}` closes nothing", "delete it")
            if self._frames[-1].awaits == COLON:  # the last element of an array that was not opened is no key
                self._frames[-1].awaits = NEXT
            return
        if self._frames[-1].kind != kind and self._is_typo(kind):
            if not self.is_unbalanced:
                self._note_wrong_closer(word)
            kind = self._frames[-1].kind
        while self._frames[-1].kind != kind:
            self._note_missing_closer(self._pop(word), word)
        self._pop(word)
        self._complete(word.end)

    def _is_typo(self, kind: str) -> bool:
        """Whether a bracket of the wrong kind would close the whole, and yet more follows."""
        return self._frames[1].kind == kind and self._open[kind] == 1 and not self.words.is_at_end

    def _note_missing_closer(self, frame: Frame, before: Token) -> None:
        if not self.is_unbalanced:  # a place costs a look at all the text
            hint = (
                f"write `{_CLOSING[frame.kind]}` before the `{before.kind}` at {position_text(self.text, before.start)}"
            )
            self.note_balance((frame.start, frame.start + 1), f"`{frame.kind}` is never closed", hint)

    def _note_wrong_closer(self, word: Token) -> None:
        frame = self._frames[-1]
        message = f"`{word.kind}` closes the `{frame.kind}` of {position_text(self.text, frame.start)}"
        self.note_balance((word.start, word.end), message, f"write `{_CLOSING[frame.kind]}`")

    def _pop(self, word: Token) -> Frame:
        frame = self._frames.pop()
        self._open[frame.kind] -= 1
        note_commas(frame, word.kind, self.notes)
        if frame.awaits in (COLON, VALUE) and frame.kind == "{":
            note_missing_value(frame, self.notes)
        if (
            self._suspect is None
            and self.words.is_first_on_line(word)
            and word.start - self.words.line_start < frame.indent
        ):
            self._suspect = (frame, word)  # its bracket stands further left than its line
        return frame

    def _note_unclosed(self) -> None:
        note_commas(self._frames[-1], "", self.notes)
        frames = self._frames[1:]
        if not frames or self.words.is_cut_off:
            return
        if len(frames) == 1 and self._suspect and self._suspect[0].kind == frames[0].kind:
            self._note_missing_closer(*self._suspect)
            return
        frame = frames[0]
        closers = "".join(_CLOSING[one.kind] for one in frames[: -MAX_CLOSERS_SHOWN - 1 : -1])
        hint = f"write `{closers}` at the end, and see whether the file was cut off"
        others = f", and {len(frames) - 1:,} more inside" if len(frames) > 1 else ""
        self.note_balance((frame.start, frame.start + 1), f"`{frame.kind}` is never closed{others}", hint)

    def _after(self, end: int) -> tuple[int, int]:
        """Return the span of what should stand at a place: one character, none at the end of a line."""
        return end, end + (self.text[end : end + 1] not in ("", "\n", "\r"))

    def _lost(self, word: Token, expected: str) -> _UnrecognizedError:
        self.notes.remove(self._own)  # what a word lacks is no matter where no word belongs
        piece = match[0] if (match := _PIECE.match(self.text, word.start)) else ""
        if piece.startswith('\\"'):
            hint = "the quotes are escaped: delete the backslashes"
        elif piece.startswith(":") and self._frames[-1].kind == "[":
            hint = "a key and its value stand in `{` and `}`"
        else:
            hint = "what follows was not read"
        self.notes.add("syntax-json", (word.start, word.start + len(piece)), f"{expected}, not {quote(piece)}", hint)
        return _UnrecognizedError()
