"""Which case files `test` is to run: from the words of a command to files, each with its root."""

import os

from cortex_policy.core.model import Value
from cortex_policy.manage.cases.model import JSON, TOML, Flaw, is_case_file
from cortex_policy.manage.path_names import shown
from cortex_policy.manage.validation.targets import absolute
from cortex_policy.state import Root
from cortex_policy.state.grants import find_root
from cortex_policy.state.roots import find_inner_root
from cortex_policy.state.writer_lock import NotDone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = "/.cortex/policy/tests"


class Target(Value):
    """A case file: its path, how it is shown, and the root whose grants it is about."""

    path: str
    shown: str
    root: Root


class Plan(Value):
    """The case files to run, the roots of which every grant should have one, and words that named no case file."""

    targets: tuple[Target, ...]
    roots: tuple[Root, ...] = ()
    flaws: tuple[Flaw, ...] = ()


def plan(words: tuple[str, ...], named: str | None) -> Plan:
    """Return what these words name; no words at all are the case files of the root."""
    if not words:
        root = find_root(named)
        return Plan(tuple(_in(root.path + TESTS, root)), (root,))
    found: dict[str, Target] = {}
    flaws = []
    for word in words:
        path = absolute(word)
        targets = list(_of_directory(path, named)) if os.path.isdir(path) else _of_file(path, named)
        if not targets:  # a gate that looks at nothing lets everything through
            flaws.append(Flaw(word, 1, _why_none(path), f"the name of a case file ends in `{TOML}` or `{JSON}`"))
        found |= {target.path: target for target in targets}
    return Plan(tuple(found.values()), (), tuple(flaws))


def _why_none(path: str) -> str:
    if os.path.isdir(path):
        return "there is no case file in it"
    return "it is no case file" if os.path.exists(path) else "no such file or directory"


def _of_file(path: str, named: str | None) -> list[Target]:
    return [Target(path, shown(path), _root_of(os.path.dirname(path), named))] if is_case_file(path) else []


def _of_directory(top: str, named: str | None) -> "Iterator[Target]":
    def stop(error: OSError) -> None:
        raise NotDone(f"`{error.filename}`: {(error.strerror or str(error)).lower()}") from None

    for directory, below, names in os.walk(top, onerror=stop):
        below[:] = sorted(name for name in below if name != ".git")
        if any(map(is_case_file, names)):
            yield from _in(directory, _root_of(directory, named))


def _in(directory: str, root: Root) -> "Iterator[Target]":
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise NotDone(f"`{directory}`: {(error.strerror or str(error)).lower()}") from None
    for name in filter(is_case_file, names):
        yield Target(f"{directory}/{name}", shown(f"{directory}/{name}"), root)


def _root_of(directory: str, named: str | None) -> Root:
    """Return the root whose tests a directory holds, else the one that is named or found."""
    if named is None and directory.endswith(TESTS):
        return Root(os.path.realpath(directory[: -len(TESTS)] or "/"), named=True)
    return find_inner_root(named)[0]
