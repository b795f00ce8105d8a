"""Read escapes and classes of a pattern as the bounds of ranges of code points.

Bounds are sorted: the even ones begin a range, the odd ones are one past its end.
"""

from cortex_policy.core.ecma_regex_nodes import END

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

_SYNTAX = frozenset("^$\\.*+?()[]{}|/")
DIGITS = "0123456789"
NUMERALS = tuple(DIGITS)  # unlike the string, it does not contain ""
LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_HEX = frozenset("0123456789abcdefABCDEF")
_CONTROLS = {"f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_LEAD, _TRAIL, _BEHIND = (
    0xD800,
    0xDC00,
    0xE000,
)  # where both kinds of surrogates begin, and their end


class PatternError(ValueError):
    """A pattern that is refused; the message says why, and at which character."""


def _invert_bounds(bounds: tuple[int, ...]) -> tuple[int, ...]:
    """Return the bounds of all other code points."""
    inner = bounds[1:] if bounds[:1] == (0,) else (0, *bounds)
    return inner[:-1] if inner[-1:] == (END,) else (*inner, END)


def _union_of_ranges(ranges: "Iterable[tuple[int, int]]") -> tuple[int, ...]:
    """Return the bounds of the union of ranges; each ends one past its last code point."""
    bounds: list[int] = []
    for low, behind in sorted(ranges):
        if bounds and low <= bounds[-1]:
            bounds[-1] = max(bounds[-1], behind)
        else:
            bounds += (low, behind)
    return tuple(bounds)


def _ranges_of_bounds(bounds: tuple[int, ...]) -> "Iterable[tuple[int, int]]":
    return zip(bounds[::2], bounds[1::2], strict=True)


_NUMBERS = (48, 58)
WORDS = (48, 58, 65, 91, 95, 96, 97, 123)
_SPACES = _union_of_ranges(
    [(9, 14), (32, 33), (0xA0, 0xA1), (0x1680, 0x1681), (0x2000, 0x200B), (0x2028, 0x202A), (0x202F, 0x2030),
     (0x205F, 0x2060), (0x3000, 0x3001), (0xFEFF, 0xFF00)]
)  # fmt: skip
_NAMED = {
    "d": _NUMBERS, "D": _invert_bounds(_NUMBERS), "s": _SPACES, "S": _invert_bounds(_SPACES),
    "w": WORDS, "W": _invert_bounds(WORDS),
}  # fmt: skip
DOT = _invert_bounds((10, 11, 13, 14, 0x2028, 0x202A))


class CharacterReader:
    """Reads one pattern; each method moves `at` past what it read."""

    at: int
    text: str

    def __init__(self, text: str) -> None:
        """Begin at its first character."""
        self.text, self.at = text, 0

    def peek(self) -> str:
        """Return the next character, '' at the end."""
        return self.text[self.at : self.at + 1]

    def fail(self, what: str, at: int | None = None) -> "NoReturn":
        """Raise PatternError for the character at an offset, or for the last one read."""
        message = f"{what}, at character {self.at if at is None else at + 1}"
        raise PatternError(message)

    def skip_word(self, word: str) -> bool:
        """Read a word if it comes next, and say whether it did."""
        found = self.text.startswith(word, self.at)
        self.at += len(word) * found
        return found

    def read_through_or_empty(self, end: str) -> str:
        """Read up to and including a character and return the text before it, '' if it does not follow."""
        start, found = self.at, self.text.find(end, self.at)
        self.at = found + 1 if found >= 0 else start
        return self.text[start:found] if found >= 0 else ""

    def read_class(self) -> tuple[int, ...]:
        """Read a class, after its `[`, as bounds."""
        start, is_negated = self.at - 1, self.skip_word("^")
        ranges: list[tuple[int, int]] = []
        while not self.skip_word("]"):
            low = self._read_class_atom(start)
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self._read_class_atom(start)
                if not isinstance(low, int) or not isinstance(high, int) or low > high:
                    self.fail("a range that ends before it starts")
                ranges.append((low, high + 1))
            else:
                ranges += [(low, low + 1)] if isinstance(low, int) else _ranges_of_bounds(low)
        bounds = _union_of_ranges(ranges)
        return _invert_bounds(bounds) if is_negated else bounds

    def _read_class_atom(self, start: int) -> int | tuple[int, ...]:
        if self.at >= len(self.text):
            self.fail("a class that is not closed", start)
        char = self.text[self.at]
        self.at += 1
        if char != "\\":
            return ord(char)
        if self.skip_word("b"):
            return 8
        return 45 if self.skip_word("-") else self.read_escape()

    def read_escape(self) -> int | tuple[int, ...]:
        """Read what follows a backslash: a code point, or the bounds of a set."""
        char, start = self.peek(), self.at - 1
        self.at += 1
        if char in _SYNTAX:
            return ord(char)
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in _NAMED:
            return _NAMED[char]
        if char in ("u", "x"):
            code = self._read_unicode_escape() if char == "u" else self._read_hex(2)
            return self._fail_unknown_escape(char, start) if code is None else code
        return self._read_rare_escape(char, start)

    def _read_rare_escape(self, char: str, start: int) -> int:
        following = self.peek()
        if char == "c" and following in LETTERS:
            self.at += 1
            return ord(following) % 32
        if char == "0" and following not in NUMERALS:
            return 0
        if char in ("k", *DIGITS[1:]):
            self.fail("a backreference, which is not supported", start)
        if char in ("p", "P"):
            self.fail(f"`\\{char}`, which is not supported: its tables change with Unicode", start)
        return self._fail_unknown_escape(char, start)

    def _fail_unknown_escape(self, char: str, start: int) -> "NoReturn":
        self.fail(f"an unknown `\\{char}`" if char else "a `\\` at the end", start)

    def _read_hex(self, count: int) -> int | None:
        digits = self.text[self.at : self.at + count]
        if len(digits) < count or not _HEX.issuperset(digits):
            return None
        self.at += count
        return int(digits, 16)

    def _read_unicode_escape(self) -> int | None:
        if self.skip_word("{"):
            digits = self.read_through_or_empty("}")
            if not digits or not _HEX.issuperset(digits) or len(digits.lstrip("0")) > len("10FFFF"):
                return None
            return code if (code := int(digits, 16)) < END else None
        high_surrogate = self._read_hex(4)
        if high_surrogate is None or not _LEAD <= high_surrogate < _TRAIL:
            return high_surrogate
        here = self.at
        low_surrogate = self._read_hex(4) if self.skip_word("\\u") else None
        if low_surrogate is not None and _TRAIL <= low_surrogate < _BEHIND:
            return 0x10000 + ((high_surrogate - _LEAD) << 10) + low_surrogate - _TRAIL
        self.at = here
        return high_surrogate
