"""Check what a tool may do against its grant, and count its rate across processes."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.access_denied import AccessDenied as AccessDenied
    from cortex_policy.core.access_denied import ApprovalRequired as ApprovalRequired
    from cortex_policy.core.audit_sink import Sink as Sink
    from cortex_policy.core.engine import decide as decide
    from cortex_policy.core.model import CortexPolicyError as CortexPolicyError
    from cortex_policy.core.model import Decision as Decision
    from cortex_policy.core.model import Grant as Grant
    from cortex_policy.core.model import GrantError as GrantError
    from cortex_policy.core.model import Rate as Rate
    from cortex_policy.core.model import Reason as Reason
    from cortex_policy.core.model import Request as Request
    from cortex_policy.core.model import ResolvedPath as ResolvedPath
    from cortex_policy.core.model import Settings as Settings
    from cortex_policy.core.model import StateError as StateError
    from cortex_policy.core.model import UsageError as UsageError
    from cortex_policy.library.cache import StoreStats as StoreStats
    from cortex_policy.library.decorator import enforced as enforced
    from cortex_policy.library.functions import enforce as enforce
    from cortex_policy.library.functions import load_grant as load_grant
    from cortex_policy.library.functions import load_grant_async as load_grant_async
    from cortex_policy.library.sinks import CallableSink as CallableSink
    from cortex_policy.library.sinks import LoggingSink as LoggingSink
    from cortex_policy.library.sinks import OpenTelemetrySink as OpenTelemetrySink
    from cortex_policy.library.store import PolicyStore as PolicyStore
    from cortex_policy.library.store import PreloadResult as PreloadResult
    from cortex_policy.library.subscriptions import GrantChanged as GrantChanged
    from cortex_policy.state.file_budgets import FileBudgets as FileBudgets
    from cortex_policy.state.memory_budgets import MemoryBudgets as MemoryBudgets
    from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets as RedisBudgets

    __version__: str
    Change = GrantChanged  # the old names
    Place = ResolvedPath
    Stats = StoreStats
    Warmth = PreloadResult
    guarded = enforced

_HOMES = {
    "AccessDenied": "core.access_denied",
    "ApprovalRequired": "core.access_denied",
    "CallableSink": "library.sinks",
    "CortexPolicyError": "core.model",
    "Decision": "core.model",
    "FileBudgets": "state.file_budgets",
    "Grant": "core.model",
    "GrantChanged": "library.subscriptions",
    "GrantError": "core.model",
    "LoggingSink": "library.sinks",
    "MemoryBudgets": "state.memory_budgets",
    "OpenTelemetrySink": "library.sinks",
    "PolicyStore": "library.store",
    "PreloadResult": "library.store",
    "Rate": "core.model",
    "Reason": "core.model",
    "RedisBudgets": "state.shared_budgets.redis_budgets",
    "Request": "core.model",
    "ResolvedPath": "core.model",
    "Settings": "core.model",
    "Sink": "core.audit_sink",
    "StateError": "core.model",
    "StoreStats": "library.cache",
    "UsageError": "core.model",
    "decide": "core.engine",
    "enforce": "library.functions",
    "enforced": "library.decorator",
    "load_grant": "library.functions",
    "load_grant_async": "library.functions",
}
_OLD_NAMES = {
    "Change": "GrantChanged",
    "Place": "ResolvedPath",
    "Stats": "StoreStats",
    "Warmth": "PreloadResult",
    "guarded": "enforced",
}
__all__ = list(_HOMES)


if not TYPE_CHECKING:  # a type checker would take any name for one of the package's

    def __getattr__(name: str) -> object:
        """Import a public name on its first use: importing the package alone costs nothing."""
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415 - 15 ms

            return version("cortex-policy")
        if name in _OLD_NAMES:
            from cortex_policy.core.deprecated import warn_deprecated  # noqa: PLC0415 - only old names need it

            new = _OLD_NAMES[name]
            warn_deprecated(name, new)
            return globals().get(new) or __getattr__(new)
        if name not in _HOMES:
            message = f"module `cortex_policy` has no attribute `{name}`"
            raise AttributeError(message)
        from importlib import import_module  # noqa: PLC0415 - only a library needs it

        value: object = getattr(import_module(f"cortex_policy.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
