"""The grant files of a root: their bytes, their modes, and who else can write them."""

import os
import stat
from contextlib import suppress
from shlex import quote

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import GRANT_UNSAFE, GrantError
from cortex_policy.state.history_entry import MODES
from cortex_policy.state.possible_writers import WRITERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.state.grants import PolicyDirectory


class GrantFiles:
    """Reads the grants in a directory that is open, while its owner holds the writers' lock."""

    def __init__(self, tools: "PolicyDirectory") -> None:
        """Take the open directory of the grants."""
        self._tools = tools

    @property
    def is_owned_by_caller(self) -> bool:
        """Whether the directory is the caller's, so that the caller wrote the grants, not another user."""
        return os.fstat(self._tools.descriptor).st_uid == os.geteuid()

    def read(self, grant_id: str) -> bytes | None:
        """Return the bytes of a grant, None if it does not exist."""
        try:
            return self._tools.read(f"{grant_id}.json", MAX_BYTES + 1)
        except FileNotFoundError:
            return None

    def mode(self, grant_id: str) -> int:
        """Return the permissions of a grant, for a copy of it; everyone never gets write access."""
        status = os.stat(f"{grant_id}.json", dir_fd=self._tools.descriptor, follow_symlinks=False)
        return stat.S_IMODE(status.st_mode) & MODES

    def check_permissions(self, grant_id: str) -> None:
        """Raise GrantError (22) if others can write a grant: checks refuse it, and a write would make it look safe."""
        trust = self._tools.trust
        known = len(trust.doubts)
        with suppress(FileNotFoundError):
            self._tools.read(f"{grant_id}.json", 0)
        for (kind, file), fault in zip(trust.doubts[known:], trust.faults[known:], strict=True):
            if kind == WRITERS:
                others = "o" if fault.endswith("everyone") else "go"  # the owner's own group may write
                hint = f"look at it, then close it with `chmod {others}-w {quote(file)}`"
                raise GrantError(GRANT_UNSAFE, fault, hint)
