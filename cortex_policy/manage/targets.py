"""What `validate` is to look at: from the words of a command to files, each with the root it belongs to."""

import os
from typing import NamedTuple

from cortex_policy.core.model import GrantError, Value
from cortex_policy.schema.problems import Problem, unplaced
from cortex_policy.state.grants import Directory, Root, Trust, is_grant_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"
TOOLS = "/.cortex/policy/tools"


class Target(NamedTuple):
    """A file to validate: its path, how it is shown, the root whose grant or whose tree it is, '' for none, and its id.

    The id is '' where its name can be none.
    """

    path: str
    shown: str
    root: str = ""
    is_in_place: bool = False
    id: str = ""


class Targets(Value):
    """The files to validate, the roots that are to be looked at as a whole, and what was wrong on the way to them."""

    files: tuple[Target, ...]
    roots: tuple[str, ...]
    problems: tuple[Problem, ...]


def of_root(root: Root) -> Targets:
    """Return the grants of a root."""
    return Targets(tuple(_in_tools(root.path)), (root.path,), ())


def of_words(words: tuple[str, ...], root: Root | None) -> Targets:
    """Return the files that are named, and those in the directories that are, each once.

    The tree of `root` is the one for files that are no grants of a root of their own.
    """
    found: dict[str, Target] = {}
    roots: dict[str, None] = {}
    problems: list[Problem] = []
    for word in words:
        files, more = _of_directory(word, problems) if os.path.isdir(word) else ([_of_file(word)], ())
        for target in files:
            there = target if target.root or root is None else target._replace(root=root.path)
            found.setdefault(there.path, there)
        roots.update(dict.fromkeys(more))
    return Targets(tuple(found.values()), tuple(roots), tuple(problems))


def shown(path: str) -> str:
    """Return how an absolute path is shown: from the working directory on, if it lies there."""
    return path.removeprefix(os.getcwd().rstrip("/") + "/")


def _of_file(word: str) -> Target:
    if word == STDIN:
        return Target(STDIN, "<stdin>")
    path = os.path.abspath(word)
    top = _root_of(os.path.dirname(path))
    return Target(path, os.path.normpath(word), top or "", top is not None, _id(path))


def _of_directory(word: str, problems: list[Problem]) -> "tuple[list[Target], tuple[str, ...]]":
    """Return the grants in the roots at, above or below a directory; where there are none, every JSON file below."""
    top = os.path.abspath(word)
    roots, others = [], []

    def tell(error: OSError) -> None:
        problems.append(unplaced(shown(error.filename), "file-unreadable", (error.strerror or str(error)).lower()))

    for directory, below, names in os.walk(top, onerror=tell):
        below[:] = sorted(name for name in below if name != ".git")
        root = _root_of(directory)
        if root is not None:
            roots.append(root)
        others += [f"{directory.rstrip('/')}/{name}" for name in sorted(names) if name.endswith(".json")]
    if roots:
        return [target for root in roots for target in _in_tools(root)], tuple(roots)
    if not others:
        problems.append(
            unplaced(shown(top) or ".", "file-none", "there is no grant in it", "make one with `cortex-policy new ID`")
        )
    return [Target(path, shown(path), id=_id(path)) for path in others], ()


def _root_of(directory: str) -> str | None:
    return os.path.realpath(directory[: -len(TOOLS)] or "/") if directory.endswith(TOOLS) else None


def _in_tools(root: str) -> "Iterator[Target]":
    trust = Trust(Root(root, named=True))
    try:
        with Directory(trust, "tools") as tools:
            ids = tools.grant_ids()
    except (FileNotFoundError, GrantError):  # what stands in the way is told of the root
        return
    directory = trust.root.tools
    seen = shown(directory)
    for grant_id in ids:
        name = f"/{grant_id}.json"
        yield Target(directory + name, seen + name, root, is_in_place=True, id=grant_id)


def _id(path: str) -> str:
    stem = os.path.basename(path).removesuffix(".json")
    return stem if is_grant_id(stem) and path.endswith(".json") else ""
