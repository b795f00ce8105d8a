"""What counts the calls of a store: budgets that the program gave, the files of this host, or a server."""

from cortex_policy.core.model import UsageError
from cortex_policy.state.file_budgets import FileBudgets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.budgets_interface import Budgets
    from cortex_policy.library.grant_cache import CachedGrant
    from cortex_policy.library.server_budgets import ServerBudgets
    from cortex_policy.state.memory_budgets import MemoryBudgets
    from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets


class StoreBudgets:
    """The budgets of the root of one store, kept open."""

    given: "FileBudgets | MemoryBudgets | RedisBudgets | None"

    def __init__(self, given: "FileBudgets | MemoryBudgets | RedisBudgets | None") -> None:
        """Take what the program gave, if it did; open nothing."""
        self.given = given
        self._files: dict[tuple[tuple[int, int], str | None], FileBudgets] = {}
        self._server: ServerBudgets | None = None
        self._is_closed = False

    def for_grant(self, entry: "CachedGrant") -> "Budgets":
        """Return what counts the calls of a grant."""
        return self.on_host(entry) if not entry.has_server or self.given is not None else self.on_server(entry)

    def on_host(self, entry: "CachedGrant") -> "FileBudgets | MemoryBudgets | RedisBudgets":
        """Return what counts the calls of a grant if no server does."""
        if self.given is not None:
            return self.given
        origin = entry.grant.origin
        assert origin is not None  # noqa: S101 - it was read from a file
        key = origin.root_identity, entry.settings.state_dir
        budgets = self._files.get(key)
        if budgets is None:
            self._check_open()
            before, self._files = self._files, {key: FileBudgets(*key)}
            budgets = self._files[key]
            for old in before.values():  # of the root that the name led to before
                old.forget()
        return budgets

    def on_server(self, entry: "CachedGrant") -> "ServerBudgets":
        """Return the budgets on the server of a grant's settings."""
        from cortex_policy.library.server_budgets import reuse_or_make_server_budgets  # noqa: PLC0415 - few programs share budgets

        self._check_open()
        self._server = reuse_or_make_server_budgets(self._server, entry)
        return self._server

    def close(self) -> None:
        """Close what is open; nothing is opened after that."""
        self._is_closed = True
        for budgets in self._files.values():
            budgets.forget()
        self._files.clear()
        if self._server is not None:
            self._server.forget()

    def _check_open(self) -> None:
        if self._is_closed:
            message = "the store is closed"
            raise UsageError(message)
