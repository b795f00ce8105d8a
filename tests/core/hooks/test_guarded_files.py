"""Files that decide what agents and their hooks do are closed to every tool, however they are spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.hooks.guarded_files import (
    READERS,
    find_guarded_command_denial_text,
    find_guarded_path_denial_text,
)
from cortex_policy.core.hooks.hook_rules import HookRules
from tests.support.hook_calls import HOME, call, ruling

PASS = HookRules("pass", ("/etc/agents/settings", "/opt/config"), ())
GUARDED = [
    ".claude/settings.json", ".claude/settings.local.json", ".claude/settings-x.json", ".claude/agents",
    ".claude/agents/reviewer.md", ".codex", ".codex/config.toml", ".codex/hooks.json", ".gemini", ".gemini/settings.json",
    ".github/hooks/x.json", ".github/copilot/settings.json", ".copilot", ".copilot/hooks/x.json", ".cursor/hooks.json",
    ".vscode/mcp.json", ".mcp.json", ".cursor/mcp.json", ".env", ".gemini/.env", ".cortex", ".cortex/policy/hooks.toml",
    ".codex/skills/../config.toml", ".gemini/tmp/.env", ".codex/sessions/.codex/x",
]  # fmt: skip
ENDS = ["", "/", ".", "./", "/.", "//.//", "x/..", "./x/../"]
FREE = [
    ".claude/commands/x.md", ".claude/settings.json.md", ".claude/plans/x", ".codex/skills/x", ".codex/sessions/x",
    ".copilot/session-state/x", ".gemini/tmp/x", ".gemini/GEMINI.md", ".codex/AGENTS.md", ".codex/memories/x",
    ".github/workflows/x.yml", ".cursor/rules/x", ".vscode/settings.json", ".envrc", ".env.example", "x.env", "codex/x",
    "settings.json", "mcp.json", ".cortexes", "a/.claude.json",
]  # fmt: skip


def is_denied(path: str, tool: str = "Write", **more: str) -> bool:
    """Whether a tool without a rule may not touch a path."""
    return ruling(call(tool, inputs={"file_path": path}, **more), PASS).denial != ""


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "top", ["", "./", "deep/er/", "/repo/", "/home/u/", "~/", "$HOME/", "${HOME}/", "a/../", "//repo//"]
)
def test_a_guarded_file_is_denied_at_any_depth(path: str, top: str) -> None:
    """Below the root, the payload's directory, or home."""
    assert is_denied(top + path)
    assert is_denied(top + path + "/")
    assert is_denied((top + path).replace(".c", ".C").replace(".g", ".G").replace("s", "S").replace("$HOME", "~"))


@pytest.mark.parametrize("path", FREE)
@pytest.mark.parametrize("top", ["", "/repo/a/", "~/"])
def test_files_beside_guarded_ones_are_not_guarded(path: str, top: str) -> None:
    """Skills, sessions and the like are what agents write themselves."""
    assert not is_denied(top + path)


@pytest.mark.parametrize(
    "path",
    [
        ".//.claude//settings.json", "./.claude/./settings.json", "x/../.claude/settings.json", " .env", ".env ",
        ".claude\\settings.json", "file:///repo/.env", "FILE:///repo/%2Eenv", "file:/repo/.claude/settings%2ejson",
        "file://localhost/repo/.codex/config.toml", "file:.env", ".\u200denv", ".\ufeffcodex/config.toml",
        ".claude/\u017fettings.json", "/opt/config", "/opt/config/x", "/OPT/Config/x", "/opt/x/../config/x",
        "/etc/agents/settings", ".claude", ".github", "a/.cursor/", ".vscode", ".env/bin/python",
    ],
)  # fmt: skip
def test_every_spelling_of_a_guarded_file_is_denied(path: str) -> None:
    """As programs, file systems and URLs spell one file."""
    assert is_denied(path)


def test_a_listed_file_is_denied_in_any_normal_form() -> None:
    """Some file systems take both for one name."""
    given = HookRules("pass", ("/home/jos\u00e9/settings",), ())
    for path in ("/home/jos\u00e9/settings", "/home/jose\u0301/settings", "/HOME/JOSE\u0301/Settings/x"):
        assert ruling(call("Write", inputs={"path": path}), given).denial
    assert not ruling(call("Write", inputs={"path": "/home/jose/settings"}), given).denial


