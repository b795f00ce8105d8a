"""Find the root, trust what was opened, read one grant (contracts, section 2)."""

import os
import stat
import sys

try:
    # CPython's own; `hashlib` costs 4 ms. A failed search for the wrong one would cost half a module
    if sys.version_info >= (3, 12):
        from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]
    else:
        from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    from hashlib import sha256

from cortex_policy.core.decode import MAX_BYTES, decode
from cortex_policy.core.model import (
    GRANT_NOT_FOUND,
    GRANT_UNSAFE,
    ROOT_AMBIGUOUS,
    ROOT_NOT_FOUND,
    Grant,
    GrantError,
    Origin,
    Value,
)

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_MORE = _LETTERS | frozenset("._-")
MAX_ID = 128
MOST_SHOWN = 20  # known ids in a hint


class Root(Value):
    """The directory that holds `.cortex/policy`: absolute, without links, and whether a caller named it."""

    path: str
    named: bool

    @property
    def tools(self) -> str:
        """The directory of the grants."""
        return self.path.rstrip("/") + "/.cortex/policy/tools"


def is_grant_id(word: str) -> bool:
    """Whether a word can name a grant at all."""
    return 0 < len(word) <= MAX_ID and word[0] in _LETTERS and _MORE.issuperset(word)


def check_id(word: str) -> None:
    """Raise GrantError (grant_not_found) for a word that can name no grant; touch no disk."""
    if not is_grant_id(word):
        hint = "an id is letters, digits, `.`, `_` and `-`, and starts with a letter or digit"
        raise GrantError(GRANT_NOT_FOUND, f"`{word}` cannot be an id", hint)


def find_root(named: str | None = None) -> Root:
    """Find the root: `named`, else `CORTEX_POLICY_ROOT`, else the one ancestor that holds `.cortex/policy`."""
    if named is None:
        named = os.environ.get("CORTEX_POLICY_ROOT") or None
        if named is not None and not named.startswith("/"):
            raise GrantError(ROOT_NOT_FOUND, f"CORTEX_POLICY_ROOT is not absolute: `{named}`")
    if named is not None:
        return _named_root(named)
    try:
        here = os.getcwd()
    except OSError as error:
        detail = f"the working directory cannot be read: {os.strerror(error.errno or 0)}"
        raise GrantError(ROOT_NOT_FOUND, detail, "name one with `--root DIR`") from None
    roots = [ancestor for ancestor in _ancestors(here) if _may_hold_policy(ancestor)]
    if not roots:
        hint = "make `.cortex/policy/tools` there, or name the root with `--root DIR` or CORTEX_POLICY_ROOT"
        raise GrantError(ROOT_NOT_FOUND, f"neither `{here}` nor a directory above it holds .cortex/policy", hint)
    if len(roots) > 1:
        both = " and ".join(f"`{root}`" for root in roots)
        raise GrantError(ROOT_AMBIGUOUS, both, f"pin one with `--root {quoted(roots[-1])}` or CORTEX_POLICY_ROOT")
    return Root(roots[0], named=False)


def _named_root(named: str) -> Root:
    if not named or "\0" in named:
        raise GrantError(ROOT_NOT_FOUND, "the name of the root is empty or holds a NUL")
    try:
        path = os.path.realpath(named, strict=True)
        found = _may_hold_policy(path)
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "cannot be read"
        raise GrantError(ROOT_NOT_FOUND, f"`{named}`: {why.lower()}") from None
    if not found:
        raise GrantError(ROOT_NOT_FOUND, f"`{path}` holds no .cortex/policy")
    return Root(path, named=True)


def _ancestors(path: str) -> list[str]:
    found = [path]
    while path != "/":
        path = os.path.dirname(path)
        found.append(path)
    return found


def _may_hold_policy(directory: str) -> bool:
    """Whether a directory holds `.cortex/policy`, or cannot be examined, which counts as holding it."""
    try:
        os.lstat(directory.rstrip("/") + "/.cortex/policy")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


class _Trust:
    """Judges each opened object, and gathers what is wrong so that one command mends all of it."""

    def __init__(self, root: Root) -> None:
        self._named = root.named
        self._owners = {os.geteuid(), 0}
        self._group = os.getegid()
        self._faults: list[str] = []
        self._modes: list[str] = []
        self._strangers: list[str] = []

    def judge(self, path: str, status: os.stat_result, *, is_root: bool = False) -> None:
        """Note what is unsafe about one object."""
        mode = status.st_mode
        if is_root and self._named:
            self._owners.add(status.st_uid)
        shared = is_root and mode & stat.S_ISVTX  # others may add names there, and not touch those of their neighbours
        anyone = mode & stat.S_IWOTH and not shared
        group = mode & stat.S_IWGRP and status.st_gid != self._group and not shared
        if anyone or group:
            self._faults.append(f"`{path}` is writable by {'everyone' if anyone else 'a group that is not yours'}")
            self._modes.append(path)
        if status.st_uid not in self._owners:
            self._faults.append(f"`{path}` belongs to user {status.st_uid}")
            self._strangers.append(path)

    def settle(self) -> None:
        """Raise GrantError (grant_unsafe) if anything was noted, with the one command that mends it."""
        commands = []
        if self._strangers:
            commands.append(f"chown {os.geteuid()} {' '.join(map(quoted, self._strangers))}")
        if self._modes:
            commands.append(f"chmod go-w {' '.join(map(quoted, self._modes))}")
        if self._faults:
            raise GrantError(GRANT_UNSAFE, "; ".join(self._faults), f"mend it with `{' && '.join(commands)}`")


