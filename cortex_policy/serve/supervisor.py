"""Several processes that serve one socket; they share each budget, since all count in the same files."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.serve.options import ServeOptions

_SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_OLD_NAME = "prometheus_multiproc_dir"
_ENDS = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
_INTERRUPTED = 130
_BUG = 70
_RESTART_SECONDS = 1.0  # after a worker has ended
_LAST_SECONDS = 10.0


def serve_in_one_process(options: "ServeOptions", announce: "Callable[[], object]") -> int:
    """Serve by this process until a signal comes, and return the exit code."""
    for name in (_SHARED_DIRECTORY, _OLD_NAME):  # of another server: its counts are not ours
        os.environ.pop(name, None)
    from cortex_policy.serve.server import serve_requests  # noqa: PLC0415 - after the variable is gone

    return serve_requests(options, announce)


def serve_with_workers(options: "ServeOptions", announce: "Callable[[], object]", count: int) -> int:
    """Serve with a number of processes until a signal comes, and return the exit code; raise NotDoneError."""
    try:
        directory = tempfile.mkdtemp(prefix="cortex-policy-metrics-")
    except OSError as error:
        message = f"no directory for the counts of workers: {format_os_error_cause(error)}"
        raise NotDoneError(message, "name one with the variable `TMPDIR`") from None
    os.environ[_SHARED_DIRECTORY] = directory  # INVARIANT: before prometheus_client is imported
    try:
        return _Supervisor(options).run(announce, count)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Supervisor:
    """Starts workers, and another one where one has died."""

    def __init__(self, options: "ServeOptions") -> None:
        self._options = options
        self._workers: set[int] = set()
        self._due: list[float] = []  # when others are to be
        self._alive_reader, self._alive_writer = os.pipe()  # its end of file tells workers that we have gone

    def run(self, announce: "Callable[[], object]", count: int) -> int:
        """Keep `count` workers alive until a signal comes, then end them; return the exit code."""
        watched = _ENDS | {signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
        try:
            for _ in range(count):
                self._start(before)
            announce()
            while True:
                wait = max(0.0, min(self._due) - time.monotonic()) if self._due else _LAST_SECONDS
                got = signal.sigtimedwait(watched, wait)
                if got is not None and got.si_signo in _ENDS:
                    return _INTERRUPTED if got.si_signo == signal.SIGINT else 0
                for worker, status in self._reap():
                    _warn(f"worker {worker} ended with status {status}; another one is started")
                    self._due.append(time.monotonic() + _RESTART_SECONDS)
                self._start_due(before)
        finally:
            self._end_all()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self, mask: "set[int | signal.Signals]") -> None:
        worker = os.fork()
        if worker == 0:
            _work(self._options, self._alive_reader, self._alive_writer, mask)
        self._workers.add(worker)

    def _start_due(self, mask: "set[int | signal.Signals]") -> None:
        now = time.monotonic()
        for when in [when for when in self._due if when <= now]:
            self._due.remove(when)
            try:
                self._start(mask)
            except OSError as error:  # too many processes, or no memory: the other workers go on
                _warn(f"no worker can be started: {format_os_error_cause(error)}; tried again in a second")
                self._due.append(now + _RESTART_SECONDS)

    def _reap(self) -> "list[tuple[int, int]]":
        """Forget the workers that have ended; return each with its exit code, or its signal below 0."""
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - after the variable is set

        ended = []
        for worker in list(self._workers):
            gone, status = os.waitpid(worker, os.WNOHANG)
            if gone:
                mark_process_dead(worker)  # type: ignore[no-untyped-call]
                self._workers.remove(worker)
                ended.append((worker, os.waitstatus_to_exitcode(status)))
        return ended

    def _end_all(self) -> None:
        """Let all workers answer what they have begun; kill those that do not end."""
        os.close(self._alive_writer)
        end = time.monotonic() + _LAST_SECONDS
        while self._workers and time.monotonic() < end:
            self._reap()
            time.sleep(0.02)
        for worker in self._workers:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)


def _warn(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it
        sys.stderr.write(f"brAInwav cortex-policy serve: {message}\n")
        sys.stderr.flush()


def _work(options: "ServeOptions", alive: int, other_end: int, mask: "set[int | signal.Signals]") -> None:
    """Be a worker; never return."""
    code = _BUG
    try:
        os.close(other_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        from cortex_policy.serve.server import serve_requests  # noqa: PLC0415 - after the variable is set

        code = serve_requests(options, lambda: None, alive)
    except Exception as error:  # noqa: BLE001 - nobody is above it that could say so
        from cortex_policy.serve.access_guard import format_server_bug_with_place  # noqa: PLC0415 - as above

        _warn(format_server_bug_with_place(error))
    finally:
        os._exit(code)
