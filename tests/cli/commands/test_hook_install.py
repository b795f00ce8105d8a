"""`hook install` and `hook uninstall`."""

import json
import stat
import tomllib
from pathlib import Path

import pytest

from cortex_policy.cli.commands.hook_install import Agent
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.manage.hooks.own_hook_handlers import ParsedHookCommand, parse_own_hook_handler_or_none
from tests.support.agent_settings import SETTINGS, settings_of
from tests.support.command import run_command

pytestmark = pytest.mark.usefixtures("agents_home", "startable_program")


def handlers_in(text: str) -> list[dict[str, object]]:
    """Return all handlers of a document without comments."""
    events = json.loads(text)["hooks"].values()
    entries = [entry for entries in events for entry in entries]
    return [handler for entry in entries for handler in entry.get("hooks", [entry])]


def line_in(file: Path) -> ParsedHookCommand:
    """Return the only line of this program in a settings file."""
    lines = list(filter(None, map(parse_own_hook_handler_or_none, handlers_in(file.read_text()))))
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("name", SETTINGS)
def test_install_and_uninstall_give_the_file_back_byte_for_byte(name: str) -> None:
    """And a second install changes nothing."""
    agent, text = SETTINGS[name]
    file = settings_of(agent)
    file.parent.mkdir(parents=True)
    if text is not None:
        file.write_bytes(text.encode())
    run_command("hook", "install", agent, "--yes")
    installed = file.read_bytes()
    assert b"--install" in installed
    assert "nothing to do" in run_command("hook", "install", agent, "--yes").stdout
    assert file.read_bytes() == installed
    run_command("hook", "uninstall", agent, "--yes")
    assert (file.read_bytes().decode() if file.exists() else None) == text
    assert "nothing to do" in run_command("hook", "uninstall", agent, "--yes").stdout


@pytest.mark.parametrize("agent", AGENTS)
def test_the_line_names_everything_by_absolute_paths(agent: str, agents_home: Path, root: Path) -> None:
    """No variable of the agent's environment, and a tag."""
    run_command("hook", "install", agent, "--yes")
    line = line_in(settings_of(agent))
    assert (line.agent, line.root) == (agent, str(root))
    assert line.tag.startswith(f"{agent}-user-")
    words = line.command.split()
    before, _, environment = line.command.partition(f"/usr/bin/env -i HOME={agents_home} ")
    assert environment.split()[1] == "-I"
    assert not before or "/usr/bin/env -i /bin/sh -c " in before
    assert words[words.index("--deadline") + 1] == "8"


def test_no_two_lines_have_the_same_tag(root: Path) -> None:
    """So that each call is counted once, however many lines deliver it."""
    tags = set()
    for agent in AGENTS:
        run_command("hook", "install", agent, "--yes")
        tags.add(line_in(settings_of(agent)).tag)
    run_command("hook", "install", "claude", "--project", "--yes")
    tags.add(line_in(root / ".claude/settings.json").tag)
    assert len(tags) == 7


@pytest.mark.parametrize(
    ("agent", "members"),
    [
        ("claude", {"timeout": 20, "onFailure": "block"}),
        ("codex", {"timeout": 20}),
        ("gemini", {"timeout": 20_000}),
        ("cursor", {"timeout": 20, "failClosed": True}),
        ("copilot", {"timeoutSec": 20}),
        ("vscode", {"timeout": 20}),
    ],
)
def test_the_time_limit_and_the_switch_are_set(agent: str, members: dict[str, object]) -> None:
    """In the agent's own words."""
    run_command("hook", "install", agent, "--yes")
    handler = handlers_in(settings_of(agent).read_text())[0]
    assert members.items() <= handler.items()
    assert ("exec 3<&0" in str(handler)) == (agent not in ("claude", "cursor"))


