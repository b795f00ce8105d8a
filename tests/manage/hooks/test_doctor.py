"""`hook doctor` finds the holes of a line, and none in one that `hook install` wrote."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING, CheckResult
from cortex_policy.manage.hooks.doctor import examine_hooks
from tests.support.agent_settings import install_hook, settings_of
from tests.support.command import run_command

pytestmark = pytest.mark.usefixtures("agents_home", "startable_program")
TRIALS = ["canary", "allowed call", "denied call", "hostile PYTHONPATH", "state directory", "broken hooks.toml",
          "unreadable grant", "hanging disk", "hanging program", "missing program"]  # fmt: skip
Handler = dict[str, Any]
ALLOWS_ALL = "import sys\nsys.stdin.read()\nprint('{}')\n"


def line_results(agent: str, root: Path) -> dict[str, CheckResult]:
    """Return what `hook doctor` finds in the only line of an agent."""
    (report,) = [one for one in examine_hooks(agent, str(root), os.environ) if one.level]
    return {result.id: result for result in report.checks}


def settings_results(agent: str, root: Path) -> list[CheckResult]:
    """Return what it finds in the settings of an agent, before it tries a line."""
    return list(next(iter(examine_hooks(agent, str(root), os.environ))).checks)


def change_handler(agent: str, change: Callable[[Handler], None]) -> None:
    """Change the handler in the settings of an agent."""
    document = json.loads(settings_of(agent).read_text())
    (entries,) = document["hooks"].values()
    change(entries[0]["hooks"][0] if "hooks" in entries[0] else entries[0])
    settings_of(agent).write_text(json.dumps(document))


def holes(results: dict[str, CheckResult]) -> list[str]:
    """Return the trials that a line failed."""
    return [name for name in TRIALS if results[name].status == PROBLEM]


@pytest.mark.storm
@pytest.mark.parametrize("agent", AGENTS)
def test_a_line_of_hook_install_has_no_hole(agent: str, root: Path) -> None:
    """Whatever breaks, its agent blocks; it waits for watchdogs and time-outs, up to 20 seconds."""
    install_hook(agent)
    results = line_results(agent, root)
    assert holes(results) == []
    assert [name for name in results if name in TRIALS] == TRIALS


def test_a_line_whose_switch_is_missing_has_holes(root: Path) -> None:
    """Claude Code runs the call if its hook fails, unless `onFailure` says otherwise."""
    install_hook("claude")
    change_handler("claude", lambda handler: handler.update(timeout=4, onFailure="continue"))
    assert holes(line_results("claude", root)) == ["hanging disk", "hanging program"]


def test_the_switch_closes_them(root: Path) -> None:
    """It covers a time-out."""
    install_hook("claude")
    change_handler("claude", lambda handler: handler.update(timeout=4))
    assert holes(line_results("claude", root)) == []


def test_the_line_of_a_project_is_tried_with_its_variable(root: Path) -> None:
    """Claude Code says where the project is."""
    run_command("hook", "install", "claude", "--project", "--yes")
    file = root / ".claude" / "settings.json"
    file.write_text(file.read_text().replace('"timeout": 20', '"timeout": 4'))
    assert holes(line_results("claude", root)) == []


def test_a_line_made_by_hand_has_holes(root: Path) -> None:
    """Codex has no switch, so a bare command lets the call run."""
    install_hook("codex")
    words = f"{sys.executable} -I {Path(sys.executable).with_name('cortex-policy')} hook codex --root {root}"
    change_handler("codex", lambda handler: handler.update(timeout=4, command=words))
    assert holes(line_results("codex", root)) == ["hanging disk", "hanging program"]


def test_a_program_that_allows_everything_is_found(root: Path, tmp_path: Path) -> None:
    """It is called as ours."""
    program = tmp_path / "cortex-policy"
    program.write_text(ALLOWS_ALL)
    install_hook("gemini")
    command = f"{sys.executable} -I {program} hook gemini --root {root}"
    change_handler("gemini", lambda handler: handler.update(timeout=4000, command=command))
    found = line_results("gemini", root)
    assert [name for name in TRIALS if name not in holes(found)] == [
        "allowed call",
        "state directory",
        "missing program",
    ]


@pytest.mark.parametrize("agent", ["codex", "gemini"])
def test_a_program_that_says_nothing_is_found(agent: str, root: Path, tmp_path: Path) -> None:
    """An emptied file ends with 0, which these agents take for a pass."""
    program = tmp_path / "cortex-policy"
    program.write_text("")
    install_hook(agent)
    command = f"{sys.executable} -I {program} hook {agent} --root {root}"
    change_handler(agent, lambda handler: handler.update(command=command))
    (report,) = [one for one in examine_hooks(agent, str(root), os.environ) if one.level]
    canary = next(result for result in report.checks if result.id == "canary")
    assert canary.status == PROBLEM
    assert "says nothing, as an empty file does" in canary.message
    problems = [result.message for result in settings_results(agent, root) if result.status == PROBLEM]
    assert any(f"`{program}`" in message and "is empty" in message for message in problems)
    program.unlink()
    assert any("does not exist" in result.message for result in settings_results(agent, root))


def test_a_line_that_is_not_ours_cannot_be_tried(root: Path) -> None:
    """It runs the program through something of somebody else."""
    install_hook("codex")
    change_handler("codex", lambda handler: handler.update(command="cortex-policy hook codex --root=$X; true"))
    (result,) = line_results("codex", root).values()
    assert (result.id, result.status, result.command) == ("line", PROBLEM, "cortex-policy hook install codex")


def test_the_rules_are_loaded(root: Path) -> None:
    """Without them every call is denied, which is no hole."""
    install_hook("claude")
    change_handler("claude", lambda handler: handler.update(timeout=1))
    assert line_results("claude", root)["rules"].status == WARNING
    (root / ".cortex/policy/hooks.toml").write_text('format = 1\n[[rule]]\ntools = ["Read"]\ndecide = "pass"\n')
    assert line_results("claude", root)["rules"] == CheckResult("rules", OK, "hooks.toml has 1 rule")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_rules_may_be_those_of_the_owner_of_the_root_that_the_line_names(root: Path) -> None:
    """As for the hook itself."""
    (root / ".cortex/policy/hooks.toml").write_text('format = 1\n[[rule]]\ntools = ["Read"]\ndecide = "pass"\n')
    install_hook("claude")
    for path in (root, *root.rglob("*")):
        os.chown(path, 4321, 4321, follow_symlinks=False)
    (report,) = [one for one in examine_hooks("claude", str(root), os.environ) if one.level]
    assert next(result.status for result in report.checks if result.id == "rules") == OK


def test_a_line_for_another_root_is_doubtful(root: Path, tmp_path: Path) -> None:
    """Whoever asks about this root would take it for guarded."""
    other = tmp_path / "other"
    other.mkdir()
    run_command("init", "--root", str(other))
    install_hook("claude", "--root", str(other))
    change_handler("claude", lambda handler: handler.update(timeout=1))
    result = line_results("claude", root)["root"]
    assert (result.status, result.message) == (WARNING, f"it uses the grants of `{other}`")


def test_what_switches_hooks_off_is_a_problem(root: Path) -> None:
    """`hook status` finds it."""
    install_hook("gemini")
    (root / ".gemini").mkdir()
    (root / ".gemini/settings.json").write_text('{"hooksConfig": {"enabled": false}}')
    sentences = [one.message for one in settings_results("gemini", root) if one.status == PROBLEM]
    assert sentences == [f"`hooksConfig.enabled` in `{root}/.gemini/settings.json` switches the hook off"]


def test_settings_that_the_hook_will_not_see_are_a_problem(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks of the caller obey the variable, the hook does not."""
    install_hook("codex")
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "deny")
    problems = {one.id for one in settings_results("codex", root) if one.status == PROBLEM}
    assert problems == {"settings", "environment"}  # nobody has trusted the hook


def test_a_variable_that_bash_acts_on_first_is_doubtful(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of a hook can prevent what such a file does."""
    install_hook("codex")
    monkeypatch.setenv("BASH_ENV", "/x")
    monkeypatch.setenv("SHELLOPTS", "braceexpand:noexec")
    found = [one for one in settings_results("codex", root) if one.id == "environment"]
    assert [(one.status, one.command) for one in found] == [(WARNING, "unset BASH_ENV"), (WARNING, "unset SHELLOPTS")]
    monkeypatch.setenv("SHELLOPTS", "braceexpand:hashall")
    assert len([one for one in settings_results("codex", root) if one.id == "environment"]) == 1
