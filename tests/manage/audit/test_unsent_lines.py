"""The lines of an audit log behind a cursor, whatever becomes of its files meanwhile."""

import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cortex_policy.core.model import Settings
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.audit.unsent_lines import LogLines
from cortex_policy.state.audit_log import AuditLog
from tests.support.event_receiver import format_event_line

if TYPE_CHECKING:
    from cortex_policy.library.event_delivery.cursor import Position


class Log:
    """A log that the program writes, and what reads it."""

    def __init__(self, top: Path, max_bytes: int = 0, keep: int = 5) -> None:
        self.file = top / "audit.jsonl"
        self._log = AuditLog(Settings(audit_file=str(self.file), audit_max_bytes=max_bytes, audit_keep=keep))
        self._number = 0
        self.position: Position | None = None
        self.reports = list[str]()

    def write(self, count: int = 1) -> None:
        """Log that many calls."""
        for _ in range(count):
            self._number += 1
            self._log.append(format_event_line(str(self._number)) + b"\n")

    def rotate(self, to: str = "audit.jsonl.1") -> None:
        """Move the log away, as other programs do."""
        self.file.rename(self.file.with_name(to))

    def lines(self) -> Iterator[str | None]:
        """Yield the number of each call behind the position, and None when there is none; the position moves on."""
        self.reader = LogLines(str(self.file), self.position, self.reports.append)
        for found in self.reader.follow():
            if found is not None:
                self.position = found[1]
            yield found[0].split(b'"id":"')[1].split(b'"')[0].decode() if found is not None else None

    def read(self) -> str:
        """Return the numbers of all calls that are there."""
        return read_on(self.lines())


def read_on(lines: Iterator[str | None]) -> str:
    """Return the numbers up to the next None."""
    found = list[str]()
    while (line := next(lines)) is not None:
        found.append(line)
    return " ".join(found)


def read_twice(lines: Iterator[str | None]) -> str:
    """Look again where a rotation is noticed first, and read then."""
    return " ".join(filter(None, (read_on(lines) for _ in range(3))))


