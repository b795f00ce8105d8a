"""Complete lines of a file that grows."""

from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.library.event_delivery.complete_lines import MAX_LINE_BYTES, iterate_lines_with_end_offsets
from cortex_policy.library.event_delivery.cursor import MAX_TAIL_BYTES


def read(data: bytes, offset: int = 0) -> list[tuple[bytes, int, bytes]]:
    """Read the complete lines of some bytes."""
    tail = data[max(0, offset - MAX_TAIL_BYTES) : offset]
    return list(iterate_lines_with_end_offsets(lambda size, at: data[at : at + size], offset, tail))


@given(st.lists(st.binary(max_size=1500).map(lambda line: line.replace(b"\n", b"")), max_size=8), st.binary(max_size=9))
def test_each_complete_line_has_its_place(lines: list[bytes], rest: bytes) -> None:
    """Reading may begin behind any line; an incomplete one is left."""
    data = b"".join(line + b"\n" for line in lines) + rest.replace(b"\n", b"")
    found = read(data)
    assert [line for line, _, _ in found] == lines
    for number, (_, offset, tail) in enumerate(found):
        assert data[:offset].endswith(tail)
        assert len(tail) == min(offset, MAX_TAIL_BYTES)
        assert read(data, offset) == found[number + 1 :]


def test_a_line_longer_than_any_event_is_passed_over() -> None:
    """Once it has an end; the lines behind it are read."""
    long = b"x" * (MAX_LINE_BYTES + 300_000)
    assert read(b"a\n" + long) == [(b"a", 2, b"a\n")]
    found = read(b"a\n" + long + b"\nb\n")
    assert [line for line, _, _ in found] == [b"a", b"(too long)", b"b"]
    assert found[-1][1] == len(long) + 5
    just_fits = b"y" * (MAX_LINE_BYTES - 10)
    assert [line for line, _, _ in read(just_fits + b"\nb\n")] == [just_fits, b"b"]
