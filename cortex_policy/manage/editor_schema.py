"""The schema of grants for editors, installed beside the grants: `$schema` of a grant names it."""

import os
from contextlib import suppress

from cortex_policy import schema
from cortex_policy.state import Root
from cortex_policy.state.atomic_write import create_file_atomically, replace_file_atomically
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.writer_lock import NO_WAIT, LockWait, hold_writer_lock

NAME = "grant.schema.json"
LINK = f"../{NAME}"  # from a grant


def read_packaged_schema() -> bytes:
    """Return the schema, which `scripts/generate.py` has made."""
    with open(os.path.join(schema.__path__[0], NAME), "rb") as file:
        return file.read()


def try_to_create_editor_schema_file(policy: int) -> None:
    """Create the schema in an open policy directory; never change an existing file."""
    with suppress(OSError):  # FileExistsError: `validate` says if it differs. Other errors must not stop a write
        create_file_atomically(policy, NAME, read_packaged_schema())


def write_editor_schema_file(root: Root, lock_wait: LockWait = NO_WAIT) -> bool:
    """Write the schema into a root; return whether it was missing or another one.

    Raise NotDoneError if another process writes, or if the file cannot be written.
    """
    with hold_writer_lock(root, lock_wait) as lock:
        if read_schema_of_root_or_none(root) == read_packaged_schema():
            return False
        replace_file_atomically(lock.policy.descriptor, NAME, read_packaged_schema())
    return True


def read_schema_of_root_or_none(root: Root) -> bytes | None:
    """Return the schema in a root, None if there is none; raise GrantError if it is not a regular file."""
    with suppress(FileNotFoundError), PolicyDirectory(TrustCheck(root)) as policy:
        return policy.read(NAME, len(read_packaged_schema()) + 1)
    return None
