"""A sandbox root in a temporary directory: paths are resolved there by the same code as in a check."""

import os
from contextlib import contextmanager

from cortex_policy.core import Value
from cortex_policy.core.model import Origin
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import Root
from cortex_policy.state.paths import ProtectedPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# each prefix of a path is made, and removed by a function that calls itself
_MAX_PARTS, _MAX_PATH_PARTS, _MAX_LENGTH = 10_000, 200, 4_000
ROOT_PLACEHOLDER = "<root>"  # how it is called in what is printed: its real name is another one in each run
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileTree(Value):
    """The contents of a sandbox besides its `.cortex/policy`: relative paths, and the targets of links."""

    directories: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    def all_directories(self) -> frozenset[str]:
        """Return every directory of the tree, including the parents of its paths."""
        named = [path.rstrip("/") for path in self.directories]
        names = [*named, *self.files, *(path for path, _ in self.links)]
        return frozenset([*named, *(around for name in names for around in _parents_of(name))])

    def union(self, other: "FileTree") -> "FileTree":
        """Return a tree with the contents of both; where both have a link, it is ours."""
        return FileTree(
            tuple(dict.fromkeys((*self.directories, *other.directories))),
            tuple(dict.fromkeys((*self.files, *other.files))),
            tuple((dict(other.links) | dict(self.links)).items()),
        )

    def find_errors(self) -> "Iterator[str]":
        """Yield errors of paths that cannot be created, or would be created outside of the sandbox."""
        links, targets = zip(*self.links, strict=True) if self.links else ((), ())
        ends = [*self.files, *links]
        every = (*self.directories, *ends)
        parts = sum(path.count("/") + 1 for path in every)
        is_long = any(len(path) > _MAX_LENGTH or path.count("/") >= _MAX_PATH_PARTS for path in every)
        if is_long or parts > _MAX_PARTS:
            one = f"one has more than {_MAX_PATH_PARTS} parts or {_MAX_LENGTH:,} characters"
            yield f"its paths have more than {_MAX_PARTS:,} parts, or {one}"
            return
        named = frozenset(self.directories)
        for path in every:
            if not _is_tree_path(path.removesuffix("/") if path in named else path):
                yield f"`{path}` is not a path of a tree"
        for target in targets:
            if "\0" in target:
                yield f"`{target}` holds a NUL"
        # INVARIANT: nothing is made below a link, which could lead out of the sandbox
        directories, seen = self.all_directories(), set[str]()
        for path in ends:
            if path in directories or path in seen:
                yield f"`{path}` appears twice, or holds others"
            seen.add(path)


def _parents_of(path: str) -> "Iterator[str]":
    parts = path.split("/")
    return ("/".join(parts[:upto]) for upto in range(1, len(parts)))


def _is_tree_path(path: str) -> bool:
    return "\0" not in path and not any(part in ("", ".", "..") for part in path.split("/"))


class Sandbox(Value):
    """A sandbox that exists: its path, and what resolving paths needs to know of it."""

    path: str
    origin: Origin
    protected: ProtectedPaths

    def start_directory(self, cwd: str) -> str:
        """Return the directory that relative paths of a case start from."""
        return os.path.realpath(f"{self.path}/{cwd}") if cwd else self.path

    def mask_path(self, text: str) -> str:
        """Return a text without the path of the sandbox."""
        return text.replace(self.path, ROOT_PLACEHOLDER).replace(os.path.dirname(self.path), f"{ROOT_PLACEHOLDER}/..")


@contextmanager
def open_temporary_file_tree(tree: FileTree) -> "Iterator[Sandbox]":
    """Create a sandbox, and remove it whatever happens; raise NotDoneError if the disk refuses."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - 14 ms, and only this needs it

    try:
        directory = TemporaryDirectory(prefix="cortex-policy-", ignore_cleanup_errors=True)
    except OSError as error:
        raise NotDoneError(f"no temporary directory: {format_os_error_cause(error)}", "see TMPDIR") from None
    with directory as top:
        yield _fill_sandbox(f"{os.path.realpath(top)}/root", tree)


def _fill_sandbox(path: str, tree: FileTree) -> Sandbox:
    root = Root(path, trusts_owner=True)
    try:
        _create_tree(root, tree)
    except (OSError, ValueError) as error:
        why = (
            error.strerror
            if isinstance(error, OSError) and error.strerror
            else "this system does not allow such a name"
        )
        raise NotDoneError(f"the tree cannot be made: {why.lower()}") from None
    identities = [_identity_of_path(directory) for directory in (path, root.policy_path, root.tools_path)]
    return Sandbox(path, Origin(path, "", "", *identities), ProtectedPaths(frozenset(identities[1:]), ()))


def _create_tree(root: Root, tree: FileTree) -> None:
    os.mkdir(root.path, 0o700)
    for directory in (root.tools_path, *(f"{root.path}/{name}" for name in sorted(tree.all_directories()))):
        os.makedirs(directory, 0o700, exist_ok=True)
    for file in tree.files:
        descriptor = os.open(f"{root.path}/{file}", _NEW, 0o600)
        os.close(descriptor)
    for link, target in tree.links:
        os.symlink(target, f"{root.path}/{link}")


def _identity_of_path(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
