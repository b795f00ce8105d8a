"""Requests become answers: in the event loop, as long as that is quick (docs/serve.md#load).

A decision takes less time than the way to another thread and back. If one was slow, because a lock or a disk made it
wait, the next ones are made by threads, so that the loop goes on. What asks for many decisions goes there at once.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic_ns

from cortex_policy.batch.answerer import Answerer
from cortex_policy.batch.authzen import answer_action_search, answer_evaluation_as_json, answer_one_or_more_evaluations
from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import REASONS, CortexPolicyError, UsageError
from cortex_policy.core.text import escape_job_commands_in_ascii_json
from cortex_policy.manage.global_denials import find_global_denials
from cortex_policy.serve.errors import RefusedError
from cortex_policy.serve.limited_http_protocol import REQUEST_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from cortex_policy.serve.metrics import Metrics

    T = TypeVar("T")

MAX_EVALUATIONS = 1000  # in one request
_THREADS = 8  # one that waits for a lock, at most a second, stops no other
_BATCH_THREADS = 4  # others, since each of a thousand evaluations may wait
_CLIENT_WAITS_NS = int(REQUEST_SECONDS * 1e9)
_SLOW_NS = 250_000_000  # a decision that takes longer was made to wait, not only the process
_THREADS_FOR_NS = 5_000_000_000  # that long after it, decisions are made by threads
_NO_REASON = "bad_request"
_REASONS = {reason.exit_code: str(reason) for reason in REASONS}


class Decisions:
    """Answers the requests of one process."""

    def __init__(self, answerer: Answerer, metrics: "Metrics") -> None:
        """Take what decides, and what counts."""
        self._answerer, self._metrics = answerer, metrics
        self._pool = ThreadPoolExecutor(_THREADS, "decide")
        self._batch_pool = ThreadPoolExecutor(_BATCH_THREADS, "decide-batch")
        self._threads_until = 0

    async def evaluate(self, body: bytes) -> bytes:
        """Answer one evaluation; raise UsageError if it is none."""
        start = monotonic_ns()
        if start < self._threads_until or self._answerer.has_server:
            return await self._run(self._pool, lambda _: self._evaluate(body))
        answer = self._evaluate(body)
        end = monotonic_ns()
        if end - start > _SLOW_NS:
            self._threads_until = end + _THREADS_FOR_NS
        return answer

    async def evaluate_all(self, body: bytes) -> bytes:
        """Answer several evaluations; raise UsageError if the request as a whole is wrong."""
        return await self._run(self._batch_pool, lambda end: self._evaluate_all(_decode(body), end))

    async def search_actions(self, body: bytes) -> bytes:
        """Answer which actions of a grant would be allowed; raise UsageError for no request."""
        return await self._run(self._batch_pool, lambda end: self._search_actions(_decode(body), end))

    async def find_problems(self) -> list[str]:
        """Say why no call of the root can be decided; nothing if all is well. A stop is a decision."""
        return await self._run(self._pool, lambda _: self._find_problems())

    def update_metrics(self, connections: int) -> None:
        """Let the metrics take over what the cache has counted."""
        self._metrics.update(connections, self._answerer.stats())

    def close(self) -> None:
        """Let the threads end what they do."""
        for pool in (self._pool, self._batch_pool):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, pool: ThreadPoolExecutor, act: "Callable[[int], T]") -> "T":
        """Let a thread act; it is told when its client is gone, and does not begin later than that."""
        end = monotonic_ns() + _CLIENT_WAITS_NS

        def act_in_time() -> "T":
            """Act, or raise RefusedError if the client has waited too long."""
            _check_client_waits(end)
            return act(end)

        try:
            return await asyncio.get_running_loop().run_in_executor(pool, act_in_time)
        except asyncio.CancelledError:  # connections are closed by now
            raise RefusedError(503, "the server is shutting down") from None

    def _evaluate(self, body: bytes) -> bytes:
        text, code = answer_evaluation_as_json(_decode(body), self._answerer.answer_call)
        self._metrics.count_decision(not code, _REASONS.get(code, _NO_REASON))
        return text.encode("ascii")

    def _evaluate_all(self, document: object, end: int) -> bytes:
        items = document.get("evaluations") if isinstance(document, dict) else None
        if isinstance(items, list) and len(items) > MAX_EVALUATIONS:
            raise UsageError(f"a request has at most {MAX_EVALUATIONS} evaluations, not {len(items)}")

        def ask(*call: "Any") -> "dict[str, Any]":
            """Answer one of the calls, and count its decision."""
            members = self._ask_in_time(end, *call)
            self._metrics.count_decision(members["decision"], members["reason"] or _NO_REASON)
            return members

        answer, _ = answer_one_or_more_evaluations(document, ask)
        return _render(answer)

    def _search_actions(self, document: object, end: int) -> bytes:
        return _render(answer_action_search(document, self._answerer.list_actions, partial(self._ask_in_time, end)))

    def _ask_in_time(self, end: int, *call: "Any") -> "dict[str, Any]":
        """Return the members of the answer to one of many calls; raise RefusedError once nobody waits for it."""
        _check_client_waits(end)
        return self._answerer.answer_members(*call)

    def _find_problems(self) -> list[str]:
        try:
            denials = find_global_denials(self._answerer.find_root().resolve())
        except CortexPolicyError as error:
            return [str(error)]
        return [str(error) for error in denials.errors]


def _check_client_waits(end: int) -> None:
    if monotonic_ns() > end:  # INVARIANT: nothing is counted for a client whose time is over
        raise RefusedError(503, "the request took too long; calls that were counted stay counted")


def _decode(body: bytes) -> object:
    try:
        return decode_json(body)
    except MalformedError as error:
        raise UsageError(f"the request is not JSON: {error}") from None


def _render(answer: object) -> bytes:
    return escape_job_commands_in_ascii_json(format_ascii_json(answer)).encode("ascii")
