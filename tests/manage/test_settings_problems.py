"""Settings that make every check answer 27 are said, wherever they are written, at their line and with what helps."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_policy.core.model import GrantError
from cortex_policy.manage.settings_problems import CODE, find_settings_error, find_settings_error_texts_of_roots
from cortex_policy.manage.validation.rule_selection_and_suppressions import RuleSelection, Suppressions
from cortex_policy.manage.validation.validate import find_targets, validate_targets
from cortex_policy.schema.problems import Problem, Report
from cortex_policy.state.settings import read_layers

pytestmark = pytest.mark.usefixtures("settled_settings")


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    """Stand in a root; return the settings file of the user."""
    file = tmp_path / "config/cortex-policy/config.toml"
    file.parent.mkdir(parents=True)
    file.parent.chmod(0o755)
    assert root == Path.cwd()
    return file


def look(*words: str) -> Report:
    """Validate what the words name."""
    where = find_targets(words, None)
    return validate_targets(where, Suppressions(where, RuleSelection()), lambda results, _: results)


def told() -> list[Problem]:
    """Return what is said of settings."""
    return [one for one in look().problems if one.code == CODE]


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("bogus = 1\n", (1, 1, 6), "unknown setting `bogus`"),
        ("# mine\n\n[audit]\n  keep = '5'\n", (4, 3, 7), "`audit.keep` is the text `5`"),
        ("audit.keep = '5'\n", (1, 1, 11), "`audit.keep` is the text `5`"),
        ("[bogus]\n", (1, 2, 7), "unknown setting `bogus`"),
        ("editor = 'vi'\nsensitive = ask\n", (2, 13, 14), "it is not TOML"),
        ("stamp = [\n", (1, 1, 1), "it is not TOML"),
        ("'a b' = 1\n", (1, 1, 1), "unknown setting `a b`"),
    ],
)
def test_a_file_of_the_user_is_an_error_at_its_line(
    config: Path, text: str, place: tuple[int, int, int], why: str
) -> None:
    """Before all else, since no grant counts meanwhile."""
    config.write_text(text)
    first, *others = look().problems
    assert others
    assert all(other.code != CODE for other in others)
    assert (first.file, first.code, first.severity) == (str(config), CODE, "error")
    assert (first.line, first.column, first.end_column) == place
    assert first.message.startswith(why)
    assert first.hint


def test_a_file_that_others_can_write_is_an_error_with_its_cure(config: Path) -> None:
    """The directory is judged too."""
    config.write_text("")
    config.chmod(0o666)
    (one,) = told()
    assert (one.file, one.message) == (str(config), "it is writable by everyone")
    config.chmod(0o644)
    assert told() == []
    config.parent.chmod(0o777)
    (one,) = told()
    assert one.hint == f"fix it with `chmod go-w {config.parent}`"


@pytest.mark.parametrize(("name", "value"), [("CORTEX_POLICY_BOGUS", "1"), ("CORTEX_AUDIT_LOG", "here")])
def test_a_variable_is_named_as_the_place(config: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """It has no line."""
    assert not config.exists()
    monkeypatch.setenv(name, value)
    (one,) = told()
    assert (one.file, one.line, one.source) == (name, 1, "")


def test_every_place_with_a_problem_is_reported(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To fix one must not bring up the next."""
    config.write_text("bogus = 1\n")
    Path(".cortex/policy/config.toml").write_text("stamp = 'require'\nstate_dir = '/x'\n")
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "maybe")
    assert {(one.file, one.line) for one in told()} == {
        (str(config), 1), (".cortex/policy/config.toml", 2), ("CORTEX_POLICY_SENSITIVE", 1)
    }  # fmt: skip


def test_a_draft_outside_of_any_root_is_judged_by_itself(config: Path, tmp_path: Path) -> None:
    """Nobody checks it yet."""
    config.write_text("bogus = 1\n")
    draft = tmp_path / "draft.json"
    draft.write_text('{"tool": "x", "actions": ["a"], "rate": {"perMinute": 1}}')
    assert CODE not in {one.code for one in look(str(draft)).problems}


def test_wrong_settings_of_validate_deny_no_check(config: Path) -> None:
    """So that whoever looks at grants does not warn of it."""
    Path(".cortex/policy/config.toml").write_text("[validate]\nignroe = []\n")
    assert find_settings_error(str(Path.cwd())) is None
    assert [one.line for one in told()] == [2]
    config.write_text("bogus = 1\n")
    warning = f"settings invalid: `{config}`: unknown setting `bogus`; every check answers 27; the settings are "
    (found,) = find_settings_error_texts_of_roots([str(Path.cwd())] * 2)
    assert found.startswith(warning)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("abk.=[]'\"\n\t 1`:#\r\u2028\x0c\0é"), max_size=40))
def test_an_error_in_any_text_has_its_place(config: Path, text: str) -> None:
    """Whatever is in the file: it is told where a check would answer 27, and nowhere else."""
    config.write_text(text, newline="")
    try:
        read_layers(None)
    except GrantError:
        lines = text.splitlines() or [""]
        assert told()
        for one in told():
            assert 1 <= one.line <= len(lines)
            assert one.source in ("", lines[one.line - 1])
    else:
        assert told() == []
