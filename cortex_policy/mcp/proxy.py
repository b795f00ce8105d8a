"""A proxy before an unchanged MCP server on standard input and output (docs/mcp.md).

One thread forwards the client's lines to the server and decides the calls of tools among them. Another forwards what
the server writes to the client. The main thread waits for an end: of the server, the client, or by a signal.
"""

import os
import select
import signal
import time
from contextlib import suppress
from functools import partial
from threading import Thread

from cortex_policy.hook_server.log_line import print_server_log_line
from cortex_policy.mcp.proxy_child import ServerProcess, start_server
from cortex_policy.mcp.proxy_pumps import ClientGoneError, ClientOutput, ClientPump, ServerPump
from cortex_policy.mcp.proxy_request_decisions import RequestGate
from cortex_policy.mcp.proxy_tool_lists import ToolLists
from cortex_policy.program_exec import find_program, make_execution_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cortex_policy.mcp.guard import ToolGuard

INTERRUPTED = 130
GRACE_SECONDS = 1.5  # clients of the official SDKs kill us two seconds after a SIGTERM
_DRAIN_SECONDS = 5.0  # for a client to read the last answers of a server that has ended
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CLIENT_GONE, _SERVER_DEAF, _SERVER_SILENT, _BUG = 200, 201, 202, 203  # events, beside the numbers of signals
_WHY = {
    _CLIENT_GONE: "the client does not read any more",
    _SERVER_DEAF: "the server does not read any more",
    _SERVER_SILENT: "the server has closed its output",
    _BUG: "a bug in this program stopped it",
}
_READ_BYTES = 1 << 18
_print_proxy_log: "Callable[[str], None]" = partial(print_server_log_line, "mcp proxy")


def run_proxy(guard: "ToolGuard", command: list[str]) -> int:
    """Start a server and forward messages until an end; return the server's exit code, 0 or 130 after a signal.

    Raises CortexPolicyError if the command is not found or cannot be started.
    """
    program = find_program(command[0])
    return _Proxy(guard).run(program, command)


class _Proxy:
    """A client, a server, and what ends them."""

    def __init__(self, guard: "ToolGuard") -> None:
        self._guard = guard
        self._lists = ToolLists(guard.hidden_tools)
        self._output = ClientOutput(1)
        self._events, self._event_writer = os.pipe()
        self._has_input_ended = False
        self._steps: list[tuple[float, int]] = []  # when to send which signal to the server
        self._why = ""
        self._code: int | None = None  # after a signal

    def run(self, program: str, words: list[str]) -> int:
        """Forward messages until an end, and return the exit code."""
        handlers = self._watch_signals()
        try:
            server = start_server(program, words, handlers, lambda error: _print_proxy_log(str(error)))
        except OSError as error:  # too many processes or descriptors
            raise make_execution_error(program, error, "") from None
        output = Thread(target=self._report_bugs_of(self._forward_output), args=(server.stdout,), daemon=True)
        source = Thread(target=self._report_bugs_of(self._forward_input), args=(server.stdin,), daemon=True)
        for thread in (source, output):
            thread.start()
        self._wait_for_end(server)
        server.end_remaining_processes(self._steps[-1][0] if self._steps else time.monotonic() + GRACE_SECONDS)
        if self._code is None:
            output.join(_DRAIN_SECONDS)
        return self._report_end(server.exit_code)

    def _watch_signals(self) -> "dict[int, Any]":
        """Turn signals into events; return the handlers that were there before."""
        os.set_blocking(self._event_writer, False)
        signal.set_wakeup_fd(self._event_writer, warn_on_full_buffer=False)
        # whoever lets us ignore a signal, such as `nohup`, lets the server ignore it
        numbers = [number for number in _ENDS if signal.getsignal(number) is not signal.SIG_IGN]
        handlers = {number: signal.signal(number, lambda *_: None) for number in (*numbers, signal.SIGCHLD)}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers.keys())
        return {number: signal.SIG_DFL if number in _ENDS else handler for number, handler in handlers.items()}

    def _tell(self, event: int) -> None:
        with suppress(BlockingIOError):  # a thousand others wait before it
            os.write(self._event_writer, bytes([event]))

    def _report_bugs_of(self, forward: "Callable[[int], None]") -> "Callable[[int], None]":
        """Return the work of a thread, which ends everything if it has a bug."""

        def run(descriptor: int) -> None:
            """Do the work; report a bug, and end the proxy."""
            try:
                forward(descriptor)
            except Exception as error:  # noqa: BLE001 - a bug must not leave a client waiting
                _print_proxy_log(f"a bug in this program: {type(error).__name__}: {error}")
                self._tell(_BUG)

        return run

    def _forward_input(self, target: int) -> None:
        pump = ClientPump(RequestGate(self._guard, self._lists).judge, self._output, _print_proxy_log)
        try:
            pump.forward_all(0, target)
            self._has_input_ended = True  # INVARIANT: before the server can see the end
        except ClientGoneError:
            self._tell(_CLIENT_GONE)
        except OSError:
            self._tell(_SERVER_DEAF)
        finally:
            os.close(target)

    def _forward_output(self, source: int) -> None:
        pump = ServerPump(self._lists, self._output)
        try:
            while data := os.read(source, _READ_BYTES):
                pump.forward(data)
            pump.end()
        except ClientGoneError:
            self._tell(_CLIENT_GONE)
            while os.read(source, _READ_BYTES):  # so that the server is not stuck, and can end by itself
                continue
        self._tell(_SERVER_SILENT)

    def _wait_for_end(self, server: ServerProcess) -> None:
        """Return once the server has ended, by itself or by signals."""
        poller = select.poll()
        poller.register(self._events, select.POLLIN)
        poller.register(1, 0)  # an output that nobody reads any more
        while not server.has_ended():
            seconds = max(0.0, self._steps[0][0] - time.monotonic()) if self._steps else None
            ready = dict(poller.poll(None if seconds is None else seconds * 1000 + 1))
            if not ready and self._steps:
                server.send_signal(self._next_step())
            if 1 in ready:
                poller.unregister(1)
                self._handle_event(_CLIENT_GONE, server)
            if self._events in ready:
                for event in os.read(self._events, 1024):
                    self._handle_event(event, server)

    def _next_step(self) -> int:
        number = self._steps.pop(0)[1]
        if number == signal.SIGKILL:
            _print_proxy_log(f"the server did not end within {GRACE_SECONDS} seconds, and is killed")
        else:
            _print_proxy_log(f"{self._why}, so the server is ended")
        return number

    def _handle_event(self, event: int, server: ServerProcess) -> None:
        now = time.monotonic()
        if event in _ENDS:
            server.send_signal(event)
            if self._code is None:
                self._code = INTERRUPTED if event == signal.SIGINT else 0
                self._steps = [(now + GRACE_SECONDS, signal.SIGKILL)]
        elif event in _WHY and not self._steps:
            self._steps = [(now + GRACE_SECONDS, signal.SIGTERM), (now + 2 * GRACE_SECONDS, signal.SIGKILL)]
            self._why = _WHY[event]

    def _report_end(self, code: int) -> int:
        """Say how the server ended, unless its client or a signal ended it; return the exit code of the proxy."""
        if self._code is not None:
            return self._code
        if code or not self._has_input_ended:
            _print_proxy_log(f"the server ended with exit code {code}")
        return code
