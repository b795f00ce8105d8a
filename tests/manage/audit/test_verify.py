"""Verification: each kind of damage is found, at its line, and what honest writers leave is none."""

import gzip
import os
import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.model import Settings, UsageError
from cortex_policy.manage.audit import verify as audit_verify
from cortex_policy.manage.audit.log_files import list_log_files, open_logs
from cortex_policy.manage.audit.tail import tail_log_lines
from cortex_policy.manage.audit.verify import VerifyResult
from cortex_policy.state.audit_log import AuditLog
from cortex_policy.state.audit_record import record_answered_call
from cortex_policy.state.enforcement import AuditedCall


def write(log: Path, lines: int, *, most: int = 0, keep: int = 1000) -> None:
    """Write some events, of different lengths."""
    settings = Settings(audit_file=str(log), audit_args="full", audit_max_bytes=most, audit_keep=keep)
    for number in range(lines):
        one = AuditLog(settings)
        trail = AuditedCall("git", "tree", {"n": number, "text": "x" * (number % 50)}, 1, peek=False)
        trail.settings = settings
        record_answered_call(trail, None, one)
        one.close()


def verify(*logs: Path | str, expected: str | None = None) -> VerifyResult:
    """Verify some files."""
    with open_logs([str(log) for log in logs]) as files:
        return audit_verify.verify_chain(files, expected, iter)


def where(found: VerifyResult) -> list[tuple[int, int]]:
    """Return the lines of the problems."""
    return [(problem.line, problem.end_line) for problem in found.breaks]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the lines of a log."""
    log = tmp_path_factory.mktemp("written") / "log"
    write(log, 12)
    return log.read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name a file for what was tampered with."""
    return tmp_path_factory.mktemp("scratch") / "log"


def tampered(scratch: Path, lines: Iterable[bytes]) -> VerifyResult:
    """Verify these lines."""
    scratch.write_bytes(b"".join(lines))
    return verify(scratch)


def test_a_written_log_verifies(scratch: Path, written: list[bytes]) -> None:
    """And the head is the digest of the last line."""
    found = tampered(scratch, written)
    assert (found.breaks, found.notes) == ((), ())
    assert (found.lines, found.chained, found.unchained, found.torn) == (12, 12, 0, 0)
    assert found.head.encode() in written[-1]


@given(st.data())
def test_a_changed_byte_is_found_at_its_line(scratch: Path, written: list[bytes], data: st.DataObject) -> None:
    """Whichever it is, and whatever it became; one that joins or cuts lines, too."""
    number = data.draw(st.integers(0, len(written) - 1))
    line = bytearray(written[number])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 255))
    found = tampered(scratch, [*written[:number], bytes(line), *written[number + 1 :]])
    is_last_newline = number == len(written) - 1 and at == len(line) - 1
    assert found.breaks or (is_last_newline and found.notes)
    if found.breaks:
        first = found.breaks[0]
        assert first.line <= number + 1 <= first.end_line + 1
        assert first.line >= number


@given(st.data())
def test_missing_lines_are_found_where_they_were(scratch: Path, written: list[bytes], data: st.DataObject) -> None:
    """At the line that took their place; at the end nothing took it, which only who kept the head can tell."""
    first = data.draw(st.integers(0, len(written) - 1))
    last = data.draw(st.integers(first + 1, len(written)))
    found = tampered(scratch, [*written[:first], *written[last:]])
    if last < len(written):
        assert where(found)[0] == (first + 1, first + 1)
        assert len(found.breaks) == 1
    else:
        assert not found.breaks
        head = verify_head(written)
        assert verify(scratch, expected=head).breaks


def verify_head(written: list[bytes]) -> str:
    """Return the head of whole lines."""
    return written[-1].decode().split('"')[-2]


@given(st.data())
def test_lines_that_changed_places_are_found(scratch: Path, written: list[bytes], data: st.DataObject) -> None:
    """At the first of them."""
    one = data.draw(st.integers(0, len(written) - 2))
    other = data.draw(st.integers(one + 1, len(written) - 1))
    lines = [*written]
    lines[one], lines[other] = lines[other], lines[one]
    assert where(tampered(scratch, lines))[0] == (one + 1, one + 1)


@given(st.data())
def test_a_repeated_line_is_found(scratch: Path, written: list[bytes], data: st.DataObject) -> None:
    """Wherever the second one stands."""
    number = data.draw(st.integers(0, len(written) - 1))
    at = data.draw(st.integers(number + 1, len(written)))
    assert where(tampered(scratch, [*written[:at], written[number], *written[at:]]))[0][0] == at + 1


