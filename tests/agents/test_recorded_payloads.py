"""What real agents sent is answered so that they block what is denied, and only that; VS Code's payload is made up."""

import json
import subprocess
from pathlib import Path

import pytest

from cortex_policy.manage.hooks.agent_behaviour import HookEnd, is_call_blocked
from cortex_policy.manage.hooks.trial_payload import make_trial_payload
from tests.support.command import PROGRAM
from tests.support.hook_calls import PAYLOADS, RULES
from tests.support.roots import grant_file

ACTIONS = {"fs.read": "read", "fs.write": "write", "shell": "run", "mini": "mark"}


def write_grants(root: Path, *, allows: bool) -> None:
    """Write the grants that the rules name."""
    for grant_id, action in ACTIONS.items():
        grant = {"tool": grant_id, "actions": [action] if allows else [], "rate": {"perMinute": 60}}
        grant_file(root, grant_id).write_text(json.dumps(grant))


def ask(agent: str, payload: str, root: Path) -> HookEnd:
    """Run the hook as a process."""
    words = [*PROGRAM, "hook", agent, "--root", str(root)]
    done = subprocess.run(words, input=payload, capture_output=True, text=True, check=False, cwd=root, timeout=60)
    return HookEnd(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def guarded_root(root: Path) -> Path:
    """Put into the root the rules for what was recorded, and a directory that an agent was in."""
    (root / "sub").mkdir()
    (root / ".cortex" / "policy" / "hooks.toml").write_text(RULES)
    return root


@pytest.mark.parametrize("file", PAYLOADS, ids=lambda file: file.stem)
def test_a_recorded_call_is_blocked_if_and_only_if_it_is_denied(file: Path, guarded_root: Path) -> None:
    """Each was sent by the real program, or by Cursor's published runner."""
    agent, elsewhere = file.stem.partition("-")[0], str(guarded_root / "docs")
    payload = file.read_text().replace("/repo", str(guarded_root)).replace("/elsewhere", elsewhere)
    write_grants(guarded_root, allows=True)
    assert ask(agent, payload, guarded_root) == HookEnd(0, "{}\n", "")
    write_grants(guarded_root, allows=False)
    end = ask(agent, payload, guarded_root)
    assert is_call_blocked(agent, end)
    assert "denied by rule" in end.stderr


def test_a_call_of_vs_code_is_blocked_if_and_only_if_it_is_denied(guarded_root: Path) -> None:
    """As its documentation has the payload."""
    payload = make_trial_payload("vscode", "Bash", {"command": "make"}, str(guarded_root))
    write_grants(guarded_root, allows=True)
    assert ask("vscode", payload, guarded_root) == HookEnd(0, "{}\n", "")
    write_grants(guarded_root, allows=False)
    assert is_call_blocked("vscode", ask("vscode", payload, guarded_root))
