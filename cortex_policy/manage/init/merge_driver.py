"""Let git merge stamps by this program: a line in `.gitattributes`, which is committed, and settings of one clone."""

import sys
from contextlib import suppress
from shlex import quote

from cortex_policy.core import Value
from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.diff.git_revisions import run_git_unchecked
from cortex_policy.manage.init.pre_commit import COMPLETE, KEPT, MADE
from cortex_policy.state import Root
from cortex_policy.state.atomic_write import create_file_atomically
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.writer_lock import check_root_not_replaced

_DRIVER, _ATTRIBUTES = "cortex-policy-stamp", ".gitattributes"
_ATTRIBUTE = f"stamp.json merge={_DRIVER}"
_MAX_BYTES = 1 << 16


class MergeDriver(Value):
    """The file of attributes, whether it was made, kept or is complete, and git's settings, with those that changed."""

    file: str
    status: str
    attribute: str
    settings: tuple[tuple[str, str], ...]
    changed_settings: tuple[tuple[str, str], ...]


def check_git_repository(path: str) -> None:
    """Raise NotDoneError unless a directory is in a git repository that git lets the caller use."""
    done = run_git_unchecked(path, "rev-parse", "--git-dir")
    if done.returncode:
        why = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ").partition("\n")[0]
        raise NotDoneError(f"git: {why}", "make a repository with `git init`, then try again")


def install_merge_driver(root: Root) -> MergeDriver:
    """Write the attribute and the settings; a file that exists is kept."""
    settings = ((f"merge.{_DRIVER}.name", "merge of two stamps"), (f"merge.{_DRIVER}.driver", _driver_command()))
    file = f"{root.policy_path}/{_ATTRIBUTES}"
    try:
        with PolicyDirectory(TrustCheck(root)) as policy:
            check_root_not_replaced(policy)
            status = _write_attributes(policy)
    except OSError as error:
        raise NotDoneError(f"`{file}` cannot be written: {format_os_error_cause(error)}") from None
    changed = tuple(pair for pair in settings if _read_git_setting(root, pair[0]) != pair[1])
    for name, value in changed:
        done = run_git_unchecked(root.path, "config", "--local", name, value)
        if done.returncode:
            raise NotDoneError(f"git: {done.stderr.decode('utf-8', 'replace').strip()}")
    return MergeDriver(file, status, _ATTRIBUTE, settings, changed)


def _write_attributes(policy: PolicyDirectory) -> str:
    try:
        create_file_atomically(policy.descriptor, _ATTRIBUTES, f"{_ATTRIBUTE}\n".encode())
    except FileExistsError:
        text = ""
        with suppress(GrantError):  # a link is not followed
            text = policy.read(_ATTRIBUTES, _MAX_BYTES).decode("utf-8", "replace")
        return COMPLETE if _ATTRIBUTE in map(str.strip, text.splitlines()) else KEPT
    return MADE


def _read_git_setting(root: Root, name: str) -> str:
    done = run_git_unchecked(root.path, "config", "--local", "--get", name)
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def _driver_command() -> str:
    """Return the driver's command: this very program, since a graphical git may have another PATH."""
    program = quote(sys.executable).replace("%", "%%")
    return f"{program} -I -m cortex_policy stamp merge-files %O %A %B"
