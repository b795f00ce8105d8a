"""The guard of a fastmcp server, asked by a client."""

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from fastmcp import Client, Context, FastMCP
from fastmcp.client.client import CallToolResult
from fastmcp.client.elicitation import ElicitResult
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.server.providers.addressing import hash_tool, hashed_backend_name
from fastmcp.server.transforms.search import RegexSearchTransform
from fastmcp.tools import FunctionTool
from fastmcp.tools.base import ToolResult
from mcp_types import CallToolRequestParams
from pydantic import BaseModel, Json

from cortex_policy.adapters.fastmcp import GrantMiddleware
from cortex_policy.mcp.guard import ToolGuard
from tests.support.logs import events
from tests.support.mcp import hits, make_mcp_root, write_grant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
MODES = ("legacy", "2026-07-28")


class Wish(BaseModel):
    """An argument with JSON inside."""

    spec: Json[Any] = None
    inner: "Wish | None" = None


class Scene:
    """A guarded server, and which of its tools ran."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Any]] = []
        self.server = FastMCP("files")
        self.server.add_middleware(GrantMiddleware("files"))
        for name in ("read", "write", "wipe", "ping", "secret"):
            self.add(self.server, name)

    def add(self, server: FastMCP, name: str, **more: Any) -> None:
        """Add a tool that takes a path, and notes that it ran."""

        def tool(path: str = "", more: list[str] | None = None) -> dict[str, str]:
            self.ran.append((name, path if more is None else (path, more)))
            return {"path": path}

        server.add_tool(FunctionTool.from_function(tool, name=name, **more))

    def ask(self, use: "Callable[[Client[Any]], Awaitable[T]]", mode: str = "auto") -> T:
        """Use a client of the server."""

        async def run() -> T:
            async with Client(self.server, mode=mode) as client:  # type: ignore[arg-type] # a word of the protocol
                return await use(client)

        return asyncio.run(run())

    def call(self, tool: str, mode: str = "auto", **arguments: Any) -> CallToolResult:
        """Call a tool."""
        return self.ask(lambda client: client.call_tool(tool, arguments, raise_on_error=False), mode)

    def tools(self, mode: str = "auto") -> set[str]:
        """List the tools."""
        return {tool.name for tool in self.ask(lambda client: client.list_tools(), mode)}


@pytest.fixture
def scene(root: Path) -> Scene:
    """Guard a server whose tools may read and write below `docs`."""
    make_mcp_root(root)
    return Scene()


def members(result: CallToolResult) -> dict[str, Any]:
    """Return the members of a denial: in `_meta` if the tool has a schema for its results."""
    if result.structured_content is not None:
        return result.structured_content
    assert result.meta is not None
    return dict(result.meta["cortex-policy/decision"])


def denied(result: CallToolResult, reason: str | None) -> str:
    """Assert a denial that a model and a program can read; return its text."""
    assert result.is_error
    assert (members(result)["decision"], members(result)["reason"]) == (False, reason)
    return str(result.content[0].text)


@pytest.mark.parametrize("mode", MODES)
def test_an_allowed_call_runs_the_tool_and_takes_one_hit(scene: Scene, root: Path, state: Path, mode: str) -> None:
    """In both eras of the protocol."""
    assert scene.call("read", mode, path="docs/x").structured_content == {"path": "docs/x"}
    assert scene.ran == [("read", "docs/x")]
    assert hits(root, state) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_denied_call_is_a_result_for_the_model(scene: Scene, mode: str) -> None:
    """With the members of `check --json`, those without a value too."""
    result = scene.call("read", mode, path="src/x")
    assert "only in `docs`" in denied(result, "path_outside_scope")
    assert result.structured_content is None  # it would break the schema that the tool has for its results
    assert members(result)["grant"]["id"] == "fs"
    assert members(result)["approval"] is None
    assert scene.ran == []


def test_what_is_never_allowed_is_not_listed_and_not_run(scene: Scene, log: Path) -> None:
    """A call of it is in the audit log, and so is one of a tool that nobody has."""
    assert scene.tools() == {"read", "write", "ping"}
    for tool, reason in (
        ("wipe", "action_not_allowed"),
        ("secret", "grant_not_found"),
        ("nobody", "action_not_allowed"),
    ):
        denied(scene.call(tool, path="docs/x"), reason)
    assert [line["data"]["action"] for line in events(log)] == ["files/wipe", "read", "nobody"]
    assert scene.ran == []


def test_a_call_is_decided_whatever_is_wrong_with_its_tool(
    scene: Scene, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is in the audit log."""

    async def fail(*_: object, **__: object) -> None:
        raise ValueError("of a provider")

    monkeypatch.setattr(scene.server, "get_tool", fail)
    denied(scene.call("wipe"), "action_not_allowed")
    assert [line["data"]["action"] for line in events(log)] == ["files/wipe"]


