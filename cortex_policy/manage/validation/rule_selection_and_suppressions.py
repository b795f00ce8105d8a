"""The problems that the settings of projects suppress, and the suppressions that match nothing."""

import os
from fnmatch import fnmatchcase
from itertools import chain
from shlex import quote

from cortex_policy.core import Value
from cortex_policy.core.model import GrantError, UsageError
from cortex_policy.core.settings import PROJECT
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.manage.settings_problems import (
    find_settings_problems_outside_projects,
    make_problem_of_settings_error,
)
from cortex_policy.schema.problems import Problem, make_file_problem
from cortex_policy.schema.rule_catalog import HOOK_ERRORS, RULES, expand_code_or_group
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.settings import MAX_BYTES, NAME, decode_layer, find_settings_file_of_place
from cortex_policy.state.settings_errors import make_invalid_settings_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from cortex_policy.manage.validation.targets import ValidationTargets

_LONGEST = 500  # characters of a pattern: to make one ready is quadratic work
ALL_CODES = frozenset(rule.code for rule in RULES)
_ALWAYS_SELECTED = frozenset(
    chain.from_iterable(
        map(
            expand_code_or_group,
            ("syntax", "shape", *HOOK_ERRORS, "file-missing", "file-unreadable", "settings-invalid"),
        )
    )
)


class RuleSelection(Value):
    """The rules whose problems are reported: the options of the command, else the settings of each project."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @property
    def codes(self) -> frozenset[str]:
        """The codes that the options select."""
        return find_codes_to_report(self.select, self.ignore)


class Suppressions:
    """The suppressions in the settings of each root."""

    def __init__(self, targets: "ValidationTargets", selection: RuleSelection) -> None:
        """Read the settings of each root; their errors are problems like others."""
        roots = dict.fromkeys([*targets.roots, *(target.root for target in targets.files if target.root)])
        self.problems: list[Problem] = (
            find_settings_problems_outside_projects() if roots else []
        )  # no check reads a draft yet
        self._wanted, self._codes, self._whole = selection, selection.codes, targets.roots
        self._projects = {root: self._load_project(root) for root in roots}

    def reported_codes(self, file: str) -> frozenset[str]:
        """Return the codes to report for a file: those of its project or the options, without suppressed ones."""
        project = self._project_of(file)
        if project is None:
            return self._codes
        return project.codes.difference(*(expand_code_or_group(word) for _, word in project.pairs_for(file)))

    def apply_to(self, problems: "Iterable[Problem]") -> "Iterator[Problem]":
        """Yield the problems that are not suppressed, and a note for each suppression that matched none."""
        used: set[tuple[str, str, str]] = set()
        for one in chain(problems, self.problems):
            project = self._project_of(one.file)
            if one.code not in (self._codes if project is None else project.codes):
                continue
            met = project.find_matching(one) if project is not None else ()
            used.update(met)
            if not met:
                yield one
        yield from self._note_unused_suppressions(used)

    def _note_unused_suppressions(self, used: set[tuple[str, str, str]]) -> "Iterator[Problem]":
        for root in self._whole:
            project = self._projects[root]
            for pattern, word in project.suppressions:
                is_reported = "settings-unused" in project.codes and expand_code_or_group(word) <= project.codes
                if is_reported and (root, pattern, word) not in used:
                    message = f"`{word}` is suppressed for `{pattern}`, but not found there"
                    yield make_file_problem(
                        make_path_relative_if_below_cwd(find_settings_file_of_place(PROJECT, root)),
                        "settings-unused",
                        message,
                        "remove it",
                    )

    def _load_project(self, root: str) -> "_Project":
        try:
            values = self._read_settings(root)
        except GrantError as error:
            self.problems.append(make_problem_of_settings_error(error))
            values = {}
        select = self._wanted.select or values.get("validate.select", ())
        ignore = self._wanted.ignore or values.get("validate.ignore", ())
        pairs = [(pattern, word) for pattern, words in values.get("validate.suppress", {}).items() for word in words]
        return _Project(root, find_codes_to_report(select, ignore), tuple(pairs))

    def _read_settings(self, root: str) -> "Mapping[str, Any]":
        trust, file = TrustCheck(Root(root, trusts_owner=True)), find_settings_file_of_place(PROJECT, root)
        try:
            with PolicyDirectory(trust) as policy:
                data = policy.read(NAME, MAX_BYTES + 1)
        except FileNotFoundError:
            return {}
        if any(one.path == file for one in trust.problems):  # `check` trusts no such file; a clone may have any modes
            why = "others could change it, and `check` refuses that"
            self.problems.append(
                make_file_problem(
                    make_path_relative_if_below_cwd(file),
                    "file-unsafe",
                    why,
                    f"fix it with `chmod go-w {quote(make_path_relative_if_below_cwd(file))}`",
                )
            )
        values = decode_layer(PROJECT, file, data).values
        check_codes_in_settings(file, values)
        return values

    def _project_of(self, file: str) -> "_Project | None":
        path = os.path.abspath(file)
        inside = [root for root in self._projects if path.startswith(f"{root.rstrip('/')}/")]
        if not inside:
            path = os.path.realpath(path)
            inside = [root for root in self._projects if path.startswith(f"{root.rstrip('/')}/")]
        return self._projects[max(inside, key=len)] if inside else None


class _Project(Value):
    """A root, the codes that are reported there, and its suppressions: pairs of a pattern and a code."""

    root: str
    codes: frozenset[str]
    suppressions: tuple[tuple[str, str], ...]

    def find_matching(self, problem: Problem) -> "list[tuple[str, str, str]]":
        """Return the suppressions that match a problem, each with the root."""
        pairs = self.pairs_for(problem.file)
        return [(self.root, *pair) for pair in pairs if problem.code in expand_code_or_group(pair[1])]

    def pairs_for(self, file: str) -> list[tuple[str, str]]:
        """Return the suppressions whose pattern matches the name of a file, or its path below the root."""
        if not self.suppressions:
            return []
        path = os.path.relpath(os.path.realpath(os.path.dirname(os.path.abspath(file))), self.root)
        name = os.path.basename(file)
        whole = os.path.normpath(f"{path}/{name}")
        return [pair for pair in self.suppressions if fnmatchcase(whole if "/" in pair[0] else name, pair[0])]


def find_codes_to_report(select: "Iterable[str]", ignore: "Iterable[str]") -> frozenset[str]:
    """Return the codes to report; without a selection, all of them. Raise UsageError for an unknown code or group.

    INVARIANT: the problems of a file that could not be read are always selected, or the file would pass as valid.
    """
    named = frozenset(chain.from_iterable(map(expand_code_or_group, select)))
    selected = named | _ALWAYS_SELECTED if named else ALL_CODES
    return selected.difference(*map(expand_code_or_group, ignore))


def check_codes_in_settings(file: str, values: "Mapping[str, Any]") -> None:
    """Raise GrantError (settings_invalid) if the settings name a rule that does not exist."""
    for pattern in values.get("validate.suppress", {}):
        if len(pattern) > _LONGEST:
            raise make_invalid_settings_error(
                file, f"`{pattern[:40]}...` in `validate.suppress` is longer than {_LONGEST} characters", "shorten it"
            )
    lists = (values.get("validate.select", ()), values.get("validate.ignore", ()))
    for code in chain(*lists, *values.get("validate.suppress", {}).values()):
        try:
            expand_code_or_group(code)
        except UsageError as error:
            raise make_invalid_settings_error(file, error.detail, error.hint) from None