@given(st.data())
def test_a_log_that_is_cut_within_a_line_ends_there(scratch: Path, written: list[bytes], data: st.DataObject) -> None:
    """As one whose writer died; the writers after it go on, and it verifies."""
    text = b"".join(written)
    end = data.draw(st.integers(1, len(text)))
    found = tampered(scratch, [text[:end]])
    whole = text[:end].count(b"\n")
    is_torn = not text[:end].endswith(b"\n") and text[end : end + 1] != b"\n"
    assert not found.breaks
    assert found.torn == is_torn
    assert found.notes == ((f"`{scratch}` ends within line {whole + 1}",) if is_torn else ())
    write(scratch, 2)
    found = verify(scratch)
    assert (found.breaks, found.torn, found.notes) == ((), int(is_torn), ())


def test_torn_lines_are_covered_by_the_next(tmp_path: Path) -> None:
    """They are no tampering; to change or drop them is."""
    log = tmp_path / "log"
    write(log, 2)
    for torn in (b'{"specversion', b"\0" * 100, b'{"a":{"b":1, "chain":"sha256:' + b"0" * 20):
        with log.open("ab") as file:
            file.write(torn)
        write(log, 2)
    found = verify(log)
    assert (found.breaks, found.torn, found.chained) == ((), 3, 8)
    lines = log.read_bytes().splitlines(keepends=True)
    assert where(tampered(log, [*lines[:2], *lines[3:]])) == [(3, 3)]
    assert where(tampered(log, [*lines[:2], b"x" + lines[2], *lines[3:]])) == [(3, 4)]


def test_lines_of_an_earlier_version_come_first(tmp_path: Path, written: list[bytes]) -> None:
    """They are counted as they are; after chained ones they are a finding."""
    log = tmp_path / "log"
    old = written[0].split(b', "follows"')[0] + b"}}\n"
    log.write_bytes(old * 3000)
    write(log, 3)
    found = verify(log)
    assert (found.breaks, found.unchained, found.chained) == ((), 3000, 3)
    with log.open("ab") as file:
        file.write(old)
    assert where(verify(log)) == [(3004, 3004)]
    write(log, 2)
    found = verify(log)
    assert where(found) == [(3004, 3004)]
    assert found.unchained == 3001
    log.write_bytes(old * 2)
    found = verify(log)
    assert (found.breaks, found.head, found.unchained) == ((), "", 2)
    assert verify(log, expected="sha256:" + "0" * 64).breaks


def test_a_chain_goes_through_rotated_files(tmp_path: Path) -> None:
    """A file that is missing, changed or out of order is found at the file that follows it."""
    log = tmp_path / "log"
    write(log, 40, most=2000)
    names = list_log_files(str(log))
    assert len(names) > 5
    found = verify(*names)
    assert (found.breaks, found.notes, found.chained) == ((), (), 40)
    assert [problem.file for problem in verify(*names[:2], *names[3:]).breaks] == [names[3]]
    assert verify(*names[2:]).notes == (f"`{names[2]}` goes on from an earlier file, which was not read",)
    assert [problem.file for problem in verify(*names[:-2], names[-1], names[-2]).breaks] == [names[-1], names[-2]]
    data = Path(names[2]).read_bytes()
    Path(names[2]).write_bytes(data[: data.rindex(b"\n", 0, -1) + 1])
    assert [(one.file, one.line) for one in verify(*names).breaks] == [(names[3], 1)]


def test_a_head_that_was_kept_is_found_again(tmp_path: Path) -> None:
    """While the log grows and is rotated, with or without the word before its digits."""
    log = tmp_path / "log"
    write(log, 3)
    head = verify(log).head
    write(log, 3, most=1500)
    names = list_log_files(str(log))
    assert len(names) > 1
    for word in (head, head.removeprefix("sha256:"), head.upper().replace("SHA256", "sha256")):
        assert not verify(*names, expected=word).breaks
    last = verify(*names[:-1]).head
    assert not verify(names[-1], expected=last).breaks  # it says what it follows
    assert verify(names[-1], expected=head).breaks or head == last
    with pytest.raises(UsageError, match="is not a digest"):
        verify(log, expected="sha256:1234")


