"""Whether the lines of audit logs still follow one another, as each says by its digest of the one before."""

import gzip
import json
import zlib
from hashlib import sha256

from cortex_policy.core.chain import DIGITS, PREFIX, could_go_on, digest_at_end, followed, hashed_part
from cortex_policy.core.model import UsageError, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, BinaryIO

LONGEST = 1 << 26  # bytes of a line in memory
MOST = 1000  # problems that are named
_BROKEN = "does not follow the line before: it was changed, or lines before it are missing or moved"


class Problem(Value):
    """Where a chain does not hold: from a line to another, which is the same mostly."""

    file: str
    line: int
    end_line: int
    why: str


class Found(Value):
    """What a verification found; `head` is the last digest, '' where no line is chained."""

    files: tuple[str, ...]
    lines: int
    chained: int
    unchained: int
    torn: int
    head: str
    problems: tuple[Problem, ...]
    more: int  # problems that are not named
    notes: tuple[str, ...]


def verify(
    files: "Iterable[tuple[str, BinaryIO]]", expected: str | None, tracked: "Callable[[Any], Iterable[Any]]"
) -> Found:
    """Follow the chain through open logs, the oldest first; raise UsageError where the expected digest is none."""
    chain, names = _Chain(_digest_of(expected)), []
    for name, file in files:
        names.append(name)
        chain.open(name)
        for line in tracked(_lines(file)):
            chain.take(line)
        chain.close()
    return chain.found(tuple(names))


def _digest_of(word: str | None) -> str | None:
    if word is None:
        return None
    digits = word.removeprefix(PREFIX).lower()
    if len(digits) != DIGITS or not set("0123456789abcdef").issuperset(digits):
        raise UsageError(f"`{word}` is no digest", "name one that `cortex-policy audit verify` printed as its head")
    return digits


def _lines(file: "BinaryIO") -> "Iterator[bytes]":
    try:
        while line := file.readline(LONGEST):
            yield line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield b"\0"  # it was cut off: as a line that is


class _Chain:
    """The links met so far."""

    def __init__(self, expected: str | None) -> None:
        self._expected, self._is_met = expected, False
        self._ended = ""  # the digest that ends the files before
        self._before = ""  # the digest of the chained line before, in this file
        self._since: Any = None  # what was hashed since, where lines without a digest followed it
        self._aside: list[tuple[int, bytes, bool]] = []  # these: number, beginning, whether it is an event
        self._file, self._number = "", 0
        self._lines = self._chained = self._unchained = self._torn = self._more = 0
        self._problems: list[Problem] = []
        self._notes: list[str] = []

    def open(self, file: str) -> None:
        """Begin a file."""
        self._file, self._number, self._before = file, 0, ""
        self._restart("")

    def take(self, line: bytes) -> None:
        """Take the next line, with its newline."""
        self._number += 1
        text = line.removesuffix(b"\n")
        digest = digest_at_end(text)
        if not digest:
            self._set_aside(line)
            return
        part = hashed_part(text)
        self._chained += 1
        if not self._before or not self._goes_on(part, digest):
            self._judge(part, digest)
        self._is_met = self._is_met or digest == self._expected
        self._restart(digest)

    def close(self) -> None:
        """End a file: what no chained line came after is covered by none."""
        for number, text, is_event in self._aside:
            if is_event and (self._before or self._ended):
                self._tell(number, number, "has no digest, and stands after lines that do")
            elif not is_event and text.endswith(b"\n"):
                self._tell(number, number, "is no event, and no line after it says that it stood there")
            elif not is_event and not could_go_on(text):
                self._tell(number, number, "was changed")
            elif not is_event:
                self._notes.append(f"`{self._file}` ends within line {number}")
        self._count_aside()
        self._lines += self._number
        self._ended = self._before or self._ended

    def found(self, files: tuple[str, ...]) -> Found:
        """Return what came of it."""
        if self._expected is not None and not self._is_met:
            self._tell(self._number, self._number, f"is the last, and none has the digest {PREFIX}{self._expected}")
        return Found(
            files, self._lines, self._chained, self._unchained, self._torn,
            f"{PREFIX}{self._ended}" if self._ended else "", tuple(self._problems), self._more, tuple(self._notes),
        )  # fmt: skip

    def _restart(self, digest: str) -> None:
        self._count_aside()
        self._before, self._since = digest, None

    def _set_aside(self, line: bytes) -> None:
        """Keep a line without a digest in mind: it is torn, or from before there were chains, or was changed."""
        if self._before:
            self._since = self._since or sha256(self._before.encode())
            self._since.update(line)
        self._aside.append((self._number, line, _is_event(line)))
        if len(self._aside) > MOST:  # a log of an earlier version
            _, _, is_event = self._aside.pop(1)
            self._count(is_event)

    def _count_aside(self) -> None:
        for _, _, is_event in self._aside:
            self._count(is_event)
        self._aside = []

    def _count(self, is_event: bool) -> None:  # noqa: FBT001 - what was found
        self._unchained += is_event
        self._torn += not is_event

    def _goes_on(self, part: bytes, digest: str) -> bool:
        """Whether a line follows the one before it; events in between that no digest was made for are told."""
        hashed = sha256(self._before.encode()) if self._since is None else self._since.copy()
        hashed.update(part)
        if hashed.hexdigest() != digest:
            return False
        for number, _, is_event in self._aside:
            if is_event:
                self._tell(number, number, "has no digest, and stands between lines that do")
        return True

    def _judge(self, part: bytes, digest: str) -> None:
        """Look at a line that does not go on: it begins a chain, or does not hold."""
        follows, first = followed(part), self._aside[0][0] if self._aside else self._number
        if follows is None:
            self._tell(first, self._number, _BROKEN if self._before else "goes on from lines that are missing")
        elif sha256(part).hexdigest() != digest:
            self._tell(first, self._number, "was changed")
        elif self._before:
            self._tell(first, self._number, "begins a chain anew, and what came before is not held by it")
        elif not self._ended:
            self._begin(follows)
        elif follows != self._ended:
            self._tell(self._number, self._number, "does not follow the file before: lines between them are missing")

    def _begin(self, follows: str) -> None:
        if follows:
            self._is_met = self._is_met or follows == self._expected
            self._notes.append(f"`{self._file}` goes on from an earlier file, which was not read")

    def _tell(self, line: int, end_line: int, why: str) -> None:
        if len(self._problems) < MOST:
            self._problems.append(Problem(self._file, line, end_line, why))
        else:
            self._more += 1


def _is_event(line: bytes) -> bool:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "data" in document
