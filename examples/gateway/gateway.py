"""A gateway in front of models: one grant says which operations, which models, and how often each.

    GATEWAY_UPSTREAM=http://127.0.0.1:9000 CORTEX_POLICY_ROOT=... uvicorn --factory gateway:create --workers 2

`POST /v1/chat` asks the grant `model-gateway` for the action `chat`, and hands what is allowed to the same path of the
upstream. All workers, and the command line, count on the same budgets. A denial is answered as RFC 9457 says.
"""

import json
import logging
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, TypedDict

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cortex_policy import AccessDenied, CortexPolicyError, PolicyStore

GRANT = "model-gateway"
LONGEST_BODY = 1_000_000  # bytes
NO_CALL = 2  # the exit code of arguments that no grant can decide on, nested too deeply for example
PATIENCE = 60  # seconds that a model may take
LIMITED = ("model", "max_tokens")  # the members of a body that the grant may limit
log = logging.getLogger("uvicorn.error")


class State(TypedDict):
    """What lives as long as a worker process."""

    store: PolicyStore
    upstream: httpx.AsyncClient


class Unacceptable(Exception):
    """A body is not a request; carries the status of the answer."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        """Say what is wrong with it."""
        super().__init__(detail)
        self.status = status


def create() -> Starlette:
    """Make the application of one worker process; raise KeyError where no upstream is named."""
    upstream = os.environ["GATEWAY_UPSTREAM"]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        client = httpx.AsyncClient(base_url=upstream, timeout=PATIENCE)
        async with client, PolicyStore(reader="gateway") as store:
            for error in store.preload([GRANT]).failures.values():  # each call is answered with 503 until it is fixed
                log.warning("%a; %a", str(error), error.hint)
            yield {"store": store, "upstream": client}

    return Starlette(
        routes=[Route("/v1/{operation}", serve, methods=["POST"]), Route("/healthz", health)], lifespan=lifespan
    )


async def serve(request: Request) -> Response:
    """Decide a call beside the event loop, and hand it on if it is allowed."""
    store, upstream = request.state.store, request.state.upstream
    operation = request.path_params["operation"]
    try:
        body, content = await read(request)
        await store.enforce_async(GRANT, operation, {name: body[name] for name in LIMITED if name in body})
        answer = await upstream.post(f"/v1/{operation}", content=content, headers={"content-type": "application/json"})
    except Unacceptable as error:
        return problem(error.status, str(error))
    except AccessDenied as denied:
        return await refusal(store, denied)
    except CortexPolicyError as error:
        return deny_undecided(error)
    except httpx.TimeoutException:
        return problem(HTTPStatus.GATEWAY_TIMEOUT, "the model did not answer in time")
    except httpx.HTTPError as error:
        log.warning("upstream: %a", error)
        return problem(HTTPStatus.BAD_GATEWAY, "the model cannot be reached")
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))


async def health(request: Request) -> Response:
    """Say whether calls can be decided at all."""
    try:
        await request.state.store.load_async(GRANT)
    except CortexPolicyError as error:
        return deny_undecided(error)
    return JSONResponse({"status": "ok"})


async def read(request: Request) -> tuple[dict[str, Any], str]:
    """Return a body, and how it is handed on: encoded again, so that the model reads what was decided on.

    If a name comes twice, the model might take the other one. Raises Unacceptable if it is too long or not an object.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LONGEST_BODY:
            raise Unacceptable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LONGEST_BODY} bytes")
    try:
        body = json.loads(received)
        content = json.dumps(body, allow_nan=False)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Unacceptable(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
    return body, content


async def refusal(store: PolicyStore, denied: AccessDenied) -> Response:
    """Answer a denied call: 429 if waiting helps, 503 while an operator has stopped everything, else 403."""
    reason, budget = denied.reason, denied.decision.budget
    if denied.decision.retryable and budget is not None and budget.retry_after_seconds is not None:
        seconds = max(1, math.ceil(budget.retry_after_seconds))
        answer = problem(HTTPStatus.TOO_MANY_REQUESTS, str(denied), reason, f"ask again in {seconds} s")
        answer.headers["retry-after"] = str(seconds)
        return answer
    if reason == "stopped":  # by whom and why is in the log, and no business of the client
        return deny_undecided(denied)
    hint = ""
    if reason == "action_not_allowed":
        with suppress(CortexPolicyError):  # it may have been removed since
            hint = f"operations: {', '.join((await store.load_async(GRANT)).actions)}"
    return problem(HTTPStatus.FORBIDDEN, str(denied), reason, hint)


def deny_undecided(error: CortexPolicyError) -> Response:
    """Deny a call that cannot be decided. The details name files of this host, so only the log gets them."""
    log.warning("%a; %a", str(error), error.hint)
    status = HTTPStatus.BAD_REQUEST if error.exit_code == NO_CALL else HTTPStatus.SERVICE_UNAVAILABLE
    return problem(status, error.reason.message, error.reason)


def problem(status: HTTPStatus, detail: str, reason: str | None = None, hint: str = "") -> JSONResponse:
    """Return a problem of RFC 9457 with two members more: the stable word for why, and what helps."""
    about = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    more = {"reason": reason, "hint": hint or None}
    return JSONResponse(about | more, status, media_type="application/problem+json")
