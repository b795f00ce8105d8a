r"""Parse a pattern of ECMAScript with the flag `u`, strictly: everything outside of that grammar is refused.

Source: ECMA-262, 22.2.1, with `+UnicodeMode`, without Annex B. Also refused, by name: backreferences, lookbehind,
lookahead elsewhere than at the very start, and `\p{...}`, whose tables differ between Pythons.
"""

from cortex_policy.core.ecma_regex_character_reader import DIGITS, DOT, LETTERS, NUMERALS, CharacterReader, PatternError
from cortex_policy.core.ecma_regex_nodes import Assertion, CharacterSet, Choice, PatternNode, Repeat, Series

MAX_POSITIONS = 1_000
MAX_DEPTH = 64  # groups in each other
MAX_LENGTH = 1 << 16  # characters of a pattern
_NAME = LETTERS.union("_$", DIGITS)
_EMPTY = Series(())
_COUNTS = ("*", "+", "?", "{")
_NO_CHARACTERS = frozenset("\\[^$.*+?{}]")


class Pattern:
    """A parsed pattern: its lookaheads, each with whether it must match, and its body."""

    body: "PatternNode"
    is_anchored: bool
    lookaheads: "list[tuple[PatternNode, bool]]"

    __slots__ = ("body", "is_anchored", "lookaheads")

    def __init__(self, body: PatternNode, lookaheads: "list[tuple[PatternNode, bool]]", *, is_anchored: bool) -> None:
        """Store the parts; if `is_anchored`, a match can only begin where the value begins."""
        self.body, self.lookaheads, self.is_anchored = body, lookaheads, is_anchored


def parse_pattern(text: str) -> Pattern:
    """Parse a pattern; raise PatternError if it is invalid or uses what is not supported."""
    if len(text) > MAX_LENGTH:
        message = f"a pattern of more than {MAX_LENGTH:,} characters"
        raise PatternError(message)
    return _Parser(text).parse()


class _Group:
    """An open group: its start and opening, and the branches and items read before it."""

    __slots__ = ("branches", "items", "opening", "start")

    def __init__(self, start: int, opening: str, branches: list[PatternNode], items: list[PatternNode]) -> None:
        self.start, self.opening, self.branches, self.items = start, opening, branches, items


