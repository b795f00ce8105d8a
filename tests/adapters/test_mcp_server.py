"""The guard of a server of the official SDK, asked by its client."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from mcp import Client
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult
from pydantic import BaseModel, Json

from cortex_policy.adapters.mcp_server import GrantMiddleware
from cortex_policy.mcp.guard import ToolGuard
from tests.support.logs import events
from tests.support.mcp import hits, make_mcp_root, write_grant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_types import CallToolResult

T = TypeVar("T")
MODES = ("legacy", "2026-07-28")


class Wish(BaseModel):
    """An argument with JSON inside."""

    spec: Json[Any]


class Scene:
    """A guarded server, and which of its tools ran."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Any]] = []
        self.server = MCPServer("files")
        self.server.middleware.append(GrantMiddleware(self.server))
        for name in ("read", "write", "wipe", "ping"):
            self.add(name)

    def add(self, name: str) -> None:
        """Add a tool that takes a path, and notes that it ran."""

        def tool(path: str = "", paths: list[str] | None = None, content: str = "") -> str:
            self.ran.append((name, path if paths is None else paths))
            return content

        self.server.add_tool(tool, name=name)

    def ask(self, use: "Callable[[Client], Awaitable[T]]", mode: str = "auto") -> T:
        """Use a client of the server."""

        async def run() -> T:
            async with Client(self.server, mode=mode) as client:  # type: ignore[arg-type] # a word of the protocol
                return await use(client)

        return asyncio.run(run())

    def call(self, tool: str, mode: str = "auto", **arguments: Any) -> "CallToolResult":
        """Call a tool."""
        return self.ask(lambda client: client.call_tool(tool, arguments), mode)


@pytest.fixture
def scene(root: Path) -> Scene:
    """Guard a server whose tools may read and write below `docs`."""
    make_mcp_root(root)
    return Scene()


def request(params: dict[str, Any]) -> ServerRequestContext[Any, Any]:
    """Return the call of a tool as the SDK hands it to a middleware."""
    session: Any = SimpleNamespace(client_capabilities=None)
    return ServerRequestContext(
        session=session, lifespan_context={}, protocol_version="2026-07-28", method="tools/call", params=params
    )


def members(result: "CallToolResult") -> dict[str, Any]:
    """Return the members of a denial: in `_meta` if the tool has a schema for its results."""
    if result.structured_content is not None:
        return dict(result.structured_content)
    assert result.meta is not None
    return dict(result.meta["cortex-policy/decision"])


def denied(result: "CallToolResult", reason: str | None) -> str:
    """Assert a denial that a model and a program can read; return its text."""
    assert result.is_error
    assert (members(result)["decision"], members(result)["reason"]) == (False, reason)
    return str(result.content[0].text)  # type: ignore[union-attr] # a text


@pytest.mark.parametrize("mode", MODES)
def test_an_allowed_call_runs_the_tool_and_takes_one_hit(scene: Scene, root: Path, state: Path, mode: str) -> None:
    """In both eras of the protocol."""
    assert not scene.call("read", mode, path="docs/x").is_error
    assert scene.ran == [("read", "docs/x")]
    assert hits(root, state) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_denied_call_is_a_result_for_the_model(scene: Scene, mode: str) -> None:
    """With the members of `check --json`, those without a value too."""
    result = scene.call("read", mode, path="src/x")
    assert "only in `docs`" in denied(result, "path_outside_scope")
    assert result.structured_content is None  # it would break the schema that the tool has for its results
    assert members(result)["approval"] is None
    assert members(result)["rule"] == 5
    assert scene.ran == []


@pytest.mark.parametrize("mode", MODES)
def test_what_is_never_allowed_is_not_listed_and_not_run(scene: Scene, log: Path, mode: str) -> None:
    """A call of it is in the audit log, and so is one of a tool that nobody has."""
    tools = scene.ask(lambda client: client.list_tools(), mode).tools
    assert [tool.name for tool in tools] == ["read", "write", "ping"]
    denied(scene.call("wipe", mode, path="docs/x"), "action_not_allowed")
    denied(scene.call("nobody", mode, path="docs/x"), "action_not_allowed")
    assert [line["data"]["action"] for line in events(log)] == ["files/wipe", "nobody"]
    assert scene.ran == []


def test_a_tool_that_rules_allow_and_nobody_has_is_an_error_in_the_result(scene: Scene, root: Path) -> None:
    """No error of the transport."""
    write_grant(root, actions=["nobody"])
    assert scene.call("nobody", path="docs/x").is_error


def test_a_text_that_the_sdk_reads_as_json_is_decided_as_what_it_becomes(scene: Scene, root: Path) -> None:
    """Else a path in it would be the name of a file, with brackets, below the working directory."""
    write_grant(root, fsScope=[])
    hidden = json.dumps(["/etc/passwd"])
    denied(scene.call("read", path="docs/x", paths=hidden), "path_outside_scope")
    assert scene.ran == []
    assert not scene.call("read", paths=json.dumps(["docs/a"]), content='["/etc/passwd"]').is_error
    assert scene.ran == [("read", ["docs/a"])]


