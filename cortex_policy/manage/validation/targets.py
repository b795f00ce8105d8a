"""Find the files to validate: from the words of a command to files, each with its root."""

import os
from typing import NamedTuple

from cortex_policy.core import Value
from cortex_policy.core.decode import HOOKS_TOML, parse_grant_file_name
from cortex_policy.core.model import ROOT_NOT_FOUND, GrantError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.schema.problems import Problem, make_file_problem
from cortex_policy.state import Root, make_policy_directory_path
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, find_named_or_only_root, may_hold_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"
TOOLS_SUFFIX = "/.cortex/policy/tools"
_POLICY_SUFFIX = "/.cortex/policy"
_POLICY_SUFFIXES = ("/.cortex", _POLICY_SUFFIX, TOOLS_SUFFIX)


class ValidationTarget(NamedTuple):
    """A file to validate: its path, its path for people, the root whose grant or tree it is ('' for none), and its id.

    The id is '' if the name of the file is not a valid id, and `hooks.toml` for the rules of agents' hooks.
    """

    path: str
    shown: str
    root: str = ""
    is_in_place: bool = False
    id: str = ""


class ValidationTargets(Value):
    """The files to validate, the roots to validate as a whole, and the problems in finding them."""

    files: tuple[ValidationTarget, ...]
    roots: tuple[str, ...]
    problems: tuple[Problem, ...]
    named_root: str = ""

    def root_as_check_finds_it(self, path: str) -> Root:
        """Return a root as a check in this directory finds it: naming a root makes its owner trusted."""
        return Root(path, trusts_owner=True) if path == self.named_root else _root_for_commands_here(path)


def find_validation_targets_of_root(root: Root) -> ValidationTargets:
    """Return the files of a root: its grants, and the rules of agents' hooks if it has them."""
    return ValidationTargets(tuple(_files_of_root(root.path)), (root.path,), (), root.path if root.is_explicit else "")


def find_validation_targets_of_paths(words: tuple[str, ...], root: Root | None) -> ValidationTargets:
    """Return the named files and the files in named directories, each once.

    `root` is the tree for files that are not grants of another root.
    """
    target_by_path: dict[str, ValidationTarget] = {}
    roots: dict[str, None] = {}
    problems: list[Problem] = []
    for word in words:
        files, more = _directory_targets(word, problems) if os.path.isdir(word) else ([_file_target(word)], ())
        for target in files:
            target_in_root = target if target.root or root is None else target._replace(root=root.path)
            target_by_path.setdefault(target_in_root.path, target_in_root)
        roots.update(dict.fromkeys(more))
    return ValidationTargets(
        tuple(target_by_path.values()), tuple(roots), tuple(problems), root.path if root is not None else ""
    )


def format_root_option_for_cwd(root: str) -> str:
    """Return the `--root` option that a command in this directory needs to find a root, '' if it needs none."""
    if _find_same_root(root) is not None:
        return ""
    from shlex import quote  # noqa: PLC0415 - 10 ms, and few commands run elsewhere

    return f" --root {quote(root)}"


def _root_for_commands_here(path: str) -> Root:
    """Return a root as a command in this directory finds it; as a named one if the command must name it."""
    return _find_same_root(path) or Root(path, trusts_owner=True)


def _find_same_root(path: str) -> Root | None:
    try:
        found = find_named_or_only_root()
    except GrantError:
        return None
    return found if found.path == path else None


def resolve_dot_dot_as_kernel_does(word: str) -> str:
    """Return the absolute path of a word as the kernel reads it: it follows a link before the `..` after it."""
    try:
        path = os.path.abspath(word)
    except OSError as error:
        why = f"the working directory cannot be read: {format_os_error_cause(error)}"
        raise GrantError(ROOT_NOT_FOUND, why, "name files and directories by absolute paths") from None
    if ".." in word and os.path.realpath(path) != os.path.realpath(word):
        return os.path.realpath(word)
    return path


def _file_target(word: str) -> ValidationTarget:
    if word == STDIN:
        return ValidationTarget(STDIN, "<stdin>")
    path, grant_id = resolve_dot_dot_as_kernel_does(word), _policy_name_of_file(word)
    seen = os.path.normpath(word)
    if os.path.abspath(seen) != path:
        seen = path
    top = _root_of(os.path.dirname(path), _POLICY_SUFFIX if grant_id == HOOKS_TOML else TOOLS_SUFFIX)
    return ValidationTarget(path, seen, top or "", top is not None and bool(grant_id), grant_id)


def _directory_targets(word: str, problems: list[Problem]) -> "tuple[list[ValidationTarget], tuple[str, ...]]":
    """Return the grants of the roots in a directory, or of the root whose policy it is; without roots, its JSON files.

    INVARIANT: the name `.cortex` makes a root, link or not, so that nothing that `check` refuses is skipped.
    """
    top = resolve_dot_dot_as_kernel_does(word)
    roots, others = _roots_of_policy(top), []

    def report_error(error: OSError) -> None:
        """Add a problem for a directory that cannot be listed, and go on with the others."""
        problems.append(
            make_file_problem(
                make_path_relative_if_below_cwd(error.filename), "file-unreadable", format_os_error_cause(error)
            )
        )

    for directory, below, names in os.walk(top, onerror=report_error):
        below[:] = sorted(name for name in below if name != ".git")
        if ".cortex" in (*below, *names) and may_hold_policy(directory):
            roots.append(os.path.realpath(directory))
        others += [f"{directory.rstrip('/')}/{name}" for name in sorted(names) if name.endswith(".json")]
    if roots:
        return [target for root in roots for target in _files_of_root(root)], tuple(roots)
    if not others:
        hint = "name another directory, or make a grant with `cortex-policy new ID`"
        problems.append(make_file_problem(os.path.normpath(word), "file-missing", "it holds no grant", hint))
    return [
        ValidationTarget(path, make_path_relative_if_below_cwd(path), id=_policy_name_of_file(path)) for path in others
    ], ()


def _roots_of_policy(directory: str) -> list[str]:
    """Return the root whose policy directory, or part of it, this directory is."""
    tops = [directory[: -len(end)] or "/" for end in _POLICY_SUFFIXES if directory.endswith(end)]
    return [os.path.realpath(top) for top in tops if may_hold_policy(top)]


def _root_of(directory: str, suffix: str) -> str | None:
    return os.path.realpath(directory.removesuffix(suffix) or "/") if directory.endswith(suffix) else None


def _files_of_root(root: str) -> "Iterator[ValidationTarget]":
    yield from _tools_targets(root)
    file = f"{make_policy_directory_path(root)}/{HOOKS_TOML}"
    if os.path.lexists(file):
        yield ValidationTarget(file, make_path_relative_if_below_cwd(file), root, is_in_place=True, id=HOOKS_TOML)


def _tools_targets(root: str) -> "Iterator[ValidationTarget]":
    trust = TrustCheck(Root(root, trusts_owner=True))
    try:
        with PolicyDirectory(trust, "tools") as tools:
            ids = tools.grant_ids()
    except (FileNotFoundError, GrantError):  # the problems of the root say why
        return
    directory = trust.root.tools_path
    seen = make_path_relative_if_below_cwd(directory)
    for grant_id in ids:
        name = f"/{grant_id}.json"
        yield ValidationTarget(directory + name, seen + name, root, is_in_place=True, id=grant_id)


def _policy_name_of_file(path: str) -> str:
    name = os.path.basename(path)
    return HOOKS_TOML if name == HOOKS_TOML else parse_grant_file_name(name)
