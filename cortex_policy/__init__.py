"""Check what a tool may do against its grant, and count its rate across processes."""

import marshal
import os
import sys

try:
    from _frozen_importlib_external import MAGIC_NUMBER  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # another Python implementation
    from importlib.util import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

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
    from cortex_policy.library.decorator import enforced as enforced
    from cortex_policy.library.functions import enforce as enforce
    from cortex_policy.library.functions import load_grant as load_grant
    from cortex_policy.library.functions import load_grant_async as load_grant_async
    from cortex_policy.library.grant_cache import StoreStats as StoreStats
    from cortex_policy.library.http_sink import HttpSink as HttpSink
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

_BYTECODE = f"{sys.implementation.cache_tag}.pyc"
_NO_FLAGS = bytes(4)
_MAX_READ = 1 << 16  # a larger buffer would be new memory each time
# what a decision needs, each after those that it needs itself
DECISION_MODULES = (
    "core/__init__", "core/model", "core/decode", "core/arguments", "core/path_arguments", "core/engine",
    "state/__init__", "state/grants", "state/ledger_ring", "state/ledger", "state/paths", "state/enforcement",
)  # fmt: skip
AUDIT_MODULES = (
    "state/settings_cache", "core/audit_chain", "state/audit_file", "state/audit_log", "core/json_text",
    "core/audit_event", "state/audit_record",
)  # fmt: skip
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
    "HttpSink": "library.http_sink",
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
    "StoreStats": "library.grant_cache",
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


def import_from_bytecode(*files: str) -> None:
    """Load modules from the bytecode that Python keeps of them; from the first without it on they are left to Python.

    Python's way to find and load a module, which has to be right for all there are, takes a third of a check. Each file
    comes after those that it needs.

    INVARIANT: for a process with one thread: nothing keeps another from a module that is half loaded.
    """
    top = __path__[0]
    loader: Any = type(__spec__.loader)
    for file in files:
        name = f"{__name__}.{file.removesuffix('/__init__').replace('/', '.')}"
        if name in sys.modules:
            continue
        source = f"{top}/{file}.py"
        code = _read_bytecode(source)
        if code is None:
            return
        spec = type(__spec__)(name, loader(name, source), origin=source)
        spec.has_location = True
        module = type(sys)(name)
        module.__spec__, module.__loader__, module.__file__ = spec, spec.loader, source
        if file.endswith("/__init__"):
            spec.submodule_search_locations = module.__path__ = [source.removesuffix("/__init__.py")]
        module.__package__ = spec.parent
        sys.modules[name] = module
        try:
            exec(code, vars(module))  # noqa: S102 - as an import does
        except BaseException:
            del sys.modules[name]
            raise
        setattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2], module)


def _read_bytecode(source: str) -> "CodeType | None":
    """Return the code of a module if Python keeps it, and the file is the one that it was compiled of."""
    directory, _, file = source.rpartition("/")
    try:
        status = os.stat(source)
        descriptor = os.open(f"{directory}/__pycache__/{file[:-2]}{_BYTECODE}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(descriptor, _MAX_READ)
    finally:
        os.close(descriptor)
    known = (int(status.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little") + status.st_size.to_bytes(4, "little")
    header = MAGIC_NUMBER + _NO_FLAGS + known
    if len(data) == _MAX_READ or not data.startswith(header):
        return None
    try:
        code: CodeType = marshal.loads(memoryview(data)[len(header) :])  # noqa: S302 - as an import does
    except (EOFError, TypeError, ValueError):  # half a file, as some file systems give
        return None
    return code


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
