"""The private copy of a grant that an operator edits: beside the grants, and nobody else can read it."""

import os
import re
from contextlib import suppress

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import GrantError
from cortex_policy.state.grants import Directory


class Draft:
    """A copy in the policy directory, for an editor that opens it by its path."""

    def __init__(self, policy: Directory, grant_id: str, text: bytes) -> None:
        """Make it; raise OSError where the disk refuses."""
        self._policy = policy
        self.name = f".edit-{grant_id}-{os.urandom(8).hex()}.json"
        self.path = f"{policy.path}/{self.name}"
        self.write(text)

    def write(self, text: bytes) -> None:
        """Make the file, which must not be there."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.name, flags, 0o600, dir_fd=self._policy.descriptor)
        try:
            while text:
                text = text[os.write(descriptor, text) :]
        except OSError as error:
            os.unlink(self.name, dir_fd=self._policy.descriptor)
            raise OSError(error.errno, error.strerror, self.name) from None
        finally:
            os.close(descriptor)

    def read(self) -> bytes:
        """Read what the editor left there; raise FileNotFoundError, or GrantError for a link or another kind."""
        return self._policy.read(self.name, MAX_BYTES + 1)

    def settle(self, *known: bytes) -> bool:
        """Remove it where its text is blank or known; return whether it was left."""
        try:
            text = self.read()
        except FileNotFoundError:
            return False
        except GrantError:
            return True
        if text.strip() and text not in known:
            return True
        for name in (self.name, f"{self.name}~"):  # some editors keep what was there before
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._policy.descriptor)
        return False


def left(policy: Directory, grant_id: str) -> list[str]:
    """Return the paths of the copies of a grant that earlier sessions left; its lock must be held."""
    ours = re.compile(rf"\.edit-{re.escape(grant_id)}-[0-9a-f]{{16}}\.json")
    return sorted(f"{policy.path}/{name}" for name in os.listdir(policy.descriptor) if ours.fullmatch(name))
