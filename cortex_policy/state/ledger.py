"""Budgets in files shared by all processes: one file per tool and action, opened, locked and asked at each call."""

import os
import sys
from _thread import get_ident

from cortex_policy.core.model import Budget
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.grants import sha256
from cortex_policy.state.ledger_ring import Damaged, Key, Ring, boot_id, failed, lock, stands

SYSTEM_SETTINGS = "/etc/cortex-policy"
STATE_DIR = "CORTEX_POLICY_STATE_DIR"
LARGEST_LIMIT = 1 << 44
_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
SWEPT = ".swept"  # its bytes are the tick of the last sweep
MARK = 8  # how many digits of a root's directory tell of the boot
TRIES = 100  # of opening a file that others keep replacing


def settings_directories() -> tuple[str, str]:
    """Return where the settings of the system and of the user stand, as platformdirs names it, without its 20 ms."""
    named = os.environ.get("XDG_CONFIG_HOME", "").strip()
    if named.startswith("/"):
        return SYSTEM_SETTINGS, f"{named}/cortex-policy"
    below = "Library/Application Support" if sys.platform == "darwin" else ".config"
    return SYSTEM_SETTINGS, f"{home()}/{below}/cortex-policy"


def home() -> str:
    """Return the home of the caller, '' where there is none: it is absolute, and never in the working directory."""
    found = os.path.expanduser("~")  # INVARIANT: else whoever writes in the working directory sets what counts
    return found.rstrip("/") if found.startswith("/") else ""


def may_hold_settings(directory: str) -> bool:
    """Whether a settings file stands in a directory, or cannot be examined, which counts as standing there."""
    try:
        os.lstat(f"{directory}/config.toml")
    except OSError as error:
        return not isinstance(error, FileNotFoundError | NotADirectoryError)
    return True


def state_directory(found: str | None = None) -> str:
    """Return where rate state lives, for who has not found it in the settings; raise StateError for a bad name."""
    if found is None:
        found = os.environ.get(STATE_DIR)
        system, user = settings_directories()
        if may_hold_settings(system) or (found is None and may_hold_settings(user)):  # the first may lock it
            from cortex_policy.state.settings import named_state_directory  # noqa: PLC0415 - only where one is set

            found = named_state_directory(found)
    if found is None:
        return usual_state_directory()
    if not found.startswith("/") or "\0" in found:
        raise failed(f"{STATE_DIR} is not absolute", "set it to an absolute path, or unset it")
    return found


def usual_state_directory() -> str:
    """Return where rate state lives if nobody says otherwise: one place, with or without a login (contracts, 6)."""
    if sys.platform == "darwin":
        return f"{home()}/Library/Caches/cortex-policy"
    return f"/dev/shm/cortex-policy-{os.geteuid()}"  # noqa: S108 - judged when it is opened


def open_state(root_identity: tuple[int, int], boot: bytes, found: str | None = None) -> int:
    """Open the directory that holds a root's budgets, and make it where it is not there."""
    base = state_directory(found)
    mark = sha256(b"boot " + boot).hexdigest()[:MARK]
    name = mark + sha256(b"root %d %d " % root_identity + boot).hexdigest()[:32]
    parent = open_directory(base, None, base)
    try:
        return open_directory(name, parent, f"{base}/{name}")
    finally:
        os.close(parent)


def open_directory(name: str, parent: int | None, shown: str) -> int:
    """Open a directory of state, and make it where it is not there; raise StateError unless it is ours alone."""
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        from cortex_policy.state.ledger_directory import make_directory  # noqa: PLC0415 - once in a directory's life

        make_directory(name, parent, shown)
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        from cortex_policy.state.ledger_directory import strange  # noqa: PLC0415 - only a failure needs it

        raise strange(error, shown, parent) from None
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        from cortex_policy.state.ledger_directory import open_to_others  # noqa: PLC0415 - only a failure needs it

        os.close(descriptor)
        raise open_to_others(shown, status)
    return descriptor


