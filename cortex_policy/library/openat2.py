"""One system call for a whole path, instead of one a component: whether it leads through no link and no mount."""

import os
import sys
from ctypes import CDLL, c_int, c_long, c_size_t, c_uint64

_OPENAT2 = 437  # on every architecture except Alpha, where the call fails
_NO_MOUNTS, _NO_MAGIC, _NO_LINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_close = os.close


class Openat2:
    """A directory that stays open as long as this object is used."""

    def __init__(self, directory: str, identity: tuple[int, int]) -> None:
        """Open the directory; raise OSError if it does not have this identity."""
        if sys.platform != "linux":
            raise OSError(None, "no openat2 here")
        self._descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        status = os.fstat(self._descriptor)
        if (status.st_dev, status.st_ino) != identity:
            raise OSError(None, "another directory has this name now")
        how = (os.O_PATH | os.O_CLOEXEC, 0, _NO_MOUNTS | _NO_MAGIC | _NO_LINKS | _BENEATH)
        self._how, self._size = (c_uint64 * 3)(*how), c_size_t(24)
        self._number, self._at = c_long(_OPENAT2), c_int(self._descriptor)
        self._call = CDLL(None).syscall

    def surely_exists_beneath(self, inside: bytes) -> bool:
        """Whether a path surely exists without a link or a mount in it; False means unknown."""
        descriptor: int = self._call(self._number, self._at, inside, self._how, self._size)
        if descriptor < 0:
            return False
        _close(descriptor)
        return True

    def __del__(self) -> None:
        descriptor = getattr(self, "_descriptor", -1)
        if descriptor >= 0:
            _close(descriptor)