def compress(file: Path) -> None:
    """Compress a file as logrotate does."""
    with file.open("rb") as plain, gzip.open(f"{file}.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    file.unlink()


def test_each_run_goes_on_behind_the_last_line(tmp_path: Path) -> None:
    """The first one begins with the oldest; without new lines there is nothing."""
    log = Log(tmp_path)
    log.write(3)
    assert log.read() == "1 2 3"
    assert log.read() == ""
    log.write(2)
    assert log.read() == "4 5"
    assert log.reports == []


def test_rotated_files_are_read_first(tmp_path: Path) -> None:
    """Those of the program itself, as many as there are."""
    log = Log(tmp_path, max_bytes=900)
    log.write(7)
    assert len(list(tmp_path.glob("audit.jsonl.?"))) >= 3
    assert log.read() == "1 2 3 4 5 6 7"
    log.write(5)
    assert log.read() == "8 9 10 11 12"
    assert log.reports == []


@pytest.mark.parametrize("follows", [False, True])
def test_a_rotation_loses_nothing(tmp_path: Path, follows: bool) -> None:
    """By another program, with a date or a number, compressed or not; between two runs, or while it follows."""
    log = Log(tmp_path)
    lines = log.lines()

    def read() -> str:
        return read_twice(lines) if follows else log.read()

    log.write(2)
    assert read() == "1 2"
    log.write(2)
    log.rotate("audit.jsonl-20261129")
    assert read() == "3 4"
    log.write(2)
    log.rotate("audit.jsonl-20261130")
    log.write(1)
    compress(tmp_path / "audit.jsonl-20261129")
    compress(tmp_path / "audit.jsonl-20261130")
    log.write(1)
    assert read() == "5 6 7 8"
    log.rotate("audit.jsonl-20261201")
    assert read() == ""
    log.write(1)
    assert read() == "9"
    assert log.reports == []


def test_lines_that_come_while_it_follows_are_read(tmp_path: Path) -> None:
    """Through rotations by the program, with all of which only the newest file is kept."""
    log = Log(tmp_path, max_bytes=1500, keep=1)
    log.write(1)
    lines = log.lines()
    got = list[str]()
    for _ in range(40):
        got += read_on(lines).split()
        log.write(1)
    got += read_twice(lines).split()
    assert got == [str(number) for number in range(1, 42)]
    assert log.reports == []


def test_a_log_that_keeps_no_rotated_file_is_read_to_its_end_while_it_is_open(tmp_path: Path) -> None:
    """Though it has no name any more."""
    log = Log(tmp_path, max_bytes=1500, keep=0)
    log.write(1)
    lines = log.lines()
    got = list[str]()
    for _ in range(20):
        got += read_twice(lines).split()
        log.write(2)
    got += read_twice(lines).split()
    assert got == [str(number) for number in range(1, 42)]
    assert "may be missing" in log.reports[0]  # nothing says that there was no file in between


def test_a_file_that_is_gone_is_reported_unless_all_of_it_was_sent(tmp_path: Path) -> None:
    """The next file says which line came before it."""
    log = Log(tmp_path)
    log.write(2)
    assert log.read() == "1 2"
    log.rotate()
    log.write(1)
    (tmp_path / "audit.jsonl.1").unlink()
    assert log.read() == "3"
    assert log.reports == []
    log.write(1)
    log.rotate()
    log.write(1)
    (tmp_path / "audit.jsonl.1").unlink()
    assert log.read() == "5"
    assert log.reader.gaps == 1
    assert "may be missing: the file up to which its events were sent is gone" in log.reports[0]


def test_a_file_that_is_gone_between_two_others_is_reported(tmp_path: Path) -> None:
    """What is there is read all the same."""
    log = Log(tmp_path)
    for number in (3, 2, 1):
        log.write(1)
        log.rotate(f"audit.jsonl.{number}")
    log.write(1)
    (tmp_path / "audit.jsonl.2").unlink()
    assert log.read() == "1 3 4"
    assert log.reports == [f"events of `{log.file}` may be missing: a file between two others is gone"]


@pytest.mark.parametrize(
    ("cut", "read", "why"),
    [
        ([0], "2 3 4 5", "its first lines are gone"),
        ([1, 2], "1 4 5", "a line does not follow the one before it"),
        ([1, 3], "1 3 5", "a line does not follow the one before it"),
    ],
)
@pytest.mark.parametrize("sent", [False, True])
def test_lines_that_were_cut_out_before_they_were_sent_are_reported(
    tmp_path: Path, cut: list[int], read: str, why: str, sent: bool
) -> None:
    """As `audit verify` finds them, also behind what was sent before; the rest is sent."""
    log = Log(tmp_path)
    if sent:
        log.write(1)
        assert log.read() == "1"
        log.rotate()
    log.write(5)
    lines = log.file.read_bytes().splitlines(keepends=True)
    log.file.write_bytes(b"".join(line for number, line in enumerate(lines) if number not in cut))
    assert log.read() == (" ".join(str(int(number) + 1) for number in read.split()) if sent else read)
    expected = 2 if cut == [1, 3] else 1
    assert log.reader.gaps == len(log.reports) == expected
    assert all(f"may be missing: {why}; `cortex-policy audit verify {log.file}`" in report for report in log.reports)
    assert log.read() == ""
    assert len(log.reports) == expected


def test_a_line_that_was_cut_out_right_behind_the_last_one_sent_is_reported(tmp_path: Path) -> None:
    """The cursor knows the digest of that one."""
    log = Log(tmp_path)
    log.write(2)
    assert log.read() == "1 2"
    log.write(2)
    lines = log.file.read_bytes().splitlines(keepends=True)
    log.file.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert log.read() == "4"
    assert log.reader.gaps == 1


def test_lines_of_other_programs_between_those_of_the_chain_are_no_gap(tmp_path: Path) -> None:
    """Nor is a line that a killed writer has left, nor a log of before there were chains."""
    log = Log(tmp_path)
    log.file.write_bytes(format_event_line("old") + b"\n")
    log.write(1)
    with log.file.open("ab") as file:
        file.write(b'{"id":"other"}\n')
    log.write(2)
    assert log.read() == "old 1 other 2 3"
    assert log.reports == []


@pytest.mark.parametrize("follows", [False, True])
def test_a_log_that_is_cut_is_read_from_its_start(tmp_path: Path, follows: bool) -> None:
    """With a copy, as `copytruncate` makes it, nothing is missing; without one something may be."""
    log = Log(tmp_path)
    lines = log.lines()

    def read() -> str:
        return read_twice(lines) if follows else log.read()

    log.write(3)
    assert read() == "1 2 3"
    log.write(1)
    shutil.copy(log.file, tmp_path / "audit.jsonl.1")
    os.truncate(log.file, 0)
    log.write(5)
    assert read() == "4 5 6 7 8 9"
    assert log.reports == []
    os.truncate(log.file, 0)
    (tmp_path / "audit.jsonl.1").unlink()
    log.write(9)
    assert read() == "10 11 12 13 14 15 16 17 18"
    assert len(log.reports) == 1


def test_an_incomplete_line_is_read_when_it_is_complete(tmp_path: Path) -> None:
    """Never in parts."""
    log = Log(tmp_path)
    log.write(1)
    lines = log.lines()
    assert read_on(lines) == "1"
    whole = format_event_line("2") + b"\n"
    for part in (whole[:20], whole[20:90], whole[90:]):
        assert read_on(lines) == ""
        with log.file.open("ab") as file:
            file.write(part)
    assert read_on(lines) == "2"


def test_a_compressed_file_that_is_cut_off_is_reported(tmp_path: Path) -> None:
    """Its first lines are read, and the files behind it."""
    log = Log(tmp_path)
    log.write(400)
    log.rotate()
    log.write(1)
    compress(tmp_path / "audit.jsonl.1")
    os.truncate(tmp_path / "audit.jsonl.1.gz", (tmp_path / "audit.jsonl.1.gz").stat().st_size // 2)
    assert log.read().split()[-1] == "401"
    assert "a compressed log is cut off" in log.reports[0]


def test_without_a_log_there_is_an_error(tmp_path: Path) -> None:
    """It may be the wrong name."""
    with pytest.raises(NotDoneError, match="no such file"):
        next(LogLines(str(tmp_path / "none"), None, print).follow())


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file whose reading fails")
def test_a_disk_that_fails_is_an_error_and_no_gap() -> None:
    """What could not be read is read by the next run, and nothing is left out."""
    reports = list[str]()
    reader = LogLines("/proc/self/mem", None, reports.append)
    with pytest.raises(NotDoneError, match="input/output error"):
        next(reader.follow())
    assert reports == []
    assert reader.gaps == 0
