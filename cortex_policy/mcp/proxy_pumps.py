"""The two directions of a proxy, each for a thread of its own, which waits for whoever does not read."""

from threading import Lock

from cortex_policy.batch.stream import read_when_ready, write_all
from cortex_policy.mcp.proxy_messages import MAX_MESSAGE_BYTES, Line, LineSplitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.mcp.proxy_request_decisions import Verdict
    from cortex_policy.mcp.proxy_tool_lists import ToolLists

_END = b"\n"


class ClientGoneError(Exception):
    """The client does not read any more."""


class ClientOutput:
    """Where the client reads: whole lines of the server, and the proxy's own answers between them."""

    def __init__(self, target: int) -> None:
        """Take the descriptor."""
        self._target = target
        self._lock = Lock()  # held from the first byte of a line to its last

    def write_lines(self, lines: bytes) -> None:
        """Write whole lines, once no other line is being written; raise ClientGoneError."""
        with self._lock:
            self.write_part(lines)

    def begin_line(self) -> None:
        """Let nobody else write until `end_line`."""
        self._lock.acquire()

    def write_part(self, data: bytes) -> None:
        """Write a part of the line that was begun; raise ClientGoneError."""
        try:
            write_all(self._target, data)
        except OSError as error:
            raise ClientGoneError from error

    def end_line(self) -> None:
        """Let others write again."""
        self._lock.release()


class ServerPump:
    """Carries what the server writes to the client: at once, but whole lines while a list of tools is waited for."""

    def __init__(self, lists: "ToolLists", output: ClientOutput, limit: int = MAX_MESSAGE_BYTES) -> None:
        """Take the lists, where the client reads, and how many bytes of a line are held at most."""
        self._lists, self._output, self._limit = lists, output, limit
        self._held = bytearray()  # the start of a line that may be a list
        self._is_inside = False  # of a line whose start has been written

    def forward(self, data: bytes) -> None:
        """Pass on what was read; raise ClientGoneError."""
        self._lists.forget_if_list_changed(data)
        start = 0
        while start < len(data):
            # INVARIANT: a list is pending before the server can have read that it is asked
            may_be_list = not self._is_inside and (bool(self._held) or self._lists.is_pending)
            is_one_line = self._is_inside or may_be_list
            end = (data.find(_END, start) + 1 if is_one_line else 0) or len(data)
            (self._hold if may_be_list else self._stream)(data[start:end])
            start = end

    def end(self) -> None:
        """Pass on a last line that has no end; raise ClientGoneError."""
        held, self._held = bytes(self._held), bytearray()
        if held:
            self._output.write_lines(self._lists.filter_line(held))
        if self._is_inside:
            self._is_inside = False
            self._output.end_line()

    def _stream(self, data: bytes) -> None:
        if not self._is_inside:
            self._output.begin_line()
            self._is_inside = True
        try:
            self._output.write_part(data)
        except ClientGoneError:
            data = _END  # the line has ended for others, too
            raise
        finally:
            if data.endswith(_END):
                self._is_inside = False
                self._output.end_line()

    def _hold(self, part: bytes) -> None:
        self._held += part
        if part.endswith(_END):
            line, self._held = bytes(self._held), bytearray()
            self._output.write_lines(self._lists.filter_line(line))
        elif len(self._held) > self._limit:
            # if it is a list after all, the client gets it under an id that it does not know
            held, self._held = bytes(self._held), bytearray()
            self._stream(held)


def _read_lines(source: int) -> "Iterator[Line]":
    """Yield the lines of a client, and at the end what has no end of line; raises OSError."""
    splitter = LineSplitter()
    while data := read_when_ready(source):
        yield from splitter.split(data)
    if (last := splitter.last_line()) is not None:
        yield last


class ClientPump:
    """Carries what the client writes to the server, line by line, after each was decided."""

    def __init__(self, judge: "Callable[[Line], Verdict]", output: ClientOutput, log: "Callable[[str], None]") -> None:
        """Take what decides a line, where the client reads, and what writes to the log."""
        self._judge, self._output, self._log = judge, output, log

    def forward(self, line: Line, target: int) -> None:
        """Decide a line, and write to the server or the client; raise ClientGoneError, or OSError of the server."""
        verdict = self._judge(line)
        if verdict.log:
            self._log(verdict.log)
        if verdict.to_client:
            self._output.write_lines(verdict.to_client)
        if verdict.to_server:
            write_all(target, verdict.to_server)

    def forward_all(self, source: int, target: int) -> None:
        """Forward all lines; raises as `forward` does."""
        for line in _read_lines(source):
            self.forward(line, target)
