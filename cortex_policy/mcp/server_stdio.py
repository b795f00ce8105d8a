"""The messages of `mcp serve` on standard input and output: one line each, bounded in size and in number.

Nothing else may print there: while messages are served, descriptor 1 is standard error, and 0 is empty.
"""

import errno
import os
import select
from functools import partial

import anyio
from anyio import to_thread
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from cortex_policy.core.decode import MalformedError, decode_json, has_surrogate
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.text import escape_job_commands_in_ascii_json, escape_message_to_one_line, format_os_error_cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import TypeGuard

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    Serve = Callable[
        ["MemoryObjectReceiveStream[SessionMessage | Exception]", "MemoryObjectSendStream[SessionMessage]"],
        Awaitable[None],
    ]

MAX_MESSAGE_BYTES = 2 << 20
MAX_REQUESTS = 32  # not answered yet: then nothing is read until one is
LAST_SECONDS = 5.0  # for answers that are not finished when the input ends
_PAUSE_SECONDS = 0.02
_GONE = (errno.EPIPE, errno.ECONNRESET)
_CHUNK = 1 << 16


class StdioTransport:
    """Carries messages between two descriptors and what serves them."""

    failure: str | None  # why the input could not be read, or the output not be written

    def __init__(self, source: int, target: int, end_streams: "Callable[[], None]") -> None:
        """Take the descriptors, and what ends the requests that wait for changes."""
        self._source, self._target, self._end_streams = source, target, end_streams
        self._permits = anyio.Semaphore(MAX_REQUESTS)
        self._threads = anyio.CapacityLimiter(2)  # one reads, one writes
        self._scope = anyio.CancelScope()
        self.failure = None

    async def run(self, serve: "Serve") -> None:
        """Serve until the input ends, or the output cannot be written."""
        incoming, served = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, written = anyio.create_memory_object_stream[SessionMessage](0)
        with self._scope:
            async with anyio.create_task_group() as group:
                group.start_soon(self._write_messages, written)
                group.start_soon(self._read_messages, incoming, outgoing.clone())
                await serve(served, outgoing)

    async def _read_messages(
        self,
        incoming: "MemoryObjectSendStream[SessionMessage | Exception]",
        outgoing: "MemoryObjectSendStream[SessionMessage]",
    ) -> None:
        """Pass on each message; answer what is none."""
        async with incoming, outgoing:
            async for line in self._lines():
                message = _parse_message(line)
                is_request = isinstance(message, JSONRPCRequest)
                if is_request or isinstance(message, SessionMessage):
                    await self._permits.acquire()
                if isinstance(message, SessionMessage):  # our error, which is an answer too
                    await outgoing.send(message)
                    continue
                metadata = ServerMessageMetadata(on_request_unanswered=self._settle) if is_request else None
                await incoming.send(SessionMessage(message, metadata))  # type: ignore[arg-type] # one of the others
            await self._wait_for_answers()

    async def _wait_for_answers(self) -> None:
        """Wait until each request is answered: the input may be a file, or a pipe whose writer has left."""
        self._scope.deadline = anyio.current_time() + LAST_SECONDS
        while self._permits.value < MAX_REQUESTS:
            self._end_streams()
            await anyio.sleep(_PAUSE_SECONDS)

    async def _settle(self) -> None:
        """Note that a request is over: it was answered, or cancelled."""
        self._permits.release()

    async def _lines(self) -> "AsyncIterator[bytes]":
        """Yield the lines; of one that is too long only as much as shows that."""
        rest = b""
        while chunk := await self._read_chunk():
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[: MAX_MESSAGE_BYTES + 1]
            for line in lines:
                if line.strip():
                    yield line
        if rest.strip():
            yield rest

    async def _read_chunk(self) -> bytes:
        """Return what comes next, nothing at the end."""
        try:
            return await self._in_thread(_read_when_ready, self._source)
        except ConnectionResetError:  # the client has left a socket, and answers in it
            return b""
        except OSError as error:
            self.failure = f"the input cannot be read: {format_os_error_cause(error)}"
            return b""

    async def _write_messages(self, written: "MemoryObjectReceiveStream[SessionMessage]") -> None:
        async with written:
            async for one in written:
                message = one.message
                line = format_ascii_json(message.model_dump(by_alias=True, exclude_unset=True))
                try:
                    await self._in_thread(
                        _write_all, self._target, escape_job_commands_in_ascii_json(line).encode("ascii") + b"\n"
                    )
                except OSError as error:
                    if error.errno not in _GONE:
                        self.failure = f"the output cannot be written: {format_os_error_cause(error)}"
                    self._scope.cancel()
                    return
                if isinstance(message, JSONRPCResponse | JSONRPCError):
                    await self._settle()

    async def _in_thread(self, function: "Callable[..., bytes]", *args: object) -> bytes:
        """Call what may block for ever; a thread that does so is left behind at the end."""
        return await to_thread.run_sync(partial(function, *args), abandon_on_cancel=True, limiter=self._threads)


def _parse_message(line: bytes) -> object:
    """Return the message of a line, or a message of ours that answers it."""
    try:
        document = decode_json(line, MAX_MESSAGE_BYTES, allow_surrogates=True)
    except MalformedError as error:
        return _error_for(_find_lost_id(line), PARSE_ERROR, f"the message cannot be read: {error}")
    identifier = document.get("id") if isinstance(document, dict) else None
    try:
        message = jsonrpc_message_adapter.validate_python(document, by_name=False)
    except (ValidationError, UnicodeEncodeError):
        message = None
    if message is None or (isinstance(message, JSONRPCNotification) and "id" in document):
        return _error_for(identifier, INVALID_REQUEST, "the message is not a request, notification or response")
    return message


def _find_lost_id(line: bytes) -> object:
    """Return the id of a message that is JSON for others than us, so that its sender does not wait for ever."""
    import json  # noqa: PLC0415 - only a wrong message needs it

    if len(line) > MAX_MESSAGE_BYTES:
        return None
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document.get("id") if isinstance(document, dict) and "method" in document else None


def _error_for(identifier: object, code: int, why: str) -> SessionMessage:
    error = ErrorData(code=code, message=escape_message_to_one_line(why))
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=identifier if _is_id(identifier) else None, error=error))


def _is_id(value: object) -> "TypeGuard[str | int]":
    if isinstance(value, str):
        return not has_surrogate(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _read_when_ready(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, _CHUNK)
        except BlockingIOError:  # another program made the pipe so
            select.select([descriptor], [], [])


def _write_all(descriptor: int, data: bytes) -> bytes:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
    return data
