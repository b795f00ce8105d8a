"""What the server counts about itself, as Prometheus reads it (docs/serve.md#metrics)."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.library.grant_cache import StoreStats

SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client when it is imported
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_CACHE_COUNTS = ("hits", "misses", "reloads", "evictions")


class Metrics:
    """The counts of this process; several workers share a directory, and each shows the sum."""

    def __init__(self) -> None:
        """Start at zero."""
        registry = self._registry = CollectorRegistry()
        self._decisions = Counter(
            "cortex_policy_decisions", "Decisions by their reason.", ["decision", "reason"], registry=registry
        )
        self._requests = Counter("cortex_policy_requests", "Answered requests.", ["path", "status"], registry=registry)
        self._seconds = Histogram(
            "cortex_policy_request_seconds", "Time to answer a request.", ["path"], registry=registry, buckets=_SECONDS
        )
        self._refused = Counter(
            "cortex_policy_refused_connections", "Connections that were closed, by why.", ["why"], registry=registry
        )
        self._connections = Gauge(
            "cortex_policy_connections", "Open connections.", registry=registry, multiprocess_mode="livesum"
        )
        self._cached = Gauge(
            "cortex_policy_cached_grants", "Grants kept in memory.", registry=registry, multiprocess_mode="livesum"
        )
        self._cache = Counter(
            "cortex_policy_grant_cache", "Uses of kept grants, reads and evictions.", ["event"], registry=registry
        )
        self._last: StoreStats | None = None
        # finding these each time takes longer than counting
        self._decision_counts: dict[tuple[bool, str], Counter] = {}
        self._request_counts: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def count_decision(self, decision: bool, reason: str) -> None:  # noqa: FBT001 - a decision and its reason
        """Count a decision."""
        count = self._decision_counts.get((decision, reason))
        if count is None:
            count = self._decisions.labels("true" if decision else "false", reason)
            self._decision_counts[decision, reason] = count
        count.inc()

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count an answer; `path` is one of our own, not any that a client can invent."""
        counts = self._request_counts.get((path, status))
        if counts is None:
            counts = self._requests.labels(path, str(status)), self._seconds.labels(path)
            self._request_counts[path, status] = counts
        counts[0].inc()
        counts[1].observe(seconds)

    def count_refused(self, why: str) -> None:
        """Count a connection that was closed before it got an answer of the application."""
        self._refused.labels(why).inc()

    def update(self, connections: int, stats: "StoreStats | None") -> None:
        """Take over what others count; called each second."""
        self._connections.set(connections)
        if stats is None:
            return
        self._cached.set(stats.grants)
        for name in _CACHE_COUNTS:
            more = getattr(stats, name) - (getattr(self._last, name) if self._last is not None else 0)
            self._cache.labels(name).inc(max(0, more))
        self._last = stats

    def text(self) -> bytes:
        """Return all counts in the text format, of all workers if there are several."""
        directory = os.environ.get(SHARED_DIRECTORY)
        if directory is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
