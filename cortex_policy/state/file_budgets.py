"""The ledger of long-lived processes: its files stay open and mapped, so that most hits are two stores under a lock."""

import os
from _thread import _local
from time import monotonic_ns
from weakref import WeakSet

from cortex_policy.core.input_values import require_budget_arguments
from cortex_policy.core.model import Budget, StateError
from cortex_policy.state import read_boot_id
from cortex_policy.state.ledger import (
    Ledger,
    find_named_or_default_state_directory,
    format_budget_directory_name,
    open_or_make_budget_directory,
)
from cortex_policy.state.ledger_ring import BudgetFileKey, open_and_lock_budget_file_or_none
from cortex_policy.state.mapped_file import (
    MappedFile,
    is_still_denied,
    make_hit_function,
    map_and_unlock,
    peek_used_hits_and_seconds_left,
    read_budget_of_denial_or_none,
    read_usage_just_after_taking_hit,
)
from cortex_policy.state.settings import find_state_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_OPEN = 64  # files that are kept open, two descriptors each
_MAX_ABSENT = 1024
_ABSENT_NS = 10**9
_ONE = 1
_Kept = dict[str, dict[str, "tuple[Callable[[int], bool], MappedFile]"]]  # by tool and action
_alive: "WeakSet[FileBudgets]" = WeakSet()


