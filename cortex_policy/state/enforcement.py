"""The enforcement point: load a grant, ask every rule, consume budget."""

import os
from _collections_abc import Mapping, Sequence, Set, ValuesView  # `collections.abc` loads all of `collections` (4 ms)

from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.core.engine import DEFAULTS, rated, refusal
from cortex_policy.core.model import (
    GRANT_INVALID,
    AccessDenied,
    GrantError,
    Request,
    Settings,
    StateError,
    UsageError,
)
from cortex_policy.state.grants import check_id, find_root, read_grant
from cortex_policy.state.ledger import Ledger, may_hold_settings, settings_directories, state_directory
from cortex_policy.state.places import Guarded, places

_PLACES_IN_ENVIRONMENT = ("CORTEX_POLICY_ROOT", "CORTEX_POLICY_STATE_DIR")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Decision, Grant, Origin
    from cortex_policy.state.memory import MemoryBudgets


def settings_of(root: str, *, require_path: bool = False) -> Settings:
    """Return what is set for a root; raise GrantError (settings_invalid) where something cannot be believed."""
    directories = (*settings_directories(), f"{root.rstrip('/')}/.cortex/policy")
    if not any(map(_is_setting, os.environ)) and not any(map(may_hold_settings, directories)):
        return Settings(require_path=require_path)
    from cortex_policy.state.settings import effective  # noqa: PLC0415 - only where something is set

    return effective(root, require_path=require_path)


def _is_setting(variable: str) -> bool:
    if variable.startswith("CORTEX_POLICY_"):
        return variable not in _PLACES_IN_ENVIRONMENT
    return variable == "CORTEX_AUDIT_LOG"


def _guarded(origin: "Origin") -> Guarded:
    identities = {origin.policy_identity, origin.tools_identity}
    try:
        names = [state_directory(), *settings_directories()]
    except StateError:  # the ledger says so, once every other rule lets the call pass
        names = [*settings_directories()]
    for directory in names:
        try:
            status = os.stat(directory)
        except OSError:  # not there (yet): its name guards it
            continue
        identities.add((status.st_dev, status.st_ino))
    return Guarded(frozenset(identities), tuple(dict.fromkeys([*names, *map(os.path.realpath, names)])))


def load_grant(grant_id: str, root: "str | os.PathLike[str] | None" = None) -> "Grant":
    """Load a grant by its id from the root; raise GrantError where it cannot be found, believed or read."""
    return load(grant_id, root)[0]


def load(
    grant_id: str, root: "str | os.PathLike[str] | None" = None, *, require_path: bool = False
) -> "tuple[Grant, Settings]":
    """Load a grant with what is set for its root."""
    if not isinstance(grant_id, str):
        message = f"an id is a string, not `{type(grant_id).__name__}`"
        raise UsageError(message)
    check_id(grant_id)
    found = find_root(None if root is None else _text(root))
    grant = read_grant(found, grant_id)
    return grant, _believed(grant, settings_of(found.path, require_path=require_path))


def _believed(grant: "Grant", settings: Settings) -> Settings:
    """Return the settings; raise GrantError (stamp_mismatch) where they require a stamp, and it differs."""
    if settings.stamp == "require":
        from cortex_policy.state.stamp import check_stamped  # noqa: PLC0415 - only where it is asked for

        check_stamped(grant)
    return settings


def ask(
    grant: "Grant",
    action: str,
    args: Mapping[str, object],
    *,
    cost: int = 1,
    peek: bool = False,
    settings: Settings = DEFAULTS,
    budgets: "Ledger | MemoryBudgets | None" = None,
) -> "Decision":
    """Decide a call; an allowed one consumes `cost` of the budget, unless it only peeks.

    Budgets are counted in the ledger of the grant's root unless others are named.
    """
    origin = grant.origin
    if origin is None:
        raise GrantError(GRANT_INVALID, "it was not loaded from a root", "use `load_grant`")
    request = Request(action, args, places(grant, origin, args, _guarded(origin)), cost)
    decision = refusal(grant, request, settings)
    if decision is not None:
        return decision
    counted = Ledger(origin.root_identity) if budgets is None else budgets
    take = counted.peek if peek else counted.take
    return rated(grant, request, take(grant.tool, action, grant.rate.per_minute, cost))


def enforce(
    grant: "Grant",
    action: str,
    args: Mapping[str, object] | None = None,
    *,
    cost: int = 1,
    budgets: "Ledger | MemoryBudgets | None" = None,
) -> "Decision":
    """Decide a call and consume its budget; raise AccessDenied on a no, StateError where none can be given.

    Path-like objects and bytes in the arguments count as the strings they stand for. Budgets are counted across
    processes in the ledger of the grant's root; with a `MemoryBudgets`, in this process alone.
    """
    if not isinstance(cost, int) or isinstance(cost, bool) or cost < 1:
        message = "cost must be an integer of at least 1"
        raise UsageError(message)
    settings = DEFAULTS if grant.origin is None else _believed(grant, settings_of(grant.origin.root))
    plain = _plain({} if args is None else args)
    if not isinstance(plain, dict):
        message = f"arguments are a mapping, not `{type(args).__name__}`"
        raise UsageError(message)
    decision = ask(grant, action, plain, cost=cost, settings=settings, budgets=budgets)
    if not decision:
        raise AccessDenied(decision)
    return decision


def _plain(value: object, depth: int = -1) -> object:
    """Turn paths of any type into strings, and mappings and sequences of any kind into those the rules look into."""
    if depth > MAX_DEPTH:
        message = f"arguments are nested deeper than {MAX_DEPTH}"
        raise UsageError(message)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, os.PathLike | bytes):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(name): _plain(part, depth + 1) for name, part in value.items()}
    if isinstance(value, Set | ValuesView | Sequence) and not isinstance(value, bytearray | memoryview | range):
        return [_plain(part, depth + 1) for part in value]
    message = f"an argument of type `{type(value).__name__}` cannot be looked into"
    raise UsageError(message, "pass JSON values, paths or bytes")


def _text(value: object) -> str:
    if not isinstance(value, str | bytes | os.PathLike):
        return str(value)
    try:
        return os.fsdecode(value)
    except TypeError as error:
        raise UsageError(str(error)) from None
