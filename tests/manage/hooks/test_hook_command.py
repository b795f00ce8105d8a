"""A line is run as its agent would run it."""

import shlex
import sys
from pathlib import Path

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.manage.hooks.agent_behaviour import HookEnd
from cortex_policy.manage.hooks.hook_command import HookCommand, run_hook_command

WORDS = (
    "/usr/bin/python3",
    "-I",
    "/opt/my program/cortex-policy",
    "hook",
    "claude",
    "--root",
    "/srv/it's",
    "--deadline",
    "8",
)
TEXT = shlex.join(WORDS)
PROGRAM, ROOT = "/opt/my program/cortex-policy", "/srv/it's"


def python_line(agent: str, program: str, timeout_seconds: float = 20) -> HookCommand:
    """Return a line that runs a Python program."""
    return HookCommand(agent, (shlex.join([sys.executable, "-c", program]),), "", "", timeout_seconds, is_shell=True)


def shell_line(agent: str, text: str, timeout_seconds: float) -> HookCommand:
    """Return a line that a shell runs."""
    return HookCommand(agent, (text,), "", "", timeout_seconds, is_shell=True)


def test_the_words_of_a_line_get_another_root_and_program() -> None:
    """In a line that no shell reads."""
    line = HookCommand("claude", WORDS, PROGRAM, ROOT, 10).with_root("/new").with_program("/new/x")
    assert line.words == ("/usr/bin/python3", "-I", "/new/x", "hook", "claude", "--root", "/new", "--deadline", "8")


def test_the_text_of_a_line_gets_another_root_and_program() -> None:
    """In a line for a shell, with its quotes, and in a wrapper too."""
    text = f"{shlex.join(['/opt/a b/cortex-policy', 'hook', 'codex', '--root', '/srv/a b'])} || exit 2"
    line = HookCommand("codex", (text,), "/opt/a b/cortex-policy", "/srv/a b", 10, is_shell=True)
    changed = line.with_root("/new").with_program("/new/x").words[0]
    assert shlex.split(changed) == ["/new/x", "hook", "codex", "--root", "/new", "||", "exit", "2"]


def test_only_the_root_changes_if_the_program_is_below_it() -> None:
    """A venv may be in the project."""
    words = ("/srv/repo/.venv/bin/cortex-policy", "hook", "codex", "--root", "/srv/repo")
    line = HookCommand("codex", words, words[0], "/srv/repo", 10).with_root("/new")
    assert line.words == (*words[:-1], "/new")


def test_a_root_that_a_variable_names_stays() -> None:
    """The trial sets the variable."""
    line = HookCommand("claude", ('prog hook claude --root "$CLAUDE_PROJECT_DIR"',), "prog", "", 10, is_shell=True)
    assert line.with_root("/new") == line


@pytest.mark.parametrize("agent", AGENTS)
def test_a_line_gets_the_payload_the_directory_and_the_variables(agent: str, tmp_path: Path) -> None:
    """And what it says is kept apart."""
    program = "import os, sys; print(sys.stdin.read(), os.getcwd(), os.environ['MORE']); sys.exit('why')"
    end = run_hook_command(python_line(agent, program), "payload", str(tmp_path), {"MORE": "more"}).end
    assert end == HookEnd(1, f"payload {tmp_path} more\n", "why\n")


def test_a_line_that_is_killed_has_no_exit_code(tmp_path: Path) -> None:
    """Where no shell is between."""
    line = HookCommand("claude", (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), "", "", 20)
    assert run_hook_command(line, "", str(tmp_path), {}).end == HookEnd(None)


def test_a_program_that_cannot_be_started_ends_as_in_a_shell(tmp_path: Path) -> None:
    """It is missing."""
    line = HookCommand("claude", (str(tmp_path / "missing"),), "", "", 20, fail_closed=True)
    assert run_hook_command(line, "", str(tmp_path), {}).end == HookEnd(127, fail_closed=True)


def test_a_line_that_hangs_meets_the_time_out_of_its_agent(tmp_path: Path) -> None:
    """What it said before is kept."""
    end = run_hook_command(shell_line("codex", "echo '{}'; sleep 600", 1), "", str(tmp_path), {}).end
    assert end == HookEnd(None, "{}\n", timed_out=True)


@pytest.mark.parametrize("agent", AGENTS)
def test_a_child_that_keeps_the_outputs_is_waited_for_by_all_but_claude(agent: str, tmp_path: Path) -> None:
    """Claude Code decides when the process ends."""
    seconds = 1 if agent == "claude" else 0.1  # it is waited for so long, in which the shell must have ended
    end = run_hook_command(shell_line(agent, "sleep 600 & exit 2", seconds), "", str(tmp_path), {}).end
    assert end.timed_out is (agent != "claude")
