"""Details of an emergency stop: who made it, where, when and why. The existence of its file alone denies calls."""

import os
import stat
from time import gmtime, strftime

from cortex_policy.core import Value
from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import STOPPED, Decision, GrantError
from cortex_policy.state import Root, exists_or_unknown, make_policy_directory_path, read_up_to
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.users import format_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Origin

NAME = "stop"
MAX_REASON_BYTES = 400  # bytes of a reason
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class EmergencyStop(Value):
    """An emergency stop: its file, the file's owner, when it was written, and its first line.

    `fault` says why it is unknown whether it exists; calls are denied then, too.
    """

    file: str
    is_of_host: bool = False
    by: str | None = None
    stopped_at: float | None = None
    reason: str | None = None
    fault: str | None = None

    @property
    def sentence(self) -> str:
        """Say who stopped it, since when and why, as far as that is known, or why the stop cannot be read."""
        if self.fault is not None:
            return self.fault
        since = f"since {self.timestamp}" if self.timestamp is not None else None
        by = f"by {self.by}" if self.by is not None else None
        facts = " ".join(filter(None, ("on this host" if self.is_of_host else None, by, since)))
        return f"{facts}: {self.reason}" if self.reason else facts

    @property
    def timestamp(self) -> str | None:
        """When it was written, in UTC as RFC 3339."""
        try:
            return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(self.stopped_at)) if self.stopped_at is not None else None
        except (OSError, OverflowError, ValueError):  # a file may claim any time
            return None

    @property
    def hint_if_not_resumable(self) -> str:
        """What to do if `resume` cannot end it, else empty."""
        if self.fault is not None:
            from cortex_policy.state.grants_errors import quoted  # noqa: PLC0415 - 10 ms

            return f"see why with `ls -ld {quoted(self.file)}`"
        return f"the administrator of this host ends it with `sudo rm {self.file}`" if self.is_of_host else ""


class EmergencyStopped(AccessDenied):
    """A call was denied by an emergency stop: exit 15."""

    root: str | None
    hint: str

    def __init__(self, stop: EmergencyStop, root: Root | None = None) -> None:
        """Say what is known of the stop, and how it is ended."""
        super().__init__(Decision(STOPPED, stop.sentence))
        self.root = root.path if root is not None else None
        self.hint = stop.hint_if_not_resumable or f"an operator ends it with `{format_resume_command_of_root(root)}`"


def make_host_stop_error(directory: str) -> EmergencyStopped:
    """Return the denial by the stop of the host, whose directory this is."""
    return EmergencyStopped(
        find_host_stop_in_settings_directory(directory) or EmergencyStop(f"{directory}/{NAME}", is_of_host=True)
    )


def make_root_stop_error(policy: PolicyDirectory) -> EmergencyStopped:
    """Return the denial by the stop in an open policy directory."""
    return EmergencyStopped(
        find_stop_in_open_policy_directory(policy) or EmergencyStop(f"{policy.path}/{NAME}"), policy.trust.root
    )


def raise_if_root_of_grant_is_stopped(origin: "Origin") -> None:
    """Raise AccessDenied if the root of a loaded grant has a stop, or that is unknown."""
    why = ""
    try:
        # links may lead there, but it must be the same directory, in which the stop is looked for
        policy = os.open(make_policy_directory_path(origin.root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            status = os.fstat(policy)
            if (status.st_dev, status.st_ino) != origin.policy_identity:
                why = "is not the directory that the grant was read from"
            elif not exists_or_unknown(NAME, policy):
                return
        finally:
            os.close(policy)
    except OSError:
        why = "cannot be opened"
    raise _denial_since(origin.root, why)


def _denial_since(path: str, fault: str) -> EmergencyStopped:
    """Return the denial by the stop of a root, or by the fault that hides it."""
    root = Root(path, trusts_owner=True)
    unknown = EmergencyStop(f"{root.policy_path}/{NAME}", fault=f"`{root.policy_path}` {fault}" if fault else None)
    return EmergencyStopped(find_root_stop(root) or unknown, root)


def raise_if_root_may_be_stopped(root: Root) -> None:
    """Raise AccessDenied if a policy directory that cannot be opened holds a stop, or may hold one."""
    stop = _look_up_stop_by_path(root)
    if stop is not None:
        raise EmergencyStopped(stop, root)


def format_resume_command_of_root(root: Root | None) -> str:
    """Return the command that ends the stop of a root."""
    if root is None or not root.is_explicit:
        return "cortex-policy resume"
    from cortex_policy.state.grants_errors import format_root_option  # noqa: PLC0415 - 10 ms

    return f"cortex-policy resume{format_root_option(root)}"


def find_host_stop_in_settings_directory(directory: str) -> EmergencyStop | None:
    """Return the stop of the host, whose directory this is; None if there is none."""
    file = f"{directory}/{NAME}"
    if os.path.islink(directory) and not os.path.isdir(directory):
        return EmergencyStop(file, is_of_host=True, fault=f"`{directory}` is a link that leads nowhere")
    return _look_up_stop(file, is_of_host=True)


def find_stop_in_open_policy_directory(policy: PolicyDirectory) -> EmergencyStop | None:
    """Return the stop in an open policy directory, None if there is none."""
    return _look_up_stop(f"{policy.path}/{NAME}", policy.descriptor)


def find_root_stop(root: Root) -> EmergencyStop | None:
    """Return the stop of a root, None if there is none; look by path if a check would not open the directory."""
    try:
        with PolicyDirectory(TrustCheck(root)) as policy:
            return find_stop_in_open_policy_directory(policy)
    except (OSError, GrantError):
        return _look_up_stop_by_path(root)


def _look_up_stop_by_path(root: Root) -> EmergencyStop | None:
    file = f"{root.policy_path}/{NAME}"
    try:
        os.lstat(file)
    except NotADirectoryError:  # a file instead of a directory holds no stop, and is refused elsewhere
        return None
    except OSError:
        pass  # reported below
    return _look_up_stop(file)


def _look_up_stop(file: str, directory: int | None = None, *, is_of_host: bool = False) -> EmergencyStop | None:
    """Look up a stop by name, in an open directory if one is given; None if there is none."""
    name = file if directory is None else NAME
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        from cortex_policy.core.text import format_os_error_cause  # noqa: PLC0415 - only a failure needs it

        why = format_os_error_cause(error)
        return EmergencyStop(file, is_of_host, fault=f"`{file}` cannot be examined: {why}")
    reason = _read_first_line(name, directory) if stat.S_ISREG(status.st_mode) else None
    return EmergencyStop(file, is_of_host, format_user(status.st_uid), status.st_mtime, reason)


def _read_first_line(name: str, directory: int | None) -> str | None:
    """Return the first line of a stop; None if it is empty or cannot be read."""
    try:
        descriptor = os.open(name, _READ, dir_fd=directory)
    except OSError:
        return None
    try:
        data = read_up_to(descriptor, MAX_REASON_BYTES + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return None
    finally:
        os.close(descriptor)
    lines = data[:MAX_REASON_BYTES].decode("utf-8", "replace").strip().splitlines() or [""]
    is_cut = len(data) > MAX_REASON_BYTES and len(lines) == 1
    return (f"{lines[0]} ..." if is_cut else lines[0].rstrip()) or None
