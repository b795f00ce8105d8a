"""Correct uses of the public names: never run, and accepted by a strict type checker."""

from collections.abc import Callable

from cortex_policy import (
    AccessDenied,
    Change,
    Decision,
    Grant,
    GrantChanged,
    HttpSink,
    MemoryBudgets,
    Place,
    PolicyStore,
    PreloadResult,
    Reason,
    RedisBudgets,
    ResolvedPath,
    Stats,
    StoreStats,
    Warmth,
    enforce,
    enforced,
    guarded,
    load_grant,
    load_grant_async,
)

store = PolicyStore("/srv/app", 8, budgets=MemoryBudgets(), reader="gateway")
shared = RedisBudgets("redis://cache:6379", "production", b"a key that all hosts have", timeout_ms=20)
fleet = PolicyStore("/srv/app", budgets=shared)
bus = HttpSink("https://bus.example.org/events", spool="/var/lib/app/events", mode="batch", max_bytes=1 << 20)
heard = PolicyStore("/srv/app", sinks=[bus])
grant: Grant = load_grant("git")
decision: Decision = enforce(grant, "tree", {"path": "docs"}, budgets=MemoryBudgets())
preloaded: PreloadResult = store.preload(["git"])
stats: StoreStats = store.stats()
count: int = stats.hits + len(preloaded.failures)


def report(change: GrantChanged) -> None:
    """Take a change."""
    text: str = change.verdict if change.new is None else change.new
    print(text)


end: Callable[[], None] = store.subscribe(report)


@enforced("git", "tree", store=store, path="target")
def read(target: str, depth: int = 1) -> bytes:
    """Keep its own type."""
    return target.encode() * depth


@enforced("git", "tree", path="target")
async def read_later(target: str) -> bytes:
    """Keep its own type, too."""
    return target.encode()


data: bytes = read("docs", depth=2)


async def main() -> None:
    """Await what is to be awaited."""
    async with PolicyStore() as other:
        found: Grant = await other.load_async("git")
        yes: Decision = await other.enforce_async(found.id, "tree", cost=2)
        digest: str | None = yes.grant_sha256
        later: bytes = await read_later("docs")
        print(await load_grant_async("git"), digest, later)
    with PolicyStore() as one:
        try:
            one.enforce("git", "tree")
        except AccessDenied as denied:
            said: tuple[Reason, str, str] = denied.reason, denied.detail, denied.hint
            print(denied.decision.budget, *said)


@guarded("git", "tree", path="target")
def read_by_an_old_name(target: str, change: Change) -> str | None:
    """Use the old names, which work for one more version."""
    old: Place = ResolvedPath("path", target)
    same: StoreStats = Stats(1, 2, 3, 4, 5, 0.5, 7)
    warmth: Warmth = PolicyStore().warm([change.id, str(same.hits)])
    print(old.landed, old.fault, decision.places, warmth.loaded)
    return old.normalized