def quoted(word: str) -> str:
    """Quote a word for a shell."""
    from shlex import quote  # noqa: PLC0415 - loads `re`, and only a hint needs it

    return quote(word)


def _open(path: str, name: str, flags: int, parent: int | None) -> int:
    try:
        return os.open(name, flags, dir_fd=parent)
    except OSError as error:
        import errno  # noqa: PLC0415 - only a failure needs it

        if error.errno == errno.ENOENT and flags == _FILE:
            raise
        if error.errno == errno.ENOENT:
            raise GrantError(GRANT_NOT_FOUND, f"`{path}` does not exist") from None
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK, errno.ENXIO):
            kind = "file" if flags == _FILE else "directory"
            detail = f"`{path}` is a link, or not a {kind}"
            raise GrantError(GRANT_UNSAFE, detail, f"put a real {kind} there") from None
        raise GrantError(GRANT_UNSAFE, f"`{path}`: {os.strerror(error.errno or 0).lower()}") from None


def read_grant(root: Root, grant_id: str) -> Grant:
    """Read and decode one grant by descriptors; raise GrantError (20, 21, 22).

    What is judged is what was opened, so nothing can be swapped between check and use.
    """
    check_id(grant_id)
    trust, path, descriptors = _Trust(root), root.path, []
    statuses = []
    try:
        parent = None
        for name in (root.path, ".cortex", "policy", "tools"):
            if parent is not None:
                path = f"{path.rstrip('/')}/{name}"
            parent = _open(path, name, _DIRECTORY, parent)
            descriptors.append(parent)
            statuses.append(os.fstat(parent))
            trust.judge(path, statuses[-1], is_root=len(statuses) == 1)
        file = f"{path}/{grant_id}.json"
        data = _read(file, grant_id, descriptors[-1], trust)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    trust.settle()
    try:
        grant = decode(data, grant_id)
    except GrantError as error:
        raise GrantError(error.reason, error.detail, f"mend `{file}`") from None
    top, policy = statuses[0], statuses[2]
    origin = Origin(root.path, file, sha256(data).hexdigest(), (top.st_dev, top.st_ino), (policy.st_dev, policy.st_ino))
    return Grant(grant.id, grant.tool, grant.actions, grant.rate, grant.args, grant.data_class, grant.fs_scope, origin)


def _read(file: str, grant_id: str, tools: int, trust: _Trust) -> bytes:
    name = f"{grant_id}.json"
    try:
        descriptor = _open(file, name, _FILE, tools)
    except FileNotFoundError:
        trust.settle()
        raise _not_found(grant_id, tools) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise GrantError(GRANT_UNSAFE, f"`{file}` is not a regular file", "put a real file there")
        if status.st_nlink > 1 and status.st_uid != 0:
            raise GrantError(GRANT_UNSAFE, f"`{file}` has more than one link", "replace it by a copy")
        if sys.platform == "darwin" and name not in os.listdir(tools):  # file systems there ignore case
            raise _not_found(grant_id, tools)
        trust.judge(file, status)
        return read_all(descriptor, MAX_BYTES + 1)
    except OSError as error:
        raise GrantError(GRANT_UNSAFE, f"`{file}`: {os.strerror(error.errno or 0).lower()}") from None
    finally:
        os.close(descriptor)


def read_all(descriptor: int, most: int) -> bytes:
    """Read a descriptor to its end, or `most` bytes."""
    parts, left = [], most
    while left and (part := os.read(descriptor, min(left, 1 << 16))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def grant_ids(tools: "int | str") -> list[str]:
    """List the ids that stand in a directory of grants, sorted."""
    names = os.listdir(tools)
    return sorted(name[:-5] for name in names if name.endswith(".json") and is_grant_id(name[:-5]))


def _not_found(grant_id: str, tools: int) -> GrantError:
    from difflib import get_close_matches  # noqa: PLC0415 - only a miss needs it

    known = grant_ids(tools)
    close = get_close_matches(grant_id, known, 1)
    hint = f"did you mean `{close[0]}`? " if close else ""
    shown = ", ".join(known[:MOST_SHOWN]) + (" ..." if len(known) > MOST_SHOWN else "")
    hint += f"known grants: {shown}" if known else "there are no grants here yet"
    return GrantError(GRANT_NOT_FOUND, "", f"{hint}; a new one stands in `.cortex/policy/tools/{grant_id}.json`")
