"""Commands that look at grants say first that no check is answered."""

import json
from pathlib import Path

import pytest

from tests.support.command import result_of as run

SAID = "unknown setting `bogus`"


@pytest.fixture(autouse=True)
def broken(root: Path, tmp_path: Path) -> Path:
    """Stand in a root, as a user whose settings are wrong."""
    file = tmp_path / "config/cortex-policy/config.toml"
    file.parent.mkdir(parents=True)
    file.parent.chmod(0o755)
    file.write_text("bogus = 1\n")
    assert run("check", "git", "tree").returncode == 27
    (root / ".cortex/policy/stop").touch()
    return file


def test_list_reports_that_all_is_denied_after_a_stop_and_before_the_grants() -> None:
    """As a check meets them; it lists the grants all the same."""
    done = run("list")
    first, second, ending, hint, *_ = done.stderr.splitlines()
    assert first.startswith("stopped ")
    assert second.endswith(f"{SAID}; every check answers 27")
    assert ending.startswith("hint: an operator ends the stop ")
    assert hint.startswith("hint: the settings are sensitive, ")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["git", "model-gateway"]
    assert done.returncode == 0


def test_show_reports_that_all_is_denied_in_its_first_lines() -> None:
    """With what helps in the next one."""
    first, second, third, *_ = run("show", "git").stdout.splitlines()
    assert first.startswith("stopped ")
    assert second.startswith("broken  settings invalid: ")
    assert second.endswith(f"{SAID}; every check answers 27")
    assert third.startswith("hint    the settings are ")


@pytest.mark.parametrize("words", [("list",), ("show", "git")])
def test_json_has_a_member_for_the_global_denial(words: tuple[str, ...], broken: Path) -> None:
    """It is null where nothing is wrong."""
    settings = json.loads(run(*words, "--json").stdout)["settings"]
    assert settings["problem"] == f"`{broken}`: {SAID}"
    assert settings["hint"]
    broken.unlink()
    assert json.loads(run(*words, "--json").stdout)["settings"] is None


def test_the_command_test_warns_of_the_global_denial_first() -> None:
    """They run on no settings but their own, and so their code is theirs."""
    done = run("test")
    assert done.stderr.startswith("warning: settings invalid: ")
    assert done.returncode == 0
    (warning,) = json.loads(run("test", "--json").stdout)["warnings"]
    assert f"{SAID}; every check answers 27; the settings are " in warning


def test_validate_exits_with_1_if_all_is_denied(broken: Path) -> None:
    """At the line, first of all."""
    done = run("validate")
    assert done.stdout.startswith(f"{broken}:1:1: error: {SAID} [settings-invalid]\n")
    assert done.returncode == 1
    assert run("validate", "--ignore", "settings-invalid").returncode == 0
