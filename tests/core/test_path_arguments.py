"""Which arguments are paths: by name, by declaration, and by what they hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.engine import decide
from cortex_policy.core.model import Grant, Rate, Request, ResolvedPath, Settings
from cortex_policy.core.path_arguments import (
    ALWAYS,
    IF_TEXT,
    NEVER,
    PATH_NAMES,
    find_path_arguments,
    find_path_condition_of_name,
)

DENYING = Settings(undeclared_args="deny")
REQUIRING = Settings(require_path=True)


def grant_of(args: dict[str, object] | None = None, scopes: tuple[str, ...] = ("docs",)) -> Grant:
    """Make a grant."""
    return Grant("g", "t", ("read",), Rate(9), args or {}, "internal", scopes)


def is_allowed(grant: Grant, args: dict[str, Any], settings: Settings | None = None) -> bool:
    """Decide a call whose paths land where they say; those that begin with `gov` govern grants."""
    found = {(argument, given) for argument, given, _ in find_path_arguments(grant, args) if given is not None}
    places = tuple(
        ResolvedPath(argument, given, given, given, f"/r/{given}", "", "governs" if given[:3] == "gov" else "")
        for argument, given in found
    )
    return bool(decide(grant, Request("read", args, places), settings=settings or Settings()))


@pytest.mark.parametrize("name", [
    "path", "PATH", "file_path", "file-path", "FilePath", "targetFile", "notebook_path", "cwd", "folder", "work_dir", "workingDirectory",
    "WORKING-DIRECTORY", "p_a_t_h",
])  # fmt: skip
def test_some_names_are_always_paths(name: str) -> None:
    """Compared without case, `_` and `-`."""
    assert find_path_condition_of_name(name) == ALWAYS


@pytest.mark.parametrize("name", [
    "outputPath", "log_file", "path2", "output.path", "outputPATH", "URLPath", "inputFiles", "my-folder", "cache dirs", "x3path", "path_2_",
    "backupDirectory10", "éPath", "logFilename9", "old_filenames", "OUTPUT_PATHNAME", "toFILEs",
])  # fmt: skip
def test_some_names_are_paths_if_they_hold_text(name: str) -> None:
    """By their last word: it begins at an upper letter, or behind what is no letter; digits at the end do not count."""
    assert find_path_condition_of_name(name) in (IF_TEXT, ALWAYS)
    assert is_allowed(grant_of(), {name: "docs/x"})
    assert not is_allowed(grant_of(), {name: "etc/x"})
    assert not is_allowed(grant_of(scopes=()), {"deep": [{name: ["gov"]}]})


@pytest.mark.parametrize(
    "name",
    ["pathology", "profile", "filter", "query", "", "_", "7", "path_count", "files2x", "dirty", "empathy", "xpath"],
)
def test_other_names_are_not_paths(name: str) -> None:
    """`profile` is one word, and ends in no other."""
    assert find_path_condition_of_name(name) == NEVER
    assert is_allowed(grant_of(), {name: "etc/x"})


@given(
    st.text(st.sampled_from("aApPtThH_-1é.")),
    st.sampled_from([*PATH_NAMES, "paths", "folders"]),
    st.sampled_from(["_", "-", ".", "1"]),
)
def test_any_prefix_before_a_path_word_makes_a_path_name(start: str, word: str, joint: str) -> None:
    """However it is joined; names of no word of ours, as `cwd`, count alone."""
    last_words = ("path", "paths", "file", "files", "dir", "directory", "folder", "folders", "filename", "filepath")
    if word in last_words:
        assert find_path_condition_of_name(start + joint + word) != NEVER
        assert find_path_condition_of_name(start + joint + word.upper() + "22") != NEVER


@pytest.mark.parametrize("value", [3, 2.5, True, [1, 2], [True], None, []])
def test_a_value_without_text_is_a_path_only_by_its_whole_name(value: object) -> None:
    """`max_files`, `with_dir`: numbers and booleans."""
    assert is_allowed(grant_of(), {"max_files": value})
    assert is_allowed(grant_of(), {"path": value}) == (value in (None, []))


@pytest.mark.parametrize("name", ["path", "output_path", "declared"])
@pytest.mark.parametrize(("value", "expected"), [
    ({"path": "docs/x"}, True), ({"path": "etc/x"}, False), ({"file": ["docs/x"], "encoding": "utf-8"}, True), ({"encoding": "utf-8"}, False),
    ({}, False), ([{"path": "docs/x"}, {"file": "docs/y"}], True), ([{"path": "docs/x"}, {"note": "y"}], False), ({"a": {"dir": "docs"}}, True),
    ({"path": 3}, False), ({"path": "docs/x", "note": "gov"}, False), (["docs/x", 1], False), ([["docs/x"]], False), (["docs/x", {"path": "docs"}], False),
    ({"path": []}, False), ({"path": {"path": {"file": "docs"}}}, True), ({"files": [{"path": "docs/a"}], "n": 1}, True),
])  # fmt: skip
def test_an_object_is_judged_by_its_members(name: str, value: object, expected: bool) -> None:
    """Each must name a path; whatever else it holds must not name what governs grants."""
    assert is_allowed(grant_of({"declared": {"format": "path"}}), {name: value}) == expected


def test_text_of_an_argument_that_is_not_a_path_may_not_name_protected_files() -> None:
    """In a grant without scope, where nothing else is asked; it meets no `require_path` either."""
    free = grant_of(scopes=())
    for value in ({"note": "gov"}, ["gov", 1], [["gov"]], {"a": [{"b": "gov"}]}):
        assert not is_allowed(free, {"path": value})
        assert not is_allowed(free, {"out_file": value})
        assert not is_allowed(free, {"path": eval(repr(value).replace("gov", "x"))}, REQUIRING)  # noqa: S307
        assert is_allowed(free, {"path": eval(repr(value).replace("gov", "x"))})  # noqa: S307
    assert is_allowed(free, {"out_file": "x"}, REQUIRING)
    assert not is_allowed(free, {"out_file": 3}, REQUIRING)


def test_a_declaration_makes_a_path_or_exempts_one() -> None:
    """`format` decides where the grant declares it; nested paths count by their names."""
    grant = grant_of(
        {"target": {"format": "path"}, "source": {"format": "not-path"}, "log_file": {"format": "not-path"}}
    )
    args = {"target": "a", "source": "b", "log_file": "c", "list": [{"file": ["c", "d"]}], "dir": None}
    found = [("target", "a", True), ("list[0].file[0]", "c", True), ("list[0].file[1]", "d", True)]
    assert list(find_path_arguments(grant, args)) == found


def test_nested_paths_are_examined_once() -> None:
    """A tree of objects that are all called `path` is no work beyond its size."""
    tree: dict[str, Any] = {"x": "docs/x"}
    for _ in range(60):
        tree = {"path": tree, "note": "n"}
    assert len(list(find_path_arguments(grant_of(), {"path": tree}))) < 200


def test_labels_are_no_copies_of_long_names() -> None:
    """A line of a megabyte took 40 gigabytes: each of its texts had the name."""
    long, texts = "n" * 1000 + "Path", [str(number) for number in range(300)]
    args = {
        long: texts,
        "inner": {long: {long: texts}},
        "list": [{long: texts}],
        "deep": [[[{"a" * 250: {"b" * 250: {"path": texts}}}]]],
    }
    found = list(find_path_arguments(grant_of(), args))
    assert max(len(argument) for argument, _, _ in found) == 400
    assert {given for _, given, _ in found if given is not None} == set(texts)
    assert is_allowed(grant_of(), {long: ["docs/x", "docs/y"]})
    assert not is_allowed(grant_of(), {long: ["docs/x", "etc/y"]})


@pytest.mark.parametrize(("args", "scoped", "free"), [
    ({}, True, True), ({"n": 1}, True, True), ({"x": 1}, False, False), ({"x": None}, False, False), ({"path": "docs/x"}, True, True),
    ({"paths": ["docs/x"]}, True, True), ({"file": "docs/x"}, True, False), ({"out_file": "docs/x"}, True, False), ({"max_files": 3}, False, False),
    ({"out_file": None}, False, False), ({"o": {"a": 1}}, False, False), ({"list": [1]}, True, True), ({"list": [1, {"a": 1}]}, False, False),
    ({"list": [[{}]]}, False, False), ({"path": {"path": "docs/x"}}, False, False), ({"files": [{"path": "docs"}]}, False, False),
    ({"whole": {"a": 1}}, True, True), ({"whole": {"a": 2}}, False, False), ({"listed": [{"b": 1}]}, True, True), ({"n": 1, "x": 1}, False, False),
])  # fmt: skip
def test_undeclared_arguments_are_denied_where_that_is_set(args: dict[str, Any], scoped: bool, free: bool) -> None:
    """Paths of a scoped grant are known, `path` and `paths` of any; an object only where it is listed whole."""
    declared: dict[str, object] = {
        "n": {"type": "integer"}, "o": {"type": "object"}, "list": {"type": "array"}, "whole": {"const": {"a": 1}},
        "listed": {"enum": [[{"b": 1}]]},
    }  # fmt: skip
    assert is_allowed(grant_of(declared), args, DENYING) == scoped
    assert is_allowed(grant_of(declared, ()), args, DENYING) == free


def test_a_denied_argument_is_named_with_the_setting() -> None:
    """And the path rule is not asked any more."""
    grant = grant_of({"n": {"type": "integer"}})
    decision = decide(grant, Request("read", {"x": 1, "path": "etc"}), settings=DENYING)
    assert (
        decision.message
        == "argument not allowed: `x` is not declared in `args`, and the setting `undeclared_args` is `deny`"
    )
    decision = decide(grant, Request("read", {"path": {"file": "docs/x"}}), settings=DENYING)
    assert decision.detail == "`path` holds an object, whose members nothing declares, and `undeclared_args` is `deny`"
