"""Requests that cannot be answered are errors of the protocol, with the reason and a hint."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, ReadResourceRequestParams

from cortex_policy.library.root_path_lookup import find_root_keeping_links
from cortex_policy.mcp import server_handlers
from cortex_policy.mcp.server_handlers import Handlers
from tests.support.mcp_client import MODERN
from tests.support.roots import grant_file

CONTEXT: Any = SimpleNamespace()
GIT = ReadResourceRequestParams(uri="cortex-policy://grants/git")


def vanish(root: Path) -> None:
    """Take the root away."""
    root.rename(root.with_name("away"))


def link(root: Path) -> None:
    """Put a link in the place of the directory of grants."""
    tools = grant_file(root).parent
    tools.rename(root / "tools")
    tools.symlink_to(root / "tools")


@pytest.mark.parametrize(("damage", "reason"), [(vanish, "root_not_found"), (link, "grant_unsafe")])
def test_resources_of_a_root_that_is_damaged_are_refused(root: Path, damage: Any, reason: str) -> None:
    """The list, and each of them; afterwards, too."""

    async def ask() -> None:
        """Ask for both."""
        handlers = Handlers(find_root_keeping_links(str(root)))
        assert (await handlers.read_resource(CONTEXT, GIT)).contents
        damage(root)
        for request in (handlers.list_resources(CONTEXT, None), handlers.read_resource(CONTEXT, GIT)):
            with pytest.raises(MCPError) as refused:
                await request
            assert refused.value.error.data["reason"] == reason
            assert refused.value.error.data["hint"]

    anyio.run(ask)


def test_a_grant_has_one_name(root: Path) -> None:
    """Also on a file system that ignores case, as that of a Mac may."""

    async def ask() -> None:
        """Ask by another name."""
        with pytest.raises(MCPError, match="there is no resource"):
            await Handlers(find_root_keeping_links(str(root))).read_resource(
                CONTEXT, ReadResourceRequestParams(uri="cortex-policy://grants/GIT")
            )

    anyio.run(ask)


def test_a_lack_of_descriptors_is_no_bug(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model hears why nothing can be decided."""

    def fail(*_: object) -> None:
        """Have no descriptor left."""
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(server_handlers, "answer_tool_call", fail)

    async def ask() -> Any:
        """Ask for the list."""
        context: Any = SimpleNamespace(protocol_version=MODERN)
        return await Handlers(find_root_keeping_links(str(root))).call_tool(
            context, CallToolRequestParams(name="list_grants")
        )

    answer = anyio.run(ask)
    assert answer.is_error
    assert answer.content[0].text.startswith("rate state unavailable: too many open files")


def test_a_long_call_takes_the_place_of_several(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has its arguments, so a model that asks in a loop writes about as much as with short calls."""
    counts: list[int] = []

    async def note(_: object, count: int = 1) -> None:
        """Note how many places a call takes."""
        counts.append(count)

    monkeypatch.setattr(server_handlers.Pace, "wait_for_turn", note)

    async def ask() -> None:
        """Ask with a short and with a long action."""
        handlers, context = Handlers(find_root_keeping_links(str(root))), SimpleNamespace(protocol_version=MODERN)
        for action in ("tree", "x" * (1 << 20)):
            given = CallToolRequestParams(name="check_grant", arguments={"grant": "git", "action": action})
            await handlers.call_tool(context, given)  # type: ignore[arg-type] # all that it needs

    anyio.run(ask)
    assert counts == [1, 129]
