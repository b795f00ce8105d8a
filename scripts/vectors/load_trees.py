"""Build the tree of a vector of the kind `load` in a scratch directory, each tree once."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from scripts.vectors.texts import BASE, Vector, expand_bytes, replace_text

ORDINARY_USER = 12345  # asks what `needs` a `user`, if this process is root's
_MODES = {"file": "0644", "directory": "0755", "fifo": "0600", "socket": "0600", "device": "0600"}
_NULL_DEVICE = os.makedev(1, 3)


def can_ask(vector: Vector) -> bool:
    """Whether this process has what a vector needs."""
    needs = vector.get("needs", ())
    is_root = os.geteuid() == 0
    return (is_root or not {"root", "device"} & {*needs}) and ("device" not in needs or _can_make_devices())


@contextmanager
def asker(vector: Vector) -> Iterator[None]:
    """Be the user who asks: an ordinary one, if the vector needs that and this process is root's."""
    if os.geteuid() != 0 or "user" not in vector.get("needs", ()):
        yield
        return
    os.setegid(ORDINARY_USER)
    os.seteuid(ORDINARY_USER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def build_load_tree(entries: list[Vector]) -> str:
    """Build a tree, owned by whoever asks; return its base."""
    return _build(json.dumps(entries), os.geteuid())


@cache
def _build(entries: str, owner: int) -> str:
    base = _new_base(owner)
    before = os.umask(0o022)
    try:
        os.mkdir(f"{base}/state", 0o700)
        for entry in replace_text(json.loads(entries), BASE, base):
            _make(base, entry)
    finally:
        os.umask(before)
    return base


def _new_base(owner: int) -> str:
    """Make a directory, which only root can do in the scratch directory, and give it to its owner."""
    os.seteuid(os.getuid())
    base = tempfile.mkdtemp(dir=_scratch().name)
    os.chmod(base, 0o755)  # noqa: S103 - as a checkout is
    if owner != os.geteuid():
        os.chown(base, owner, owner)
    os.seteuid(owner)
    return os.path.realpath(base)


@cache
def _scratch() -> "tempfile.TemporaryDirectory[str]":
    directory = tempfile.TemporaryDirectory(prefix="vectors-")
    os.chmod(directory.name, 0o755)  # noqa: S103 - an ordinary user must find their tree in it
    return directory


@cache
def _can_make_devices() -> bool:
    try:
        os.mknod(f"{_scratch().name}/device", 0o600 | 0o020000, _NULL_DEVICE)
    except OSError:  # in a container
        return False
    return True


def _make(base: str, entry: Vector) -> None:
    path, kind = f"{base}/{entry['path']}", entry["kind"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    match kind:
        case "directory":
            os.makedirs(path, exist_ok=True)
        case "file":
            with open(path, "wb") as file:
                file.write(expand_bytes(entry.get("content", "")))
        case "link":
            os.symlink(entry["target"], path)
        case "hard_link":
            os.link(f"{base}/{entry['target']}", path)
        case "fifo":
            os.mkfifo(path)
        case "socket":
            _make_socket(path)
        case "device":
            os.mknod(path, 0o600 | 0o020000, _NULL_DEVICE)
    _set_attributes(path, entry, entry.get("mode", _MODES.get(kind)))


def _set_attributes(path: str, entry: Vector, mode: str | None) -> None:
    if "owner" in entry or "group" in entry:
        os.chown(path, entry.get("owner", -1), entry.get("group", -1), follow_symlinks=False)
    if mode is not None:
        os.chmod(path, int(mode, 8))
    if "mtime" in entry:
        os.utime(path, (entry["mtime"], entry["mtime"]), follow_symlinks=False)


def _make_socket(path: str) -> None:
    """Leave a socket at a name that may be too long to bind."""
    here = os.getcwd()
    os.chdir(os.path.dirname(path))
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(os.path.basename(path))
    finally:
        os.chdir(here)
