"""Verify the hash chain of audit logs: each line has a digest of the line before."""

import gzip
import zlib
from hashlib import sha256

from cortex_policy.core import Value
from cortex_policy.core.audit_chain import (
    DIGITS,
    PREFIX,
    parse_chain_digest_or_empty,
    parse_followed_digest_or_none,
    select_hashed_bytes,
)
from cortex_policy.core.model import UsageError
from cortex_policy.manage.audit.unchained_line_kinds import (
    EVENT,
    OTHER,
    TORN,
    classify_unchained_line,
    find_torn_line_problem_text,
)
from cortex_policy.state.audit_rotated_names import strip_compression_suffix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, BinaryIO

MAX_LINE_BYTES = 1 << 26  # bytes of a line in memory
MAX_BREAKS = 1000  # breaks that are reported one by one
MAX_STATES = 1000  # of a digest, within lines of other programs
MAX_NAMED = 5  # of these
_BROKEN = "does not follow the line before: it was changed, or lines before it are missing or moved"


class ChainBreak(Value):
    """A place where the chain is broken: from one line to another, mostly the same."""

    file: str
    line: int
    end_line: int
    why: str


class VerifyResult(Value):
    """The result of a verification; `head` is the last digest, '' if no line is chained.

    Lines are chained, unchained, torn, or of other programs.
    """

    files: tuple[str, ...]
    lines: int
    chained: int
    unchained: int
    torn: int
    others: int
    head: str
    breaks: tuple[ChainBreak, ...]
    more_breaks: int  # breaks that are not reported one by one
    notes: tuple[str, ...]


def verify_chain(
    files: "Iterable[tuple[str, BinaryIO]]", expected: str | None, tracked: "Callable[[Any], Iterable[Any]]"
) -> VerifyResult:
    """Verify the chain through open logs, the oldest first; raise UsageError if the expected digest is malformed."""
    chain, names = _ChainVerifier(_parse_digest(expected)), []
    for name, file in files:
        names.append(name)
        chain.start_file(name)
        for line in tracked(_read_lines(file)):
            chain.add_line(line)
        chain.end_file()
    return chain.result(tuple(names))


def _parse_digest(word: str | None) -> str | None:
    if word is None:
        return None
    digits = word.removeprefix(PREFIX).lower()
    if len(digits) != DIGITS or not set("0123456789abcdef").issuperset(digits):
        raise UsageError(
            f"`{word}` is not a digest",
            "give `--expect` the digest that `cortex-policy audit verify` printed after `head:`",
        )
    return digits


def _read_lines(file: "BinaryIO") -> "Iterator[bytes]":
    try:
        while line := file.readline(MAX_LINE_BYTES):
            yield line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield b"\0"  # it was cut off: treat it as a torn line


