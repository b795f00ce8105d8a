"""Logs are read line by line, and whatever is no call of this root is counted."""

import gzip
import io
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.audit.log_files import list_log_files
from cortex_policy.manage.audit.query import CallFilter, count_calls, decode_matching_calls_with_lines
from cortex_policy.manage.audit.reader import (
    MAX_LINE_BYTES,
    ReadCounts,
    decode_calls,
    decode_replayable_calls,
    parse_since,
    read_last_lines,
    read_lines_of_logs,
    sort_logs_oldest_first,
)
from tests.support.logs import START, event
from tests.support.work import peak_memory

NOW = 1_800_000_000.0
GOOD = event(0, "tree")


def read(*found: bytes) -> tuple[int, ReadCounts]:
    """Return how many calls these lines are, and what was counted."""
    tally = ReadCounts()
    return len(list(decode_calls(found, "/r", tally))), tally


UNREADABLE = [
    b"nonsense", b"{", b"[]", b"null", b"1", b'{"data": 1}', b"\xff", GOOD[:-5].encode(), f"{GOOD} {GOOD}".encode(),
    GOOD.replace("com.cortex.", "org.other.").encode(), GOOD.replace('"reason": "allowed"', '"reason": "odd"').encode(),
    GOOD.replace('"reason": "allowed"', '"reason": ["allowed"]').encode(),
    GOOD.replace('"decision": true', '"decision": false').encode(), GOOD.replace('"git"', "7").encode(),
    GOOD.replace('"args": {}', '"args": 3').encode(), GOOD.replace("2026-", "soon").encode(),
    GOOD.replace('"args": {}', f'"args": {"[" * 100_000}').encode(), GOOD.replace("2026-11", "2026-13").encode(),
    GOOD.replace('"cost": 1', f'"cost": {"1" * 5000}').encode(),
]  # fmt: skip


@pytest.mark.parametrize("line", UNREADABLE)
def test_a_line_that_is_not_a_call_is_counted(line: bytes) -> None:
    """Torn, another event, a hostile one: the next one is read."""
    found, tally = read(line, GOOD.encode())
    assert (found, tally.lines, tally.unreadable) == (1, 2, 1)


@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_any_line_may_be_read(noise: bytes, at: int) -> None:
    """Whatever stands in it."""
    text = GOOD.encode()
    found, tally = read(noise, text[:at] + noise + text[at:], text)
    assert tally.lines == 3
    assert found + tally.unreadable + tally.other_roots == 3


def test_a_root_is_known_by_its_path_or_its_digest() -> None:
    """Others are counted; an event that names none is ours."""
    digest = sha256(b"/r").hexdigest()[:16]
    ours = [event(0, "tree", root=root) for root in ("/r", f"sha256:{digest}", None)]
    found, tally = read(*(line.encode() for line in [*ours, event(0, "tree", root="/other")]))
    assert (found, tally.other_roots) == (3, 1)


def test_times_are_read_in_any_spelling() -> None:
    """With a `Z`, an offset, or fewer digits."""
    spelled = ["2026-11-25T08:00:00.500000Z", "2026-11-25T09:00:00.5+01:00", "2026-11-25T08:00:00.500Z"]
    found = [GOOD.replace("2026-11-25T08:00:00.000000Z", time).encode() for time in spelled]
    assert {at for at, _ in decode_calls(found, "/r", ReadCounts())} == {START.timestamp() + 0.5}


@pytest.mark.parametrize(
    ("word", "at"),
    [
        ("90s", NOW - 90),
        ("90m", NOW - 5400),
        ("24h", NOW - 86_400),
        ("7d", NOW - 604_800),
        ("1970-01-01T00:01:00Z", 60),
    ],
)
def test_a_time_is_a_while_ago_or_a_date(word: str, at: float) -> None:
    """As people write it."""
    assert parse_since(word, NOW) == at


@pytest.mark.parametrize("word", ["", "yesterday", "-1h", "24", "1.5h", "h", "9" * 40 + "d"])
def test_other_words_are_not_times(word: str) -> None:
    """It is said how to say it."""
    with pytest.raises(UsageError):
        parse_since(word, NOW)


