"""How often the data of the page are read, whatever its clients ask."""

import asyncio
import itertools

import pytest

from cortex_policy.batch.answerer import Answerer
from cortex_policy.serve.errors import RefusedError
from cortex_policy.serve.page import cached_overview
from cortex_policy.serve.page.cached_overview import PageState


def test_between_two_searches_it_rests_as_long_as_it_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it takes at most half of the time, however many texts are searched for."""
    now, slept = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    def read_root(*_: object) -> bytes:
        now[0] += 3
        return b"read"

    monkeypatch.setattr(cached_overview, "monotonic", lambda: now[0])
    monkeypatch.setattr(cached_overview, "sleep", sleep)
    monkeypatch.setattr(PageState, "_render", read_root)
    page = PageState(Answerer(None))

    async def search(*texts: str) -> None:
        for text in texts:
            assert await page.read(text) == b"read"

    asyncio.run(search("", "", "a", "b"))
    assert (slept, now) == ([0, 3, 3], [100 + 3 * 3 + 2 * 3])
    page.close()


def test_a_search_for_which_there_is_no_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read after its client has gone."""
    times = itertools.count(0.0, 11.0)
    monkeypatch.setattr(cached_overview, "monotonic", lambda: next(times))
    page = PageState(Answerer(None))
    with pytest.raises(RefusedError) as caught:
        asyncio.run(page.read(""))
    assert caught.value.status == 503
    page.close()
