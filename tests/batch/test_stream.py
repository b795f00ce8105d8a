"""Lines through descriptors: in order, at once when the other side waits, in memory that does not grow."""

import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_policy.batch.request_line import MAX_LINE_BYTES
from cortex_policy.batch.stream import LineAnswerLoop


def echo(line: bytes) -> tuple[str, int]:
    """Answer a line with itself; its code is the number that it begins with, if it does."""
    return f"{line[:80].decode()}\n", int(line) if line.isdigit() else 0


@pytest.fixture
def pipes() -> Iterator[tuple[int, int, int, int]]:
    """Make a pipe for requests and one for answers."""
    ends = (*os.pipe(), *os.pipe())
    yield ends
    for one in ends:
        try:
            os.close(one)
        except OSError:  # the test has closed it
            continue


def answers_to(data: bytes, tmp_path: Path) -> tuple[bytes, int]:
    """Answer the lines of a file."""
    (tmp_path / "in").write_bytes(data)
    source, target = os.open(tmp_path / "in", os.O_RDONLY), os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    stream = LineAnswerLoop(echo)
    stream.answer_all(source, target)
    os.close(source)
    os.close(target)
    return (tmp_path / "out").read_bytes(), stream.exit_code


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", 2), (b"a", 0), (b"a\nb\n", 0), (b"a\n14\n10\n", 14), (b"14", 14), (b"\n", 0), (b"a\n\nb", 0)],
)
def test_the_exit_code_is_that_of_the_first_line_that_was_not_allowed(data: bytes, code: int, tmp_path: Path) -> None:
    """No line at all is a usage error; the last one needs no line feed."""
    answers, actual = answers_to(data, tmp_path)
    assert actual == code
    assert answers == data + (b"" if data.endswith(b"\n") or not data else b"\n")


def test_lines_of_any_length_come_back_in_order(tmp_path: Path) -> None:
    """Also those that are longer than one read, or than a line may be."""
    lines = [bytes([65 + index % 26]) * length for index, length in enumerate((1, 70_000, 0, 200_000, 3_000_000, 5))]
    answers, code = answers_to(b"\n".join(lines), tmp_path)
    assert answers.split(b"\n")[:-1] == [line[:80] for line in lines]
    assert code == 0


def test_only_the_start_of_a_line_that_is_too_long_is_kept(tmp_path: Path) -> None:
    """As much as shows that it is."""
    seen: list[int] = []

    def measure(line: bytes) -> tuple[str, int]:
        seen.append(len(line))
        return "", 0

    (tmp_path / "in").write_bytes(b"x" * (8 * MAX_LINE_BYTES) + b"\ny")
    source = os.open(tmp_path / "in", os.O_RDONLY)
    LineAnswerLoop(measure).answer_all(source, -1)
    os.close(source)
    assert MAX_LINE_BYTES < seen[0] < MAX_LINE_BYTES + (1 << 17)
    assert seen[1:] == [1]


def test_an_answer_comes_before_the_next_request(pipes: tuple[int, int, int, int]) -> None:
    """Whoever waits for it gets it; two requests may come in pieces."""
    source, requests, answers, target = pipes
    stream = LineAnswerLoop(echo)
    thread = threading.Thread(target=stream.answer_all, args=(source, target), daemon=True)
    thread.start()
    for piece, expected in ((b"one\n", b"one\n"), (b"tw", b""), (b"o\nthree\n", b"two\nthree\n")):
        os.write(requests, piece)
        got = b""
        while len(got) < len(expected):
            got += os.read(answers, 100)
        assert got == expected
    os.close(requests)
    thread.join(60)
    assert not thread.is_alive()


def test_pipes_that_another_program_made_non_blocking_are_waited_for(pipes: tuple[int, int, int, int]) -> None:
    """Neither an empty one nor a full one is an error."""
    source, requests, answers, target = pipes
    os.set_blocking(source, False)
    os.set_blocking(target, False)
    thread = threading.Thread(target=LineAnswerLoop(echo).answer_all, args=(source, target), daemon=True)
    thread.start()
    sender = threading.Thread(target=lambda: [os.write(requests, b"x" * 79 + b"\n") for _ in range(5000)], daemon=True)
    sender.start()
    got = 0
    while got < 5000 * 80:
        got += len(os.read(answers, 1 << 16))
    os.close(requests)
    thread.join(60)
    assert not thread.is_alive()


def test_memory_stays_flat_over_many_lines(tmp_path: Path) -> None:
    """A hundred megabytes go through."""
    (tmp_path / "in").write_bytes(b"x" * 99 + b"\n")
    feed, source = os.pipe()[::-1]
    target = os.open(os.devnull, os.O_WRONLY)

    def send() -> None:
        block = (b"x" * 99 + b"\n") * 1000
        for _ in range(1000):
            os.write(feed, block)
        os.close(feed)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    LineAnswerLoop(lambda _: ("x\n", 0)).answer_all(source, target)
    sender.join(60)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
    os.close(source)
    os.close(target)
