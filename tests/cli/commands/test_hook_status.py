"""`hook status`: who has a hook, and what keeps an agent from running it."""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.manage.hooks.codex_trust import hash_hook_definition
from cortex_policy.manage.hooks.handlers import list_handlers_of_all_events
from cortex_policy.manage.hooks.jsonc import parse_jsonc
from tests.support.agent_settings import install_hook, settings_of
from tests.support.command import result_of, run_command

pytestmark = pytest.mark.usefixtures("agents_home", "startable_program")


def statuses(code: int = 0) -> dict[str, dict[str, Any]]:
    """Return what `hook status` says of each agent."""
    found = json.loads(run_command("hook", "status", "--json", code=code).stdout)["agents"]
    return {one["agent"]: one for one in found}


def trust_in_codex(hash_: str = "") -> None:
    """Write what Codex writes when a person trusts the hook."""
    file = settings_of("codex")
    place = list_handlers_of_all_events(parse_jsonc(file.read_text()))[0]
    lines = [
        f'[hooks.state."{os.path.realpath(file)}:pre_tool_use:0:0"]',
        f'trusted_hash = "{hash_ or hash_hook_definition(place)}"',
    ]
    (file.parent / "config.toml").write_text("\n".join(lines) + "\n")


def test_without_hooks_each_agent_has_none() -> None:
    """Settings of others are no problem, whatever is in them."""
    settings_of("claude").parent.mkdir()
    settings_of("claude").write_text('{"disableAllHooks": true, /* broken }')
    found = statuses()
    assert list(found) == list(AGENTS)
    assert all(not one["hooks"] and not one["problems"] for one in found.values())


@pytest.mark.parametrize("agent", [agent for agent in AGENTS if agent != "codex"])
def test_an_installed_line_is_current(agent: str, root: Path) -> None:
    """With its root, tag and command."""
    install_hook(agent)
    one = statuses()[agent]
    hook = one["hooks"][0]
    assert (hook["is_current"], hook["level"], hook["root"], hook["trust"]) == (True, "user", str(root), None)
    assert f"--install {hook['tag']}" in hook["command"]
    assert one["problems"] == []
    assert f"{agent}\tuser\tcurrent\t{root}\t{settings_of(agent)}\n" in run_command("hook", "status").stdout


def test_a_line_of_codex_runs_only_if_it_is_trusted() -> None:
    """And again after each change: Codex keeps a hash of the definition."""
    install_hook("codex")
    assert "it is not trusted; trust the line in `/hooks`" in statuses(1)["codex"]["problems"][0]
    trust_in_codex()
    assert statuses()["codex"]["hooks"][0]["trust"] == "trusted"
    trust_in_codex("sha256:0")
    assert statuses(1)["codex"]["hooks"][0]["trust"] == "changed since it was trusted"


@pytest.mark.parametrize("key", ["trustedFolders", "trusted_folders"])
def test_copilot_runs_hooks_of_a_project_only_in_a_trusted_folder(key: str, root: Path) -> None:
    """Or in one below; Copilot CLI 1.0.102 takes both names of the list."""
    install_hook("copilot", "--project")
    assert "it is not trusted; start the agent in that folder" in statuses(1)["copilot"]["problems"][0]
    config = settings_of("copilot").parent.parent / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({key: [f"{root}x", "x", 1]}))
    assert statuses(1)["copilot"]["hooks"][0]["trust"] == "not trusted"
    config.write_text(json.dumps({key: [str(root.parent)]}))
    assert statuses()["copilot"]["hooks"][0]["trust"] == "trusted"


