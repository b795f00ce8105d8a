"""Where a server can be reached: a unix socket of its user, or a port of this host."""

import fcntl
import os
import socket
import stat
import struct

from cortex_policy.core.model import StateError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state.ledger import open_or_make_private_directory
from cortex_policy.state.missing_directory import make_file_creation_error

_CREDENTIALS = struct.Struct("3i")
_BACKLOG = 512
_MAX_PATH = 107
_ROOT_USER = 0


class UnixListener:
    """A socket with mode 0600, in a directory that is ours alone."""

    def __init__(self, path: str) -> None:
        """Make it, and the directory if that is missing; raise NotDoneError.

        What a server that was killed has left there is replaced.
        """
        if not path.startswith("/") or len(os.fsencode(path)) > _MAX_PATH:
            raise NotDoneError(f"`{path}` must be an absolute path of at most {_MAX_PATH} bytes")
        self.path = path
        parent, self._name = os.path.split(path)
        self.socket: socket.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._directory = open_or_make_private_directory(parent, None, parent)
            self._listen_alone()
        except (OSError, StateError, NotDoneError) as error:
            self.socket.close()
            raise _start_error(path, error) from None

    def _listen_alone(self) -> None:
        """Listen; let no other server start here meanwhile, as a socket looks like a leftover until it listens."""
        try:
            fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotDoneError(f"another server is starting in the directory of `{self.path}`", "try again") from None
        try:
            self._bind()
            self._identity = self._identity_of_socket()
        finally:
            fcntl.flock(self._directory, fcntl.LOCK_UN)

    def _bind(self) -> None:
        os.fchdir(self._directory)  # INVARIANT: by its name alone: the path could lead elsewhere by now
        try:
            self._remove_leftover()
            mask = os.umask(0o177)
            try:
                self.socket.bind(self._name)
            finally:
                os.umask(mask)
        finally:
            os.chdir("/")
        self.socket.listen(_BACKLOG)

    def _remove_leftover(self) -> None:
        try:
            mode = os.stat(self._name, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise NotDoneError(f"`{self.path}` exists, but is not a socket", "name another one with `--socket`")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
            trial.settimeout(0)
            try:
                trial.connect(self._name)
            except ConnectionRefusedError:
                os.unlink(self._name)
                return
            except BlockingIOError:
                pass  # it listens, and is busy
        raise NotDoneError(f"another process listens on `{self.path}`", "end it, or name another one with `--socket`")

    def _identity_of_socket(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._name, dir_fd=self._directory, follow_symlinks=False)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def is_ours(self, peer: socket.socket) -> bool:
        """Whether a client runs as our own user or as root."""
        return is_peer_own_user_or_root(peer)

    def close(self) -> None:
        """Stop listening, and remove the socket unless another one is there by now."""
        self.socket.close()
        if self._identity is not None and self._identity_of_socket() == self._identity:
            os.unlink(self._name, dir_fd=self._directory)
            self._identity = None


def is_peer_own_user_or_root(peer: socket.socket) -> bool:
    """Whether a client of a unix socket runs as our own user or as root."""
    try:
        data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:  # it has gone
        return False
    return _CREDENTIALS.unpack(data)[1] in (os.geteuid(), _ROOT_USER)


def _start_error(path: str, error: OSError | StateError | NotDoneError) -> NotDoneError:
    if isinstance(error, NotDoneError):
        return error
    if isinstance(error, OSError):
        return make_file_creation_error(path, error, f"`{path}` cannot be made", is_private=True)
    # its own hint is for directories of state: it could be `rm -r` of any other
    message = f"`{path}` must be in a directory that only you can use: {error.detail}"
    return NotDoneError(message, "name a new directory with `--socket DIRECTORY/NAME`")


class PortListener:
    """A port of the loopback interface; any user of this host can reach it."""

    def __init__(self, port: int) -> None:
        """Listen on a port, 0 for one that is free; raise NotDoneError."""
        self.socket: socket.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.bind(("127.0.0.1", port))
            self.socket.listen(_BACKLOG)
        except OSError as error:
            raise NotDoneError(
                f"port {port} is not available: {format_os_error_cause(error)}", "use another port with `--port`"
            ) from None
        self.port: int = int(self.socket.getsockname()[1])

    def is_ours(self, peer: socket.socket) -> bool:
        """Nobody can say: the token decides."""
        return peer.family == socket.AF_INET

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()