def test_a_text_inside_of_an_argument_is_judged_as_the_json_that_it_is_declared_to_be(scene: Scene, root: Path) -> None:
    """In an argument that the SDK itself reads from a text, too."""
    ran: list[Wish] = []
    write_grant(root, actions=["wish"], fsScope=[])

    def wish(wish: Wish) -> None:
        ran.append(wish)

    scene.server.add_tool(wish, name="wish")
    for place, is_error in (("/etc/x", True), ("docs/x", False)):
        given = {"spec": json.dumps({"path": place})}
        assert [scene.call("wish", wish=one).is_error for one in (given, json.dumps(given))] == [is_error] * 2
    assert ran == [Wish(spec='{"path": "docs/x"}')] * 2


def test_the_tool_gets_the_arguments_that_were_decided(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds the arguments of the call cannot change them while it is decided."""
    real, paths = ToolGuard.decide, ["docs/a"]

    def decide(*given: Any) -> Any:
        decision = real(*given)
        paths.append("/etc/passwd")
        return decision

    monkeypatch.setattr(ToolGuard, "decide", decide)
    reached: list[Any] = []

    async def reach(ctx: Any) -> None:
        reached.append(ctx.params)

    params = {"name": "read", "arguments": {"paths": paths}}
    asyncio.run(GrantMiddleware(scene.server)(request(params), reach))
    assert paths == ["docs/a", "/etc/passwd"]
    assert reached == [{"name": "read", "arguments": {"paths": ["docs/a"]}}]


def test_many_calls_at_once_share_one_budget_exactly(scene: Scene, root: Path, state: Path) -> None:
    """As many run as the grant allows."""
    write_grant(root, rate={"perMinute": 25})

    async def call(client: Client) -> "list[CallToolResult]":
        return await asyncio.gather(*(client.call_tool("read", {"path": "docs/x"}) for _ in range(60)))

    assert sum(not result.is_error for result in scene.ask(call)) == 25
    assert (len(scene.ran), hits(root, state)) == (25, 25)


@pytest.mark.parametrize("place", ["run_decision_in_thread_or_deny", "GrantMiddleware._read_as_tool"])
def test_any_exception_while_deciding_is_a_denial(scene: Scene, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """The tool does not run, and the result says why."""

    def fail(*_: object) -> None:
        raise ValueError("x")

    monkeypatch.setattr(f"cortex_policy.adapters.mcp_server.{place}", fail)
    assert "could not be decided" in denied(scene.call("read", path="docs/x"), None)
    assert scene.ran == []


@pytest.mark.parametrize(
    "params", [{}, {"name": 1}, {"name": "ping", "arguments": "x"}, {"name": "ping", "arguments": []}]
)
def test_a_broken_request_is_an_error_of_the_protocol(scene: Scene, params: dict[str, Any]) -> None:
    """It reaches no tool."""

    async def reach(_: object) -> None:
        pytest.fail("it was let through")

    with pytest.raises(MCPError):
        asyncio.run(GrantMiddleware(scene.server)(request(params), reach))


def test_an_error_of_the_tool_itself_is_no_denial(scene: Scene) -> None:
    """It says what the tool says."""

    def fail() -> None:
        raise ValueError("x")

    scene.server.remove_tool("ping")
    scene.server.add_tool(fail, name="ping")
    result = scene.call("ping")
    assert result.is_error
    assert result.structured_content is None


def ask_user(scene: Scene, answer: ElicitResult) -> "tuple[CallToolResult, int]":
    """Call a tool with a client whose user answers; return the result, and how often the user was asked."""
    asked: list[str] = []

    async def handle(_: object, params: Any) -> ElicitResult:
        asked.append(params.message)
        return answer

    async def run() -> "CallToolResult":
        async with Client(scene.server, mode="2026-07-28", elicitation_callback=handle) as client:
            return await client.call_tool("read", {"path": "docs/x"})

    return asyncio.run(run()), len(asked)


@pytest.mark.parametrize("is_set", [True, False])
def test_a_call_that_waits_for_a_human_comes_back_and_takes_one_hit(
    scene: Scene, root: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_set: bool
) -> None:
    """The answer of a client is an approval only if the setting says so."""
    write_grant(root, dataClass="sensitive")
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    if is_set:
        settings = tmp_path / "config" / "cortex-policy" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text("[approvals]\nelicitation = true\n")
    result, asked = ask_user(scene, ElicitResult(action="accept", content={"approve": True}))
    assert (result.is_error, asked) == (not is_set, 1)
    assert (len(scene.ran), hits(root, state)) == (is_set, is_set)


def test_a_user_who_declines_ends_the_call(scene: Scene, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a result for the model."""
    write_grant(root, dataClass="sensitive")
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    assert "did not agree" in denied(ask_user(scene, ElicitResult(action="decline"))[0], "action_not_allowed")
