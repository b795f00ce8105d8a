"""Check what a tool may do against its grant, and count its rate across processes."""

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    from cortex_policy.state.enforcement import enforce as enforce
    from cortex_policy.state.enforcement import load_grant as load_grant
    from cortex_policy.state.memory import MemoryBudgets as MemoryBudgets
    from cortex_policy.state.resident import FileBudgets as FileBudgets

_HOMES = {
    "AccessDenied": "core.model",
    "ApprovalRequired": "core.model",
    "CortexPolicyError": "core.model",
    "Decision": "core.model",
    "FileBudgets": "state.resident",
    "Grant": "core.model",
    "GrantError": "core.model",
    "MemoryBudgets": "state.memory",
    "Place": "core.model",
    "Rate": "core.model",
    "Reason": "core.model",
    "Request": "core.model",
    "Settings": "core.model",
    "StateError": "core.model",
    "decide": "core.engine",
    "enforce": "state.enforcement",
    "load_grant": "state.enforcement",
}
__all__ = list(_HOMES)


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
