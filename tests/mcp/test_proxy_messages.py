"""Lines of a client: cut in bounded memory, and refused if two programs could read them in two ways."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.mcp.proxy_messages import (
    INVALID_REQUEST,
    PARSE_ERROR,
    Line,
    LineSplitter,
    RefusedMessage,
    decode_message,
    encode_message,
)
from tests.support.mcp_messages import call, line_of


def split_all(chunks: list[bytes], limit: int = 1 << 20) -> list[Line]:
    """Return all lines of a stream."""
    splitter = LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.split(chunk)]
    last = splitter.last_line()
    return lines if last is None else [*lines, last]


@given(st.lists(st.binary(max_size=20) | st.just(b"\n")))
def test_lines_do_not_depend_on_where_the_stream_was_cut(chunks: list[bytes]) -> None:
    """And together they are the stream, byte for byte."""
    lines = [line.data for line in split_all(chunks)]
    assert b"".join(lines) == b"".join(chunks)
    assert all(line.find(b"\n") in (-1, len(line) - 1) for line in lines)
    assert all(line.endswith(b"\n") for line in lines[:-1])


@given(st.lists(st.binary(max_size=20) | st.just(b"\n")), st.integers(0, 30))
def test_a_line_that_is_too_long_is_cut_and_the_next_one_is_whole(chunks: list[bytes], limit: int) -> None:
    """Whatever the pieces are in which it comes."""
    expected = [len(line) + 1 > limit for line in b"".join(chunks).split(b"\n")[:-1]]
    assert [line.is_cut for line in split_all(chunks, limit) if line.data.endswith(b"\n")] == expected


def test_of_a_line_that_is_too_long_only_the_ends_are_kept() -> None:
    """Memory does not grow with what a client sends."""
    splitter = LineSplitter(1 << 16)
    for _ in range(100):
        assert splitter.split(b"x" * 10_000) == []
        assert len(splitter._held) <= 1 << 16  # noqa: SLF001 - the memory is what is tested
    (line,) = splitter.split(b"y\n")
    assert line.is_cut
    assert len(line.data) == 8192
    assert line.data.startswith(b"x") and line.data.endswith(b"y\n")  # noqa: PT018 - the two ends


def refusal(data: bytes) -> RefusedMessage:
    """Return how a line is refused."""
    with pytest.raises(RefusedMessage) as caught:
        decode_message(Line(data))
    return caught.value


AMBIGUOUS = {
    "a key twice": b'{"method":"ping","method":"tools/call"}',
    "a key twice, one escaped": b'{"method":"ping","\\u006dethod":"tools/call"}',
    "a nested key twice": b'{"method":"ping","params":{"a":1,"a":2}}',
    "a byte order mark": b'\xef\xbb\xbf{"method":"ping"}',
    "a carriage return": b'{"method":"ping","params":\r{"method":"tools/call"}\r}',
    "NUL": b'{"method":"ping"}\0',
    "NUL in a text": b'{"method":"ping\0"}',
    "no UTF-8": b'{"method":"ping\xff"}',
    "overlong UTF-8": b'{"method":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"method":"\xed\xa0\x80"}',
    "a comment": b'{"method":"ping"} // x',
    "two messages": b'{"method":"ping"}{"method":"tools/call"}',
    "a form feed": b'{"method":\x0c"ping"}',
    "NaN": b'{"id":NaN,"method":"ping"}',
    "a number too large for a float": b'{"id":1,"method":"ping","params":{"a":1e999}}',
    "too deep": b'{"method":' + b"[" * 100_000,
    "a single quote": b"{'method':'ping'}",
    "half a message": b'{"method":"pi',
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_programs_read_in_different_ways_is_refused(data: bytes) -> None:
    """With the error of JSON-RPC for text that is none."""
    assert refusal(data + b"\n").code == PARSE_ERROR


@pytest.mark.parametrize(
    "name",
    ["Method", "METHOD", "method ", "\0method", "method\0x", "param\u017f", "__proto__", "Id", "jsonRpc", "extra", ""],
)
def test_a_member_that_json_rpc_does_not_have_is_refused(name: str) -> None:
    """A server written in Go takes `Method` for `method`, one in C a text that ends at a NUL."""
    refused = refusal(line_of({"jsonrpc": "2.0", "id": 7, "method": "ping", name: "tools/call"}))
    assert (refused.code, refused.request_ids) == (INVALID_REQUEST, [7])


@pytest.mark.parametrize("request_id", [None, True, 1.0, 1.5, [], {}, "x" * 1001])
def test_an_id_that_mcp_does_not_have_is_refused(request_id: object) -> None:
    """Each program would compare it in its own way."""
    refused = refusal(line_of({"jsonrpc": "2.0", "id": request_id, "method": "ping"}))
    assert (refused.code, refused.request_ids) == (INVALID_REQUEST, [])


@pytest.mark.parametrize("method", [None, 1, ["tools/call"], {"toString": "tools/call"}])
def test_a_method_that_is_no_text_is_refused(method: object) -> None:
    """A program may make a text of it."""
    assert refusal(line_of({"jsonrpc": "2.0", "id": 1, "method": method})).request_ids == [1]


@pytest.mark.parametrize("member", ["result", "error"])
def test_a_request_that_is_an_answer_too_is_refused(member: str) -> None:
    """Whichever the server takes it for."""
    assert refusal(line_of({"id": 1, "method": "tools/call", member: {}})).code == INVALID_REQUEST


def test_a_batch_is_refused_for_each_of_its_requests() -> None:
    """Nested ones have no ids that anybody waits for."""
    refused = refusal(line_of([call("x", 1), {"method": "notifications/x"}, [call("x", 2)], 5, call("x", "b")]))
    assert (refused.code, refused.request_ids) == (INVALID_REQUEST, [1, "b"])


@pytest.mark.parametrize("data", [b"5", b'"tools/call"', b"null", b"true"])
def test_a_value_that_is_no_object_is_refused(data: bytes) -> None:
    """No message looks so."""
    assert refusal(data).code == INVALID_REQUEST


@pytest.mark.parametrize(
    "data",
    [
        b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"id":9},}',
        b'{"jsonrpc": "2.0", "method": "x", "id": 7, "params": oops',
        b'{"params":{"id":9,"x":"\xff"},"jsonrpc":"2.0","id":7}',
    ],
)
def test_the_error_has_the_id_of_a_message_that_cannot_be_read(data: bytes) -> None:
    """So that its client does not wait for an answer."""
    assert refusal(data).request_ids == [7]


@pytest.mark.parametrize("data", [b'{"params":{"id":9,', b'{"params":{"id":9}}x', b'{"x":"\\"id":9}', b""])
def test_no_id_is_made_up(data: bytes) -> None:
    """An inner one is nobody's."""
    assert refusal(data).request_ids == []


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_message_may_end_as_a_line_of_any_system(end: bytes) -> None:
    """The last one may have no end."""
    assert decode_message(Line(b'{"method":"ping"}' + end)) == {"method": "ping"}


@given(st.dictionaries(st.just("params"), st.recursive(st.none() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)))  # fmt: skip
def test_what_is_encoded_is_read_as_the_same_message(message: dict[str, object]) -> None:
    """In one line of ASCII."""
    line = encode_message(message)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line) == message
    assert decode_message(Line(line)) == message


@given(st.binary())
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    """No other error, and never a message that holds a member twice."""
    try:
        message = decode_message(Line(data))
    except RefusedMessage:
        return
    assert message.keys() <= {"jsonrpc", "id", "method", "params", "result", "error"}