def test_a_text_is_judged_as_json_unless_the_tool_takes_a_text(scene: Scene) -> None:
    """A server behind this one may read it so, and pydantic reads what a tool declares as JSON."""

    def note(path: str, text: str, more: list[str] | None = None, parsed: Json[Any] = None) -> str:
        return f"{path} {text} {more} {parsed}"

    scene.server.add_tool(FunctionTool.from_function(note, name="write"))
    outside = '[{"path": "/etc/x"}]'
    assert not scene.call("write", path="docs/x", text=outside).is_error
    denied(scene.call("write", path="docs/x", text="x", more=outside), "path_outside_scope")
    denied(scene.call("write", path="docs/x", text="x", parsed=outside), "path_outside_scope")


@pytest.mark.parametrize(
    "given",
    [
        {"wish": {"spec": '{"path": "/etc/x"}'}},
        {"wish": {"inner": {"inner": {"spec": '[{"path": "/etc/x"}]'}}}},
        {"wishes": [{"spec": '{"path": "/etc/x"}'}]},
        {"by_name": {"a": {"spec": '{"path": "/etc/x"}'}}},
        {"pair": [1, '{"path": "/etc/x"}']},
        {"parsed": '{"spec": "{\\"path\\": \\"/etc/x\\"}"}'},
        {"file": '"/etc/x"'},
    ],
)
def test_a_text_inside_of_an_argument_is_judged_as_the_json_that_it_is_declared_to_be(
    scene: Scene, given: dict[str, Any]
) -> None:
    """Through models, lists, unions and references, and in JSON that is itself in a text."""
    ran: list[object] = []

    def wish(
        wish: Wish | None = None, wishes: tuple[Wish, ...] = (), by_name: dict[str, Wish] | None = None,
        pair: tuple[int, Json[Any]] | None = None, parsed: Json[Wish] | None = None, file: Json[str] | None = None,
    ) -> None:  # fmt: skip
        ran.append((wish, wishes, by_name, pair, parsed, file))

    write_grant(Path(), fsScope=[])
    scene.server.add_tool(FunctionTool.from_function(wish, name="write"))
    denied(scene.call("write", **given), "path_outside_scope")
    assert not ran
    inside = json.loads(json.dumps(given).replace("/etc/x", "docs/x"))
    assert not scene.call("write", **inside).is_error
    assert ran


def test_a_text_is_judged_as_the_version_takes_it_that_a_call_names(scene: Scene) -> None:
    """The newest one takes a text for what an older one reads as JSON."""

    def old(path: str, value: Json[Any]) -> str:
        return f"{path} {value}"

    def new(path: str, value: str) -> str:
        return f"{path} {value}"

    for version, function in (("1", old), ("2", new)):
        scene.server.add_tool(FunctionTool.from_function(function, name="later", version=version))
    write_grant(Path(), actions=["later"])
    given = {"path": "docs/x", "value": '[{"path": "/etc/x"}]'}

    def call(version: str | None) -> CallToolResult:
        return scene.ask(lambda client: client.call_tool("later", given, version=version, raise_on_error=False))

    assert [call(version).is_error for version in (None, "2", "1")] == [False, False, True]


def test_a_tool_that_rules_allow_and_nobody_has_is_an_error_in_the_result(scene: Scene, root: Path) -> None:
    """No error of the transport."""
    write_grant(root, actions=["nobody"])
    assert scene.call("nobody", path="docs/x").is_error


def test_many_calls_at_once_share_one_budget_exactly(scene: Scene, root: Path, state: Path) -> None:
    """As many run as the grant allows."""
    write_grant(root, rate={"perMinute": 25})

    async def call(client: "Client[Any]") -> list[CallToolResult]:
        calls = (client.call_tool("read", {"path": "docs/x"}, raise_on_error=False) for _ in range(60))
        return await asyncio.gather(*calls)

    assert sum(not result.is_error for result in scene.ask(call)) == 25
    assert (len(scene.ran), hits(root, state)) == (25, 25)


