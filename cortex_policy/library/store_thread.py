"""The one thread of a store: it calls what looks for changes, again and again, and ends with the store."""

import threading
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INTERVAL_SECONDS = 0.2


class StoreThread:
    """Calls its callbacks in turn every 0.2 s, or sooner if `watchfiles` reports a change."""

    def __init__(self, directory: str) -> None:
        """Name the directory to watch. The thread starts with the first callback."""
        self._directory = directory
        self._stop = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, callback: "Callable[[], object]") -> None:
        """Add a callback; adding it twice is the same as once."""
        with self._lock:
            if callback not in self._callbacks:
                self._callbacks.append(callback)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._call_callbacks_until_closed, name="cortex-policy", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """End the thread and wait for it, unless this is the thread itself."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self.release_callbacks()

    def release_callbacks(self) -> None:
        """Drop the callbacks and let them release what they hold; in the child of a fork, which has no thread, too."""
        for callback in self._callbacks:
            release = getattr(callback, "release", None)
            if release is not None:
                release()
        self._callbacks = []

    def _call_callbacks_until_closed(self) -> None:
        for _ in self._ticks():
            for callback in tuple(self._callbacks):
                try:
                    callback()
                except Exception as error:  # noqa: BLE001 - the hook reports it, and the thread goes on
                    report_thread_error(error)

    def _ticks(self) -> "Iterator[object]":
        with suppress(ImportError, OSError):
            yield from _watchfiles_ticks(self._directory, self._stop)
        while not self._stop.wait(INTERVAL_SECONDS):
            yield None


def _watchfiles_ticks(directory: str, stop: threading.Event) -> "Iterator[object]":
    # an optional package, which only reports changes sooner
    from watchfiles import watch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    milliseconds = int(INTERVAL_SECONDS * 1000)
    for _ in watch(directory, stop_event=stop, rust_timeout=milliseconds, yield_on_timeout=True, debounce=50, step=10):
        if stop.is_set():
            return
        yield None


def report_thread_error(error: Exception) -> None:
    """Report an error as Python reports those of threads."""
    thread = threading.current_thread()
    threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, thread)))