class _ChainVerifier:
    """The chain up to the current line."""

    def __init__(self, expected: str | None) -> None:
        self._expected, self._is_met = expected, False
        self._ended = ""  # the digest that ends the files before
        self._before = ""  # the digest of the chained line before, in this file
        self._since: Any = None  # the hash since that line, if lines without a digest followed it
        self._states: list[Any] = []  # the same hash before each of the last lines of other programs
        # their number, error if the line is the last, and kind. INVARIANT: no text: others could make it of any length
        self._aside: list[tuple[int, str, int]] = []
        self._file, self._number = "", 0
        self._lines = self._chained = self._more = 0
        self._counts = [0, 0, 0]  # of each kind
        self._others: list[int] = []  # the first lines of others in this file
        self._of_others = 0  # how many there were before it
        self._is_behind_packed = False
        self._breaks: list[ChainBreak] = []
        self._notes: list[str] = []

    def start_file(self, file: str) -> None:
        """Start the next file, whose first chained line may name the digest that the last file ended with."""
        self._is_behind_packed = strip_compression_suffix(self._file) != self._file
        self._file, self._number, self._others = file, 0, []
        self._of_others = self._counts[OTHER]
        self._restart_from_digest("")

    def add_line(self, line: bytes) -> None:
        """Add the next line, with its newline."""
        self._number += 1
        text = line.removesuffix(b"\n")
        digest = parse_chain_digest_or_empty(text)
        if not digest:
            self._set_line_aside(line)
            return
        part = select_hashed_bytes(text)
        self._chained += 1
        if not self._before or not self._continues_chain(part, digest):
            self._start_chain_or_note_break(part, digest)
        self._is_met = self._is_met or digest == self._expected
        self._restart_from_digest(digest)

    def end_file(self) -> None:
        """End a file: the lines after its last chained line are covered by no digest."""
        for number, fault, kind in self._aside:
            if kind == EVENT and (self._before or self._ended):
                self._add_break(number, number, "has no digest, and comes after lines with a digest")
            elif fault:
                self._add_break(number, number, fault)
            elif kind == TORN:
                self._notes.append(f"`{self._file}` ends within line {number}")
        self._count_lines_aside()
        self._note_other_programs(self._counts[OTHER] - self._of_others)
        self._lines += self._number
        self._ended = self._before or self._ended

    def result(self, files: tuple[str, ...]) -> VerifyResult:
        """Return what was found; an expected digest that no line has is one more break."""
        if self._expected is not None and not self._is_met:
            self._add_break(
                self._number, self._number, f"is the last line, and no line has the digest {PREFIX}{self._expected}"
            )
        return VerifyResult(
            files, self._lines, self._chained, self._counts[EVENT], self._counts[TORN], self._counts[OTHER],
            f"{PREFIX}{self._ended}" if self._ended else "", tuple(self._breaks), self._more, tuple(self._notes),
        )  # fmt: skip

    def _restart_from_digest(self, digest: str) -> None:
        self._count_lines_aside()
        self._before, self._since, self._states = digest, None, []

    def _set_line_aside(self, line: bytes) -> None:
        """Remember a line without a digest."""
        kind = classify_unchained_line(line)
        if self._before:
            self._since = self._since or sha256(self._before.encode())
            self._keep_hash_state(self._since.copy(), kind)
            self._since.update(line)
        self._aside.append((self._number, find_torn_line_problem_text(line) if kind == TORN else "", kind))
        if len(self._aside) > MAX_BREAKS:  # a log of an earlier version has many
            self._count_line(*self._aside.pop(1))

    def _keep_hash_state(self, state: "Any", kind: int) -> None:
        """Keep the hash before a line of another program; of too many in a row the first one and the last ones."""
        if kind != OTHER:
            self._states = []
            return
        if len(self._states) == MAX_STATES:
            del self._states[1]
        self._states.append(state)

    def _count_lines_aside(self) -> None:
        for one in self._aside:
            self._count_line(*one)
        self._aside = []

    def _count_line(self, number: int, _: str, kind: int) -> None:
        self._counts[kind] += 1
        if kind == OTHER and len(self._others) < MAX_NAMED:
            self._others.append(number)

    def _note_other_programs(self, count: int) -> None:
        if count:
            more = f" and {count - len(self._others)} more" if count > len(self._others) else ""
            numbers = ", ".join(map(str, self._others))
            lines, are = ("line", "is") if count == 1 else ("lines", "are")
            self._notes.append(f"`{self._file}`: {lines} {numbers}{more} {are} of another program")

    def _continues_chain(self, part: bytes, digest: str) -> bool:
        """Whether a line follows the line before it; reports events in between that have no digest.

        Another program may write between two lines at any time, even between our look at the end and our write.
        """
        now = sha256(self._before.encode()) if self._since is None else self._since
        if not any(_digest_after(state, part) == digest for state in (now, *reversed(self._states))):
            return False
        for number, _, kind in self._aside:
            if kind == EVENT:
                self._add_break(number, number, "has no digest, and is between lines with a digest")
        return True

    def _start_chain_or_note_break(self, part: bytes, digest: str) -> None:
        """Check a line that does not continue the chain: it starts a new chain, or is a break."""
        follows, first = parse_followed_digest_or_none(part), self._aside[0][0] if self._aside else self._number
        if follows is None:
            self._add_break(
                first, self._number, _BROKEN if self._before else "does not begin the log: lines before it are missing"
            )
        elif sha256(part).hexdigest() != digest:
            self._add_break(first, self._number, "was changed")
        elif self._before:
            self._add_break(first, self._number, "begins a new chain, which does not cover what came before")
        elif not self._ended:
            self._begin_chain(follows)
        elif not follows and self._is_behind_packed:
            self._notes.append(f"`{self._file}` does not name the file before it, which was compressed by then")
        elif follows != self._ended:
            self._add_break(
                self._number, self._number, "does not follow the file before: lines between them are missing"
            )

    def _begin_chain(self, follows: str) -> None:
        if follows:
            self._is_met = self._is_met or follows == self._expected
            self._notes.append(f"`{self._file}` goes on from an earlier file, which was not read")

    def _add_break(self, line: int, end_line: int, why: str) -> None:
        if len(self._breaks) < MAX_BREAKS:
            self._breaks.append(ChainBreak(self._file, line, end_line, why))
        else:
            self._more += 1


def _digest_after(state: "Any", part: bytes) -> str:
    hashed = state.copy()
    hashed.update(part)
    return str(hashed.hexdigest())
