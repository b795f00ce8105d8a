"""The page about agents: its commands guard each agent, and its table has what was tried."""

import os
import re
from pathlib import Path

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.manage.hooks.agent_behaviour import is_call_blocked
from cortex_policy.manage.hooks.hook_command import run_hook_command
from cortex_policy.manage.hooks.runnable_hook_command import make_runnable_hook_command_or_none
from cortex_policy.manage.hooks.status import read_hook_status_of_each_agent
from cortex_policy.manage.hooks.targets import AGENT_FILES
from cortex_policy.manage.hooks.trial_payload import make_trial_payload
from tests.agents.programs import PROGRAMS
from tests.agents.trial import SITUATIONS
from tests.support.checkout import page
from tests.support.command import run_command

PAGE = page("agents")
COMMANDS = re.findall(r"^cortex-policy ([^#\n]*?) +#", PAGE, re.MULTILINE)
WRITES = {"claude": ("Write", "file_path"), "codex": ("apply_patch", "command"), "gemini": ("write_file", "file_path"),
          "cursor": ("Write", "path"), "copilot": ("create", "path"), "vscode": ("create_file", "filePath")}  # fmt: skip


def is_blocked(agent: str, root: Path, name: str) -> bool:
    """Run the installed line of an agent for a write; tell whether the agent would block it."""
    (status,) = (one for one in read_hook_status_of_each_agent(str(root), os.environ) if one.agent == agent)
    line = make_runnable_hook_command_or_none(agent, status.hooks[0].handler)
    assert line is not None
    tool, key = WRITES[agent]
    value = f"*** Begin Patch\n*** Add File: {name}\n+x\n*** End Patch\n" if tool == "apply_patch" else f"{root}/{name}"
    end = run_hook_command(line, make_trial_payload(agent, tool, {key: value}, str(root)), str(root), {}).end
    assert end.code in (0, 2), end
    return is_call_blocked(agent, end)


@pytest.mark.usefixtures("agents_home")
@pytest.mark.parametrize("agent", AGENTS)
def test_five_commands_guard_an_agent(agent: str, root: Path) -> None:
    """From nothing; the fifth tries what the first four have made, and has its own tests."""
    *setup, doctor = (command.replace("claude", agent) for command in COMMANDS)
    assert (len(setup), doctor) == (3, f"hook doctor {agent}")
    for command in setup:
        asks = command.startswith("hook")
        more = ["--agent", agent] if command == "hook init" else []
        run_command(*command.split(), *more, *(["--yes"] if asks else []))
    assert not is_blocked(agent, root, "docs/new.md")
    assert is_blocked(agent, root, "Makefile")


def test_each_agent_has_its_command() -> None:
    """In the order of the help."""
    assert re.findall(r"^\| ([\w ]+) \| `cortex-policy hook install (\w+)` \|", PAGE, re.MULTILINE) == [
        (AGENT_FILES[agent].title, agent) for agent in AGENTS
    ]


def test_the_table_has_every_situation_and_the_versions_that_were_run() -> None:
    """`python -m tests.agents.run` prints it."""
    header, _, *rows = re.findall(r"^\|.*\|$", PAGE.partition("tests.agents.run")[2], re.MULTILINE)
    programs = [f"{AGENT_FILES[agent].title} {program.version}" for agent, program in PROGRAMS.items()]
    assert header == f"| situation | {' | '.join(programs)} |"
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(SITUATIONS)
    assert all(re.fullmatch(r"\d+ denied, \d+ ran", cell) for row in rows for cell in row.strip("| ").split(" | ")[1:])
