"""The words of `validate` lead to files, and none is passed over in silence."""

from pathlib import Path

import pytest

from cortex_policy.core.model import GrantError
from cortex_policy.manage.validation.rule_selection_and_suppressions import RuleSelection, Suppressions
from cortex_policy.manage.validation.targets import find_validation_targets_of_paths, find_validation_targets_of_root
from cortex_policy.manage.validation.validate import find_targets, validate_targets
from cortex_policy.state import Root
from tests.support.users import by_caller


def names(*words: str, root: Root | None = None) -> list[str]:
    """Return how the files are shown."""
    return [target.shown for target in find_validation_targets_of_paths(words, root).files]


def make(directory: Path, *ids: str) -> Path:
    """Make a root with grants."""
    tools = directory / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    for grant_id in ids:
        (tools / f"{grant_id}.json").write_text("{}")
    return directory


def test_without_words_the_grants_of_the_root_are_validated(root: Path) -> None:
    """Sorted, with the root to be looked at as a whole."""
    where = find_targets((), None)
    assert [target.shown for target in where.files] == [
        ".cortex/policy/tools/git.json",
        ".cortex/policy/tools/model-gateway.json",
    ]
    assert where.roots == (str(root),)


def test_a_root_without_a_directory_of_grants_has_none(tmp_path: Path) -> None:
    """It may be new."""
    assert find_validation_targets_of_root(Root(str(tmp_path), trusts_owner=True)).files == ()


def test_a_directory_means_the_grants_of_every_root_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A monorepo has several; what else is JSON there is none of ours."""
    make(tmp_path / "a", "x", "y")
    make(tmp_path / "b" / "c", "x")
    (tmp_path / "package.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert names(".") == [
        f"{at}/.cortex/policy/tools/{name}.json" for at, name in (("a", "x"), ("a", "y"), ("b/c", "x"))
    ]
    assert names("b", "a/.cortex/policy") == [
        "b/c/.cortex/policy/tools/x.json", "a/.cortex/policy/tools/x.json", "a/.cortex/policy/tools/y.json",
    ]  # fmt: skip
    assert find_validation_targets_of_paths((".",), None).roots == (str(tmp_path / "a"), str(tmp_path / "b" / "c"))


def test_a_directory_without_a_root_means_its_json_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grants may be looked at before they are put in their place."""
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / ".git").mkdir()
    for name in ("d/b.json", "d/a.json", "d/e/c.json", "d/.git/x.json", "d/readme.md"):
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert names("d") == ["d/a.json", "d/b.json", "d/e/c.json"]


def test_a_directory_without_json_files_is_a_problem(tmp_path: Path) -> None:
    """A gate that looks at nothing must say so."""
    (problem,) = find_validation_targets_of_paths((str(tmp_path),), None).problems
    assert (problem.code, problem.severity) == ("file-missing", "error")


def test_a_file_in_its_place_knows_its_root_and_its_id(root: Path) -> None:
    """However it is spelled."""
    for word in (
        ".cortex/policy/tools/git.json",
        "docs/../.cortex/policy/tools/./git.json",
        str(root / ".cortex/policy/tools/git.json"),
    ):
        (target,) = find_validation_targets_of_paths((word,), None).files
        assert (target.root, target.is_in_place, target.id) == (str(root), True, "git")


def test_another_file_belongs_to_the_root_that_is_named(root: Path, tmp_path: Path) -> None:
    """Its scopes are looked up there; standard input has no id."""
    where = find_validation_targets_of_paths((str(tmp_path / "x.json"), "-"), Root(str(root), trusts_owner=True))
    assert [(one.root, one.is_in_place, one.id) for one in where.files] == [
        (str(root), False, "x"),
        (str(root), False, ""),
    ]


@pytest.mark.parametrize("link", [".cortex", ".cortex/policy", ".cortex/policy/tools"])
def test_a_root_that_is_reached_by_a_link_is_not_passed_over(tmp_path: Path, link: str) -> None:
    """`check` refuses its grants; the gate took the directory for one without any, and answered 0."""
    make(tmp_path / "a", "x")
    (tmp_path / "b" / link).parent.mkdir(parents=True)
    (tmp_path / "b" / link).symlink_to(tmp_path / "a" / link)
    report = validate_targets(
        where := find_validation_targets_of_paths((str(tmp_path / "b"),), None),
        Suppressions(where, RuleSelection()),
        lambda results, _: results,
    )
    assert ("file-unreadable", "error") in [(one.code, one.severity) for one in report.problems]


def test_a_file_beside_the_grants_is_read_by_its_own_name(root: Path) -> None:
    """One whose name is no id was said not to be there."""
    file = root / ".cortex/policy/tools/x.JSON"
    file.write_text("{")
    report = validate_targets(
        where := find_validation_targets_of_paths((str(file),), None),
        Suppressions(where, RuleSelection()),
        lambda results, _: results,
    )
    assert [one.code for one in report.problems] == ["syntax-json"]


def test_links_are_followed_before_dots_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for whoever opens the file: another one must not be looked at in its place."""
    (tmp_path / "far" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("far/below")
    for name in ("x.json", "far/x.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path)
    (target,) = find_validation_targets_of_paths(("link/../x.json",), None).files
    assert (target.path, target.shown) == (str(tmp_path / "far" / "x.json"), str(tmp_path / "far" / "x.json"))


def test_a_deleted_working_directory_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was a bug, 70; absolute paths need none."""
    make(tmp_path / "a", "x")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(GrantError, match="working directory"):
        find_validation_targets_of_paths(("x.json",), None)
    assert names(str(tmp_path / "a")) == [str(tmp_path / "a/.cortex/policy/tools/x.json")]
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["x.txt", ".json", "-.json", "a b.json", "x.json.orig"])
def test_a_file_name_that_cannot_be_an_id_has_none(name: str) -> None:
    """No check can name it."""
    assert find_validation_targets_of_paths((name if name != "-.json" else "./-.json",), None).files[0].id == ""


def test_a_file_that_is_named_twice_is_validated_once(root: Path) -> None:
    """Though it is named twice, or by its directory too."""
    assert len(names(".cortex/policy/tools/git.json", str(root), ".cortex/policy/tools/../tools/git.json")) == 2


def test_a_missing_root_is_an_error(tmp_path: Path) -> None:
    """As for every command."""
    with pytest.raises(GrantError):
        find_targets((), str(tmp_path))


def test_a_directory_that_cannot_be_read_is_a_problem_and_not_the_end(own: Path) -> None:
    """What lies beside it is looked at all the same."""
    (own / "closed").mkdir(mode=0o700)
    with by_caller():
        where = find_validation_targets_of_paths((str(own),), None)
    assert [(one.code, one.message) for one in where.problems] == [("file-unreadable", "permission denied")]
    assert [target.id for target in where.files] == ["git"]
