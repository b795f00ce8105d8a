"""The client of an older revision subscribes to resources: to those that can exist, and to so many."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import SubscribeRequestParams, UnsubscribeRequestParams

from cortex_policy.library.root_path_lookup import find_root_keeping_links
from cortex_policy.mcp.server_notices import MAX_SUBSCRIPTIONS, Notices

CONTEXT: Any = SimpleNamespace(session=None)


def test_subscriptions_are_bounded(root: Path) -> None:
    """One more is refused; one that ends makes room, and the same again is no other one."""

    async def subscribe() -> None:
        """Use up all of them."""
        notices = Notices(find_root_keeping_links(str(root)))
        wanted = [
            SubscribeRequestParams(uri=f"cortex-policy://grants/g{number}") for number in range(MAX_SUBSCRIPTIONS + 1)
        ]
        for one in wanted[:-1]:
            await notices.subscribe(CONTEXT, one)
        await notices.subscribe(CONTEXT, wanted[0])
        with pytest.raises(MCPError, match="there are 1,024 subscriptions already"):
            await notices.subscribe(CONTEXT, wanted[-1])
        await notices.unsubscribe(CONTEXT, UnsubscribeRequestParams(uri=wanted[0].uri))
        await notices.subscribe(CONTEXT, wanted[-1])

    anyio.run(subscribe)


@pytest.mark.parametrize(
    "uri", ["", "file:///etc/passwd", "cortex-policy://grants/../x", "cortex-policy://grants/\x1b"]
)
def test_only_what_can_exist_has_a_subscription(root: Path, uri: str) -> None:
    """A client cannot make us keep its texts."""
    notices = Notices(find_root_keeping_links(str(root)))
    with pytest.raises(MCPError, match="there is no resource") as refused:
        anyio.run(notices.subscribe, CONTEXT, SubscribeRequestParams(uri=uri))
    assert refused.value.error.message.isprintable()