def test_a_line_that_is_too_long_is_dropped_as_it_comes(tmp_path: Path) -> None:
    """However long, and with or without an end."""
    file, tally = tmp_path / "log", ReadCounts()
    long = b"x" * (MAX_LINE_BYTES + 10)
    file.write_bytes(b"a\n" + long + b"\n\nb\n" + long + b"y" * MAX_LINE_BYTES + b"\nc\n" + long)
    assert list(read_lines_of_logs([str(file)], tally)) == [b"a", b"b", b"c"]
    assert (tally.lines, tally.unreadable) == (3, 3)


@given(st.lists(st.binary(min_size=1, max_size=9).map(lambda part: part.replace(b"\n", b"x").strip() or b"x")))
def test_lines_come_whole_wherever_blocks_end(parts: list[bytes]) -> None:
    """Blocks are of any size."""
    from cortex_policy.manage.audit import reader  # noqa: PLC0415 - its blocks are made small

    whole = b"\n".join(parts)
    before, reader._BLOCK = reader._BLOCK, 3  # noqa: SLF001
    try:
        assert list(reader._split_lines(io.BytesIO(whole), ReadCounts())) == parts  # noqa: SLF001
    finally:
        reader._BLOCK = before  # noqa: SLF001


def test_rotated_logs_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    """Packed ones too, however they are named on the command line."""
    names = [str(tmp_path / name) for name in ("audit", "audit.1", "audit.2.gz")]
    Path(names[0]).write_text(event(200, "c"))
    Path(names[1]).write_text(event(100, "b"))
    Path(names[2]).write_bytes(gzip.compress(event(0, "a").encode()))
    found = [data["action"] for _, data in decode_calls(read_lines_of_logs(names, ReadCounts()), "/r", ReadCounts())]
    assert found == ["a", "b", "c"]


def test_a_packed_log_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """It counts as one line that cannot be read."""
    file, tally = tmp_path / "log.gz", ReadCounts()
    file.write_bytes(gzip.compress(f"{GOOD}\n".encode() * 9)[:-6])
    assert len(list(read_lines_of_logs([str(file)], tally))) <= 9
    assert tally.unreadable == 1
    file.write_bytes(b"not packed")
    assert list(read_lines_of_logs([str(file)], tally)) == []


@pytest.mark.parametrize("name", ["absent", ".", "absent.gz", "nul\0"])
def test_a_log_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    """Named, and nothing is half reported."""
    with pytest.raises(NotDoneError):
        list(read_lines_of_logs([str(tmp_path / name)], ReadCounts()))


def test_the_tail_holds_whole_lines_only(tmp_path: Path) -> None:
    """So many at most, out of so many bytes."""
    file = tmp_path / "log"
    file.write_bytes(b"aaa\nbbb\n\nccc\n")
    assert read_last_lines(str(file), [], 9, 100) == [b"aaa", b"bbb", b"ccc"]
    assert read_last_lines(str(file), [], 2, 100) == [b"bbb", b"ccc"]
    assert read_last_lines(str(file), [], 9, 8) == [b"ccc"]


def test_rotated_logs_come_before_the_log(tmp_path: Path) -> None:
    """By its number; what only looks like one is none, and a log that is not there yet is left out."""
    log = tmp_path / "audit.jsonl"
    for name in ("audit.jsonl.2.gz", "audit.jsonl.10", "audit.jsonl.1", "audit.jsonl.old", "audit_jsonl.3", "b.1"):
        (tmp_path / name).touch()
    rotated = [f"{log}.10", f"{log}.2.gz", f"{log}.1"]
    assert list_log_files(str(log)) == rotated
    log.touch()
    assert list_log_files(str(log)) == [*rotated, str(log)]
    with pytest.raises(NotDoneError, match="no such file"):
        list_log_files("/nowhere/log")