def open_file(directory: int, name: str) -> int | None:
    """Open and lock the file at a name, None where there is none; raise StateError, or OSError."""
    for _ in range(TRIES):
        try:
            descriptor = os.open(name, _OPEN, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            from cortex_policy.state.ledger_directory import strange  # noqa: PLC0415 - only a failure needs it

            raise strange(error) from None
        try:
            hold(descriptor)
            if stands(descriptor):
                return descriptor
        except BaseException:
            release(descriptor)
            raise
        release(descriptor)
    raise failed("its file is replaced again and again")


_held: dict[int, int] = {}  # what is locked for one shot, and by which thread


def hold(descriptor: int, *, waits: bool = True) -> None:
    """Lock a file for one shot; raise BlockingIOError where another has it and this one does not wait."""
    _held[descriptor] = get_ident()
    try:
        if waits:
            lock(descriptor)
        else:
            rings.fcntl.flock(descriptor, rings.fcntl.LOCK_EX | rings.fcntl.LOCK_NB)
    except BaseException:
        _held.pop(descriptor, None)
        raise


def unlock(descriptor: int) -> None:
    """Unlock a file; to close it is not enough: a child that was forked meanwhile may have it open for long."""
    rings.fcntl.flock(descriptor, rings.fcntl.LOCK_UN)
    _held.pop(descriptor, None)


def release(descriptor: int) -> None:
    """Unlock a file and close it."""
    unlock(descriptor)
    os.close(descriptor)


def _close_held() -> None:
    """Close in a child what other threads of its parent have locked: they are not there to unlock it."""
    for descriptor, thread in list(_held.items()):
        if thread != get_ident():
            del _held[descriptor]
            os.close(descriptor)


os.register_at_fork(after_in_child=_close_held)


class Ledger:
    """The budgets of one root; opens what it needs at each call and keeps nothing."""

    root_identity: tuple[int, int]
    state_dir: str | None

    def __init__(self, root_identity: tuple[int, int], state_dir: str | None = None) -> None:
        """Take the root's (device, inode), which names its directory, and where that is, if the settings were read."""
        self.root_identity, self.state_dir = root_identity, state_dir

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take `cost` hits if they fit into `limit` a minute; raise StateError where that cannot be known."""
        return self._guarded(tool, action, limit, cost, consume=True)

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Say what `take` would; consume nothing."""
        return self._guarded(tool, action, limit, cost, consume=False)

    def _guarded(self, tool: str, action: str, limit: int, cost: int, *, consume: bool) -> Budget:
        if not (type(tool) is type(action) is str and type(limit) is type(cost) is int) or cost < 1:
            from cortex_policy.core.plain_values import exact_hit  # noqa: PLC0415 - only from Python

            tool, action, limit, cost = exact_hit(tool, action, limit, cost)
        if rings.fcntl is None:
            raise failed("this platform has no file locks")
        if min(limit, LARGEST_LIMIT) < cost:
            return Budget(limit, 0, limit, None, 0)
        try:
            return self._asked(tool, action, limit, cost, consume=consume)
        except OSError as error:
            from cortex_policy.state.ledger_directory import unusable  # noqa: PLC0415 - only a failure needs it

            raise unusable(error, state_directory(self.state_dir)) from None

    def _asked(self, tool: str, action: str, limit: int, cost: int, *, consume: bool) -> Budget:
        boot = boot_id()
        key = Key(boot, tool, action)
        directory = open_state(self.root_identity, boot, self.state_dir)
        try:
            descriptor = open_file(directory, key.name)
            if descriptor is None and consume:
                from cortex_policy.state.ledger_maintenance import create  # noqa: PLC0415 - once in a key's life

                descriptor = create(directory, key, min(limit, LARGEST_LIMIT))
            if descriptor is None:
                return Budget(limit, 0, limit, 0.0, 0)
            try:
                return self._decided(descriptor, directory, key, limit, cost, consume=consume)
            finally:
                release(descriptor)
        finally:
            os.close(directory)

    def _decided(self, descriptor: int, directory: int, key: Key, limit: int, cost: int, *, consume: bool) -> Budget:
        counted, held = min(limit, LARGEST_LIMIT), descriptor
        try:
            ring = Ring(descriptor, key.identity)
            # INVARIANT: what is not rebuilt holds more than the limit, so that nothing is taken
            if consume and ring.is_too_small(counted) and _is_rebuilt(ring, counted):
                from cortex_policy.state.ledger_maintenance import rebuild  # noqa: PLC0415 - only where a limit was edited

                held = rebuild(directory, key, ring, counted, rings.now_ticks())
                ring = Ring(held, key.identity)
            return self._weighed(ring, directory, limit, cost, consume=consume)
        except Damaged:
            from cortex_policy.state.ledger_maintenance import close  # noqa: PLC0415 - only where there is damage

            # INVARIANT: the file at the name is still locked, so that nobody maps it before it is broken
            close(directory, key, held, counted, rings.now_ticks())
            raise failed("it was damaged, and is closed for one minute", "try again in a minute") from None
        finally:
            if held != descriptor:
                release(held)

    def _weighed(self, ring: Ring, directory: int, limit: int, cost: int, *, consume: bool) -> Budget:
        counted, now = min(limit, LARGEST_LIMIT), rings.now_ticks()
        wait = ring.wait_ticks(counted, cost, now)
        consumed = cost if consume and not wait else 0
        if consumed:
            ring.take(cost, now)
            wait = ring.wait_ticks(counted, 1, now)  # until one more fits
        used = ring.used(counted, now)
        if consumed and consumed == used:  # its window was empty: so may be others
            _sweep_where_due(directory, now)
        seconds = (wait << rings.TICK_BITS) / 1e9
        return Budget(limit, used, max(0, limit - used), seconds, consumed, closed=now < ring.closed)


def _is_rebuilt(ring: Ring, limit: int) -> bool:
    """Whether a file is replaced by one for another limit; not where that would copy more slots than any file has."""
    return ring.used(limit, rings.now_ticks()) // rings.grain(limit) <= rings.EXACT_LIMIT


def _sweep_where_due(directory: int, now: int) -> None:
    try:
        if _is_sweep_due(directory, now):
            from cortex_policy.state.ledger_maintenance import sweep  # noqa: PLC0415 - once a minute at the most

            sweep(directory, now)
    except OSError:
        return  # the hit is taken, and is answered so


def _is_sweep_due(directory: int, now: int) -> bool:
    try:
        descriptor = os.open(SWEPT, _OPEN, dir_fd=directory)
    except FileNotFoundError:
        return True
    try:
        since = now - int.from_bytes(os.read(descriptor, rings.WORD), sys.byteorder)
    finally:
        os.close(descriptor)
    return not 0 <= since < rings.WINDOW_TICKS
