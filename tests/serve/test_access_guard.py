"""What a client is told if something fails that no request should make fail."""

import asyncio
import errno
import os

import pytest

from cortex_policy.serve.access_guard import Access, Guard
from cortex_policy.serve.metrics import Metrics

SCOPE = {
    "type": "http", "http_version": "1.1", "method": "GET", "path": "/readyz", "raw_path": b"/readyz",
    "headers": [(b"host", b"localhost")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status", "said", "logged"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/secret"), 503, b"too many open files\n", ""),
        (ValueError("/secret"), 500, b"internal error\n", "a bug in this program: ValueError"),
    ],
)
def test_a_lack_of_descriptors_is_no_bug_and_nothing_is_told_of_a_bug(
    error: Exception, status: int, said: bytes, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client may ask again later; a bug is in the log, without what the request held."""
    sent: list[dict[str, object]] = []

    async def fail(*_: object) -> None:
        raise error

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    guard = Guard(fail, Access(frozenset(), frozenset(), ""), Metrics(), frozenset())
    asyncio.run(guard(SCOPE, receive, send))
    assert sent[0]["status"] == status
    assert sent[1]["body"] == said
    assert logged in caplog.text
    assert bool(caplog.text) is bool(logged)
    assert "secret" not in caplog.text
