"""Check what a tool may do against its grant, and count its rate across processes."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.adapters.sinks import CallableSink as CallableSink
    from cortex_policy.adapters.sinks import LoggingSink as LoggingSink
    from cortex_policy.adapters.sinks import OpenTelemetrySink as OpenTelemetrySink
    from cortex_policy.core.engine import decide as decide
    from cortex_policy.core.model import AccessDenied as AccessDenied
    from cortex_policy.core.model import ApprovalRequired as ApprovalRequired
    from cortex_policy.core.model import CortexPolicyError as CortexPolicyError
    from cortex_policy.core.model import Decision as Decision
    from cortex_policy.core.model import Grant as Grant
    from cortex_policy.core.model import GrantError as GrantError
    from cortex_policy.core.model import Place as Place
    from cortex_policy.core.model import Rate as Rate
    from cortex_policy.core.model import Reason as Reason
    from cortex_policy.core.model import Request as Request
    from cortex_policy.core.model import Settings as Settings
    from cortex_policy.core.model import StateError as StateError
    from cortex_policy.core.sinks import Sink as Sink
    from cortex_policy.state.awaiting import load_grant_async as load_grant_async
    from cortex_policy.state.cache import Stats as Stats
    from cortex_policy.state.guarding import guarded as guarded
    from cortex_policy.state.library import enforce as enforce
    from cortex_policy.state.library import load_grant as load_grant
    from cortex_policy.state.memory import MemoryBudgets as MemoryBudgets
    from cortex_policy.state.resident import FileBudgets as FileBudgets
    from cortex_policy.state.store import PolicyStore as PolicyStore
    from cortex_policy.state.store import Warmth as Warmth
    from cortex_policy.state.subscriptions import Change as Change

_HOMES = {
    "AccessDenied": "core.model",
    "ApprovalRequired": "core.model",
    "CallableSink": "adapters.sinks",
    "Change": "state.subscriptions",
    "CortexPolicyError": "core.model",
    "Decision": "core.model",
    "FileBudgets": "state.resident",
    "Grant": "core.model",
    "GrantError": "core.model",
    "LoggingSink": "adapters.sinks",
    "MemoryBudgets": "state.memory",
    "OpenTelemetrySink": "adapters.sinks",
    "Place": "core.model",
    "PolicyStore": "state.store",
    "Rate": "core.model",
    "Reason": "core.model",
    "Request": "core.model",
    "Settings": "core.model",
    "Sink": "core.sinks",
    "StateError": "core.model",
    "Stats": "state.cache",
    "Warmth": "state.store",
    "decide": "core.engine",
    "enforce": "state.library",
    "guarded": "state.guarding",
    "load_grant": "state.library",
    "load_grant_async": "state.awaiting",
}
__all__ = list(_HOMES)


if not TYPE_CHECKING:  # a type checker would take any name for one of the package's

    def __getattr__(name: str) -> object:
        """Import a public name on its first use: importing the package alone costs nothing."""
        if name not in _HOMES:
            message = f"module `cortex_policy` has no attribute `{name}`"
            raise AttributeError(message)
        from importlib import import_module  # noqa: PLC0415 - only a library needs it

        value: object = getattr(import_module(f"cortex_policy.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
