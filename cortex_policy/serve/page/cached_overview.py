"""The data of the page, read in a thread of its own: at most once a second, however many pages are open.

The thread rests as long as it has read, so that pages that search for ever other texts leave half of a core, and of
each lock that it takes, to decisions.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.text import escape_job_commands_in_ascii_json
from cortex_policy.manage.overview import read_overview
from cortex_policy.serve.errors import RefusedError
from cortex_policy.serve.limited_http_protocol import REQUEST_SECONDS
from cortex_policy.serve.page.page_json import error_to_overview_json, overview_to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.batch.answerer import Answerer

KEPT_SECONDS = 1.0
_MAX_KEPT = 8  # texts, one for each search


class PageState:
    """Reads what the page shows."""

    def __init__(self, answerer: "Answerer") -> None:
        """Take what knows the root."""
        self._answerer = answerer
        self._pool = ThreadPoolExecutor(1, "page")  # INVARIANT: one thread, so that it needs no lock
        self._kept: dict[str, tuple[float, bytes]] = {}
        self._rests_until = 0.0

    async def read(self, find: str) -> bytes:
        """Return the data as JSON, with the grants whose ids hold a text; raise RefusedError if it takes too long."""
        end = monotonic() + REQUEST_SECONDS
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, find, end)
        except asyncio.CancelledError:  # connections are closed by now
            raise RefusedError(503, "the server is shutting down") from None

    def close(self) -> None:
        """Let the thread end what it does."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, find: str, end: float) -> bytes:
        kept = self._kept.get(find)
        if kept is not None and monotonic() - kept[0] < KEPT_SECONDS:
            return kept[1]
        begin = max(monotonic(), self._rests_until)
        if begin > end:
            raise RefusedError(503, "reading the state took too long")
        sleep(max(0.0, begin - monotonic()))
        body = self._render(find)
        now = monotonic()
        self._rests_until = 2 * now - begin
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[find] = now, body
        return body

    def _render(self, find: str) -> bytes:
        try:
            name = self._answerer.find_root()
            members = overview_to_json(read_overview(name.resolve(), find))
        except CortexPolicyError as error:
            members = error_to_overview_json(error)
        return escape_job_commands_in_ascii_json(format_ascii_json(members)).encode("ascii")
