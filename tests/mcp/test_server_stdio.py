"""The transport of `mcp serve`: what it passes on, what it answers itself, and how its input ends."""

import json
import os
import socket
from pathlib import Path

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from cortex_policy.mcp.server_stdio import MAX_REQUESTS, StdioTransport

Received = MemoryObjectReceiveStream[SessionMessage | Exception]
REQUEST = {"jsonrpc": "2.0", "method": "tools/list"}
BROKEN = {"jsonrpc": "2.0", "method": 5}


def serve_input(source: int, target: int) -> tuple[list[object], str | None]:
    """Serve until the input ends or for a moment, and answer nothing; return the ids that came, and what failed."""
    passed: list[object] = []

    async def take(incoming: Received, outgoing: MemoryObjectSendStream[SessionMessage]) -> None:
        async with incoming, outgoing:
            async for one in incoming:
                assert isinstance(one, SessionMessage)
                passed.append(getattr(one.message, "id", None))

    async def run() -> str | None:
        transport = StdioTransport(source, target, lambda: None)
        with anyio.move_on_after(0.5):
            await transport.run(take)
        return transport.failure

    return passed, anyio.run(run)


def serve_messages(directory: Path, *messages: dict[str, object]) -> tuple[list[object], list[dict[str, object]]]:
    """Serve the messages of a file; return the ids that came, and what was written."""
    given, written = directory / "in", directory / "out"
    given.write_text("".join(json.dumps(one) + "\n" for one in messages))
    with given.open("rb") as source, written.open("wb") as target:
        passed, failure = serve_input(source.fileno(), target.fileno())
    assert failure is None
    return passed, [json.loads(line) for line in written.read_text().splitlines()]


def test_what_is_no_request_makes_no_room_for_more_requests(tmp_path: Path) -> None:
    """An error that we send for it is no answer to a request that counts."""
    broken = [f"broken {number}" for number in range(40)]
    requests = range(MAX_REQUESTS + 8)
    messages = [*({**BROKEN, "id": one} for one in broken), *({**REQUEST, "id": one} for one in requests)]
    passed, written = serve_messages(tmp_path, *messages)
    assert passed == list(range(MAX_REQUESTS))
    assert [one["id"] for one in written] == broken


def test_an_error_of_the_client_is_not_sent_back_to_it(tmp_path: Path) -> None:
    """It would be the answer to a request of its own with the same id."""
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no"}}
    assert serve_messages(tmp_path, error) == ([1], [])


def test_a_client_that_leaves_a_socket_with_answers_in_it_is_no_failure(tmp_path: Path) -> None:
    """The kernel calls that a reset."""
    ours, theirs = socket.socketpair()
    ours.send(b"an answer")
    theirs.close()
    with ours, (tmp_path / "out").open("wb") as target:
        assert serve_input(ours.fileno(), target.fileno()) == ([], None)


def test_an_input_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """And it is the end of it."""
    with (tmp_path / "in").open("wb") as source, open(os.devnull, "wb") as target:
        failure = serve_input(source.fileno(), target.fileno())[1]
    assert failure == "the input cannot be read: bad file descriptor"
