"""The one thread of a store: it looks again and again for those who want to be told, and ends with the store."""

import threading
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 0.2


class Rounds:
    """Calls those who look, one after the other, each 0.2 s, and sooner where `watchfiles` sees a change."""

    def __init__(self, directory: str) -> None:
        """Name the directory that is watched; no thread is started before there is somebody who looks."""
        self._directory = directory
        self._stop = threading.Event()
        self._looks: list[Callable[[], object]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, look: "Callable[[], object]") -> None:
        """Call this in each round; once, however often it is added."""
        with self._lock:
            if look not in self._looks:
                self._looks.append(look)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cortex-policy", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread, and wait for it, unless it is the caller's."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self.leave_to_parent()

    def leave_to_parent(self) -> None:
        """Let those go who hold something, in a child too, which has no such thread."""
        for look in self._looks:
            leave = getattr(look, "leave", None)
            if leave is not None:
                leave()
        self._looks = []

    def _run(self) -> None:
        for _ in self._beats():
            for look in tuple(self._looks):
                try:
                    look()
                except Exception as error:  # noqa: BLE001 - what is told is the hook's, and the next round comes
                    report(error)

    def _beats(self) -> "Iterator[object]":
        with suppress(ImportError, OSError):
            yield from _events(self._directory, self._stop)
        while not self._stop.wait(SECONDS):
            yield None


def _events(directory: str, stop: threading.Event) -> "Iterator[object]":
    # an extra, which only makes it sooner
    from watchfiles import watch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    milliseconds = int(SECONDS * 1000)
    for _ in watch(directory, stop_event=stop, rust_timeout=milliseconds, yield_on_timeout=True, debounce=50, step=10):
        if stop.is_set():
            return
        yield None


def report(error: Exception) -> None:
    """Hand an error to whom threads hand theirs."""
    thread = threading.current_thread()
    threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, thread)))