def test_an_entry_of_an_older_version_is_replaced() -> None:
    """Also one made by hand beside a hook of others, which stays."""
    file = settings_of("claude")
    file.parent.mkdir()
    old = {"type": "command", "command": "/old/cortex-policy hook claude --root /r"}
    other = {"type": "command", "command": "other"}
    file.write_text(json.dumps({"hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [old, other]}]}}))
    run_command("hook", "install", "claude", "--yes")
    assert line_in(file).root != "/r"
    assert other in handlers_in(file.read_text())
    run_command("hook", "uninstall", "claude", "--yes")
    assert handlers_in(file.read_text()) == [other]


@pytest.mark.parametrize("agent", ["claude", "gemini", "cursor", "copilot"])
def test_in_a_project_the_agent_says_where_the_root_is(agent: str, root: Path) -> None:
    """By the one variable that it sets itself."""
    done = json.loads(run_command("hook", "install", agent, "--project", "--yes", "--json").stdout)
    assert Path(done["file"]).is_relative_to(root)
    assert line_in(Path(done["file"])).root == "$CLAUDE_PROJECT_DIR"
    assert '--root "$CLAUDE_PROJECT_DIR"' in line_in(Path(done["file"])).command
    run_command("hook", "uninstall", agent, "--project", "--yes")
    assert not Path(done["file"]).exists()


@pytest.mark.parametrize("agent", ["codex", "vscode"])
def test_an_agent_that_does_not_name_its_project_gets_no_line_there(agent: str) -> None:
    """`--user` is what works."""
    done = run_command("hook", "install", agent, "--project", "--yes", code=3)
    assert "hint: use `--user`" in done.stderr


def test_an_install_without_an_answer_shows_the_change_and_writes_nothing() -> None:
    """There is no terminal here."""
    done = run_command("hook", "install", "claude", code=3)
    assert '+            "onFailure": "block"' in done.stdout
    assert "add `--yes`" in done.stderr
    assert not settings_of("claude").exists()


def test_a_dry_run_writes_nothing() -> None:
    """And says what is left to do as well."""
    done = run_command("hook", "install", "codex", "--dry-run")
    assert "+++ " in done.stdout
    assert "trust the hook in `/hooks` of Codex" in done.stdout
    assert not settings_of("codex").exists()


@pytest.mark.parametrize(
    ("agent", "text", "said"),
    [
        ("claude", '{ // c\n "a": 1}', "it has a comment in line 1, so Claude Code ignores the whole file"),
        (
            "codex",
            '{\n"a": [1,]}',
            "it has a comma before a closing bracket in line 2, so Codex ignores the whole file",
        ),
        ("codex", '\ufeff{"a": 1}', "it has a byte order mark in line 1, so Codex ignores the whole file"),
        ("claude", '{"a": 1', "line 1 column 8: expecting `,` or `}`"),
        ("claude", "[]", "it is not an object"),
        ("claude", '{"hooks": []}', "`hooks` is not an object"),
        ("claude", '{"hooks": {"PreToolUse": {}}}', "`hooks.PreToolUse` is not an array"),
        ("claude", '{"hooks": {}, "hooks": {}}', "`hooks` appears twice"),
        ("cursor", '{"hooks": {}}', 'it has no `"version": 1`'),
    ],
)
def test_a_file_that_its_agent_would_ignore_is_refused(agent: str, text: str, said: str) -> None:
    """Installed there, the hook would not run, and nobody would know."""
    file = settings_of(agent)
    file.parent.mkdir()
    file.write_bytes(text.encode())
    done = run_command("hook", "install", agent, "--yes", code=3)
    assert said in done.stderr
    assert file.read_bytes() == text.encode()


@pytest.mark.parametrize("name", ["CORTEX_POLICY_UNDECLARED_ARGS", "CORTEX_POLICY_STATE_DIR", "CORTEX_AUDIT_LOG"])
def test_a_setting_that_the_hook_will_not_see_is_refused(name: str) -> None:
    """The hook believes no variable."""
    done = run_command("hook", "install", "claude", "--yes", code=3, **{name: "/x"})
    assert f"the hook ignores settings in the environment: `{name}`" in done.stderr


def test_settings_that_only_a_variable_finds_are_refused(tmp_path: Path) -> None:
    """Without settings there, the variable does not matter."""
    directory = tmp_path / "config/cortex-policy"
    assert run_command("hook", "install", "claude", "--yes", XDG_CONFIG_HOME=str(tmp_path / "config")).returncode == 0
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text("")
    done = run_command("hook", "install", "claude", "--yes", code=3, XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert "the hook ignores `XDG_CONFIG_HOME`" in done.stderr


def test_mode_and_link_of_a_settings_file_stay(agents_home: Path) -> None:
    """People keep such files elsewhere, and link them."""
    file, real = settings_of("claude"), agents_home / "dotfiles/claude.json"
    real.parent.mkdir()
    file.parent.mkdir()
    real.write_text('{\n  "model": "opus"\n}\n')
    real.chmod(0o640)
    file.symlink_to(real)
    run_command("hook", "install", "claude", "--yes")
    assert file.is_symlink()
    assert "onFailure" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    run_command("hook", "uninstall", "claude", "--yes")
    assert real.read_text() == '{\n  "model": "opus"\n}\n'


RULES = 'format = 1\nunmapped = "deny"\n'


@pytest.mark.parametrize("variable", ["CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "GEMINI_CLI_HOME"])
def test_settings_that_a_variable_moved_are_found_and_guarded(variable: str, root: Path, tmp_path: Path) -> None:
    """The hook guards only the usual places by itself."""
    rules, moved = root / ".cortex/policy/hooks.toml", tmp_path / "moved"
    rules.write_text(RULES)
    agent = {"CLAUDE_CONFIG_DIR": "claude", "CODEX_HOME": "codex", "COPILOT_HOME": "copilot"}.get(variable, "gemini")
    done = run_command("hook", "install", agent, "--yes", "--json", **{variable: str(moved)})
    file = json.loads(done.stdout)["file"]
    assert Path(file).is_relative_to(moved)
    directory = moved / ".gemini" if agent == "gemini" else moved
    assert tomllib.loads(rules.read_text())["guard"] == [file, str(directory)]
    text = rules.read_text()
    run_command("hook", "install", agent, "--yes", **{variable: str(moved)})
    assert rules.read_text() == text


def test_settings_behind_a_link_are_guarded(agents_home: Path, root: Path) -> None:
    """Under the name that no agent knows."""
    rules, real = root / ".cortex/policy/hooks.toml", agents_home / "dotfiles/claude.json"
    rules.write_text(RULES)
    real.parent.mkdir()
    real.write_text("{}")
    settings_of("claude").parent.mkdir()
    settings_of("claude").symlink_to(real)
    run_command("hook", "install", "claude", "--dry-run")
    assert rules.read_text() == RULES
    run_command("hook", "install", "claude", "--yes")
    assert tomllib.loads(rules.read_text())["guard"] == [str(real)]


def test_without_rules_the_remaining_steps_are_printed() -> None:
    """Until then every call is denied."""
    steps = json.loads(run_command("hook", "install", "vscode", "--yes", "--json").stdout)["left_to_do"]
    assert steps[0]["command"] == "cortex-policy hook init"


def test_usual_settings_need_no_guard(root: Path) -> None:
    """The hook knows their names."""
    rules = root / ".cortex/policy/hooks.toml"
    rules.write_text(RULES)
    run_command("hook", "install", "claude", "--yes")
    assert rules.read_text() == RULES


def test_a_link_is_refused_where_the_agent_reads_none_or_nothing_is_behind_it(agents_home: Path) -> None:
    """Cursor refuses links."""
    file = settings_of("cursor")
    file.parent.mkdir()
    file.symlink_to(agents_home / "other.json")
    assert "the agent does not follow links" in run_command("hook", "install", "cursor", "--yes", code=3).stderr
    file = settings_of("claude")
    file.parent.mkdir()
    file.symlink_to(agents_home / "other.json")
    assert "leads nowhere" in run_command("hook", "install", "claude", "--yes", code=3).stderr


def test_the_agents_of_the_argument_are_those_that_hooks_know() -> None:
    """In the same order."""
    assert tuple(Agent) == AGENTS


def test_two_levels_at_once_are_a_usage_error() -> None:
    """It writes one file."""
    done = run_command("hook", "install", "claude", "--user", "--managed", code=2)
    assert "`--user` and `--managed` cannot be combined" in done.stderr
