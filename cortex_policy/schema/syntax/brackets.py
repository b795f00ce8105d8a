"""The open brackets of a text that is nearly JSON, and those that do not pair."""

from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.schema.syntax.frames import COLON, NEXT, VALUE, Frame, add_missing_value_problem, note_extra_commas
from cortex_policy.schema.syntax.problem_list import format_position

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.schema.syntax.problem_list import ProblemList
    from cortex_policy.schema.syntax.tokens import Token, Tokenizer

CLOSERS = {"{": "}", "[": "]", "": ""}
OPENERS = {"}": "{", "]": "["}
MAX_REPAIR_DEPTH = 1000  # no mistake nests as deep: what follows is not worth its time
MAX_CLOSERS_SHOWN = 20  # in a hint


class UnrecognizedError(Exception):
    """What comes next is not recognized, or is nested too deep."""


class Brackets:
    """The frames of the open brackets, the outermost first; `is_unbalanced` once some do not pair."""

    inner: Frame
    is_unbalanced: bool

    def __init__(self, text: str, problems: "ProblemList", tokenizer: "Tokenizer", start: int) -> None:
        """Start with the frame of the whole text."""
        self._text, self._problems, self._tokenizer = text, problems, tokenizer
        self.is_unbalanced = False
        self.inner = Frame("", start, 0)
        self._frames = [self.inner]
        self._counts = {"{": 0, "[": 0}
        self._is_deep = False
        self._suspect: tuple[Frame, Token] | None = None

    def has_open(self, kind: str) -> bool:
        """Whether a bracket of this kind is open, at any depth."""
        return self._counts[kind] > 0

    def open_bracket(self, token: "Token") -> None:
        """Open a bracket; raise UnrecognizedError if it nests deeper than any mistake."""
        if len(self._frames) > MAX_DEPTH and not self._is_deep:
            self._is_deep = True
            message = f"nested deeper than {MAX_DEPTH}"
            hint = "a grant is flat: is this the right file?"
            self._problems.add("syntax-limit", (token.start, token.end), message, hint)
        if len(self._frames) > MAX_REPAIR_DEPTH:
            raise UnrecognizedError
        self._counts[token.kind] += 1
        self.inner.awaits = NEXT
        self.inner = Frame(token.kind, token.start, self._tokenizer.indent)
        self._frames.append(self.inner)

    def close_bracket(self, token: "Token") -> bool:
        """Close the bracket that a closing one belongs to; return False if it belongs to none."""
        kind = OPENERS[token.kind]
        if not self._counts[kind]:
            self.note_unbalanced((token.start, token.end), f"`{token.kind}` closes nothing", "delete it")
            if self.inner.awaits == COLON:  # the last element of an array that was not opened is not a key
                self.inner.awaits = NEXT
            return False
        if self.inner.kind != kind and self._is_wrong_closer_typo(kind):
            if not self.is_unbalanced:
                self._note_wrong_closer(token)
            kind = self.inner.kind
        while self.inner.kind != kind:
            self._note_missing_closer(self._pop_frame(token), token)
        self._pop_frame(token)
        return True

    def close_arrays(self) -> None:
        """Close the arrays up to the innermost object."""
        while self.inner.kind == "[":
            self._remove_inner()

    def note_unbalanced(self, span: tuple[int, int], message: str, hint: str) -> None:
        """Note that brackets do not pair, once: whatever else does not pair may follow from it."""
        if not self.is_unbalanced:
            self._problems.add("syntax-json", span, message, hint)
        self.is_unbalanced = True

    def note_unclosed(self) -> None:
        """Note the brackets that are open at the end of the text."""
        note_extra_commas(self.inner, "", self._problems)
        frames = self._frames[1:]
        if not frames or self._tokenizer.is_cut_off:
            return
        if len(frames) == 1 and self._suspect and self._suspect[0].kind == frames[0].kind:
            self._note_missing_closer(*self._suspect)
            return
        frame = frames[0]
        closers = "".join(CLOSERS[one.kind] for one in frames[: -MAX_CLOSERS_SHOWN - 1 : -1])
        hint = f"write `{closers}` at the end, and see whether the file was cut off"
        others = f", and {len(frames) - 1:,} more inside" if len(frames) > 1 else ""
        self.note_unbalanced((frame.start, frame.start + 1), f"`{frame.kind}` is never closed{others}", hint)

    def _is_wrong_closer_typo(self, kind: str) -> bool:
        """Whether a bracket of the wrong kind would close the whole, and yet more follows."""
        return self._frames[1].kind == kind and self._counts[kind] == 1 and not self._tokenizer.is_at_end

    def _note_missing_closer(self, frame: Frame, before: "Token") -> None:
        if not self.is_unbalanced:  # a position costs a look at all the text
            place = format_position(self._text, before.start)
            hint = f"write `{CLOSERS[frame.kind]}` before the `{before.kind}` at {place}"
            self.note_unbalanced((frame.start, frame.start + 1), f"`{frame.kind}` is never closed", hint)

    def _note_wrong_closer(self, token: "Token") -> None:
        message = f"`{token.kind}` closes the `{self.inner.kind}` of {format_position(self._text, self.inner.start)}"
        self.note_unbalanced((token.start, token.end), message, f"write `{CLOSERS[self.inner.kind]}`")

    def _pop_frame(self, token: "Token") -> Frame:
        frame, tokenizer = self._remove_inner(), self._tokenizer
        note_extra_commas(frame, token.kind, self._problems)
        if frame.awaits in (COLON, VALUE) and frame.kind == "{":
            add_missing_value_problem(frame, self._problems)
        is_outdented = tokenizer.is_first_on_line(token) and token.start - tokenizer.line_start < frame.indent
        if self._suspect is None and is_outdented:
            self._suspect = (frame, token)  # its bracket is further left than its line
        return frame

    def _remove_inner(self) -> Frame:
        frame = self._frames.pop()
        self._counts[frame.kind] -= 1
        self.inner = self._frames[-1]
        return frame
