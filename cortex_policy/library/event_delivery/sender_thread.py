"""The thread of a process that sends what is in a spool, while no other process does."""

import logging
import threading
from _thread import allocate_lock
from contextlib import closing, suppress
from time import monotonic, time_ns

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.text import escape_message_to_one_line, format_os_error_cause
from cortex_policy.library.event_delivery.event_requests import BATCH
from cortex_policy.library.event_delivery.refused_events import RefusedEvents
from cortex_policy.library.event_delivery.sender import EventSender
from cortex_policy.library.event_delivery.spool import no_fork
from cortex_policy.library.event_delivery.spool_reader import SpoolReader
from cortex_policy.library.store_thread import report_thread_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.library.event_delivery.receiver import EventReceiver

CLOSE_SECONDS = 2.0  # to deliver what waits when a process ends
POLL_SECONDS = 0.5  # for the events of other processes, and for the end of the one that sends
GATHER_SECONDS = 0.1  # for the events of a batch
DISK_SECONDS = 5.0  # after the disk failed
REFUSED = "refused.jsonl"
log: logging.Logger = logging.getLogger("cortex_policy.http_sink")


class SenderThread:
    """Starts with the first event of a process. It knows no sink, so that a sink which nobody uses can go."""

    def __init__(self, directory: str, receiver: "EventReceiver", mode: str) -> None:
        """Name the spool; nothing is opened yet."""
        self._directory, self._receiver, self._mode = directory, receiver, mode
        self._gather_seconds = GATHER_SECONDS if mode == BATCH else 0.0
        self._readers = set[SpoolReader]()
        self._forget_thread()

    def wake_or_start(self) -> None:
        """Tell the thread that an event waits; start it if there is none. This does not wait."""
        turn = self._turn
        if self._thread is None or turn.is_stopped:
            self._start()
        elif turn.is_idle:
            turn.wake()

    def stop(self, seconds: float = CLOSE_SECONDS) -> None:
        """Let the thread send what it can in that time, and end."""
        self._turn.end = monotonic() + seconds
        self._turn.is_stopped = True
        self._turn.wake()

    def join(self, seconds: float) -> None:
        """Wait for the thread, unless it is this one."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def make_usable_after_fork(self) -> None:
        """Forget the thread of the parent, and close what it had open: a shared descriptor would share its lock."""
        self._forget_thread()
        readers, self._readers = self._readers, set()
        for reader in readers:
            reader.make_usable_after_fork()
        self._receiver.make_usable_after_fork()

    def _forget_thread(self) -> None:
        self._thread: threading.Thread | None = None
        self._starting = allocate_lock()
        self._turn = _Turn()

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another thread does it, or a signal handler has interrupted this
        try:
            if self._thread is not None and not self._turn.is_stopped:
                return
            turn = self._turn = _Turn()  # one that was told to end may still be there
            self._thread = threading.Thread(target=self._run, args=(turn,), name="cortex-policy events", daemon=True)
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter ends; the next event tries again
            self._thread = None
        finally:
            self._starting.release()

    def _run(self, turn: "_Turn") -> None:
        try:
            self._send_until_stopped(turn)
        finally:
            turn.is_stopped = True  # whatever ended it: the next event starts another thread

    def _send_until_stopped(self, turn: "_Turn") -> None:
        problem = ""
        while not turn.is_stopped:
            try:
                self._send(turn)
                continue
            except (OSError, CortexPolicyError) as error:
                text = str(error) if isinstance(error, CortexPolicyError) else format_os_error_cause(error)
                if text != problem:
                    _report(f"events wait, as the spool cannot be read or written: {text}")
                problem = text
            except Exception as error:  # noqa: BLE001 - the hook reports it, and the events wait for the next try
                report_thread_error(error)
            turn.pause(DISK_SECONDS)

    def _send(self, turn: "_Turn") -> None:
        """Send until the thread is stopped, or somebody removes the spool."""
        with no_fork:  # INVARIANT: a child of a fork knows the reader, and closes it: it never keeps the lock
            reader = SpoolReader(self._directory)
            self._readers.add(reader)
        try:
            if _wait_until_alone(reader, turn):
                self._send_with_lock(reader, turn)
        finally:
            self._readers.discard(reader)
            reader.close()

    def _send_with_lock(self, reader: SpoolReader, turn: "_Turn") -> None:
        refused = RefusedEvents(f"{self._directory}/{REFUSED}", time_ns)
        sender = EventSender(reader.open_queue(), self._receiver, self._mode, refused, _report)
        with closing(self._receiver):
            while True:
                turn.is_idle = True  # before it looks: an event that comes meanwhile ends the next wait
                delay = sender.send_next()
                if turn.is_stopped and (delay != 0.0 or monotonic() >= turn.end):
                    return
                if delay is None and reader.is_removed():
                    return
                if delay is None:
                    turn.wait_for_event(POLL_SECONDS)
                    turn.pause(self._gather_seconds)
                elif delay:
                    turn.pause(delay)


class _Turn:
    """What a thread is told. A signal handler, or a collection of garbage, may tell it at any point of any thread."""

    def __init__(self) -> None:
        self.is_stopped = self.is_idle = False
        self.end = 0.0
        self._news = (
            allocate_lock()
        )  # free if there is something new; an Event has a lock of its own that could be held
        self._news.acquire()

    def wake(self) -> None:
        """End the wait of the thread, or its next one."""
        if self._news.locked():
            with suppress(RuntimeError):  # another thread was faster
                self._news.release()

    def wait_for_event(self, seconds: float) -> None:
        """Wait until there is something new."""
        if not self.is_stopped:
            self._news.acquire(timeout=seconds)

    def pause(self, seconds: float) -> None:
        """Wait, whatever events come, until the thread is stopped."""
        self.is_idle, end = False, monotonic() + seconds
        while not self.is_stopped and (left := end - monotonic()) > 0:
            self._news.acquire(timeout=left)


def _wait_until_alone(reader: SpoolReader, turn: _Turn) -> bool:
    """Wait until no other process sends; False if the thread is stopped, or the lock is not the one of others."""
    while not reader.try_lock():
        if turn.is_stopped:
            return False
        turn.pause(POLL_SECONDS)
    return not reader.is_removed()


def _report(sentence: str) -> None:
    """Log what becomes of events; if a handler of the program fails, events are sent all the same."""
    try:
        log.warning("brAInwav: %s", escape_message_to_one_line(sentence))
    except Exception as error:  # noqa: BLE001 - the hook reports it
        report_thread_error(error)