def test_the_directory_of_all_files_can_be_listed() -> None:
    """Then each path is guarded."""
    all_listed = HookRules("pass", ("/",), ())
    assert ruling(call("Write", inputs={"file_path": "x"}), all_listed).denial
    assert find_guarded_command_denial_text("cat /etc/hosts", ("/repo",), all_listed, HOME)


@pytest.mark.parametrize("path", ["x\0y", ".env\0", "\ud800"])
def test_a_path_that_cannot_exist_is_denied(path: str) -> None:
    """A program may read it only in part."""
    assert is_denied(path)


def test_every_path_in_the_inputs_is_checked() -> None:
    """Nested ones, arrays, names in any case, and URLs of files by any name."""
    for inputs in (
        {"edits": [{"file_path": "a"}, {"file_path": ".env"}]},
        {"PATHS": ["a", ".env"]},
        {"options": {"output_File": ".env"}},
        {"source": "a", "destination": ".env"},
        {"uri": "file:///repo/.env"},
        {"resources": [{"uri": " File:///repo/.env"}]},
        {"cwd": "/repo/.codex"},
        {"path": [{"x": ".env"}]},
        {"file_path": "settings.json", "dir_path": ".claude"},
        {"file_path": "settings.json", "options": {"working_directory": "/elsewhere/.claude"}},
    ):
        assert ruling(call("any", inputs=inputs), PASS).denial, inputs
        assert ruling(call("any", inputs=inputs, mcp=(("s", "t"),)), PASS).denial, inputs


def test_a_relative_path_starts_at_the_directory_of_the_payload() -> None:
    """The agent may have changed into it."""
    assert is_denied("settings.json", cwd="/repo/.claude")
    assert is_denied("../.env", cwd="/repo/a")
    assert not is_denied("settings.json", cwd="/repo")


@pytest.mark.parametrize("tool", sorted(READERS))
def test_known_readers_may_read_all_but_secrets(tool: str) -> None:
    """A model may look at its settings."""
    for path in GUARDED:
        assert is_denied(path, tool) == (".env" in path), path
    assert not is_denied("/opt/config", tool)
    assert is_denied(".ENV", tool)


def test_a_reader_is_known_by_its_exact_name_and_is_never_an_mcp_tool() -> None:
    """A server may call anything `read_file`."""
    assert is_denied(".codex/config.toml", "read")
    assert is_denied(".codex/config.toml", "NotebookRead")
    assert ruling(
        call(
            "read_file",
            mcp=(("s", "read_file"),),
            inputs={"path": ".codex/x"},
        ),
        PASS,
    ).denial


@pytest.mark.parametrize(
    "inputs",
    [
        {"glob": ".env"}, {"glob": "**/.env"}, {"include": ["*.ts", ".ENV"]}, {"glob": "{.env,x}"}, {"glob": ".env*"}, {"glob": ".e?v"},
        {"include": [".en[v]"]}, {"glob": "\\.env"}, {"pattern": "**/.env"}, {"INCLUDE_PATTERN": "a/.env"}, {"deep": [{"glob": ".env"}]},
        {"glob": ".e{nv,x}"}, {"glob": "**/.{env,x}"}, {"glob": "{.,x}{env,y}"},
    ],
)  # fmt: skip
def test_a_pattern_that_names_secrets_is_denied(inputs: dict[str, object]) -> None:
    """A search would show what is in them."""
    assert ruling(call("Glob", inputs=inputs), PASS).denial


@pytest.mark.parametrize(
    "inputs",
    [{"glob": "*.ts"}, {"glob": "*"}, {"glob": ".*"}, {"glob": "**/.eslint*"}, {"glob": ".envrc"}, {"glob": "*.env"}],
)
def test_other_patterns_are_not_denied(inputs: dict[str, object]) -> None:
    """They name more than secrets, or something else."""
    assert not ruling(call("Grep", inputs=inputs), PASS).denial
    assert not ruling(call("Grep", inputs={"pattern": "process\\.env"}), PASS).denial


def test_the_reason_says_what_it_is_and_that_a_human_decides() -> None:
    """And no path of the policy."""
    why = ruling(call("Write", inputs={"file_path": ".cortex/policy/hooks.toml"}), PASS).denial
    assert "policy" in why
    assert ".cortex" not in why
    assert "only a human" in why
    assert "`.claude/settings.json`" in ruling(call("Write", inputs={"path": ".claude/settings.json"}), PASS).denial


