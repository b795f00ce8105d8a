"""Act as another user: in a child process that has become that user for good, never with root's rights."""

import os
import pwd
import signal
import sys
from contextlib import contextmanager
from importlib import import_module
from pkgutil import iter_modules

from cortex_policy import core, manage, state
from cortex_policy.core import Value
from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import shared_budgets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Never

ROOT_USER = 0
MAX_UID = (1 << 32) - 2  # the next one means "unchanged" to the kernel
_FORWARDED = (signal.SIGTERM, signal.SIGHUP)


class User(Value):
    """A user to become: the number, the groups with the primary one first, and the home ('' for none)."""

    uid: int
    groups: tuple[int, ...]
    home: str = ""


def find_user_by_name_or_number(word: str) -> User:
    """Return a user by name or number; a number without a name has the group of that number. Raise UsageError."""
    is_number = word.isascii() and word.isdecimal() and int(word) <= MAX_UID
    try:
        entry = pwd.getpwuid(int(word)) if is_number else pwd.getpwnam(word)
    except (KeyError, ValueError):
        if is_number:
            return User(int(word), (int(word),))
        raise UsageError(f"unknown user `{word}`", "name a user of this machine, or a number") from None
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return User(entry.pw_uid, (entry.pw_gid, *(group for group in groups if group != entry.pw_gid)), entry.pw_dir)


def run_function_in_child_as_user(
    user: User, command: "Callable[[], int]", guard: "Callable[[Callable[[], int]], int]"
) -> int:
    """Run a command as a user in a child, and return its exit code; raise NotDoneError if that is impossible.

    `guard` calls the command in the child, prints its errors, and returns the code.
    """
    if os.geteuid() != ROOT_USER:
        raise NotDoneError("only root can act as another user", "run the command with `sudo -u USER`")
    _load_modules()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _be_child(lambda: guard(lambda: _become_and_run(user, command)))
    with _signals_left_to(child):
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        raise NotDoneError(f"the process that acted as uid {user.uid} was ended by signal {-code}")
    return code


def _load_modules() -> None:
    """Load what a command may load later: the user may not be allowed to read the files of this program."""
    for package in (core, state, shared_budgets, manage):
        for module in iter_modules(package.__path__):
            if not module.ispkg:
                import_module(f"{package.__name__}.{module.name}")


def _be_child(work: "Callable[[], int]") -> "Never":
    """Do the work of a child and end it: whatever happens, it must not go on as the command that forked it."""
    code = 70
    try:
        code = work()
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:  # noqa: BLE001 - a bug
        os.write(2, f"cortex-policy: a bug in this program: {type(error).__name__}: {str(error)!a:.200}\n".encode())
    finally:
        os._exit(code)


def _become_and_run(user: User, command: "Callable[[], int]") -> int:
    _become_user(user)
    return command()


def _become_user(user: User) -> None:
    """Become a user for good, with that user's groups and home; raise NotDoneError if root's rights would stay."""
    try:
        os.setgroups(user.groups)
        if sys.platform == "darwin":  # it has no calls for all three; as root these set all of them
            os.setgid(user.groups[0])
            os.setuid(user.uid)
        else:
            os.setresgid(*[user.groups[0]] * 3)
            os.setresuid(*[user.uid] * 3)
    except OSError as error:
        raise NotDoneError(f"this process cannot act as uid {user.uid}: {format_os_error_cause(error)}") from None
    _check_no_way_back(user)
    os.environ.pop("XDG_CONFIG_HOME", None)  # root's
    os.environ["HOME"] = user.home or "/"


def _check_no_way_back(user: User) -> None:
    """Raise NotDoneError if an id is not the user's, or if this process could become root again."""
    is_whole = os.getuid() == os.geteuid() == user.uid != ROOT_USER and os.getgid() == os.getegid() == user.groups[0]
    try:
        os.setuid(ROOT_USER)
    except OSError:  # it may not, or there is no root here
        if is_whole:
            return
    raise NotDoneError(f"this process runs as root and could not give up the rights of root for uid {user.uid}")


@contextmanager
def _signals_left_to(child: int) -> "Iterator[None]":
    """Leave Ctrl-C to a child, which gets it too, and pass on what ends this process alone."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *_FORWARDED)}
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in _FORWARDED:
            signal.signal(number, lambda received, _: os.kill(child, received))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
