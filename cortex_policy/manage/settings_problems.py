"""Problems of settings: commands report them before those of grants, since every check answers 27 because of them."""

import os
import re
import stat

from cortex_policy.core import Value
from cortex_policy.core.budget_server import hide_passwords
from cortex_policy.core.model import GrantError
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.schema.problems import MAX_LINE_LENGTH, Problem
from cortex_policy.schema.rule_catalog import find_severity
from cortex_policy.state import read_up_to
from cortex_policy.state.settings import MAX_BYTES, merge_settings_layers, read_layers
from cortex_policy.state.valid_settings import read_valid_layers_and_errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CODE = "settings-invalid"
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_SENTENCE = re.compile(r"`(.*?)`: (.*)", re.DOTALL)  # the file or the variable, and why
_AT = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)$")  # the words of tomllib
_NAME = re.compile(r"(?:unknown setting )?`([^`]+)`")
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.\-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-]+)\s*=")


class _Location(Value):
    """A place in a settings file, and the text of its line; columns count characters."""

    line: int = 1
    column: int = 1
    end_column: int = 1
    source: str = ""


def find_settings_error(root: str) -> GrantError | None:
    """Return the error for which every check of a root answers 27, None if the settings are valid."""
    try:
        merge_settings_layers(read_layers(root, asks_all=False))
    except GrantError as error:
        return error
    return None


def find_settings_error_texts_of_roots(roots: "Iterable[str]") -> list[str]:
    """Return a sentence, with the fix, for each error that makes every check of one of these roots answer 27."""
    errors = filter(None, map(find_settings_error, roots))
    return list(dict.fromkeys(f"{error}; every check answers 27{error.hint and f'; {error.hint}'}" for error in errors))


def find_settings_problems_outside_projects() -> list[Problem]:
    """Return the problems of the settings of the system, of the user and of the environment."""
    return [make_problem_of_settings_error(error) for error in read_valid_layers_and_errors(None)[1]]


def make_problem_of_settings_error(error: GrantError) -> Problem:
    """Return an error of settings as a problem at a line of its file."""
    match = _SENTENCE.fullmatch(error.detail)
    place, why = (match[1], match[2]) if match else ("", error.detail)
    file = make_path_relative_if_below_cwd(place) if place.startswith("/") else place
    location = _locate_error(place, why)
    hint = error.hint.replace(place, file) if place else error.hint
    return Problem(
        file, location.line, location.column, location.line, location.end_column, "", CODE, find_severity(CODE), why,
        hint, source=location.source,
    )  # fmt: skip


def _locate_error(file: str, why: str) -> _Location:
    lines = _read_lines(file) if file.startswith("/") else []
    at, name = _AT.search(why), _NAME.match(why)
    if at and int(at[1]) <= len(lines):
        line, column = int(at[1]), int(at[2])
        return _Location(line, column, column + 1, lines[line - 1])
    return _locate_setting(name[1], lines) if name else _Location()


def _locate_setting(name: str, lines: list[str]) -> _Location:
    """Return the place of a setting, or of its table."""
    section = ""
    for number, text in enumerate(lines, 1):
        header, key = _HEADER.match(text), _KEY.match(text)
        section = header[1] if header else section
        if (header and header[1] == name) or (key and f"{section}.{key[1]}".removeprefix(".") == name):
            match = header or key
            return _Location(number, match.start(1) + 1, match.end(1) + 1, text) if match else _Location()
    return _Location()


def _read_lines(file: str) -> list[str]:
    """Return the lines of a settings file; no lines if it cannot be read, or if one is too long to show."""
    try:
        descriptor = os.open(file, _FLAGS)
        try:
            data = read_up_to(descriptor, MAX_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
        finally:
            os.close(descriptor)
    except OSError:
        return []
    lines = list(map(hide_passwords, data.decode(errors="replace").splitlines()))
    return lines if all(len(line) <= MAX_LINE_LENGTH for line in lines) else []
