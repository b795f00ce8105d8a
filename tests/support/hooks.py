"""Agents that ask a hook: payloads of all six, the process that answers, and what a denial looks like to each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortex_policy.core.hooks.payload import AGENTS
from tests.support.roots import grant_file

# a hook believes no variable, so that nothing but its own code can keep it from the state of whoever runs the tests
LAUNCH = """
import sys
state_dir, system, before = sys.argv[1:4]
sys.argv = ["cortex-policy", *sys.argv[4:]]
from cortex_policy import state
state.find_default_rate_state_directory = lambda: state_dir
state.SYSTEM_SETTINGS = system
exec(before)
from cortex_policy import main
main.main()
"""
RULES = """\
format = 1
unmapped = "deny"

[[rule]]
tools = ["Write", "write_file", "create"]
grant = "fs"
action = "write"
ignore = ["content"]
"""
GRANT: dict[str, Any] = {"tool": "fs", "actions": ["write"], "rate": {"perMinute": 1000}, "fsScope": ["docs"]}


@dataclass(frozen=True)
class Answer:
    """What an agent gets of its hook."""

    code: int
    out: bytes
    err: bytes


@dataclass
class Scene:
    """A root with a rule for writing, and everything else that a hook may look at."""

    root: Path
    top: Path
    words: list[str] = field(default_factory=list)
    before: str = ""  # code that breaks the program
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def policy(self) -> Path:
        """The directory of the policy."""
        return self.root / ".cortex" / "policy"

    @property
    def state(self) -> Path:
        """The directory of rate state."""
        return self.top / "state"

    @property
    def rules(self) -> Path:
        """The file of the rules."""
        return self.policy / "hooks.toml"

    def write_grant(self, **members: Any) -> None:
        """Replace members of the grant."""
        grant_file(self.root, "fs").write_text(json.dumps(GRANT | members))

    def argv(self, agent: str, words: list[str] | None = None) -> list[str]:
        """Return the command line of a hook."""
        words = words if words is not None else [agent, "--root", str(self.root), *self.words]
        system = str(self.top / "etc")
        return [sys.executable, "-I", "-c", LAUNCH, str(self.state), system, self.before, "hook", *words]

    def environment(self) -> dict[str, str]:
        """Return the variables of a hook."""
        return {"HOME": str(self.top / "home"), **self.variables}

    def ask(self, agent: str, data: bytes | None = None, words: list[str] | None = None, **options: Any) -> Answer:
        """Run a hook to its end."""
        given = self.payload(agent) if data is None else data
        if "stdin" not in options:
            options["input"] = given
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.root, **options}
        done = subprocess.run(self.argv(agent, words), env=self.environment(), timeout=60, check=False, **options)
        return Answer(done.returncode, done.stdout or b"", done.stderr or b"")

    def start(self, agent: str) -> "subprocess.Popen[bytes]":
        """Start a hook, and give it its payload."""
        process = subprocess.Popen(
            self.argv(agent), env=self.environment(), cwd=self.root,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(self.payload(agent))
        process.stdin.close()
        process.stdin = None
        return process

    def payload(self, agent: str, **more: Any) -> bytes:
        """Return what an agent sends before it writes a file that it may write."""
        return json.dumps(payload(agent, **{"cwd": str(self.root), "path": "docs/x", **more})).encode()

    def used(self) -> int:
        """Return the hits of the grant's budget."""
        from cortex_policy.state.ledger import Ledger  # noqa: PLC0415 - as a process would

        status = self.root.stat()
        return Ledger((status.st_dev, status.st_ino), str(self.state)).peek("fs", "write", 100_000).used


def make_scene(root: Path, top: Path) -> Scene:
    """Make a root in which each agent may write below `docs`."""
    scene = Scene(root, top)
    scene.write_grant()
    scene.rules.write_text(RULES)
    (top / "home").mkdir()
    return scene


def payload(
    agent: str,
    *,
    cwd: str,
    path: str = "docs/x",
    call: str = "call-1",
    session: str = "session-1",
    tool: str = "",
    inputs: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return what an agent sends before it runs a tool."""
    name = {"gemini": "write_file", "copilot": "create"}.get(agent, "Write")
    given = {"path" if agent == "copilot" else "file_path": path, "content": "text"} if inputs is None else inputs
    common = {"session_id": session, "cwd": cwd, "tool_name": tool or name, "tool_input": given}
    of_agent: dict[str, Callable[[], dict[str, Any]]] = {
        "claude": lambda: common | {"transcript_path": "/t", "permission_mode": "default", "hook_event_name": "PreToolUse", "tool_use_id": call},
        "codex": lambda: common | {"turn_id": "1", "model": "m", "transcript_path": None, "permission_mode": "default", "hook_event_name": "PreToolUse", "tool_use_id": call},
        "gemini": lambda: common | {"transcript_path": "/t", "hook_event_name": "BeforeTool", "timestamp": "2026-11-30T12:00:00.000Z"},
        "cursor": lambda: common | {"conversation_id": session, "generation_id": "g", "hook_event_name": "preToolUse", "cursor_version": "1", "workspace_roots": [], "tool_use_id": call},
        "copilot": lambda: {"sessionId": session, "timestamp": 1767225600000, "cwd": cwd, "toolName": tool or name, "toolArgs": given},
        "vscode": lambda: {"timestamp": "2026-11-30T12:00:00.000Z", "cwd": cwd, "sessionId": session, "hookEventName": "PreToolUse", "transcript_path": "/t", "tool_name": tool or name, "tool_input": given, "tool_use_id": call},
    }  # fmt: skip
    return of_agent[agent]()


def assert_allowed(answer: Answer) -> None:
    """Assert that the policy has no objection: nothing else may be said."""
    assert answer == Answer(0, b"{}\n", b""), answer


def assert_denied(answer: Answer, agent: str) -> str:
    """Assert each of the three ways of a denial, in the terms of the agent; return the reason."""
    assert answer.code == 2, answer
    reason = answer.err.decode()
    assert reason.endswith("\n")
    assert reason.strip()
    assert len(answer.err) <= 2001
    assert reason[:-1].isprintable()
    assert "Traceback" not in reason
    assert ".cortex/policy" not in reason
    if agent == "cursor":
        assert answer.out == b""
    else:
        assert_denial_json(json.loads(answer.out), agent, reason[:-1])
        assert answer.out.count(b"\n") == 1
    return reason[:-1]


def assert_denial_json(members: dict[str, Any], agent: str, reason: str) -> None:
    """Assert the members that the agent reads, and no others unless nobody knows which agent it is."""
    nested = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}
    flat = {"permissionDecision": "deny", "permissionDecisionReason": reason}
    if agent in ("claude", "codex", "vscode"):
        assert members == {"hookSpecificOutput": nested}
    elif agent == "gemini":
        assert members == {"decision": "deny", "reason": reason}
    elif agent == "copilot":
        assert members == flat
    else:
        assert agent not in AGENTS
        assert members["hookSpecificOutput"] == nested
        assert members["permission"] == "deny"
        assert members["decision"] in ("deny", "block")
        assert {name: members[name] for name in flat} == flat


def open_descriptors(process: int) -> list[str]:
    """Return what a process has open."""
    directory = f"/proc/{process}/fd"
    found = []
    for name in os.listdir(directory):
        with suppress(FileNotFoundError):  # closed by now
            found.append(os.readlink(f"{directory}/{name}"))
    return found