class FileBudgets(Ledger):
    """The budgets of one root for a process that asks often; counts in the same files as every other process.

    `hit` is 5 to 10 times faster than `take`. A file that somebody else truncates while it is mapped ends the
    process (SIGBUS): drop state with `cortex-policy rate purge`, never by hand. It counts, and sees no emergency stop:
    `enforce(..., budgets=...)` does.
    """

    def __init__(self, root_identity: tuple[int, int], state_dir: str | None = None) -> None:
        """Take the root's (device, inode), which names its directory, and where that is, if the settings were read."""
        super().__init__(root_identity, state_dir or "")
        self._named = state_dir
        self.forget()
        _alive.add(self)

    @property
    def state_dir(self) -> str:
        """The state directory that holds these budgets: unless one is named, what the settings say by now."""
        return find_state_directory() if self._named is None else self._named

    def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> bool:
        """Take `cost` hits if they fit into `limit` a minute, and say so; raise StateError if that is unknown."""
        if cost is not _ONE or not type(tool) is type(action) is str:
            tool, action, limit, cost = require_budget_arguments(tool, action, limit, cost)
            if cost != 1:
                return self.take(tool, action, limit, cost).consumed == cost
        try:
            take_hit = self._kept[tool][action][0]
        except KeyError:
            return self._reopen(self._kept, tool, action, limit)
        try:
            return take_hit(limit)
        except StopIteration:  # its file is gone, damaged, or was opened a second ago
            return self._reopen(self._kept, tool, action, limit)
        except ValueError as error:
            if not _is_in_use(error):
                raise
        return self._hit_in_this_thread(tool, action, limit)

    def denial(self, tool: str, action: str, limit: int) -> Budget | None:
        """Return what `take` would say to a thread whose `hit` was just denied; None if the file must be read."""
        tool, action, limit, _ = require_budget_arguments(tool, action, limit, 1)
        for files in (self._local.__dict__.get("kept", {}), self._kept):
            _, file = files.get(tool, {}).get(action, (None, None))
            if file is not None and file.denied_until and is_still_denied(file, limit):
                return read_budget_of_denial_or_none(file, limit)
        return None

    def peek_usage_after_hit(self, tool: str, action: str, limit: int) -> tuple[int, float]:
        """Return what is used right after a `hit` of this process, and the seconds until one more fits.

        Hits that others took in between are in it. Raises StateError if the file must be read and cannot be.
        """
        try:
            file = self._kept[tool][action][1]
        except KeyError:
            file = None
        use = read_usage_just_after_taking_hit(file, limit) if file is not None else None
        if use is None:
            budget = self.peek(tool, action, limit)
            use = budget.used, budget.retry_after_seconds or 0.0
        return use

    def peek_usage(self, tool: str, action: str, limit: int) -> tuple[int, float]:
        """Return what is used, and the seconds until one more fits; most often without a lock.

        Raises StateError if that is unknown.
        """
        kept = self._kept.get(tool, {}).get(action)
        use = peek_used_hits_and_seconds_left(kept[1], limit) if kept is not None else self._use_of_absent(tool, action)
        if use is None:
            budget = self.peek(tool, action, limit)
            use = budget.used, budget.retry_after_seconds or 0.0
            if not self._keep(self._kept, tool, action):
                self._remember_absent(tool, action)
        return use

    def forget(self) -> None:
        """Close the files that are kept open; the next hit of a key opens its file again."""
        self._kept: _Kept = {}
        self._absent: dict[tuple[str, str], tuple[str, int]] = {}  # the names of files that are not there, until when
        self._local = _local()  # files of threads that found another one in the middle of a hit

    def _hit_in_this_thread(self, tool: str, action: str, limit: int) -> bool:
        """Take a hit by a file of this thread alone."""
        files: _Kept = self._local.__dict__.setdefault("kept", {})
        take_hit, _ = files.get(tool, {}).get(action, (None, None))
        try:
            return self._reopen(files, tool, action, limit) if take_hit is None else take_hit(limit)
        except StopIteration:
            return self._reopen(files, tool, action, limit)
        except ValueError as error:
            if not _is_in_use(error):
                raise
        return (
            self.take(tool, action, limit).consumed == 1
        )  # a signal came in the middle of a hit, and asks for another

    def _reopen(self, files: _Kept, tool: str, action: str, limit: int) -> bool:
        """Answer as any process does, then keep the file open for the next hit."""
        tool, action, limit, _ = require_budget_arguments(tool, action, limit, 1)
        files.get(tool, {}).pop(action, None)
        consumed = self.take(tool, action, limit).consumed
        self._keep(files, tool, action)
        return consumed == 1

    def _keep(self, files: _Kept, tool: str, action: str) -> bool:
        """Keep the file of a key open, in place of one that was; return whether that worked."""
        files.get(tool, {}).pop(action, None)
        while sum(map(len, list(files.values()))) >= MAX_OPEN:
            _close_oldest(files)
        file = self._map_file(tool, action)
        if file is not None:
            files[tool] = files.pop(tool, {}) | {action: (make_hit_function(file), file)}  # the last of all
        return file is not None

    def _use_of_absent(self, tool: str, action: str) -> tuple[int, float] | None:
        """Return that nothing is used if there is still no file; None if it must be looked for."""
        path, until = self._absent.get((tool, action), ("", 0))
        if monotonic_ns() >= until:
            return None
        try:
            os.lstat(path)
        except FileNotFoundError:
            return 0, 0.0
        except OSError:
            return None
        return None

    def _remember_absent(self, tool: str, action: str) -> None:
        """Remember the name of a file that is not there; its directories are looked up again after a second."""
        try:
            boot = read_boot_id()
        except OSError:
            return
        name = f"{format_budget_directory_name(self.root_identity, boot)}/{BudgetFileKey(boot, tool, action).name}"
        if len(self._absent) >= _MAX_ABSENT:
            self._absent.clear()
        path = f"{find_named_or_default_state_directory(self.state_dir)}/{name}"
        self._absent[tool, action] = path, monotonic_ns() + _ABSENT_NS

    def _map_file(self, tool: str, action: str) -> MappedFile | None:
        """Map the file of a key; None if it must be opened at each call: closed, or no descriptor left."""
        try:
            boot = read_boot_id()
            key = BudgetFileKey(boot, tool, action)
            directory = open_or_make_budget_directory(self.root_identity, boot, self.state_dir)
            try:
                descriptor = open_and_lock_budget_file_or_none(directory, key.name)
            finally:
                os.close(directory)
            return map_and_unlock(descriptor, key) if descriptor is not None else None
        except (OSError, StateError, ValueError):  # the hit itself is decided; the next one goes the same long way
            return None


def _is_in_use(error: ValueError) -> bool:
    """Whether a hit was asked for in the middle of another: nothing below the call that asked raised the error."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is None


def _close_oldest(files: _Kept) -> None:
    """Close the file that was opened before all others; another thread may do so too."""
    for tool in list(files)[:1]:
        actions = files.get(tool, {})
        for action in list(actions)[:1]:
            actions.pop(action, None)
        if not actions:
            files.pop(tool, None)


def _forget_after_fork() -> None:
    """Drop what a fork made shared: a descriptor that two processes have is one lock for both."""
    for budgets in _alive:
        budgets.forget()


os.register_at_fork(after_in_child=_forget_after_fork)
