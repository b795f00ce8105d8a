"""Case files are read strictly: what is wrong is told with its line and, where it can be, what was meant."""

import json
import os
import sys
from pathlib import Path
from types import FrameType

import pytest

from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.manage.cases.model import MAX_CASES, CaseFile
from cortex_policy.manage.cases.parser import read_case_file_collecting_errors

HEAD = 'grant = "git"\n'
CASE = '\n[[case]]\nname = "a"\naction = "tree"\nexpect = "allowed"\n'


def given(directory: Path, text: str, suffix: str = "toml") -> CaseFile:
    """Read a case file with this text."""
    file = directory / f"x.cases.{suffix}"
    file.write_text(text)
    return read_case_file_collecting_errors(str(file), "x")


def test_only_the_first_errors_of_a_file_are_searched(tmp_path: Path) -> None:
    """To guess what each was meant to be took seconds."""
    guesses = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal guesses
        guesses += event == "call" and frame.f_code is find_closest_word.__code__

    sys.setprofile(count)
    try:
        flaws = given(tmp_path, HEAD + "".join(f"a{index} = 1\n" for index in range(5_000)) + CASE).errors
    finally:
        sys.setprofile(None)
    assert "it has more problems" in flaws[0].message
    assert guesses < 100


FLAWS = {
    "an unknown member of the file": ('grants = "git"\n' + HEAD + CASE, 1, "unknown key `grants`", "did you mean `grant`?"),
    "no grant": (CASE, 1, "`grant` is missing", "the id of a grant"),
    "a grant that is no id": ('grant = "../git"\n' + CASE, 1, "`grant` must be the id of a grant", ""),
    "no expectation": (HEAD + CASE.replace('expect = "allowed"\n', ""), 3, "`expect` is missing", "action_not_allowed"),
    "an unknown reason": (HEAD + CASE.replace("allowed", "alowed"), 6, "`expect` must be one of allowed", "did you mean `allowed`?"),
    "a reason of another kind": (HEAD + CASE.replace("allowed", "grant_unsafe"), 6, "`expect` must be one of", ""),
    "an unknown member of a case": (HEAD + CASE + "time = 2\n", 7, "unknown key `time`", "did you mean `times`?"),
    "the same name twice": (HEAD + CASE + CASE, 8, "the name `a` is already used in line 3", ""),
    "too many calls": (HEAD + CASE + "times = 10001\n", 7, "`times` must be a whole number from 1 to 10000", ""),
    "no calls": (HEAD + CASE + "times = 0\n", 7, "`times` must be", ""),
    "a truth for a number": (HEAD + CASE + "cost = true\n", 7, "`cost` must be", ""),
    "a clock that goes back": (HEAD + CASE + "advance_seconds = -1\n", 7, "`advance_seconds` must be", ""),
    "a clock that runs away": (HEAD + CASE + "advance_seconds = 1e9\n", 7, "`advance_seconds` must be", ""),
    "no time at all": (HEAD + CASE + "advance_seconds = nan\n", 7, "`advance_seconds` must be", ""),
    "a date as an argument": (HEAD + CASE + "args = { a = 2026-01-01 }\n", 7, "`args` must be a table of JSON values", ""),
    "an infinity as an argument": (HEAD + CASE + "args = { a = [inf] }\n", 7, "`args` must be", ""),
    "a giant as an argument": (HEAD + CASE + f"args = {{ a = 0x{'f' * 5000} }}\n", 7, "`args` must be", ""),
    "a giant that is left": (HEAD + CASE + f"remaining = 0x{'f' * 5000}\n", 7, "`remaining` must be", ""),
    "arguments that are no object": (HEAD + CASE + "args = '[1]'\n", 7, "`args` must be", ""),
    "a name of two lines": (HEAD + CASE.replace('"a"', '"a\\nb"'), 4, "`name` must be a text of one line", ""),
    "a setting of another kind": (HEAD + "[settings]\nstamp = 'off'\n" + CASE, 3, "unknown key `stamp`", ""),
    "a setting with a wrong value": (HEAD + "[settings]\nsensitive = 'no'\n" + CASE, 3, "`sensitive` must be one of allow", ""),
    "a path out of the tree": (HEAD + "[tree]\nfiles = ['../x']\n" + CASE, 2, "`../x` is not a path of a tree", "relative"),
    "a working directory that is not there": (HEAD + CASE + "cwd = 'docs'\n", 3, "`cwd` is `docs`, which is not a directory of `[tree]`", "`directories`"),
    "no TOML": ("grant = \n", 1, "it is not TOML", ""),
    "cases that are no tables": (HEAD + "case = 1\n", 2, "`case` must be tables `[[case]]`", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FLAWS)
def test_an_error_in_a_case_file_has_its_line(tmp_path: Path, name: str) -> None:
    """And only that."""
    text, line, message, hint = FLAWS[name]
    flaws = given(tmp_path, text).errors
    assert [flaw.line for flaw in flaws] == [line], flaws
    assert flaws[0].message.startswith(message)
    assert hint in flaws[0].hint


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    """With its own lines."""
    members = {"name": "a", "action": "tree", "args": {"n": None}, "expect": "allowed", "advance_seconds": 0.5}
    file = given(tmp_path, json.dumps({"grant": "git", "case": [members]}, indent=1), "json")
    toml = given(tmp_path, HEAD + CASE + "args = '{\"n\": null}'\nadvance_seconds = 0.5\n")
    assert not file.errors
    assert not toml.errors
    assert (file.cases[0].args, file.cases[0].advance_ns) == (toml.cases[0].args, toml.cases[0].advance_ns)
    assert toml.cases[0].args == {"n": None}
    (flaw,) = given(tmp_path, json.dumps({"grant": "git", "case": [members | {"x": 1}]}, indent=1), "json").errors
    assert flaw.line == 12


def test_a_repeated_key_in_json_is_refused(tmp_path: Path) -> None:
    """As in a grant: readers differ in which one counts."""
    assert "duplicate key" in given(tmp_path, '{"grant": "a", "grant": "b", "case": []}', "json").errors[0].message


def test_lines_are_found_around_long_texts_and_tables_of_arguments(tmp_path: Path) -> None:
    """A header inside a text is none."""
    text = HEAD + CASE + '[case.args]\npath = """\n[[case]]\nname = 1\n"""\n' + CASE.replace('"a"', '"b"') + "x = 1\n"
    file = given(tmp_path, text)
    assert [case.line for case in file.cases] == [3, 13]
    assert [(flaw.line, flaw.message) for flaw in file.errors] == [(17, "unknown key `x`")]


def test_a_case_file_that_is_not_a_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe, a directory, nothing at all, or a giant."""
    os.mkfifo(tmp_path / "pipe.cases.toml")
    (tmp_path / "d.cases.toml").mkdir()
    (tmp_path / "big.cases.toml").write_bytes(b"#" * (1 << 20) + b"#")
    for name in ("pipe", "d", "none", "big"):
        assert read_case_file_collecting_errors(str(tmp_path / f"{name}.cases.toml"), name).errors, name


def test_a_device_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link in a checkout may lead to one that acts by being opened."""
    (tmp_path / "x.cases.toml").symlink_to("/dev/null")
    opened, real = [], os.open

    def spy(path: str, flags: int) -> int:
        if not flags & os.O_PATH:  # which opens the name alone
            opened.append(path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", spy)
    assert read_case_file_collecting_errors(str(tmp_path / "x.cases.toml"), "x").errors
    assert not opened


def test_too_many_cases_are_refused(tmp_path: Path) -> None:
    """Rather than run for ever."""
    cases = [{"name": str(number), "action": "", "expect": "allowed"} for number in range(MAX_CASES + 1)]
    assert "more than" in given(tmp_path, json.dumps({"grant": "git", "case": cases}), "json").errors[0].message


def test_headers_full_of_blanks_take_no_time(tmp_path: Path) -> None:
    """A line is read once."""
    (flaw,) = given(tmp_path, HEAD + "[" + " " * 500_000 + "tree]\n").errors
    assert flaw.message == "`case` is missing"


def test_why_a_file_cannot_be_read_is_cut(tmp_path: Path) -> None:
    """A key that it has twice may be of any length."""
    key = "x" * 100_000
    flaws = given(tmp_path, f'{{"{key}": 1, "{key}": 2}}', "json").errors
    assert [len(flaw.message) <= 4_100 for flaw in flaws] == [True]


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_names_of_any_length_are_cut_in_messages(tmp_path: Path, suffix: str) -> None:
    """And of very many flaws only some are told."""
    long = "x" * 10_000
    members = f'"name": "{long}", "action": "tree", "expect": "allowed", "cwd": "{long}"'
    one = "\n[[case]]\n" + "\n".join(part.strip().replace('": ', '" = ', 1) for part in members.split(","))
    cases = ",\n".join([f"{{{members}}}"] * 40)
    text = HEAD + one * 40 if suffix == "toml" else f'{{"grant": "git", "case": [{cases}]}}'
    flaws = given(tmp_path, text, suffix).errors
    assert len(flaws) == 51
    assert "it has more problems; fix these first" in [flaw.message for flaw in flaws]
    assert sum("is already used" in flaw.message for flaw in flaws) == 39
    assert max(len(flaw.message) for flaw in flaws) <= 4_100
