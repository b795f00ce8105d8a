"""Budgets in files shared by all processes: one file per tool and action, opened, locked and read at each call.

One module of more than 250 lines, as each module costs a check time.
"""

import os
import sys

from cortex_policy.core.model import Budget
from cortex_policy.state import (
    BOOT_PREFIX,
    OPEN_DIRECTORY,
    fcntl,
    find_named_or_default_state_directory,
    make_state_unavailable_error,
    read_boot_id,
    sha256,
    unlock_and_close,
)
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.ledger_ring import (
    DELIVERIES,
    OPEN_STATE_FILE,
    SWEEP_MARKER,
    BudgetFileKey,
    DamagedFileError,
    Ring,
    open_and_lock_budget_file_or_none,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.state.calls_seen_by_several_hooks import CallDelivery

MAX_LIMIT = 1 << 44


def open_or_make_budget_directory(root_identity: tuple[int, int], boot: bytes, state_dir: str) -> int:
    """Open the directory that holds a root's budgets, and create it if it is missing."""
    base, name = find_named_or_default_state_directory(state_dir), format_budget_directory_name(root_identity, boot)
    parent = open_or_make_private_directory(base, None, base)
    try:
        return open_or_make_private_directory(name, parent, f"{base}/{name}")
    finally:
        os.close(parent)


def format_budget_directory_name(root_identity: tuple[int, int], boot: bytes) -> str:
    """Return the name of the directory of a root's budgets; it begins with a mark of the boot."""
    mark: str = sha256(b"boot " + boot).hexdigest()[:BOOT_PREFIX]
    return mark + str(sha256(b"root %d %d " % root_identity + boot).hexdigest()[:32])


def open_state_directory_or_minus_one(named: str | None) -> int:
    """Open the directory of rate state; -1 if it is missing, or not ours alone; the ledger reports that."""
    where = find_named_or_default_state_directory(None) if named is None else named
    try:
        directory = os.open(where, OPEN_DIRECTORY) if where.startswith("/") else -1
    except (OSError, ValueError):
        return -1
    if directory < 0:
        return directory
    status = os.fstat(directory)
    if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
        return directory
    os.close(directory)
    return -1


def open_or_make_private_directory(name: str, parent: int | None, shown: str) -> int:
    """Open a directory of state, and create it if it is missing; raise StateError unless it is ours alone."""
    try:
        descriptor = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        from cortex_policy.state.ledger_directory import make_state_directory_and_drop_old_boots  # noqa: PLC0415 - once in a directory's life

        make_state_directory_and_drop_old_boots(name, parent, shown)
        descriptor = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
    except OSError as error:
        from cortex_policy.state.ledger_directory import make_state_open_error  # noqa: PLC0415 - only a failure needs it

        raise make_state_open_error(error, shown, parent) from None
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        from cortex_policy.state.ledger_directory import make_unsafe_directory_error  # noqa: PLC0415 - only a failure needs it

        os.close(descriptor)
        raise make_unsafe_directory_error(shown, status)
    return descriptor


class Ledger:
    """The budgets of one root; opens its files at each call and keeps none open."""

    delivery: "CallDelivery | None"
    root_identity: tuple[int, int]

    def __init__(self, root_identity: tuple[int, int], state_dir: str, delivery: "CallDelivery | None" = None) -> None:
        """Take the root's (device, inode), which names its directory, and the state directory that holds it.

        The hit of a delivery is not taken again if another line of an agent's settings has delivered the same call.
        """
        self.root_identity, self._state_dir, self.delivery = root_identity, state_dir, delivery

    @property
    def state_dir(self) -> str:
        """The state directory that holds these budgets."""
        return self._state_dir

    def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take `cost` hits if they fit into `limit` a minute; raise StateError if that cannot be known."""
        return self._count(tool, action, limit, cost, consume=True)

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Return what `take` would; consume nothing."""
        return self._count(tool, action, limit, cost, consume=False)

    def _count(self, tool: str, action: str, limit: int, cost: int, *, consume: bool) -> Budget:
        if not (type(tool) is type(action) is str and type(limit) is type(cost) is int) or cost < 1:
            from cortex_policy.core.input_values import require_budget_arguments  # noqa: PLC0415 - only from Python

            tool, action, limit, cost = require_budget_arguments(tool, action, limit, cost)
        if fcntl is None:
            raise make_state_unavailable_error("this platform has no file locks")
        if min(limit, MAX_LIMIT) < cost:
            return Budget(limit, 0, limit, None, 0)
        try:
            boot = read_boot_id()
            key = BudgetFileKey(boot, tool, action)
            directory = open_or_make_budget_directory(self.root_identity, boot, self.state_dir)
            try:
                return _LedgerCall(directory, key, limit, cost, self.delivery, consume=consume).run()
            finally:
                os.close(directory)
        except OSError as error:
            from cortex_policy.state.ledger_directory import make_state_error_of_os_error  # noqa: PLC0415 - only a failure needs it

            raise make_state_error_of_os_error(error, self.state_dir) from None


class _LedgerCall:
    """The hits that one call wants of one budget, and the open directory of its file."""

    __slots__ = "_consume", "_cost", "_counted", "_delivery", "_directory", "_key", "_limit"

    def __init__(
        self,
        directory: int,
        key: BudgetFileKey,
        limit: int,
        cost: int,
        delivery: "CallDelivery | None",
        *,
        consume: bool,
    ) -> None:
        self._directory, self._key, self._delivery = directory, key, delivery
        self._limit, self._counted, self._cost, self._consume = limit, min(limit, MAX_LIMIT), cost, consume

    def run(self) -> Budget:
        """Open the file, or create it for the first hit, and count."""
        descriptor = open_and_lock_budget_file_or_none(self._directory, self._key.name)
        if descriptor is None and self._consume:
            from cortex_policy.state.ledger_maintenance import create_and_lock_budget  # noqa: PLC0415 - once in a key's life

            descriptor = create_and_lock_budget(self._directory, self._key, self._counted)
        if descriptor is None:
            return Budget(self._limit, 0, self._limit, 0.0, 0)
        try:
            return self._count_in_file(descriptor)
        finally:
            unlock_and_close(descriptor)

    def _count_in_file(self, descriptor: int) -> Budget:
        """Count in a locked file; replace it first if it is too small for the limit, or if it is damaged."""
        locked = descriptor
        try:
            ring = Ring(descriptor, self._key.identity)
            # INVARIANT: a ring that is not rebuilt holds more than the limit, so that nothing is taken
            if self._consume and ring.is_too_small(self._counted) and _can_rebuild(ring, self._counted):
                from cortex_policy.state.ledger_maintenance import resize_and_lock_budget  # noqa: PLC0415 - only if a limit was edited

                locked = resize_and_lock_budget(
                    self._directory, self._key, ring, self._counted, rings.read_ticks_since_boot()
                )
                ring = Ring(locked, self._key.identity)
            return self._count_in_ring(ring) if self._delivery is None else self._count_delivery(self._delivery, ring)
        except DamagedFileError:
            from cortex_policy.state.ledger_maintenance import replace_damaged_by_denying_budget  # noqa: PLC0415 - only if it is damaged

            # INVARIANT: the file is still locked, so that nobody maps it before it is replaced
            replace_damaged_by_denying_budget(
                self._directory, self._key, locked, self._counted, rings.read_ticks_since_boot()
            )
            raise make_state_unavailable_error(
                "it was damaged, and is closed for one minute", "try again in a minute"
            ) from None
        finally:
            if locked != descriptor:
                unlock_and_close(locked)

    def _count_delivery(self, delivery: "CallDelivery", ring: Ring) -> Budget:
        """Count in the ring, but take nothing if another line of an agent's settings has delivered the same call."""
        from cortex_policy.state.calls_seen_by_several_hooks import CountedCallDeliveries  # noqa: PLC0415 - only the hooks of agents need it

        now = rings.read_ticks_since_boot()
        descriptor = open_and_lock_counted_call_deliveries(self._directory, DELIVERIES, makes=self._consume)
        try:
            table = CountedCallDeliveries(descriptor, ring.identity, delivery, now)
            if table.is_repeat and now >= ring.closed_until:
                budget = _budget_of_repeat(ring, self._limit, now)
            else:
                budget = self._count_in_ring(ring)
            # INVARIANT: after the hit: a process that is killed in between has counted once too often, never too seldom
            if self._consume and (budget.consumed or budget.repeat):
                table.add()
        finally:
            if descriptor is not None:
                unlock_and_close(descriptor)
        return budget

    def _count_in_ring(self, ring: Ring) -> Budget:
        """Take the hits if they fit, and return the budget after that."""
        limit, counted, now = self._limit, self._counted, rings.read_ticks_since_boot()
        wait = ring.wait_ticks(counted, self._cost, now)
        consumed = self._cost if self._consume and not wait else 0
        if consumed:
            ring.add(consumed, now)
            wait = ring.wait_ticks(counted, 1, now)  # until one more fits
        used = ring.count_used(counted, now)
        if consumed and consumed == used:  # its window was empty: others may be, too
            _sweep_if_due(self._directory, now)
        seconds = (wait << rings.TICK_BITS) / 1e9
        return Budget(limit, used, max(0, limit - used), seconds, consumed, closed=now < ring.closed_until)


def open_and_lock_counted_call_deliveries(directory: int, name: str, *, makes: bool) -> int | None:
    """Open and lock a table of deliveries; None if there is none, and it is not to be made."""
    descriptor = open_and_lock_budget_file_or_none(directory, name)
    if descriptor is not None or not makes:
        return descriptor
    from cortex_policy.state.calls_seen_by_several_hooks import make_empty_table  # noqa: PLC0415 - once in a root's life
    from cortex_policy.state.ledger_maintenance import create_and_lock_state_file  # noqa: PLC0415 - as above

    return create_and_lock_state_file(directory, name, make_empty_table())


def _budget_of_repeat(ring: Ring, limit: int, now: int) -> Budget:
    used = ring.count_used(min(limit, MAX_LIMIT), now)
    return Budget(limit, used, max(0, limit - used), 0.0, 0, repeat=True)


def _can_rebuild(ring: Ring, limit: int) -> bool:
    """Whether a file can be replaced by one for another limit, without copying more slots than a file may have."""
    return (
        ring.count_used(limit, rings.read_ticks_since_boot()) // rings.compute_hits_per_slot(limit) <= rings.EXACT_LIMIT
    )


def _sweep_if_due(directory: int, now: int) -> None:
    try:
        if _is_sweep_due(directory, now):
            from cortex_policy.state.ledger_maintenance import remove_idle_budgets  # noqa: PLC0415 - once a minute at the most

            remove_idle_budgets(directory, now)
    except OSError:
        return  # the hit is taken and must be answered


def _is_sweep_due(directory: int, now: int) -> bool:
    try:
        descriptor = os.open(SWEEP_MARKER, OPEN_STATE_FILE, dir_fd=directory)
    except FileNotFoundError:
        return True
    try:
        since = now - int.from_bytes(os.read(descriptor, rings.WORD), sys.byteorder)
    finally:
        os.close(descriptor)
    return not 0 <= since < rings.WINDOW_TICKS
