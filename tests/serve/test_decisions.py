"""How long requests are worked at, and how much of them is held."""

import asyncio
from pathlib import Path

import pytest

from cortex_policy.batch.answerer import Answerer
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.serve import decisions
from cortex_policy.serve.access_guard import FIELDS
from cortex_policy.serve.app import DecisionEndpoint
from cortex_policy.serve.body_reader import MAX_HELD, BodyReader
from cortex_policy.serve.decisions import Decisions
from cortex_policy.serve.errors import RefusedError
from cortex_policy.serve.metrics import Metrics
from tests.support.serve import call, make_root


def test_nothing_is_counted_for_a_client_whose_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was closed: a call that still waits for a thread, and the rest of a batch, are not decided."""
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(tmp_path / "state"))
    root = make_root(tmp_path, git={"actions": ["tree"]})
    made = Decisions(Answerer(str(root)), Metrics())
    batch = format_ascii_json({"evaluations": [call(consume=True)] * 3}).encode()
    try:
        assert asyncio.run(made.evaluate_all(batch)).count(b'"decision": true') == 3
        monkeypatch.setattr(decisions, "_CLIENT_WAITS_NS", -1)
        for late in (made.evaluate_all(batch), made.search_actions(format_ascii_json(call()).encode())):
            with pytest.raises(RefusedError) as raised:
                asyncio.run(late)
            assert raised.value.status == 503
        assert b'"used": 3' in asyncio.run(made.evaluate(format_ascii_json(call()).encode()))
    finally:
        made.close()


def test_bodies_are_held_until_they_are_answered_and_no_longer() -> None:
    """More of them than there is room for are refused: a queue of requests has an end."""

    async def ask() -> None:
        may_answer = asyncio.Event()

        async def decide(_: bytes) -> bytes:
            await may_answer.wait()
            return b"{}"

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": bytes(MAX_BYTES)}

        async def send(_: object) -> None:
            pass

        endpoint = DecisionEndpoint(decide, BodyReader())
        scope = {FIELDS: {b"content-type": b"application/json"}}
        for _ in range(2):
            may_answer.clear()
            tasks = [asyncio.create_task(endpoint(scope, receive, send)) for _ in range(MAX_HELD // MAX_BYTES)]
            await asyncio.sleep(0)
            with pytest.raises(RefusedError) as raised:
                await endpoint(scope, receive, send)
            assert raised.value.status == 503
            may_answer.set()
            await asyncio.gather(*tasks)

    asyncio.run(ask())