def test_the_hash_of_a_definition_is_that_of_codex() -> None:
    """Codex 0.171.0 ran this hook with this hash, and skipped it with another."""
    text = '{"hooks":{"PreToolUse":[{"matcher":"*","hooks":[{"type":"command","command":"é x","timeout":2}]}]}}'
    known = '{"event_name":"pre_tool_use","hooks":[{"async":false,"command":"é x","timeout":2,"type":"command"}],"matcher":"*"}'
    place = list_handlers_of_all_events(parse_jsonc(text))[0]
    assert hash_hook_definition(place) == f"sha256:{sha256(known.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("agent", "file", "text", "said"),
    [
        ("claude", "root/.claude/settings.local.json", '{"disableAllHooks": true}', "`disableAllHooks` in"),
        ("claude", "home/.claude/settings.local.json", '{"disableAllHooks": true}', "`disableAllHooks` in"),
        ("gemini", "root/.gemini/settings.json", '{"hooksConfig": {"enabled": false}}', "`hooksConfig.enabled` in"),
        ("gemini", "root/.gemini/settings.json", '{"hooksConfig": {"disabled": ["cortex-policy"]}}', "`hooksConfig.disabled` in"),
        ("codex", "root/.codex/config.toml", "[features]\nhooks = false\n", "`features.hooks` in"),
        ("copilot", "root/.github/copilot/settings.json", '{"disableAllHooks": true}', "`disableAllHooks` in"),
        ("copilot", "root/.claude/settings.json", '{"disableAllHooks": true}', "`disableAllHooks` in"),
    ],
)  # fmt: skip
def test_a_word_that_switches_hooks_off_is_a_problem(
    agent: str, file: str, text: str, said: str, tmp_path: Path
) -> None:
    """Also one in a file of the repository, which an agent could have written."""
    install_hook(agent)
    if agent == "codex":
        trust_in_codex()
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    problems = statuses(1)[agent]["problems"]
    assert [problem.startswith(said) and "switches the hook off" in problem for problem in problems] == [True]


@pytest.mark.parametrize(
    ("agent", "before", "after", "said"),
    [
        ("claude", '"onFailure": "block"', '"onFailure": "continue"', "is not the one that `hook install` writes now"),
        ("claude", '"matcher": "*"', '"matcher": "Bash"', "is not the one that `hook install` writes now"),
        ("claude", '"hooks": {', '// mine\n"hooks": {', "Claude Code does not read"),
        ("copilot", '"version": 1', '"version": 1,', "Copilot CLI does not read"),
    ],
)  # fmt: skip
def test_a_line_that_was_changed_is_a_problem(agent: str, before: str, after: str, said: str) -> None:
    """It may not deny all that it should."""
    install_hook(agent)
    text = settings_of(agent).read_text()
    assert before in text
    settings_of(agent).write_text(text.replace(before, after, 1))
    assert said in statuses(1)[agent]["problems"][0]


def test_two_lines_are_noted() -> None:
    """They are no hole: a call is counted once."""
    install_hook("claude")
    install_hook("claude", "--project")
    one = statuses()["claude"]
    assert [hook["level"] for hook in one["hooks"]] == ["user", "project"]
    assert one["hooks"][1]["root"] == "$CLAUDE_PROJECT_DIR"
    assert "may run 2 lines for each call" in one["notes"][0]


def test_a_file_that_cannot_be_read_is_a_problem_only_beside_a_hook() -> None:
    """It could have the word that switches the hook off."""
    file = settings_of("claude").parent / "settings.local.json"
    file.parent.mkdir()
    file.symlink_to("/no/such")
    assert statuses()["claude"]["problems"] == []
    install_hook("claude")
    assert "is a link that leads nowhere" in statuses(1)["claude"]["problems"][0]


@pytest.mark.parametrize(
    "text",
    [
        '{"hooks": {"PreToolUse": [{"command": "cortex-policy hook claude --root \\ud83d", "timeout": '
        + "9" * 5000
        + "}]}}",
        '{"hooks": {"PreToolUse": [{"command": ["cortex-policy hook claude"], "args": {}}, 1, null, [[]]], "x": 1}}',
        '{"hooks": {"PreToolUse": [{"hooks": [{"command": "cortex-policy hook claude --root \'"}, "x", {}]}]}}',
        "[" * 20_000 + "cortex-policy",
        '{"hooks": {"hooks": {"hooks": []}}, "cortex-policy": 1, "cortex-policy": 1}',
        '{"cortex-policy": ' + '"\\"' * 40_000,
        "cortex-policy" + "/*" * 80_000,
        "//cortex-policy\n" * 20_000,
    ],
)
def test_hostile_settings_are_answered(text: str) -> None:
    """In time, with a problem or none, and never with a bug."""
    for agent in ("claude", "codex"):
        settings_of(agent).parent.mkdir(exist_ok=True)
        settings_of(agent).write_text(text)
    assert result_of("hook", "status", "--json").returncode in (0, 1)
    assert result_of("hook", "install", "codex", "--dry-run").returncode in (0, 3)
    assert result_of("hook", "uninstall", "codex", "--dry-run").returncode in (0, 3)
