"""What a program that has an event loop and no store asks for."""

import asyncio

from cortex_policy.core.model import Grant
from cortex_policy.library.functions import load_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os


async def load_grant_async(grant_id: str, root: "str | os.PathLike[str] | None" = None) -> Grant:
    """Do what `load_grant` does, in a thread: a slow disk does not hold up the event loop."""
    return await asyncio.to_thread(load_grant, grant_id, root)