@pytest.mark.parametrize(
    "names",
    [
        ["-20261127", "-20261128", "-20261129"],
        ["-20261127.gz", "-20261128.gz", "-20261129"],
        ["-2026112723", "-2026112801", "-2026112802"],
        ["-20261127-235959", "-20261128-000001", "-20261128-010000"],
        ["-2026-11-27", "-2026-11-28", "-2026-12-01"],
        [".20261127", ".20261128", ".20261129"],
        [".2026-11-27_23-59-59", ".2026-11-28_00-00-00", ".2026-11-28_00-00-01"],
        ["-1764201600", "-1764288000", "-1764374400"],
        ["-20261127", "-20261127-1", "-20261128"],
        [".10", ".2.gz", ".1"],
    ],
)
def test_a_log_is_found_by_all_names_of_rotation(tmp_path: Path, names: list[str]) -> None:
    """By a date with any marks, by the seconds of an epoch, by a number; the oldest first."""
    log = tmp_path / "audit.jsonl"
    for name in (*reversed(names), "", ".lock", "-old", ".bak", "-20261127x", "2", ".1~", "-7", "-20261126.zst"):
        Path(f"{log}{name}").touch()
    assert list_log_files(str(log)) == [*(f"{log}{name}" for name in names), str(log)]


def test_a_time_may_stand_before_the_extension(tmp_path: Path) -> None:
    """As by logrotate with `extension`; a number there is the log of somebody else."""
    log = tmp_path / "audit.jsonl"
    names = ["audit-20261127.jsonl.gz", "audit-20261128.jsonl", "audit-20261129-1764400000.jsonl"]
    for name in (*names, log.name, "audit.2.jsonl", "audit-2.jsonl", "audit-20261129.txt", "audit-20261127x.jsonl"):
        (tmp_path / name).touch()
    assert list_log_files(str(log)) == [*(str(tmp_path / name) for name in names), str(log)]


def test_numbers_and_dates_together_are_read_by_their_first_event(tmp_path: Path) -> None:
    """As where both programs rotate it; a first line that is torn is passed over."""
    log = tmp_path / "audit.jsonl"
    for seconds, name in ((0, ".2"), (60, "-20261127"), (120, ".1"), (180, "-20261128"), (240, "")):
        Path(f"{log}{name}").write_text(f'{{"torn\n{event(seconds, "tree")}\n')
    assert [name.removeprefix(str(log)) for name in list_log_files(str(log))] == [
        ".2",
        "-20261127",
        ".1",
        "-20261128",
        "",
    ]


def test_the_last_lines_go_on_where_the_log_was_rotated(tmp_path: Path) -> None:
    """Into the one before, and no further; so many in all."""
    log = tmp_path / "audit.jsonl"
    (tmp_path / "audit.jsonl.1").write_bytes(b"1\n2\n3\n")
    assert read_last_lines(str(log), [f"{log}.1"], 9, 99) == [b"1", b"2", b"3"]
    log.write_bytes(b"4\n5\n")
    assert read_last_lines(str(log), [f"{log}.1"], 4, 99) == [b"2", b"3", b"4", b"5"]
    assert read_last_lines(str(log), [f"{log}.1"], 2, 99) == [b"4", b"5"]
    assert read_last_lines(str(log), [f"{log}.1"], 9, 5) == [b"3", b"4", b"5"]


def test_the_first_line_of_a_log_may_be_of_any_length(tmp_path: Path) -> None:
    """Which of two logs is older is found without all of it: packed, it takes no room on the disk."""
    names = [str(tmp_path / name) for name in ("a.gz", "b.gz")]
    for name in names:
        with gzip.open(name, "wb") as file:
            file.write(b"x" * (50 << 20))
    with peak_memory(20 << 20):
        assert sort_logs_oldest_first(names) == names


def test_names_of_any_length_are_cut_in_counts() -> None:
    """Ten thousand kinds of calls are kept."""
    lines = [event(n, f"{n}{'x' * 100_000}", grant="g" * 100_000).encode() for n in range(3)]
    found = count_calls(decode_matching_calls_with_lines(lines, CallFilter(), ReadCounts()), 10)
    assert len(found.kinds) == 3
    assert max(len(word) for kind, _ in found.kinds for word in kind) <= 4_100


def test_a_call_whose_arguments_were_too_long_is_one_that_cannot_be_decided_again() -> None:
    """It is shown and counted as any other."""
    line = GOOD.replace('"args": {}', '"args": null').encode()
    assert read(line)[0] == 1
    tally = ReadCounts()
    assert len(list(decode_replayable_calls([line, GOOD.encode()], "/r", tally))) == 1
    assert tally.unreadable == 1
