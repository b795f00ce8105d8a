"""Decide in a thread beside an event loop: a decision opens files, and may wait for a lock (docs/mcp.md)."""

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from cortex_policy.mcp.guard import make_failure_decision

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from cortex_policy.mcp.guard import ToolDecision, ToolGuard

    T = TypeVar("T")

_THREADS = 8
# INVARIANT: not the threads that tools run in: a denial must not wait until a slow tool has ended
_limiter: RunVar[CapacityLimiter] = RunVar("cortex_policy_limiter")


async def run_decision_in_thread_or_deny(decide: "Callable[[], T]") -> "T | ToolDecision":
    """Decide the call of a tool, and take its hits; whatever fails is a denial.

    A call that is cancelled meanwhile is not run, though its hits may have been taken.
    """
    try:
        return await to_thread.run_sync(decide, limiter=_threads())
    except Exception as error:  # noqa: BLE001 - such as no memory for a thread: the tool must not run
        return make_failure_decision(error)


async def find_hidden_tools_in_thread(guard: "ToolGuard", names: "Iterable[str]") -> frozenset[str]:
    """Return which tools are never allowed; all if that cannot be found out."""
    tools = frozenset(names)
    try:
        return await to_thread.run_sync(guard.hidden_tools, tools, limiter=_threads())
    except Exception:  # noqa: BLE001 - as above
        return tools


def _threads() -> CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(_THREADS)
        _limiter.set(limiter)
        return limiter
