"""A project says what `validate` reports of its grants, and is told where that is in vain."""

import json
from pathlib import Path

import pytest

from cortex_policy.core.model import UsageError
from cortex_policy.manage.validation.autofix import fix_files
from cortex_policy.manage.validation.rule_selection_and_suppressions import RuleSelection, Suppressions
from cortex_policy.manage.validation.validate import find_targets, validate_targets
from cortex_policy.schema.problems import Report
from cortex_policy.state.writer_lock import NO_WAIT

DOUBTFUL = {
    "tool": "git",
    "actions": ["tree", "tree"],
    "rate": {"perMinute": 30},
    "fsScope": ["docs", "gone"],
    "enabled": False,
}


@pytest.fixture(autouse=True)
def strict_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deny what a grant with scopes allows unchecked: it is noted otherwise."""
    monkeypatch.setenv("CORTEX_POLICY_REQUIRE_PATH", "true")
    monkeypatch.setenv("CORTEX_POLICY_UNDECLARED_ARGS", "deny")


@pytest.fixture
def config(root: Path) -> Path:
    """Stand in a root whose grants leave much to be said; name the settings of the project."""
    tools = root / ".cortex/policy/tools"
    (tools / "model-gateway.json").unlink()
    for name in ("git", "hg"):
        (tools / f"{name}.json").write_text(json.dumps({**DOUBTFUL, "tool": name}))
    return root / ".cortex/policy/config.toml"


def look(*words: str, wanted: RuleSelection = RuleSelection()) -> Report:  # noqa: B008 - it never changes
    """Validate what the words name."""
    where = find_targets(words, None)
    return validate_targets(where, Suppressions(where, wanted), lambda results, _: results)


def found(*words: str, wanted: RuleSelection = RuleSelection()) -> set[tuple[str, str]]:  # noqa: B008
    """Return the name and the code of each problem."""
    return {(Path(one.file).name, one.code) for one in look(*words, wanted=wanted).problems}


ALL = {
    *((f"{name}.json", code) for name in ("git", "hg") for code in ("action-twice", "scope-absent", "key-idle")), ("stamp.json", "stamp-missing"),
}  # fmt: skip


def test_without_settings_every_problem_is_reported(config: Path) -> None:
    """An empty file changes nothing."""
    assert found() == ALL
    config.write_text("")
    assert found() == ALL


def test_a_project_selects_and_ignores(config: Path) -> None:
    """By codes and groups; what the command says instead wins."""
    config.write_text('[validate]\nselect = ["scope", "stamp", "action"]\nignore = ["scope-absent"]\n')
    assert {code for _, code in found()} == {"action-twice", "stamp-missing"}
    assert {code for _, code in found(wanted=RuleSelection(("key",)))} == {"key-idle"}
    assert {code for _, code in found(wanted=RuleSelection((), ("stamp",)))} == {"action-twice", "scope-absent"}


@pytest.mark.parametrize("pattern", ["git.json", "g*.json", ".cortex/policy/tools/g*", ".cortex/policy/tools/git.json"])
def test_a_suppression_is_for_the_files_it_matches(config: Path, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their name, or by their path from the root on, wherever one stands."""
    config.write_text(f'[validate.suppress]\n"{pattern}" = ["key-idle", "action"]\n')
    expected = ALL - {("git.json", "key-idle"), ("git.json", "action-twice")}
    assert found() == expected
    monkeypatch.chdir(config.parent / "tools")
    assert found(str(config.parent / "tools/git.json")) == {("git.json", "scope-absent")}


def test_a_suppression_in_vain_is_noted(config: Path) -> None:
    """Where the whole root is looked at, and the rule is looked for."""
    config.write_text('[validate.suppress]\n"git.json" = ["key-idle", "scope-dead"]\n"old.json" = ["key"]\n')
    notes = [one.message for one in look().problems if one.code == "settings-unused"]
    assert notes == ["`key` is suppressed for `old.json`, but not found there", "`scope-dead` is suppressed for `git.json`, but not found there"] or set(notes) == {
        "`key` is suppressed for `old.json`, but not found there", "`scope-dead` is suppressed for `git.json`, but not found there",
    }  # fmt: skip
    assert not [code for _, code in found(".cortex/policy/tools/hg.json") if code == "settings-unused"]
    assert not [code for _, code in found(wanted=RuleSelection(("stamp",))) if code == "settings-unused"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x", "not TOML"), ("[validate]\nselect = ['nope']", "unknown rule `nope`"), ("[validate]\nselect = 'key'", "must be"), ("editor = 'vi'", "cannot be set"),
        ("[validate.suppress]\n'*' = 'key'", "must be"), ("[validate.suppress]\n'*' = ['keys']", "unknown rule `keys`"), ("[validate]\nx = 1", "unknown setting"),
    ],
)  # fmt: skip
def test_settings_that_are_wrong_are_a_problem_like_others(config: Path, text: str, why: str) -> None:
    """It is an error, and the grants are looked at all the same."""
    config.write_text(text)
    problems = look().problems
    (wrong,) = [one for one in problems if one.code == "settings-invalid"]
    assert wrong.file == ".cortex/policy/config.toml"
    assert wrong.severity == "error"
    assert why in f"{wrong.message} {wrong.hint}"
    assert {("git.json", "key-idle"), ("hg.json", "key-idle")} <= found()


def test_modes_are_a_warning_as_elsewhere(config: Path) -> None:
    """Some systems clone with any."""
    config.write_text("[validate]\nignore = ['key']\n")
    config.chmod(0o666)
    assert ("config.toml", "file-unsafe") in found()
    assert ("git.json", "key-idle") not in found()


def test_suppressed_problems_are_not_repaired(config: Path) -> None:
    """A repair is for what is reported."""
    config.write_text('[validate.suppress]\n"git.json" = ["action-twice"]\n')
    where = find_targets((), None)
    exemptions = Suppressions(where, RuleSelection())
    report = validate_targets(where, exemptions, lambda results, _: results)
    assert all(done.error is None for done in fix_files(where.files, report, exemptions, NO_WAIT))
    assert ("git.json", "settings-unused") not in found()
    assert json.loads((config.parent / "tools/git.json").read_text())["actions"] == ["tree", "tree"]


def test_an_unknown_code_is_a_usage_error_even_without_a_root(tmp_path: Path) -> None:
    """It is said before anything is looked at."""
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError, match="unknown rule `nope`"):
        look(str(tmp_path / "x.json"), wanted=RuleSelection(("nope",)))


def test_a_pattern_of_a_giant_is_refused(config: Path) -> None:
    """To make one ready is more work than it is long."""
    config.write_text(f'[validate.suppress]\n"{"[!" * 3000}" = ["arg"]\n')
    assert ("config.toml", "settings-invalid") in found()
