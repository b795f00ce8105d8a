"""The enforcement point: load a grant, ask every rule, consume budget."""

import os

from cortex_policy.core.engine import DEFAULTS, rated, refusal
from cortex_policy.core.model import (
    GRANT_INVALID,
    GRANT_UNSAFE,
    AccessDenied,
    GrantError,
    Request,
    Settings,
    StateError,
    UsageError,
)
from cortex_policy.state import ledger
from cortex_policy.state.grants import check_id, find_root, read_grant
from cortex_policy.state.ledger import (
    STATE_DIR,
    Ledger,
    may_hold_settings,
    settings_directories,
    state_directory,
    usual_state_directory,
)
from cortex_policy.state.places import Guarded, places

_PLACES_IN_ENVIRONMENT = ("CORTEX_POLICY_ROOT", STATE_DIR)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.core.model import Decision, Grant, Origin
    from cortex_policy.state.grants import Directory, Root
    from cortex_policy.state.memory import MemoryBudgets


def settings_of(root: str, *, require_path: bool = False) -> Settings:
    """Return what is set for a root; raise GrantError (settings_invalid) where something cannot be believed."""
    directories = (*settings_directories(), f"{root.rstrip('/')}/.cortex/policy")
    are_variables = any(map(_is_setting, os.environ))
    if not are_variables and not any(map(may_hold_settings, directories)):
        state_dir = os.environ.get(STATE_DIR)
        return Settings(
            require_path=require_path, state_dir=usual_state_directory() if state_dir is None else state_dir
        )
    if are_variables or require_path:
        from cortex_policy.state.settings import effective  # noqa: PLC0415 - only where something is set

        return effective(root, require_path=require_path)
    from cortex_policy.state.settled import settled  # noqa: PLC0415 - only where a file sets something

    return settled(root)


def _is_setting(variable: str) -> bool:
    if variable.startswith("CORTEX_POLICY_"):
        return variable not in _PLACES_IN_ENVIRONMENT
    return variable == "CORTEX_AUDIT_LOG"


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
    is_lost = os.path.islink(ledger.SYSTEM_SETTINGS) and not os.path.isdir(ledger.SYSTEM_SETTINGS)
    if is_lost or stands(f"{ledger.SYSTEM_SETTINGS}/stop"):
        from cortex_policy.state.stop import host_stopped  # noqa: PLC0415 - only a denial needs it

        raise host_stopped(ledger.SYSTEM_SETTINGS)


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


def guarded_by(origin: "Origin", state_dir: str | None) -> Guarded:
    """Return what governs the grants of an origin: no path may lead there."""
    identities = {origin.policy_identity, origin.tools_identity}
    try:
        names = [state_directory(state_dir), *settings_directories()]
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
    """Load a grant by its id from the root; raise GrantError where it cannot be found, believed or read.

    It decides nothing, so that it may be loaded while a stop stands: `enforce` looks for that.
    """
    from cortex_policy.state.given import named  # noqa: PLC0415 - a check has words alone

    if not isinstance(grant_id, str):
        message = f"an id is a string, not `{type(grant_id).__name__}`"
        raise UsageError(message)
    check_id(grant_id)
    found = find_root(named(root))
    grant = read_grant(found, grant_id)
    believed(grant, settings_of(found.path))
    return grant


def believed(grant: "Grant", settings: Settings) -> Settings:
    """Return the settings; raise GrantError (stamp_mismatch) where they require a stamp, and it differs."""
    if settings.stamp == "require":
        from cortex_policy.state.stamp import check_stamped  # noqa: PLC0415 - only where it is asked for

        check_stamped(grant)
    return settings


def admit(grant_id: str, named: str | None = None, *, require_path: bool = False) -> "tuple[Grant, Settings]":
    """Load a grant for a call, with what is set; raise AccessDenied where an emergency stop stands, before all else."""
    check_id(grant_id)
    refuse_stop_of_host()
    return admit_from(find_root(named), grant_id, require_path=require_path)


def admit_from(root: "Root", grant_id: str, *, require_path: bool = False) -> "tuple[Grant, Settings]":
    """Do the same for a root that was found, once no stop of the host stands."""
    try:
        grant = read_grant(root, grant_id, refuse_stop)
    except GrantError as error:
        if error.reason is GRANT_UNSAFE:  # the policy directory may be what could not be opened
            from cortex_policy.state.stop import refuse_hidden  # noqa: PLC0415 - only a failure needs it

            refuse_hidden(root)
        raise
    return grant, believed(grant, settings_of(root.path, require_path=require_path))


def ask(
    grant: "Grant",
    action: str,
    args: "Mapping[str, object]",
    *,
    cost: int = 1,
    peek: bool = False,
    settings: Settings = DEFAULTS,
    budgets: "Ledger | MemoryBudgets | None" = None,
) -> "Decision":
    """Decide a call; an allowed one consumes `cost` of the budget, unless it only peeks.

    Budgets are counted in the ledger of the grant's root unless others are named. It is for who has looked for an
    emergency stop, by `admit` or `enforce`.
    """
    origin = grant.origin
    if origin is None:
        raise GrantError(GRANT_INVALID, "it was not loaded from a root", "use `load_grant`")
    request = Request(action, args, places(grant, origin, args, guarded_by(origin, settings.state_dir)), cost)
    decision = refusal(grant, request, settings)
    if decision is not None:
        return decision
    counted = Ledger(origin.root_identity, settings.state_dir) if budgets is None else budgets
    take = counted.peek if peek else counted.take
    return rated(grant, request, take(grant.tool, action, grant.rate.per_minute, cost))


def enforce(
    grant: "Grant",
    action: str,
    args: "Mapping[str, object] | None" = None,
    *,
    cost: int = 1,
    budgets: "Ledger | MemoryBudgets | None" = None,
) -> "Decision":
    """Decide a call and consume its budget; raise AccessDenied on a no, StateError where none can be given.

    An emergency stop that stands by now denies, whenever the grant was loaded. Path-like objects and bytes in the
    arguments count as the strings they stand for. Budgets are counted across processes in the ledger of the grant's
    root; with a `MemoryBudgets`, in this process alone.
    """
    from cortex_policy.state.given import check_cost, plain_arguments  # noqa: PLC0415 - a check has words alone

    check_cost(cost)
    refuse_stop_of_host()
    settings = DEFAULTS
    if grant.origin is not None:
        _refuse_stop_of(grant.origin)
        settings = believed(grant, settings_of(grant.origin.root))
    decision = ask(grant, action, plain_arguments(args), cost=cost, settings=settings, budgets=budgets)
    if not decision:
        raise AccessDenied(decision)
    return decision
