"""Parse a case file strictly: every error has its line."""

from itertools import islice

from cortex_policy.core import shorten_message
from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.decode import MAX_BYTES, MalformedError, decode_json
from cortex_policy.core.model import Settings
from cortex_policy.core.text import format_guess_hint, format_os_error_cause
from cortex_policy.core.toml import decode_toml
from cortex_policy.manage.cases.field_rules import (
    CASE_MEMBERS,
    FILE_MEMBERS,
    SETTINGS_MEMBERS,
    TREE_MEMBERS,
    parse_arguments_or_none,
)
from cortex_policy.manage.cases.line_numbers import LineNumbers
from cortex_policy.manage.cases.model import (
    EXPECTABLE_REASONS,
    JSON_SUFFIX,
    MAX_CALLS,
    MAX_CASES,
    NANOSECONDS,
    Case,
    CaseFile,
    CaseFileProblem,
)
from cortex_policy.manage.cases.serializer import find_hand_written_cases_line_or_zero
from cortex_policy.manage.cases.temporary_file_tree import FileTree
from cortex_policy.manage.regular_files import read_regular_file_following_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cortex_policy.manage.cases.field_rules import Members

MAX_ERRORS = 50  # that are reported: finding the line of each takes a search through the file


def read_case_file_collecting_errors(path: str, shown: str) -> CaseFile:
    """Read a case file; what is wrong with it is in its errors."""
    try:
        data = _read_bytes(path)
    except (MalformedError, OSError) as error:
        return CaseFile(shown, errors=(CaseFileProblem(shown, 1, format_os_error_cause(error)),))
    return parse_case_file_collecting_errors(data, shown, is_json=path.endswith(JSON_SUFFIX))


def parse_case_file_collecting_errors(data: bytes, shown: str, *, is_json: bool) -> CaseFile:
    """Parse the bytes of a case file; what is wrong with it is in its errors."""
    try:
        document = decode_json(data) if is_json else decode_toml(data)
    except MalformedError as error:
        return CaseFile(shown, errors=(CaseFileProblem(shown, 1, shorten_message(str(error))),))
    text = data.decode()
    own_line = 0 if is_json else find_hand_written_cases_line_or_zero(text)
    return _CaseFileParser(shown, LineNumbers(text, is_json=is_json), own_line).parse(document)


def _read_bytes(path: str) -> bytes:
    data = read_regular_file_following_links(path, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise MalformedError(f"larger than {MAX_BYTES} bytes")
    return data


class _CaseFileParser:
    """Parses one document, and collects its errors."""

    def __init__(self, file: str, lines: LineNumbers, own_line: int) -> None:
        self._file, self._lines, self._own_line = file, lines, own_line
        self._errors: list[CaseFileProblem] = []

    def parse(self, document: "Any") -> CaseFile:
        """Return the file with the cases that can be run."""
        if not isinstance(document, dict):
            self._add_error("it is not an object", (), "write members as in `cortex-policy test --init ID`")
            return self._build_file({}, ())
        known = self._valid_members(document, FILE_MEMBERS, (), ("grant", "case"))
        cases = [self._parse_case(one, index) for index, one in enumerate(known.get("case", ())[: MAX_CASES + 1])]
        if len(cases) > MAX_CASES:
            self._add_error(f"it has more than {MAX_CASES} cases", ("case",), "write several files")
        if (calls := sum(case.times for case in cases if case is not None)) > MAX_CALLS:
            hint = "use smaller `times`, or several files"
            self._add_error(f"its cases make {calls:,} calls, more than the limit of {MAX_CALLS:,}", ("case",), hint)
        names: dict[str, int] = {}
        for case in filter(None, cases):
            first = names.setdefault(case.name, case.line)
            if first != case.line:
                self._add_problem(case.line, f"the name `{case.name}` is already used in line {first}")
        return self._build_file(known, tuple(filter(None, cases)))

    def _build_file(self, known: "dict[str, Any]", cases: tuple[Case, ...]) -> CaseFile:
        settings = Settings(**self._valid_members(known.get("settings", {}), SETTINGS_MEMBERS, ("settings",)))
        tree = self._parse_tree(known.get("tree", {}))
        directories = tree.all_directories()
        for case in cases:
            if case.cwd and case.cwd.rstrip("/") not in directories:
                why = f"`cwd` is `{case.cwd}`, which is not a directory of `[tree]`"
                self._add_problem(case.line, why, "name it in `directories`")
        grant_line, complete_line = (
            self._lines.find_line((name,) if name in known else ()) for name in ("grant", "complete")
        )
        return CaseFile(
            self._file, known.get("grant", ""), settings, tree, cases, known.get("complete", False),
            grant_line, complete_line, tuple(sorted(self._errors, key=lambda error: error.line)), self._own_line,
        )  # fmt: skip

    def _parse_case(self, document: "dict[str, Any]", index: int) -> Case | None:
        known = self._valid_members(document, CASE_MEMBERS, ("case", index), ("name", "action", "expect"))
        if not {"name", "action", "expect"} <= known.keys():
            return None
        known["args"] = parse_arguments_or_none(known.get("args", {})) or {}
        known["expect"] = EXPECTABLE_REASONS[known["expect"]]
        known["advance_ns"] = round(known.pop("advance_seconds", 0) * NANOSECONDS)
        if "obligations" in known:
            known["obligations"] = tuple(known["obligations"])
        return Case(line=self._lines.find_line(("case", index)), **known)

    def _parse_tree(self, document: "dict[str, Any]") -> FileTree:
        known = self._valid_members(document, TREE_MEMBERS, ("tree",))
        tree = FileTree(
            tuple(known.get("directories", ())), tuple(known.get("files", ())), tuple(known.get("links", {}).items())
        )
        faults = list(islice(tree.find_errors(), MAX_ERRORS))
        for why in faults:
            self._add_error(
                why,
                ("tree",),
                "a path in `[tree]` must be relative, without `.` and `..`, and not below a file or a link",
            )
        return FileTree() if faults else tree

    def _valid_members(
        self, document: "dict[str, Any]", members: "Members", keys: tuple[object, ...], required: tuple[str, ...] = ()
    ) -> "dict[str, Any]":
        """Return the valid members, and add an error for each of the others."""
        for name in required:
            if name not in document:
                self._add_error(f"`{name}` is missing", keys, f"it is {members[name][1]}")
        known = {}
        for name, value in document.items():
            if len(self._errors) > MAX_ERRORS:
                break
            if name not in members:
                self._add_error(f"unknown key `{name}`", (*keys, name), _name_hint(name, members))
            elif not members[name][0](value):
                hint = _name_hint(value, EXPECTABLE_REASONS) if name == "expect" and isinstance(value, str) else ""
                self._add_error(f"`{name}` must be {members[name][1]}", (*keys, name), hint)
            else:
                known[name] = value
        return known

    def _add_error(self, message: str, keys: tuple[object, ...], hint: str = "") -> None:
        self._add_problem(self._lines.find_line(keys) if len(self._errors) < MAX_ERRORS else 1, message, hint)

    def _add_problem(self, line: int, message: str, hint: str = "") -> None:
        if len(self._errors) == MAX_ERRORS:
            self._errors.append(CaseFileProblem(self._file, 1, "it has more problems; fix these first"))
        if len(self._errors) < MAX_ERRORS:
            self._errors.append(CaseFileProblem(self._file, line, shorten_message(message), hint))


def _name_hint(word: str, known: "Mapping[str, object]") -> str:
    closest = find_closest_word(word.lower(), list(known))
    return format_guess_hint(closest) if closest else f"known names: {', '.join(known)}"
