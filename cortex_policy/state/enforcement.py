"""The enforcement point: load a grant, ask every rule, consume budget."""

import os
import sys
from _collections_abc import Mapping, Sequence, Set, ValuesView  # `collections.abc` loads all of `collections` (4 ms)

from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.core.engine import DEFAULTS, rated, refusal
from cortex_policy.core.model import (
    GRANT_INVALID,
    GRANT_UNSAFE,
    SETTINGS_INVALID,
    AccessDenied,
    GrantError,
    Request,
    StateError,
    UsageError,
)
from cortex_policy.state.grants import check_id, find_root, read_grant
from cortex_policy.state.ledger import Ledger, state_directory
from cortex_policy.state.places import Guarded, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Decision, Grant, Origin, Settings
    from cortex_policy.state.grants import Directory
    from cortex_policy.state.memory import MemoryBudgets

SYSTEM_SETTINGS = "/etc/cortex-policy"
_PLACES_IN_ENVIRONMENT = ("CORTEX_POLICY_ROOT", "CORTEX_POLICY_STATE_DIR")


def user_settings() -> str:
    """Return the directory of the user's settings, as platformdirs names it, without its 20 ms."""
    named = os.environ.get("XDG_CONFIG_HOME", "").strip()
    if named.startswith("/"):
        return f"{named}/cortex-policy"
    below = "~/Library/Application Support" if sys.platform == "darwin" else "~/.config"
    return f"{os.path.expanduser(below)}/cortex-policy"


def refuse_settings(root: str) -> None:
    """Raise GrantError (settings_invalid) where anything is set: until settings are read, none is skipped."""
    for directory in (SYSTEM_SETTINGS, user_settings(), f"{root.rstrip('/')}/.cortex/policy"):
        file = f"{directory}/config.toml"
        try:
            os.lstat(file)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise GrantError(SETTINGS_INVALID, f"`{file}`: {os.strerror(error.errno or 0).lower()}") from None
        raise GrantError(SETTINGS_INVALID, f"`{file}` is not read yet, and nothing is skipped", f"remove `{file}`")
    for name in os.environ:
        is_setting = name.startswith("CORTEX_POLICY_") and name not in _PLACES_IN_ENVIRONMENT
        if is_setting or name == "CORTEX_AUDIT_LOG":
            raise GrantError(SETTINGS_INVALID, f"`{name}` is not read yet, and nothing is skipped", f"unset `{name}`")


def stands(name: str, directory: int | None = None) -> bool:
    """Whether a name exists, or cannot be examined; it is never opened, and of any kind, mode and owner."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    return True


def refuse_stop_of_host() -> None:
    """Raise AccessDenied where an emergency stop of the whole host stands."""
    # in a directory that is a link to nowhere, a mount that is gone perhaps, nobody knows what stood
    is_lost = os.path.islink(SYSTEM_SETTINGS) and not os.path.isdir(SYSTEM_SETTINGS)
    if is_lost or stands(f"{SYSTEM_SETTINGS}/stop"):
        from cortex_policy.state.stop import host_stopped  # noqa: PLC0415 - only a denial needs it

        raise host_stopped(SYSTEM_SETTINGS)


def refuse_stop(policy: "Directory") -> None:
    """Raise AccessDenied where an emergency stop stands in an open policy directory."""
    if stands("stop", policy.descriptor):
        from cortex_policy.state.stop import stopped  # noqa: PLC0415 - only a denial needs it

        raise stopped(policy)


def _refuse_stop_of(origin: "Origin") -> None:
    """Raise AccessDenied where a stop stands in the root of a loaded grant, or nobody can know."""
    why = ""
    try:
        # whatever links lead there: it must be the very directory, whose stop is looked for then
        policy = os.open(f"{origin.root.rstrip('/')}/.cortex/policy", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            status = os.fstat(policy)
            if (status.st_dev, status.st_ino) != origin.policy_identity:
                why = "is not the directory that the grant was read from"
            elif not stands("stop", policy):
                return
        finally:
            os.close(policy)
    except OSError:
        why = "cannot be opened"
    from cortex_policy.state.stop import stopped_since  # noqa: PLC0415 - only a denial needs it

    raise stopped_since(origin.root, why)


def _guarded(origin: "Origin") -> Guarded:
    identities = {origin.policy_identity, origin.tools_identity}
    try:
        names = [state_directory(), SYSTEM_SETTINGS, user_settings()]
    except StateError:  # the ledger says so, once every other rule lets the call pass
        names = [SYSTEM_SETTINGS, user_settings()]
    for directory in names:
        try:
            status = os.stat(directory)
        except OSError:  # not there (yet): its name guards it
            continue
        identities.add((status.st_dev, status.st_ino))
    return Guarded(frozenset(identities), tuple(dict.fromkeys([*names, *map(os.path.realpath, names)])))


def load_grant(grant_id: str, root: "str | os.PathLike[str] | None" = None) -> "Grant":
    """Load a grant by its id from the root; raise GrantError where it cannot be found, believed or read.

    It decides nothing, so that it may be loaded while a stop stands: `enforce` looks for that.
    """
    if not isinstance(grant_id, str):
        message = f"an id is a string, not `{type(grant_id).__name__}`"
        raise UsageError(message)
    check_id(grant_id)
    found = find_root(None if root is None else _text(root))
    grant = read_grant(found, grant_id)
    refuse_settings(found.path)
    return grant


def admit(grant_id: str, named: str | None = None) -> "Grant":
    """Load a grant for one call; raise AccessDenied where an emergency stop stands, whatever else is wrong."""
    check_id(grant_id)
    refuse_stop_of_host()
    root = find_root(named)
    try:
        grant = read_grant(root, grant_id, refuse_stop)
    except GrantError as error:
        if error.reason is GRANT_UNSAFE:  # the policy directory may be what could not be opened
            from cortex_policy.state.stop import refuse_hidden  # noqa: PLC0415 - only a failure needs it

            refuse_hidden(root)
        raise
    refuse_settings(root.path)
    return grant


def ask(
    grant: "Grant",
    action: str,
    args: Mapping[str, object],
    *,
    cost: int = 1,
    peek: bool = False,
    settings: "Settings" = DEFAULTS,
    budgets: "Ledger | MemoryBudgets | None" = None,
) -> "Decision":
    """Decide a call; an allowed one consumes `cost` of the budget, unless it only peeks.

    Budgets are counted in the ledger of the grant's root unless others are named. It is for who has looked for an
    emergency stop, by `admit` or `enforce`.
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

    An emergency stop that stands by now denies, whenever the grant was loaded. Path-like objects and bytes in the
    arguments count as the strings they stand for. Budgets are counted across processes in the ledger of the grant's
    root; with a `MemoryBudgets`, in this process alone.
    """
    if not isinstance(cost, int) or isinstance(cost, bool) or cost < 1:
        message = "cost must be an integer of at least 1"
        raise UsageError(message)
    refuse_stop_of_host()
    if grant.origin is not None:
        _refuse_stop_of(grant.origin)
        refuse_settings(grant.origin.root)
    plain = _plain({} if args is None else args)
    if not isinstance(plain, dict):
        message = f"arguments are a mapping, not `{type(args).__name__}`"
        raise UsageError(message)
    decision = ask(grant, action, plain, cost=cost, budgets=budgets)
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