def test_the_caller_gets_each_way_to_resolve() -> None:
    """A link may lead to a guarded file, so each path is resolved, from each directory."""
    asked = call("any", inputs={"path": "a/../b", "dir_path": "sub", "files": ["/x//y", "~/z", "file:///q%20r"]})
    assert ruling(asked, PASS).paths == (
        "/repo/a/../b", "/repo/sub/a/../b", "/repo/sub", "/repo/sub/sub", "/x//y", "/repo/~/z", "/repo/sub/~/z",
        "/home/u/z", "/repo/file:///q%20r", "/repo/sub/file:///q%20r", "/q r",
    )  # fmt: skip


def test_where_a_path_resolves_to_is_asked_in_the_same_way() -> None:
    """By the place that the kernel found."""
    one = call("Write")
    assert find_guarded_path_denial_text("/repo/.claude/settings.json", one, PASS)
    assert find_guarded_path_denial_text("/opt/config/x", one, PASS)
    assert find_guarded_path_denial_text("/repo/src/x", one, PASS) == ""
    assert find_guarded_path_denial_text("/", one, PASS) == ""


@given(st.sampled_from(GUARDED), st.text("ab./", max_size=12), st.sampled_from(ENDS), st.randoms())
def test_a_guarded_name_in_any_case_and_depth_is_denied(path: str, top: str, end: str, chance: object) -> None:
    """With any directory before it, and slashes and dots behind it that lead nowhere else."""
    cased = "".join(one.upper() if chance.random() < 0.5 else one for one in path)  # type: ignore[attr-defined]
    assert is_denied(f"{top}/{cased}/{end}")


@pytest.mark.parametrize(
    "command",
    [
        "cat .env", "cat ./.env", "cat '.env'", 'cat ".ENV"', "cat<.env", "X=.env", "a:.env:b", "echo x>.env", "(cat .env)",
        "ls .cortex", "ls .cortex/", "rm -rf .codex", "vi ~/.claude/settings.json", "cat $HOME/.gemini/settings.json",
        "cat a,.env", "cp x .claude/agents/y.md", "ls .claude/agents", "ls .github/copilot", "x .vscode/mcp.json",
        "git commit -m 'read .env'", "cat .//.claude//settings.json", "cat .claude/./settings.json", "cat .codex/skills/../x",
        "cat .e''nv", "cat .e\\nv", "cat .co\\\ndex/x", "cat .mcp.json|sh", "cat /OPT/config/x", "tar cf x /opt/config",
        "cat `echo .env`", "cat $(echo .env)", "a\t.env", "a\r\n.env", "cat x/.env/y", "cat ~/../../opt/config",
        "cp x {.codex,b}/config.toml", "echo `.env`", "cat .e\\\nnv", "cd .claude && cat > settings.json",
        "cd ~/repo/.github; rm -r hooks", "(pushd '.claude/'\necho > settings.local.json)",
    ],
)  # fmt: skip
def test_a_shell_word_that_names_a_guarded_file_denies(command: str) -> None:
    """Split at blanks, quotes and `= : , ; | & < > ( )`, and once more without quotes."""
    assert find_guarded_command_denial_text(command, ("/repo",), PASS, HOME)
    if "opt" not in command.casefold():  # which is listed
        assert find_guarded_command_denial_text(command, ("/repo",), HookRules("pass", (), ()), HOME)


@pytest.mark.parametrize(
    "command",
    [
        "ls", "ls .claude", "cat .env.example", "cat .envrc", "echo env", "cat .codex/skills/x", "git add .github/workflows",
        "cat settings.json", "ls .vscode", "cat .claude/commands/x", "cat /etc/agents", "python x.env.py", "cat /optional/config",
        "cd src && cat settings.json", "ls .claude && cat settings.json",
    ],
)  # fmt: skip
def test_other_shell_words_do_not_deny(command: str) -> None:
    """Names are compared whole."""
    assert find_guarded_command_denial_text(command, ("/repo",), PASS, HOME) == ""


def test_a_bare_name_in_a_directory_of_an_agent_is_a_guarded_file() -> None:
    """The shell may have changed into it."""
    assert find_guarded_command_denial_text("cat > settings.json", ("/repo/.claude",), PASS, HOME)
    assert find_guarded_command_denial_text("rm hooks/x", ("/repo", "/repo/.github"), PASS, HOME)
    assert find_guarded_command_denial_text("cat > settings.json", ("/repo",), PASS, HOME) == ""
