"""Which case files `test` is to run: from the words of a command to files, each with its root."""

import os

from cortex_policy.core.model import UsageError, Value
from cortex_policy.manage.cases import JSON, TOML, is_case_file
from cortex_policy.manage.targets import shown
from cortex_policy.state.grants import Root, find_root
from cortex_policy.state.writers import NotDone

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
    """The case files to run, and the roots of which every grant should have one."""

    targets: tuple[Target, ...]
    roots: tuple[Root, ...] = ()


def plan(words: tuple[str, ...], named: str | None) -> Plan:
    """Return what these words name; no words at all are the case files of the root.

    Raises UsageError for a word that names no case file, NotDone where a directory cannot be read.
    """
    if not words:
        root = find_root(named)
        return Plan(tuple(_in(root.path + TESTS, root)), (root,))
    found: dict[str, Target] = {}
    for word in words:
        for target in _of_word(word, named):
            found.setdefault(target.path, target)
    return Plan(tuple(found.values()))


def _of_word(word: str, named: str | None) -> list[Target]:
    path = os.path.abspath(word)
    if os.path.isdir(path):
        found = [target for directory in _with_cases(path) for target in _in(directory, _root_of(directory, named))]
        if not found:
            # a gate that looks at nothing lets everything through
            raise UsageError(f"there is no case file in `{word}`", f"their names end in `{TOML}` or `{JSON}`")
        return found
    if not is_case_file(path) or not os.path.exists(path):
        why = "is not there" if is_case_file(path) else "is no case file"
        raise UsageError(f"`{word}` {why}", f"write one with `cortex-policy test --init ID`; its name ends in `{TOML}`")
    return [Target(path, shown(path), _root_of(os.path.dirname(path), named))]


def _with_cases(top: str) -> "Iterator[str]":
    def stop(error: OSError) -> None:
        raise NotDone(f"`{error.filename}`: {(error.strerror or str(error)).lower()}") from None

    for directory, below, names in os.walk(top, onerror=stop):
        below[:] = sorted(name for name in below if name != ".git")
        if any(map(is_case_file, names)):
            yield directory


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
    return find_root(named)
