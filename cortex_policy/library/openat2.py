"""One question to the kernel instead of one a component: whether the way below a directory is as it is written."""

import os
import sys
from ctypes import CDLL, c_int, c_long, c_size_t, c_uint64

_OPENAT2 = 437  # on every architecture but one, which answers that it knows no such call
_NO_MOUNTS, _NO_MAGIC, _NO_LINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_close = os.close


class Beneath:
    """A directory that is kept open; it is given back when nobody uses it any more."""

    def __init__(self, directory: str, identity: tuple[int, int]) -> None:
        """Open it; raise OSError where that is not the one that was meant."""
        if sys.platform != "linux":
            raise OSError(None, "no openat2 here")
        self._descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        status = os.fstat(self._descriptor)
        if (status.st_dev, status.st_ino) != identity:
            raise OSError(None, "it is another directory by now")
        how = (os.O_PATH | os.O_CLOEXEC, 0, _NO_MOUNTS | _NO_MAGIC | _NO_LINKS | _BENEATH)
        self._how, self._size = (c_uint64 * 3)(*how), c_size_t(24)
        self._number, self._at = c_long(_OPENAT2), c_int(self._descriptor)
        self._call = CDLL(None).syscall

    def reaches(self, inside: bytes) -> bool:
        """Whether something is there, and neither a link nor a mount on the way; no says nothing."""
        found: int = self._call(self._number, self._at, inside, self._how, self._size)
        if found < 0:
            return False
        _close(found)
        return True

    def __del__(self) -> None:
        descriptor = getattr(self, "_descriptor", -1)
        if descriptor >= 0:
            _close(descriptor)
