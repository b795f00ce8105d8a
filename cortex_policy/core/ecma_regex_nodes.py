"""The parts of a pattern and their positions: one for each character, class or assertion, with those that follow."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

END = 0x110000  # after the last code point


class Positions:
    """The positions of a pattern: `follow` has a bit set for each position that may come after one."""

    follow: list[int]
    one: int

    __slots__ = ("follow", "leaves", "one")

    def __init__(self, size: int, one: int = 1) -> None:
        """Make room for this many; `one` is the bit of the first position, from which the others are shifted."""
        self.follow, self.one = [0] * size, one
        self.leaves: dict[PatternNode, int] = {}  # the positions of each leaf: a counted one has many


class PatternNode:
    """A part of a pattern, with its number of positions and whether it matches the empty text."""

    is_nullable: bool
    parts: "Sequence[PatternNode]"
    size: int

    __slots__ = ("is_nullable", "parts", "size")

    def __init__(self, size: int, parts: "Sequence[PatternNode]" = (), *, is_nullable: bool = False) -> None:
        """Store its size and parts."""
        self.size, self.parts, self.is_nullable = size, parts, is_nullable

    def first_position_bits(self, base: int) -> int:
        """Return the positions that a match can begin with, if its own begin at `base`."""
        return 1 << base

    def link_positions(self, positions: Positions, base: int, after: int) -> int:
        """Note which positions follow its own; return those that a match, and what comes `after`, can begin with."""
        positions.follow[base] = after
        positions.leaves[self] = positions.leaves.get(self, 0) | 1 << base
        return positions.one << base

    def reverse(self) -> "PatternNode":
        """Return the part that matches the same texts read backwards."""
        return self


class CharacterSet(PatternNode):
    """One character: the even bounds begin a range of code points, the odd ones are one past its end."""

    bounds: tuple[int, ...]

    __slots__ = ("bounds",)

    def __init__(self, bounds: tuple[int, ...]) -> None:
        """Take sorted bounds."""
        super().__init__(1)
        self.bounds = bounds


class Assertion(PatternNode):
    r"""One of `^`, `$`, `\b` and `\B`."""

    kind: str

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        """Take its text."""
        super().__init__(1)
        self.kind = kind

    def reverse(self) -> "PatternNode":
        """Return `$` for `^`, and the other way round."""
        return Assertion({"^": "$", "$": "^"}.get(self.kind, self.kind))


class Series(PatternNode):
    """One part after the other."""

    __slots__ = ()

    def __init__(self, parts: "Sequence[PatternNode]") -> None:
        """Sum them up."""
        super().__init__(sum(part.size for part in parts), parts, is_nullable=all(part.is_nullable for part in parts))

    def first_position_bits(self, base: int) -> int:
        """Return those of the first part, and of the next where that may be empty."""
        result = 0
        for part in self.parts:
            result |= part.first_position_bits(base)
            if not part.is_nullable:
                break
            base += part.size
        return result

    def link_positions(self, positions: Positions, base: int, after: int) -> int:
        """Lead each part on to the next."""
        base += self.size
        for part in reversed(self.parts):
            base -= part.size
            after = part.link_positions(positions, base, after)
        return after

    def reverse(self) -> "PatternNode":
        """Return the parts from the last to the first."""
        return Series([part.reverse() for part in reversed(self.parts)])


class Choice(PatternNode):
    """One part or another."""

    __slots__ = ()

    def __init__(self, parts: "Sequence[PatternNode]") -> None:
        """Sum them up."""
        super().__init__(sum(part.size for part in parts), parts, is_nullable=any(part.is_nullable for part in parts))

    def first_position_bits(self, base: int) -> int:
        """Return those of every part."""
        result = 0
        for part in self.parts:
            result |= part.first_position_bits(base)
            base += part.size
        return result

    def link_positions(self, positions: Positions, base: int, after: int) -> int:
        """Lead each part on to what comes after all of them."""
        result = 0
        for part in self.parts:
            result |= part.link_positions(positions, base, after)
            base += part.size
        return result

    def reverse(self) -> "PatternNode":
        """Return the same choice of reversed parts."""
        return Choice([part.reverse() for part in self.parts])


class Repeat(PatternNode):
    """A part several times, `max_count` is None for no end: a counted one has positions for each time."""

    min_count: int
    max_count: int | None

    __slots__ = ("max_count", "min_count")

    def __init__(self, part: PatternNode, min_count: int, max_count: int | None) -> None:
        """Count its positions."""
        copies = max(min_count, 1) if max_count is None else max_count
        super().__init__(part.size * copies, (part,), is_nullable=min_count == 0 or part.is_nullable)
        self.min_count, self.max_count = min_count, max_count

    def first_position_bits(self, base: int) -> int:
        """Return those of the first time, and of the next where that may be empty."""
        part = self.parts[0]
        copies = self.size // part.size if part.is_nullable else 1
        result = 0
        for _ in range(copies):
            result |= part.first_position_bits(base)
            base += part.size
        return result

    def link_positions(self, positions: Positions, base: int, after: int) -> int:
        """Link each repetition to the next, or out if there were enough; the last one of an open count to itself."""
        part = self.parts[0]
        base += self.size - part.size
        entry = after if self.max_count is not None else part.first_position_bits(base) | after
        for copy in reversed(range(self.size // part.size)):
            inner = part.link_positions(positions, base, entry)
            entry = inner if copy < self.min_count else inner | after
            base -= part.size
        return entry

    def reverse(self) -> "PatternNode":
        """Repeat the reversed part."""
        return Repeat(self.parts[0].reverse(), self.min_count, self.max_count)
