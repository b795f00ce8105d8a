"""Find the case files to run: from the words of a command to files, each with its root."""

import os

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.cases.model import JSON_SUFFIX, TOML_SUFFIX, CaseFileProblem, is_case_file
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.manage.validation.targets import resolve_dot_dot_as_kernel_does
from cortex_policy.state import Root
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.roots import find_inner_root_and_paths_above

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS_SUFFIX = "/.cortex/policy/tests"


class CaseFileTarget(Value):
    """A case file: its path, its path for people, and the root of its grants."""

    path: str
    shown: str
    root: Root


class RunPlan(Value):
    """The case files to run, the roots whose grants should all have one, and errors of words without one."""

    targets: tuple[CaseFileTarget, ...]
    roots: tuple[Root, ...] = ()
    errors: tuple[CaseFileProblem, ...] = ()


def plan_case_run(words: tuple[str, ...], named: str | None) -> RunPlan:
    """Return the case files that these words name; without words, those of the root."""
    if not words:
        root = find_named_or_only_root(named)
        return RunPlan(tuple(_targets_in(root.cases_path, root)), (root,))
    target_by_path: dict[str, CaseFileTarget] = {}
    problems = []
    for word in words:
        path = resolve_dot_dot_as_kernel_does(word)
        targets = list(_directory_targets(path, named)) if os.path.isdir(path) else _file_targets(path, named)
        if not targets:  # a gate that looks at nothing lets everything through
            problems.append(
                CaseFileProblem(
                    word,
                    1,
                    _no_case_file_text(path),
                    f"the name of a case file ends in `{TOML_SUFFIX}` or `{JSON_SUFFIX}`",
                )
            )
        target_by_path |= {target.path: target for target in targets}
    return RunPlan(tuple(target_by_path.values()), (), tuple(problems))


def _no_case_file_text(path: str) -> str:
    if os.path.isdir(path):
        return "it holds no case file"
    return "it is not a case file" if os.path.exists(path) else "no such file or directory"


def _file_targets(path: str, named: str | None) -> list[CaseFileTarget]:
    return (
        [CaseFileTarget(path, make_path_relative_if_below_cwd(path), _root_of(os.path.dirname(path), named))]
        if is_case_file(path)
        else []
    )


def _directory_targets(top: str, named: str | None) -> "Iterator[CaseFileTarget]":
    def raise_not_done(error: OSError) -> None:
        """Raise NotDoneError for a directory that cannot be listed: its cases would be missed in silence."""
        raise NotDoneError(f"`{error.filename}`: {format_os_error_cause(error)}") from None

    for directory, below, names in os.walk(top, onerror=raise_not_done):
        below[:] = sorted(name for name in below if name != ".git")
        if any(map(is_case_file, names)):
            yield from _targets_in(directory, _root_of(directory, named))


def _targets_in(directory: str, root: Root) -> "Iterator[CaseFileTarget]":
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise NotDoneError(f"`{directory}`: {format_os_error_cause(error)}") from None
    for name in filter(is_case_file, names):
        yield CaseFileTarget(f"{directory}/{name}", make_path_relative_if_below_cwd(f"{directory}/{name}"), root)


def _root_of(directory: str, named: str | None) -> Root:
    """Return the root that a tests directory belongs to, else the one that is named or found."""
    if named is None and directory.endswith(TESTS_SUFFIX):
        return Root(os.path.realpath(directory.removesuffix(TESTS_SUFFIX) or "/"), trusts_owner=True)
    return find_inner_root_and_paths_above(named)[0]
