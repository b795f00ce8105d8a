"""What a server writes: the client gets it at once, unless it may be a list of tools."""

import os
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.mcp.non_json_texts_in_schema import UNKNOWN_TEXTS, TextArguments
from cortex_policy.mcp.proxy_pumps import ClientGoneError, ClientOutput, ServerPump
from cortex_policy.mcp.proxy_tool_lists import ToolLists
from tests.support.mcp_messages import FakeGuard, line_of, listed


class Client(ClientOutput):
    """A client that remembers what it got."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.got = b""

    def write_part(self, data: bytes) -> None:
        """Remember a part."""
        self.got += data


class Scene:
    """A pump between a server and a client."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.lists = ToolLists(FakeGuard().hidden_tools)
        self.client = Client()
        self.pump = ServerPump(self.lists, self.client, limit)

    def forward(self, *chunks: bytes) -> bytes:
        """Let the server write chunks, and return what its client has got so far."""
        for chunk in chunks:
            self.pump.forward(chunk)
        return self.client.got


@given(st.lists(st.binary(max_size=12) | st.just(b"\n")), st.booleans(), st.integers(0, 20))
def test_what_is_no_list_arrives_byte_for_byte(chunks: list[bytes], is_pending: bool, limit: int) -> None:
    """Wherever it was cut, whether a list is waited for or not, and however little is held."""
    scene = Scene(limit)
    if is_pending:
        scene.lists.begin(1)
    scene.forward(*chunks)
    scene.pump.end()
    assert scene.client.got == b"".join(chunks)
    scene.client.write_lines(b"free\n")  # nobody holds the output


@given(st.lists(st.integers(0, 300)))
def test_a_list_is_filtered_wherever_it_was_cut(cuts: list[int]) -> None:
    """Between lines of others."""
    scene = Scene()
    stream = b"log\n" + line_of(listed(scene.lists.begin(1), "no", "yes")) + line_of(listed(2, "no"))
    places = [0, *sorted(cuts), len(stream)]
    scene.forward(*(stream[start:end] for start, end in pairwise(places)))
    assert scene.client.got.replace(b" ", b"") == (b"log\n" + line_of(listed(1, "yes")) + line_of(listed(2, "no"))).replace(b" ", b"")  # fmt: skip


def test_a_line_streams_if_no_list_is_waited_for() -> None:
    """Nothing of it is held."""
    assert Scene().forward(b'{"result":') == b'{"result":'


def test_a_line_that_had_begun_before_a_list_was_asked_still_streams() -> None:
    """It cannot be the list; the next one is held."""
    scene = Scene()
    scene.forward(b"begun ")
    scene.lists.begin(1)
    assert scene.forward(b"more ") == b"begun more "
    assert scene.forward(b"end\nnext") == b"begun more end\n"
    assert scene.forward(b"\n") == b"begun more end\nnext\n"


def test_what_is_too_long_to_be_held_streams() -> None:
    """If it is a list after all, it has an id that the client does not know."""
    scene = Scene(limit=10)
    scene.lists.begin(1)
    assert scene.forward(b"x" * 10) == b""
    assert scene.forward(b"x") == b"x" * 11
    assert scene.forward(b"y\nz") == b"x" * 11 + b"y\n"


def test_an_own_answer_is_never_inside_of_a_line_of_the_server() -> None:
    """It waits for the end of the line."""
    scene = Scene()
    scene.forward(b"begun ")
    thread = threading.Thread(target=scene.client.write_lines, args=(b"own\n",))
    thread.start()
    scene.forward(b"more ", b"end\n")
    thread.join(20)
    assert scene.client.got == b"begun more end\nown\n"


@pytest.fixture
def closed() -> Iterator[int]:
    """Make a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_a_client_that_does_not_read_is_known(closed: int) -> None:
    """By either side, and neither waits for the other."""
    output = ClientOutput(closed)
    pump = ServerPump(ToolLists(FakeGuard().hidden_tools), output)
    for _ in range(2):
        with pytest.raises(ClientGoneError):
            pump.forward(b"a part of a line")
    with pytest.raises(ClientGoneError):
        output.write_lines(b"own\n")


@pytest.mark.parametrize("cut", [0, 40, 50])
@pytest.mark.parametrize("method", [b"notifications/tools/list_changed", rb"notifications\/tools\/list_changed"])
def test_a_server_whose_tools_have_changed_may_read_texts_as_json(method: bytes, cut: int) -> None:
    """Until the client lists them again; other changes say nothing of tools."""
    scene = Scene()

    def list_tools() -> None:
        answer = listed(scene.lists.begin(1), "x")
        answer["result"]["tools"][0]["inputSchema"] = {"properties": {"a": {"type": "string"}}}
        scene.forward(line_of(answer))

    list_tools()
    scene.forward(b'{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}\n')
    assert scene.lists.text_arguments("x") == TextArguments(frozenset("a"), has_nested_json=False)
    line = b'{"jsonrpc":"2.0","method":"' + method + b'"}\n'
    scene.forward(line[:cut], line[cut:])
    assert scene.lists.text_arguments("x") == UNKNOWN_TEXTS
    list_tools()
    assert scene.lists.text_arguments("x") == TextArguments(frozenset("a"), has_nested_json=False)