@pytest.mark.parametrize(
    "make", [lambda: b"\n" * 2000, lambda: bytes(range(256)) * 400, lambda: b"{" * 5000, lambda: b""]
)
def test_a_file_that_is_not_a_log_is_reported(tmp_path: Path, make: Callable[[], bytes]) -> None:
    """Nothing is raised, and the named problems are not without number."""
    log = tmp_path / "log"
    log.write_bytes(make())
    found = verify(log)
    assert found.chained == 0
    assert len(found.breaks) <= audit_verify.MAX_BREAKS
    assert found.lines == make().count(b"\n") + (not make().endswith(b"\n") and bool(make()))
    assert os.path.getsize(log) == len(make())


FOREIGN = [b"nginx: reopened\n", b'{"level":"info","data":{"n":1}}\n', b"\xff\xfe\n", b"\n", b'"chain"\n', b"[1, 2]\n"]


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(FOREIGN)), max_size=12))
def test_lines_of_another_program_break_no_chain(
    scratch: Path, written: list[bytes], added: list[tuple[int, bytes]]
) -> None:
    """Wherever they came between ours, and whenever; they are counted, and named in a note."""
    lines = [*written]
    for at, line in sorted(added, reverse=True):
        lines.insert(at, line)
    found = tampered(scratch, lines)
    assert (found.breaks, found.chained, found.others) == ((), 12, len(added))
    assert len(found.notes) == bool(added)
    assert all("of another program" in note for note in found.notes)


def test_lines_of_another_program_before_a_line_is_written_are_held_by_it(tmp_path: Path) -> None:
    """Those that came meanwhile are not; both are in a verified log."""
    log = tmp_path / "log"
    for count in range(1, 4):
        write(log, 2)
        with log.open("ab") as file:
            file.write(FOREIGN[0] * count)
    write(log, 1)
    lines = log.read_bytes().splitlines(keepends=True)
    found = verify(log)
    assert (found.breaks, found.others, found.chained, found.torn) == ((), 6, 7, 0)
    assert found.notes == (f"`{log}`: lines 3, 6, 7, 10, 11 and 1 more are of another program",)
    assert tampered(log, [*lines[:3], *FOREIGN * 50, *lines[3:]]).breaks == ()
    lines = [line for line in lines if line != FOREIGN[0]]  # what a line holds cannot be taken away
    assert tampered(log, lines).breaks


def test_a_file_whose_forerunner_was_packed_begins_a_chain(tmp_path: Path) -> None:
    """That it names none is a note; where it is not packed, it is a finding."""
    log, older = tmp_path / "log", tmp_path / "log.1"
    write(log, 3)
    log.rename(older)
    with gzip.open(f"{older}.gz", "wb") as packed:
        packed.write(older.read_bytes())
    data = older.read_bytes()
    older.unlink()
    write(log, 2)
    with open_logs(list_log_files(str(log))) as files:
        found = audit_verify.verify_chain(files, None, iter)
    assert (found.breaks, found.chained) == ((), 5)
    assert found.notes == (f"`{log}` does not name the file before it, which was compressed by then",)
    older.write_bytes(data)
    assert [(one.file, one.line) for one in verify(older, log).breaks] == [(str(log), 1)]


@pytest.mark.parametrize("name", ["-20261129", ".2026-11-29", ".1"])
def test_a_new_file_names_the_end_of_the_last_one_by_whatever_name(tmp_path: Path, name: str) -> None:
    """By the date of its rotation too, beside older ones with numbers."""
    log = tmp_path / "log"
    write(log, 2)
    log.rename(f"{log}.2")
    time.sleep(0.02)
    write(log, 2)
    log.rename(f"{log}{name}")
    write(log, 2)
    found = verify(*list_log_files(str(log)))
    assert (found.breaks, found.notes, found.chained) == ((), (), 6)


def test_long_lines_of_others_are_not_kept_in_memory(tmp_path: Path) -> None:
    """Nobody bounds what another program writes into a log, or whoever changes one."""
    log = tmp_path / "log"
    write(log, 1)
    with log.open("ab") as file:
        for _ in range(30):
            file.write(b"x" * (4 << 20) + b"\n")
            file.write(b'{"specversion":"1.0","id":"' + b"[]," * (1 << 20) + b"\n")
    tracemalloc.start()
    try:
        found = verify(log)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()
    assert (len(found.breaks), found.others) == (30, 30)


def test_a_long_line_at_the_end_of_a_log_is_not_kept_in_memory(tmp_path: Path) -> None:
    """The last lines are looked for in a part of it."""
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast\n")
    tracemalloc.start()
    try:
        assert list(tail_log_lines(str(log), 10)) == [b"last"]
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
