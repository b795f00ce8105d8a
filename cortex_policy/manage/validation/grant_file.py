"""Inspect the file of one grant, or the rules of agents' hooks: its text and its location."""

import os
from contextlib import ExitStack
from itertools import chain
from typing import NamedTuple

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES
from cortex_policy.core.model import GrantError, Settings
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.regular_files import read_regular_file_following_links
from cortex_policy.manage.validation.hooks_file import find_hook_rules_problems
from cortex_policy.manage.validation.missing_path_problems import ScopeChecker, find_schema_link_problems
from cortex_policy.manage.validation.targets import STDIN, ValidationTarget, format_root_option_for_cwd
from cortex_policy.schema.lint import decode_and_lint_grant, limit_problems_per_code
from cortex_policy.schema.problems import Problem, locate_problems, make_file_problem
from cortex_policy.state import read_up_to
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.stamp import compute_content_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from cortex_policy.schema.lint_rules.lint_subject import LintSubject
    from cortex_policy.schema.problems import UnlocatedProblem
    from cortex_policy.state import Root
    from cortex_policy.state.possible_writers import TrustProblem


class FileReport(NamedTuple):
    """The problems of a file, the tool and actions of its budgets, its digest, and why others may have written it.

    `has_scope` says whether the grant has an `fsScope`.
    """

    problems: tuple[Problem, ...] = ()
    tool: str = ""
    actions: tuple[str, ...] = ()
    digest: str | None = None
    trust_problems: "tuple[TrustProblem, ...]" = ()
    has_scope: bool = False


class FileInspector:
    """Inspects files one after another, and keeps open the directories that many of them share."""

    def __init__(self, as_checked: "Callable[[str], Root]") -> None:
        """Take the function that finds a root as a check in this directory does."""
        self._as_checked = as_checked
        self._open = ExitStack()
        self._directories: dict[str, PolicyDirectory] = {}
        self._options: dict[str, str] = {}
        self._trusts: dict[str, TrustCheck] = {}
        self._trees: dict[str, ScopeChecker] = {}
        self._known_settings: dict[str, Settings] = {}

    def __enter__(self) -> "Self":
        """Open nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the directories."""
        self._open.close()

    def inspect_file(self, target: ValidationTarget) -> FileReport:
        """Return the report on one file; a file that cannot be read is a problem too."""
        trust = self._trust_of(target.root)
        known = len(trust.problems)
        try:
            data = self.read(target)
        except FileNotFoundError:
            hint = "name a file, a directory, or `-` for standard input"
            return FileReport((make_file_problem(target.shown, "file-missing", "it is not there", hint),))
        except (OSError, GrantError, ValueError) as error:
            return FileReport((_unreadable_problem(target, error),))
        if target.id == HOOKS_TOML:
            problems = find_hook_rules_problems(target, data, self._open_directory_of)
            return FileReport(
                problems, digest=compute_content_digest(data), trust_problems=tuple(trust.problems[known:])
            )
        subject, unlocated = decode_and_lint_grant(data, target.id, self._id_in_commands(target), target.root)
        if subject is not None:
            unlocated = tuple(limit_problems_per_code(chain(unlocated, self._tree_problems(target, subject))))
        problems = locate_problems(target.shown, data, unlocated, self._settings_of(target.root)) if unlocated else ()
        if not target.is_in_place and subject is not None:
            problems = (*_location_problems(target), *problems)
        digest, found = compute_content_digest(data), tuple(trust.problems[known:])
        if subject is None:
            return FileReport(problems, digest=digest, trust_problems=found)
        grant = subject.grant
        return FileReport(problems, grant.tool, grant.actions, digest, found, bool(grant.fs_scope))

    def read(self, target: ValidationTarget) -> bytes:
        """Return the bytes of a file, at most one more than a grant may have; read a root's grant as `check` does."""
        if target.is_in_place and target.id == HOOKS_TOML:
            with PolicyDirectory(self._trust_of(target.root)) as policy:
                return policy.read(HOOKS_TOML, MAX_BYTES + 1)
        if target.is_in_place:
            return self._open_directory_of(target.root).read(f"{target.id}.json", MAX_BYTES + 1)
        if target.path == STDIN:
            return read_up_to(0, MAX_BYTES + 1)
        return read_regular_file_following_links(target.path, MAX_BYTES + 1)

    def _open_directory_of(self, root: str) -> PolicyDirectory:
        if root not in self._directories:
            opened = self._open.enter_context(PolicyDirectory(self._trust_of(root), "tools"))
            self._directories[root] = opened
        return self._directories[root]

    def _id_in_commands(self, target: ValidationTarget) -> str:
        """Return how a command in this directory names the grant of a file."""
        if not target.is_in_place:
            return "ID"
        if target.root not in self._options:
            self._options[target.root] = format_root_option_for_cwd(target.root)
        return target.id + self._options[target.root]

    def _tree_of(self, root: str) -> ScopeChecker:
        if root not in self._trees:
            self._trees[root] = ScopeChecker(root)
        return self._trees[root]

    def _settings_of(self, root: str) -> Settings:
        if root not in self._known_settings:
            self._known_settings[root] = load_settings_for_grant_comparison(root or None)
        return self._known_settings[root]

    def _trust_of(self, root: str) -> TrustCheck:
        if root not in self._trusts:
            self._trusts[root] = TrustCheck(self._as_checked(root))
        return self._trusts[root]

    def _tree_problems(self, target: ValidationTarget, subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
        if "$schema" in subject.document and target.path != STDIN:
            yield from find_schema_link_problems(subject, os.path.dirname(target.path), is_in_place=target.is_in_place)
        if target.root:
            yield from self._tree_of(target.root).find_scope_problems(subject)


def _unreadable_problem(target: ValidationTarget, error: Exception) -> Problem:
    if isinstance(error, GrantError):
        return make_file_problem(target.shown, "file-unreadable", error.detail, error.hint)
    why = format_os_error_cause(error)
    return make_file_problem(target.shown, "file-unreadable", why, "look at it with `ls -l`")


def _location_problems(target: ValidationTarget) -> "Iterator[Problem]":
    """Report a file that no check finds; a directory `tools` may still be on its way into a root."""
    if target.path == STDIN:
        return
    if not target.id:
        hint = "a name is letters, digits, `.`, `_` and `-`, starts with a letter or digit, and ends in `.json`"
        yield make_file_problem(target.shown, "file-name", "no check can name it", hint)
    elif os.path.basename(os.path.dirname(target.path)) != "tools":
        hint = f"checks read `.cortex/policy/tools/{target.id}.json`"
        yield make_file_problem(target.shown, "file-outside", "no check finds it there", hint)
