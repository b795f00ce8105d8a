"""`validate` finds the rules of agents' hooks beside the grants."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import result_of

RULES = 'format = 1\n[[rule]]\ntools = ["Wirte"]\ngrant = "gone"\naction = "write"\n'


@pytest.fixture
def hooks(root: Path) -> Path:
    """Write a hooks.toml with a typo, and a grant that does not exist."""
    file = root / ".cortex" / "policy" / "hooks.toml"
    file.write_text(RULES)
    return file


def report(*words: str) -> dict[str, Any]:
    """Return the report on these files."""
    found: dict[str, Any] = json.loads(result_of("validate", *words, "--output", "json").stdout)
    return found


def hook_problems(*words: str) -> list[tuple[str, int, int, str, str]]:
    """Return the problems of hooks.toml: its code, line, column, pointer and severity."""
    return [
        (one["code"], one["line"], one["column"], one["pointer"], one["severity"])
        for one in report(*words)["problems"]
        if one["code"].startswith("hooks-")
    ]


EXPECTED = [("hooks-tool", 3, 10, "/rule/0/tools/0", "warning"), ("hooks-grant", 4, 9, "/rule/0/grant", "error")]


def test_hooks_toml_is_validated_with_the_grants_of_its_root(hooks: Path) -> None:
    """And counted as a file."""
    assert hook_problems() == EXPECTED
    assert hook_problems(str(hooks.parent)) == hook_problems(".") == EXPECTED
    with_rules = report()["files"]
    hooks.unlink()
    assert report()["files"] == with_rules - 1


def test_hooks_toml_can_be_named(hooks: Path) -> None:
    """Then nothing else is validated."""
    assert hook_problems(str(hooks)) == EXPECTED
    assert report(str(hooks))["files"] == 1


@pytest.mark.usefixtures("hooks")
def test_errors_of_hooks_toml_exit_with_1_and_warnings_with_0() -> None:
    """As those of grants."""
    assert result_of("validate").returncode == 1
    assert result_of("validate", "--ignore", "hooks-grant").returncode == 0
    assert result_of("validate", "--ignore", "hooks-grant", "--strict").returncode == 1


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("output", ["text", "github", "gitlab", "sarif", "junit"])
def test_problems_of_hooks_toml_are_in_every_format(output: str) -> None:
    """With its file and its line."""
    shown = result_of("validate", "--output", output).stdout
    assert "hooks-tool" in shown
    assert "policy/hooks.toml" in shown
    assert "Write" in shown


def test_a_selection_never_hides_an_unusable_hooks_toml(hooks: Path) -> None:
    """Every call of a tool would be denied."""
    hooks.write_text("format = 2\n")
    assert hook_problems("--select", "scope") == [("hooks-value", 1, 10, "/format", "error")]
    hooks.write_text("format 1\n")
    assert [code for code, *_ in hook_problems("--select", "scope")] == ["hooks-syntax"]


def test_problems_of_hooks_toml_can_be_suppressed(hooks: Path, root: Path) -> None:
    """By its name, as for a grant."""
    (root / ".cortex" / "policy" / "config.toml").write_text('[validate.suppress]\n"hooks.toml" = ["hooks-tool"]\n')
    assert hook_problems() == EXPECTED[1:]
    assert hooks.exists()


def test_a_hooks_toml_that_others_can_change_is_reported(hooks: Path) -> None:
    """A hook refuses it."""
    hooks.chmod(0o666)
    assert "file-unsafe" in {one["code"] for one in report()["problems"] if "hooks.toml" in one["file"]}


def test_a_link_in_place_of_hooks_toml_is_reported(hooks: Path, tmp_path: Path) -> None:
    """And not followed."""
    hooks.unlink()
    hooks.symlink_to(tmp_path / "gone")
    assert "file-unreadable" in {one["code"] for one in report()["problems"] if "hooks.toml" in one["file"]}


def test_a_hooks_toml_outside_of_a_root_is_reported(tmp_path: Path) -> None:
    """It is validated all the same; without `--root` nobody knows its grants."""
    (tmp_path / "hooks.toml").write_text(RULES)
    codes = [one["code"] for one in report(str(tmp_path / "hooks.toml"))["problems"]]
    assert codes == ["file-outside", "hooks-tool"]


def test_a_named_root_provides_the_grants(root: Path, tmp_path: Path) -> None:
    """As those that it will have."""
    (tmp_path / "hooks.toml").write_text(RULES)
    codes = {one["code"] for one in report(str(tmp_path / "hooks.toml"), "--root", str(root))["problems"]}
    assert codes == {"file-outside", "hooks-tool", "hooks-grant"}
