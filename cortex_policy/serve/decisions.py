"""Requests become answers: in the event loop, as long as that is quick (docs/serve.md#load).

A decision takes less time than the way to another thread and back. If one was slow, because a lock or a disk made it
wait, the next ones are made by threads, so that the loop goes on. What asks for many decisions goes there at once.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import monotonic_ns

from cortex_policy.batch.answerer import Answerer
from cortex_policy.batch.authzen import answer_action_search, answer_evaluation, answer_request_document
from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.json_text import json_text
from cortex_policy.core.model import REASONS, CortexPolicyError, UsageError
from cortex_policy.core.text import escape_json_output
from cortex_policy.manage.global_denials import find_global_denials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from cortex_policy.serve.metrics import Metrics

    T = TypeVar("T")

MAX_EVALUATIONS = 1000  # in one request
_THREADS = 8  # one that waits for a lock, at most a second, stops no other
_SLOW_NS = 250_000_000  # a decision that takes longer was made to wait, not only the process
_BESIDE_NS = 5_000_000_000  # that long after it, decisions are made by threads
_NO_REASON = "bad_request"
_REASONS = {reason.exit_code: str(reason) for reason in REASONS}


class Decisions:
    """Answers the requests of one process."""

    def __init__(self, answerer: Answerer, metrics: "Metrics") -> None:
        """Take what decides, and what counts."""
        self._answerer, self._metrics = answerer, metrics
        self._pool = ThreadPoolExecutor(_THREADS, "decide")
        self._beside_until = 0

    async def evaluate(self, body: bytes) -> bytes:
        """Answer one evaluation; raise UsageError if it is none."""
        start = monotonic_ns()
        if start < self._beside_until or self._answerer.has_server:
            return await self._run(lambda: self._evaluate(body))
        answer = self._evaluate(body)
        end = monotonic_ns()
        if end - start > _SLOW_NS:
            self._beside_until = end + _BESIDE_NS
        return answer

    async def evaluate_all(self, body: bytes) -> bytes:
        """Answer several evaluations; raise UsageError if the request as a whole is wrong."""
        return await self._run(lambda: self._evaluate_all(_decode(body)))

    async def search_actions(self, body: bytes) -> bytes:
        """Answer which actions of a grant would be allowed; raise UsageError for no request."""
        return await self._run(
            lambda: _render(
                answer_action_search(_decode(body), self._answerer.actions_of, self._answerer.answer_members)
            )
        )

    async def find_problems(self) -> list[str]:
        """Say why no call of the root can be decided; nothing if all is well. A stop is a decision."""
        return await self._run(self._find_problems)

    def update_metrics(self, connections: int) -> None:
        """Let the metrics take over what the cache has counted."""
        self._metrics.update(connections, self._answerer.stats())

    def close(self) -> None:
        """Let the threads end what they do."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, act: "Callable[[], T]") -> "T":
        return await asyncio.get_running_loop().run_in_executor(self._pool, act)

    def _evaluate(self, body: bytes) -> bytes:
        text, code = answer_evaluation(_decode(body), self._answerer.answer_call)
        self._metrics.count_decision(not code, _REASONS.get(code, _NO_REASON))
        return text.encode("ascii")

    def _evaluate_all(self, document: object) -> bytes:
        items = document.get("evaluations") if isinstance(document, dict) else None
        if isinstance(items, list) and len(items) > MAX_EVALUATIONS:
            raise UsageError(f"a request has at most {MAX_EVALUATIONS} evaluations, not {len(items)}")
        answer, _ = answer_request_document(document, self._ask)
        return _render(answer)

    def _ask(self, grant: str, action: str, args: "dict[str, Any]", is_counted: bool) -> "dict[str, Any]":  # noqa: FBT001 - as AuthZEN asks
        members = self._answerer.answer_members(grant, action, args, is_counted)
        self._metrics.count_decision(members["decision"], members["reason"] or _NO_REASON)
        return members

    def _find_problems(self) -> list[str]:
        try:
            denials = find_global_denials(self._answerer.find_root().resolve())
        except CortexPolicyError as error:
            return [str(error)]
        return [str(error) for error in denials.errors]


def _decode(body: bytes) -> object:
    try:
        return decode_json(body)
    except MalformedError as error:
        raise UsageError(f"the request is not JSON: {error}") from None


def _render(answer: object) -> bytes:
    return escape_json_output(json_text(answer)).encode("ascii")