class _Parser(CharacterReader):
    """Parses one pattern: holds the open groups, and the parts of the innermost one."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.sets: dict[tuple[int, ...], CharacterSet] = {}
        self.names: set[str] = set()
        self.open: list[_Group] = []
        self.branches, self.items = (
            list[PatternNode](),
            list[PatternNode](),
        )  # of the current group, and of its last branch
        self.lookaheads = list[tuple[PatternNode, bool]]()
        self.first_lookahead = 0

    def parse(self) -> Pattern:
        """Return the whole pattern; raise PatternError at the first character that is wrong."""
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == "(":
                self._open_group()
            elif char == ")":
                self._close_group()
            elif char == "|":
                self.branches.append(self._make_series())
                self.items = []
            else:
                self.items.append(self._read_quantifier(self._read_atom(char)))
        if self.open:
            self.fail("a group that is not closed", self.open[-1].start)
        if self.lookaheads and self.branches:
            self.fail("a lookahead in one of several alternatives", self.first_lookahead)
        is_anchored = not self.branches and bool(self.items) and _is_start_assertion(self.items[0])
        body = self._make_choice()
        if sum(node.size or 1 for node, _ in self.lookaheads) + body.size > MAX_POSITIONS:
            self.fail(f"more than {MAX_POSITIONS:,} positions, counts unrolled", 0)
        return Pattern(body, self.lookaheads, is_anchored=is_anchored)

    def _make_series(self) -> PatternNode:
        parts = [part for part in self.items if part.size]
        return parts[0] if len(parts) == 1 else Series(parts) if parts else _EMPTY

    def _make_choice(self) -> PatternNode:
        branches = [*self.branches, self._make_series()]
        if len(branches) == 1:
            return branches[0]
        parts = [part for part in branches if part.size]
        empty = [_EMPTY] if len(parts) < len(branches) else []
        return Choice([*parts, *empty]) if parts else _EMPTY

    def _open_group(self) -> None:
        start = self.at - 1
        if len(self.open) == MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} groups in each other")
        opening = ""
        if self.skip_word("?"):
            opening = next((word for word in (":", "=", "!", "<=", "<!", "<") if self.skip_word(word)), "?")
            self._check_opening(opening, start)
        self.open.append(_Group(start, opening, self.branches, self.items))
        self.branches, self.items = [], []

    def _check_opening(self, opening: str, start: int) -> None:
        if opening in ("<=", "<!"):
            self.fail("lookbehind, which is not supported", start)
        if opening == "?":
            self.fail("a group that begins with an unknown `(?`", start)
        if opening in ("=", "!"):
            if self.open or self.branches or not all(map(_is_start_assertion, self.items)):
                self.fail("lookahead elsewhere than at the very start, which is not supported", start)
            self.first_lookahead = start
        if opening == "<":
            name = self.read_through_or_empty(">")
            if not name or name[0] in DIGITS or not _NAME.issuperset(name) or name in self.names:
                self.fail("a group name that is invalid, is used twice, or has other than ASCII letters", start)
            self.names.add(name)

    def _close_group(self) -> None:
        if not self.open:
            self.fail("an unmatched `)`")
        group, node = self.open.pop(), self._make_choice()
        self.branches, self.items = group.branches, group.items
        if group.opening in ("=", "!"):
            self.lookaheads.append((node, group.opening == "="))
            self._refuse_count("a lookahead")
        else:
            self.items.append(self._read_quantifier(node))

    def _read_atom(self, char: str) -> PatternNode:
        if char not in _NO_CHARACTERS:
            return self._make_set(ord(char))
        if char == "\\":
            if self.skip_word("b"):
                return Assertion("\\b")
            return Assertion("\\B") if self.skip_word("B") else self._make_set(self.read_escape())
        if char == "[":
            return self._make_set(self.read_class())
        if char in "^$":
            return Assertion(char)
        if char == ".":
            return self._make_set(DOT)
        return self.fail(f"a `{char}` without a backslash" if char in "}]" else f"nothing before `{char}`")

    def _make_set(self, bounds: int | tuple[int, ...]) -> CharacterSet:
        wanted = (bounds, bounds + 1) if isinstance(bounds, int) else bounds
        character_set = self.sets.get(wanted)
        if character_set is None:
            character_set = self.sets[wanted] = CharacterSet(wanted)
        return character_set

    def _refuse_count(self, what: str) -> None:
        if self.peek() in _COUNTS:
            self.at += 1
            self.fail(f"a count after {what}")

    def _read_quantifier(self, node: PatternNode) -> PatternNode:
        char = self.peek()
        if char not in _COUNTS:
            return node
        if isinstance(node, Assertion) and self.text[self.at - 1] != ")":
            self._refuse_count("an assertion")
        start = self.at
        self.at += 1
        min_count, max_count = (
            self._read_counts() if char == "{" else {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        )
        self.skip_word("?")  # lazy: it does not matter here which match is found first
        if not node.size or max_count == 0:
            return _EMPTY
        if node.size * (max(min_count, 1) if max_count is None else max_count) > MAX_POSITIONS:
            self.fail(f"a count that makes more than {MAX_POSITIONS:,} positions", start)
        return Repeat(node, min_count, max_count)

    def _read_counts(self) -> tuple[int, int | None]:
        start = self.at - 1
        min_count = max_count = self._read_number()
        if self.skip_word(","):
            max_count = self._read_number()
        if not min_count or not self.skip_word("}"):
            self.fail("a `{` that begins no count", start)
        if not max_count:
            return _clip_count(min_count), None
        if (len(max_count), max_count) < (len(min_count), min_count):
            self.fail("a count that ends below its start", start)
        return _clip_count(min_count), _clip_count(max_count)

    def _read_number(self) -> str:
        """Read digits, and return them without leading zeros."""
        start = self.at
        while self.peek() in NUMERALS:
            self.at += 1
        digits = self.text[start : self.at]
        return digits.lstrip("0") or digits[:1]


def _is_start_assertion(node: PatternNode) -> bool:
    return isinstance(node, Assertion) and node.kind == "^"


def _clip_count(digits: str) -> int:
    return int(digits) if len(digits) < len(f"{MAX_POSITIONS}0") else MAX_POSITIONS + 1
