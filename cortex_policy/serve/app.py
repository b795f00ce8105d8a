"""What is at which path."""

from starlette.responses import Response
from starlette.routing import Route, Router

from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import UsageError
from cortex_policy.serve.access_guard import FIELDS, Access, Guard
from cortex_policy.serve.body_reader import BodyReader
from cortex_policy.serve.errors import BAD_REQUEST, RefusedError
from cortex_policy.serve.metrics import CONTENT_TYPE
from cortex_policy.serve.openapi import (
    ACTION_SEARCH,
    EVALUATION,
    EVALUATIONS,
    HEALTH,
    METADATA,
    METRICS,
    OPENAPI,
    READY,
    make_openapi_document,
)
from cortex_policy.serve.page.endpoints import PageEndpoints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from cortex_policy.serve.decisions import Decisions
    from cortex_policy.serve.metrics import Metrics

_JSON = "application/json"
_JSON_FIELD = (b"content-type", _JSON.encode("ascii"))


def build_app(decisions: "Decisions", metrics: "Metrics", access: Access, page: PageEndpoints) -> "ASGIApp":
    """Return the application: each path, behind the guard."""
    bodies = BodyReader()
    endpoints = Endpoints(decisions, metrics, has_names=bool(access.names))
    posts = {
        EVALUATION: DecisionEndpoint(decisions.evaluate, bodies),
        EVALUATIONS: DecisionEndpoint(decisions.evaluate_all, bodies),
        ACTION_SEARCH: DecisionEndpoint(decisions.search_actions, bodies),
    }
    routes = [
        *(Route(path, endpoint, methods=["POST"]) for path, endpoint in posts.items()),
        Route(METADATA, endpoints.describe),
        Route(HEALTH, endpoints.report_health),
        Route(READY, endpoints.report_readiness),
        Route(METRICS, endpoints.report_metrics),
        Route(OPENAPI, endpoints.describe_api),
        *page.routes(),
    ]
    # a router without Starlette's own answers to errors: the guard has them
    return Guard(
        FastRouter(posts, Router(routes, redirect_slashes=False)),
        access,
        metrics,
        frozenset(route.path for route in routes),
    )


class DecisionEndpoint:
    """An endpoint that answers a JSON body; without Starlette's `Request` and `Response`, which take as long as it."""

    def __init__(self, decide: "Callable[[bytes], Awaitable[bytes]]", bodies: BodyReader) -> None:
        """Take what answers, and what reads."""
        self._decide, self._bodies = decide, bodies

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request; raise RefusedError if it is none."""
        body = await self._bodies.read(scope[FIELDS], receive)
        try:
            answer = await self._decide(body)
        except UsageError as error:
            why = f"{error.detail}; {error.hint}" if error.hint else error.detail
            raise RefusedError(BAD_REQUEST, why) from None
        finally:
            self._bodies.give_back(body)
        fields = [_JSON_FIELD, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": answer})


class FastRouter:
    """Finds what is asked most without the router, which takes as long as a decision."""

    def __init__(self, posts: "Mapping[str, ASGIApp]", router: "ASGIApp") -> None:
        """Take what answers posts by path, and what answers all else."""
        self._posts, self._router = posts, router

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        endpoint = self._posts.get(scope["path"]) if scope["method"] == "POST" else None
        await (endpoint or self._router)(scope, receive, send)


class Endpoints:
    """The answers of the other paths."""

    def __init__(self, decisions: "Decisions", metrics: "Metrics", *, has_names: bool) -> None:
        """Take what decides; without names the server is known as `localhost`."""
        self._decisions, self._metrics, self._has_names = decisions, metrics, has_names

    async def describe(self, request: "Request") -> Response:
        """Return the metadata of the decision point: only what it can do."""
        host = request.headers["host"] if self._has_names else "localhost"
        base = f"{request.scope['scheme']}://{host}"
        return _json({
            "policy_decision_point": base,
            "access_evaluation_endpoint": f"{base}{EVALUATION}",
            "access_evaluations_endpoint": f"{base}{EVALUATIONS}",
            "search_action_endpoint": f"{base}{ACTION_SEARCH}",
        })  # fmt: skip

    async def describe_api(self, _: "Request") -> Response:
        """Return the OpenAPI document."""
        return _json(make_openapi_document())

    async def report_health(self, _: "Request") -> Response:
        """Say that the process answers."""
        return _json({"status": "ok"})

    async def report_readiness(self, _: "Request") -> Response:
        """Say whether calls can be decided, and why not."""
        problems = await self._decisions.find_problems()
        return _json({"status": "not ready" if problems else "ready", "problems": problems}, 503 if problems else 200)

    async def report_metrics(self, _: "Request") -> Response:
        """Return the counts."""
        return Response(self._metrics.text(), headers={"content-type": CONTENT_TYPE})


def _json(value: object, status: int = 200) -> Response:
    return Response(format_ascii_json(value), status, media_type=_JSON)
