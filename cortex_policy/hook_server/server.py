"""Answer agents' hooks over a socket, until the parent ends or a signal comes (docs/hook-install.md).

One thread waits for all clients and workers, and touches no file of the policy, so that nothing can make it wait.
"""

import gc
import os
import selectors
import signal
import time
from functools import partial

from cortex_policy.core.hooks.payload import MAX_BYTES
from cortex_policy.hook import INPUT_SECONDS, HookWords, format_bug_by_type
from cortex_policy.hook_server.connections import ClientSecrets, Connection
from cortex_policy.hook_server.log_line import COMMAND, print_server_log_line
from cortex_policy.hook_server.requests import RequestError
from cortex_policy.hook_server.worker_pool import WorkerPool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.hook_server.listeners import PortListener, UnixListener

INTERRUPTED = 130
MAX_CONNECTIONS = 64
MAX_HELD = 4 * MAX_BYTES  # of payloads that are not yet answered
_PAUSE_SECONDS = 0.1  # after a client could not be accepted
_LAST_SECONDS = 1.0  # for clients to read the denials of a server that ends
_STOPPED = "the resident hook was stopped before it had decided; try again once"
_INPUT_LATE = "the agent did not end its input in time"


class HookServer:
    """A server and its clients."""

    def __init__(self, words: HookWords, secrets: ClientSecrets, listener: "UnixListener | PortListener") -> None:
        """Take what it answers, who may ask, and where."""
        self._words, self._secrets, self._listener = words, secrets, listener
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._paused_until = 0.0
        self._code: int | None = None

    def run(self, announce: "Callable[[], object]") -> int:
        """Serve; `announce` is called once clients are accepted. Return the exit code."""
        gc.collect()
        gc.freeze()  # a collection in a worker would copy all of it
        self._watch_ends()
        pool = self._pool = WorkerPool(self._words, self._selector)
        self._listener.socket.settimeout(0)
        try:
            announce()
            while self._code is None:
                self._watch_for_clients_if_room()
                self._handle_next_events()
        finally:
            self._deny_all()
            pool.kill_workers()
        return self._code

    def _watch_ends(self) -> None:
        """Stop at a signal, and when the parent has ended."""
        signals = _signal_pipe()
        self._call_when_readable(
            signals, lambda: self._stop_with_code(INTERRUPTED if os.read(signals, 1)[0] == signal.SIGINT else 0)
        )
        parent = os.getppid()
        if parent <= 1:  # none, or one that never ends
            return
        try:
            self._call_when_readable(os.pidfd_open(parent), lambda: self._stop_with_code(0))
        except ProcessLookupError:
            self._stop_with_code(0)
        if os.getppid() != parent:
            self._stop_with_code(0)

    def _call_when_readable(self, file: int, act: "Callable[[], object]") -> None:
        self._selector.register(file, selectors.EVENT_READ, act)

    def _stop_with_code(self, code: int) -> None:
        self._code = code

    def _watch_for_clients_if_room(self) -> None:
        """Let clients wait in the queue of the system while there are too many, or no descriptor is left."""
        is_open = len(self._connections) < MAX_CONNECTIONS and time.monotonic() >= self._paused_until
        is_watched = self._listener.socket in self._selector.get_map()
        if is_open and not is_watched:
            self._call_when_readable(self._listener.socket.fileno(), self._accept_client)
        elif is_watched and not is_open:
            self._selector.unregister(self._listener.socket)

    def _handle_next_events(self) -> None:
        now = time.monotonic()
        ends = [one.end for one in self._connections] + [self._paused_until] * (self._paused_until > now)
        for key, _ in self._selector.select(max(0.0, min(ends) - now) if ends else None):
            # one before it may have ended what this one is about
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        now = time.monotonic()
        for one in [one for one in self._connections if one.end <= now]:
            self._expire_client(one)

    def _accept_client(self) -> None:
        now = time.monotonic()
        try:
            client, _ = self._listener.socket.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:  # no descriptor is left
            self._paused_until = now + _PAUSE_SECONDS
            return
        one = Connection(client, self._secrets, now)
        one.end = now + min(INPUT_SECONDS, self._words.deadline_seconds)
        self._connections.add(one)
        self._call_when_readable(client.fileno(), partial(self._read_from_client, one))
        if not self._listener.is_ours(client):
            self._deny_client(one, "denied: the resident hook was asked by another user")

    def _read_from_client(self, one: Connection) -> None:
        if one.is_answered:
            if not one.discard_input():
                self._close_client(one)
            return
        try:
            payload = one.read_payload()
        except RequestError as error:
            self._deny_client(one, f"denied: the resident hook was asked in a wrong way: {error}")
        except OSError:  # the client has gone
            self._close_client(one)
        except Exception as error:  # noqa: BLE001 - a bug denies
            self._deny_client(one, format_bug_by_type(error))
        else:
            self._take_payload(one, payload)

    def _take_payload(self, one: Connection, payload: bytes | None) -> None:
        if sum(each.size for each in self._connections) > MAX_HELD:
            self._deny_client(one, "denied: too many requests at once; try again later, once")
        elif payload is not None:
            self._submit_to_pool(one, payload)

    def _submit_to_pool(self, one: Connection, payload: bytes) -> None:
        self._selector.unregister(one.socket)  # it may have closed its side by now
        one.end = one.began + self._words.deadline_seconds
        one.job = self._pool.submit_call(payload, partial(self._answer_client, one))

    def _answer_client(self, one: Connection, agent: str, denial: str) -> None:
        if one.job is not None:
            one.job = None
            self._call_when_readable(one.socket.fileno(), partial(self._read_from_client, one))
        one.send_answer(agent, denial)
        one.end = time.monotonic() + INPUT_SECONDS

    def _deny_client(self, one: Connection, denial: str) -> None:
        print_server_log_line(COMMAND, denial)
        agent = self._pool.cancel_call(one.job) if one.job is not None else self._words.agent
        self._answer_client(one, agent, denial)

    def _expire_client(self, one: Connection) -> None:
        if one.is_answered:
            self._close_client(one)
        elif one.job is None:
            self._deny_client(one, _INPUT_LATE)
        else:
            seconds = f"{self._words.deadline_seconds:g} s"
            self._deny_client(one, f"the policy was not read and applied within {seconds}; try again later, once")

    def _close_client(self, one: Connection) -> None:
        self._connections.discard(one)
        self._selector.unregister(one.socket)
        one.socket.close()

    def _deny_all(self) -> None:
        """Deny to each client that waits for an answer, also to those in the queue of the system."""
        while (known := len(self._connections)) < 2 * MAX_CONNECTIONS:
            self._accept_client()
            if len(self._connections) == known:
                break
        self._listener.close()
        for one in self._connections:
            if not one.is_answered:
                self._deny_client(one, _STOPPED)
        end = time.monotonic() + _LAST_SECONDS
        while self._connections and time.monotonic() < end:
            for one in self._connections:
                one.end = min(one.end, end)
            self._handle_next_events()


def _signal_pipe() -> int:
    """Return the end of a pipe that gets the number of each signal that should end this process."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # else workers cannot be waited for
    return reader