@pytest.mark.parametrize("error", [ValueError("x"), OSError(24, "x"), MemoryError(), RecursionError()])
@pytest.mark.parametrize("place", ["run_decision_in_thread_or_deny", "_listed_name"])
def test_any_exception_while_deciding_is_a_denial(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    """The tool does not run, and the result says why."""

    async def fail(*_: object) -> None:
        await asyncio.sleep(0)
        raise error

    monkeypatch.setattr(f"cortex_policy.adapters.fastmcp.{place}", fail)
    assert "could not be decided" in denied(scene.call("read", path="docs/x"), None)
    assert scene.ran == []


def test_an_error_of_the_tool_itself_is_no_denial(scene: Scene) -> None:
    """It says what the tool says."""

    @scene.server.tool
    def write2() -> None:
        raise ValueError("of the tool")

    scene.server.add_tool(FunctionTool.from_function(write2, name="ping"))
    result = scene.call("ping")
    assert result.is_error
    assert "of the tool" in result.content[0].text
    assert result.structured_content is None


def test_a_call_that_is_cancelled_while_it_is_decided_does_not_run(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the decision is then."""
    real = ToolGuard.decide

    async def cancel() -> None:
        loop, entered = asyncio.get_running_loop(), asyncio.Event()

        def decide(*given: Any) -> Any:
            loop.call_soon_threadsafe(entered.set)
            time.sleep(0.05)  # the call is cancelled meanwhile
            decision = real(*given)
            assert decision.allowed
            return decision

        monkeypatch.setattr(ToolGuard, "decide", decide)
        call = asyncio.ensure_future(scene.server.call_tool("read", {"path": "docs/x"}))
        await entered.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel())
    assert scene.ran == []


def test_the_tool_gets_the_arguments_that_were_decided(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds the arguments of the call cannot change them while it is decided."""
    real, given = ToolGuard.decide, {"path": "docs/x", "more": ["a"]}

    def decide(*args: Any) -> Any:
        decision = real(*args)
        given["path"] = "/etc/passwd"
        given["more"].append("/etc/shadow")  # type: ignore[attr-defined] # a list
        return decision

    monkeypatch.setattr(ToolGuard, "decide", decide)
    asyncio.run(scene.server.call_tool("read", given))
    assert scene.ran == [("read", ("docs/x", ["a"]))]


def test_a_tool_of_a_mounted_server_is_decided_by_its_listed_name(scene: Scene, root: Path) -> None:
    """Whatever it is called there."""
    inner = FastMCP("inner")
    scene.add(inner, "read")
    scene.server.mount(inner, namespace="sub")
    denied(scene.call("sub_read", path="docs/x"), "action_not_allowed")
    write_grant(root, actions=["sub_read"])
    assert scene.tools() == {"sub_read", "ping"}
    assert not scene.call("sub_read", path="docs/x").is_error
    denied(scene.call("sub_read", path="src/x"), "path_outside_scope")
    assert scene.ran == [("read", "docs/x")]


def test_a_guard_inside_a_mounted_server_decides_too(root: Path, scene: Scene) -> None:
    """By the name that the tool has there."""
    outer = FastMCP("outer")
    outer.mount(scene.server, namespace="sub")
    scene.server = outer
    denied(scene.call("sub_read", path="src/x"), "path_outside_scope")
    assert not scene.call("sub_read", path="docs/x").is_error
    assert scene.tools() == {"sub_read", "sub_write", "sub_ping"}
    assert root.is_dir()


def test_a_tool_that_calls_tools_is_decided_at_each_step(scene: Scene, root: Path) -> None:
    """A search hides the tools, and another tool calls them."""
    scene.server.add_transform(RegexSearchTransform())
    write_grant(root, actions=["read", "call_tool", "search_tools"], fsScope=[])
    assert scene.tools() == {"call_tool", "search_tools"}
    inner = {"name": "wipe", "arguments": {"path": "docs/x"}}
    assert scene.call("call_tool", **inner).is_error
    assert scene.ran == []
    assert not scene.call("call_tool", name="read", arguments={"path": "docs/x"}).is_error
    assert scene.ran == [("read", "docs/x")]


def test_a_tool_is_decided_by_its_listed_name_however_it_is_called(scene: Scene) -> None:
    """An app may call it by a hash."""
    for tool in ("read", "wipe"):
        scene.server.local_provider.remove_tool(tool)
        scene.add(
            scene.server, tool, meta={"ui": {"visibility": ["app"]}, "fastmcp": {"tool_hash": hash_tool("a", tool)}}
        )
    assert not scene.call(hashed_backend_name("a", "read"), path="docs/x").is_error
    assert "`files/wipe`" in denied(scene.call(hashed_backend_name("a", "wipe"), path="docs/x"), "action_not_allowed")
    assert scene.ran == [("read", "docs/x")]


class Renaming(Middleware):
    """Calls another tool than the client asked for."""

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[CallToolRequestParams, ToolResult]
    ) -> ToolResult:
        """Change the name."""
        return await call_next(context.copy(message=context.message.model_copy(update={"name": "wipe"})))


def test_a_guard_behind_what_changes_the_name_decides_the_new_one(scene: Scene) -> None:
    """The order is that of `add_middleware`."""
    scene.server.middleware.insert(0, Renaming())
    denied(scene.call("ping"), "action_not_allowed")
    assert scene.ran == []


@pytest.fixture
def asking(scene: Scene, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Let calls wait for a human, whom the answer of a client stands for."""
    write_grant(root, dataClass="sensitive")
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    settings = tmp_path / "config" / "cortex-policy" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[approvals]\nelicitation = true\n")
    return scene


def ask_user(
    scene: Scene, answer: Any, mode: str = "2026-07-28", tool: str = "read", **arguments: Any
) -> tuple[CallToolResult, list[str]]:
    """Call a tool with a client whose user answers; return the result, and what the user was asked."""
    asked: list[str] = []

    async def handle(message: str, *_: object) -> ElicitResult[Any]:
        asked.append(message)
        return ElicitResult(action=answer[0], content=answer[1])

    async def run() -> CallToolResult:
        async with Client(scene.server, mode=mode, elicitation_handler=handle) as client:  # type: ignore[arg-type] # as above
            return await client.call_tool(tool, arguments or {"path": "docs/x"}, raise_on_error=False)

    return asyncio.run(run()), asked


def test_a_call_that_waits_for_a_human_comes_back_and_takes_one_hit(asking: Scene, root: Path, state: Path) -> None:
    """The tool runs once, and sees nothing of our state."""
    seen: list[object] = []

    @asking.server.tool
    async def read(path: str, ctx: Context) -> str:
        seen.append((path, ctx.request_state, ctx.input_responses))
        return "x"

    result, asked = ask_user(asking, ("accept", {"approve": True}))
    assert (result.is_error, len(asked), seen) == (False, 1, [("docs/x", None, None)])
    assert "arguments" in asked[0]
    assert hits(root, state) == 1


@pytest.mark.parametrize("answer", [("decline", None), ("cancel", None), ("accept", {"approve": False})])
def test_a_user_who_does_not_approve_ends_the_call(asking: Scene, root: Path, state: Path, answer: Any) -> None:
    """In a result for the model."""
    denied(ask_user(asking, answer)[0], "action_not_allowed")
    assert asking.ran == []
    assert hits(root, state) == 0


def test_a_client_of_an_older_revision_is_not_asked(asking: Scene) -> None:
    """It gets the denial, with the id of the request."""
    result, asked = ask_user(asking, ("accept", {"approve": True}), "legacy")
    denied(result, "approval_required")
    assert asked == []


def test_a_client_that_cannot_ask_its_user_gets_the_denial(asking: Scene) -> None:
    """In the newest revision too."""
    denied(asking.call("read", "2026-07-28", path="docs/x"), "approval_required")


def test_a_tool_that_another_tool_calls_is_denied_at_once(asking: Scene, root: Path) -> None:
    """The client cannot call it again, so it is not asked."""
    asking.server.add_transform(RegexSearchTransform())
    rules = root / ".cortex" / "policy" / "hooks.toml"
    passing = '[[rule]]\nmcp = ["files/call_tool"]\ndecide = "pass"\n'
    rules.write_text(rules.read_text().replace("[[rule]]", f"{passing}[[rule]]", 1))
    answer = ("accept", {"approve": True})
    result, asked = ask_user(asking, answer, tool="call_tool", name="read", arguments={"path": "docs/x"})
    denied(result, "approval_required")
    assert (asked, asking.ran) == ([], [])


def test_a_guard_and_one_in_a_mounted_server_ask_one_after_the_other(asking: Scene, root: Path, state: Path) -> None:
    """The state of one is not the state of the other."""
    outer = FastMCP("outer")
    outer.add_middleware(GrantMiddleware("outer"))
    outer.mount(asking.server)
    asking.server = outer
    rules = root / ".cortex" / "policy" / "hooks.toml"
    rules.write_text(rules.read_text() + '[[rule]]\nmcp = ["outer/read"]\ndecide = "pass"\n')
    result, asked = ask_user(asking, ("accept", {"approve": True}))
    assert (result.is_error, len(asked), asking.ran) == (False, 1, [("read", "docs/x")])
    assert hits(root, state) == 1
