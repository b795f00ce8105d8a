"""The grants of a root, and its `hooks.toml`: their bytes, their modes, and who else can write them."""

import os
import stat
from contextlib import ExitStack, contextmanager, suppress

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.history_entry import MODES
from cortex_policy.state.possible_writers import WRITERS
from cortex_policy.state.stamp import compute_content_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.manage.listing import Track
    from cortex_policy.state.writer_lock import WriterLock


@contextmanager
def open_grants_read_only_with_held_lock(lock: "WriterLock") -> "Iterator[GrantFiles]":
    """Open the files of a root while its lock is held; make no directory."""
    with ExitStack() as stack:
        grants = None
        with suppress(FileNotFoundError):
            grants = stack.enter_context(lock.open_grants_directory())
        yield GrantFiles(lock.policy, grants)


@contextmanager
def open_grants_read_only_without_lock(root: Root) -> "Iterator[GrantFiles]":
    """Open the files of a root for somebody who only reads them; raise FileNotFoundError without a policy directory."""
    with PolicyDirectory(TrustCheck(root)) as policy, ExitStack() as stack:
        grants = None
        with suppress(FileNotFoundError):
            grants = stack.enter_context(PolicyDirectory(TrustCheck(root), "tools"))
        yield GrantFiles(policy, grants)


class GrantFiles:
    """Reads them in directories that are open."""

    def __init__(self, policy: "PolicyDirectory", grants: "PolicyDirectory | None") -> None:
        """Take the open directories of the policy and of the grants; the latter is None where it does not exist."""
        self.policy: PolicyDirectory = policy
        self._grants = grants

    @property
    def root(self) -> Root:
        """The root that has the files."""
        return self.policy.trust.root

    def locate(self, name: str) -> "tuple[PolicyDirectory, str]":
        """Return the open directory that has a file, and the file's name in it; raise FileNotFoundError without one."""
        if name == HOOKS_TOML:
            return self.policy, name
        if self._grants is None:
            raise FileNotFoundError(None, None, "tools")
        return self._grants, f"{name}.json"

    @property
    def is_owned_by_caller(self) -> bool:
        """Whether the directory is the caller's, so that the caller wrote the grants, not another user."""
        return os.fstat((self._grants or self.policy).descriptor).st_uid == os.geteuid()

    def list_names(self) -> list[str]:
        """List the ids of the grants, then the name of `hooks.toml`, whether it exists or not."""
        return [*(self._grants.grant_ids() if self._grants is not None else ()), HOOKS_TOML]

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, None if it does not exist."""
        with suppress(FileNotFoundError):
            directory, file = self.locate(name)
            return directory.read(file, MAX_BYTES + 1)
        return None

    def mode_for_copy(self, name: str) -> int:
        """Return the permissions of a file, for a copy of it; everyone never gets write access."""
        directory, file = self.locate(name)
        status = os.stat(file, dir_fd=directory.descriptor, follow_symlinks=False)
        return stat.S_IMODE(status.st_mode) & MODES

    def read_digests(self, track: "Track" = iter) -> dict[str, str]:
        """Return the digest of each file; raise GrantError if one is a link or not a regular file."""
        found: dict[str, str] = {}
        for name in track(self.list_names()):
            data = self.read(name)
            if data is not None:  # else it was removed since it was listed
                found[name] = compute_content_digest(data)
        return found

    def check_permissions(self, name: str) -> None:
        """Raise GrantError (22) if others can write a file: checks refuse it, and a write would make it look safe."""
        with suppress(FileNotFoundError):
            directory, file = self.locate(name)
            directory.read(file, 0)  # its trust notes who may write the file
            path = f"{directory.path}/{file}"
            if any(problem.path == path and problem.kind == WRITERS for problem in directory.trust.problems):
                raise directory.trust.make_unsafe_error()
