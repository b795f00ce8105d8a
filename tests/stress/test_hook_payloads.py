"""Payloads that chance has changed: each is denied, or right; never another exception, never a hang."""

import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.hook_decision import decide_denial_text
from tests.support.hook_calls import PAYLOADS, RULES
from tests.support.roots import grant_file

GRANTS: dict[str, dict[str, Any]] = {
    "fs.write": {"tool": "fs", "actions": ["write"], "rate": {"perMinute": 1 << 30}, "fsScope": ["docs"]},
    "fs.read": {"tool": "fs", "actions": ["read"], "rate": {"perMinute": 1 << 30}, "fsScope": ["docs", "packages"]},
    "shell": {"tool": "shell", "actions": ["run"], "rate": {"perMinute": 1 << 30}},
    "mini": {"tool": "mini", "actions": ["mark"], "rate": {"perMinute": 1 << 30}},
}
TOKENS = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"\0", b"\\u0000", b"\\ud800", b"\xff", b"\xef\xbb\xbf", b"1e999",
    b"../", b"/", b"/etc/passwd", b".env", b".claude/settings.json", b"docs/link", b".cortex/policy/hooks.toml", b"~/.codex/config.toml",
    b'"hook_event_name"', b'"toolName"', b'"tool_name"', b'"tool_input"', b'"cwd"', b'"file_path"', b'"path"', b'"command"', b'"PreToolUse"',
    b'"BeforeTool"', b'"Write"', b'"Read"', b'"Bash"', b'"apply_patch"', b"*** Begin Patch\\n", b"cortex-policy stop", b"bash -i", b"docs/a", b"x",
]  # fmt: skip
WRITERS, READERS = (
    ("Write", "Edit", "create", "edit", "write_file", "replace"),
    ("Read", "view", "read_file", "view_image"),
)
HANG_SECONDS = 60  # for one payload


@pytest.fixture
def payloads(root: Path) -> list[bytes]:
    """Make the root that the recorded payloads are of, and return them."""
    (root / ".cortex/policy/hooks.toml").write_text(RULES)
    for name, grant in GRANTS.items():
        grant_file(root, name).write_text(json.dumps(grant))
    here = str(root).encode()
    return [
        path.read_bytes().replace(b"/repo", here).replace(b"ran.txt", b"docs/ran.txt").replace(b"note.txt", b"docs/note.txt")
        for path in PAYLOADS
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    """End a payload that hangs."""

    def hang(*_: object) -> None:
        pytest.fail("a payload takes a minute")

    before = signal.signal(signal.SIGALRM, hang)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def change(data: bytes, dice: random.Random) -> bytes:
    """Put in, leave out, double or replace some bytes."""
    for _ in range(dice.randint(1, 4)):
        at, length = dice.randrange(len(data) + 1), dice.choice((0, 1, 1, 2, 5, 20))
        kind = dice.randrange(5)
        if kind == 0:
            data = data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + length :]
        elif kind == 2:
            data = data[:at] + data[at : at + length] + data[at:]
        else:
            data = data[:at] + dice.choice(TOKENS) + data[at + length :]
    return data


def is_right(data: bytes, root: Path) -> bool:
    """Whether a payload asks for what the rules and grants allow, as an independent reader sees it."""
    document = json.loads(data.decode())
    tool = document.get("tool_name", document.get("toolName"))
    inputs = document.get("tool_input", document.get("toolArgs"))
    tops = {**dict.fromkeys(WRITERS, ("docs",)), **dict.fromkeys(READERS, ("docs", "packages"))}.get(tool)
    if tops is None:  # a shell, a patch, or a tool of the MCP server
        return tool in ("Bash", "bash", "run_shell_command", "Shell", "apply_patch", "Grep", "Glob") or "mini" in str(
            document
        )
    names = [name for name in inputs if name.replace("_", "").lower() in ("filepath", "path")]
    paths = [os.path.realpath(os.path.join(document["cwd"], inputs[name])) for name in names]
    return bool(paths) and all(any(path.startswith(f"{root.resolve()}/{top}/") for top in tops) for path in paths)


def storm(payloads: list[bytes], root: Path, count: int, seed: int) -> tuple[int, int]:
    """Decide so many changed payloads; return how many are denied and allowed."""
    dice, denied, allowed = random.Random(seed), 0, 0
    for number in range(count):
        data = change(dice.choice(payloads), dice)
        signal.alarm(HANG_SECONDS)
        agents: list[str] = []
        why = decide_denial_text(data, dice.choice((*AGENTS, "")), str(root), "user", agents.append)
        os.chdir(root)
        assert set(agents) <= {*AGENTS, ""}
        if why:
            denied += 1
            assert "Traceback" not in why
        else:
            allowed += 1
            assert is_right(data, root), (seed, number, data)
    return denied, allowed


def test_the_recorded_payloads_are_decided(payloads: list[bytes], root: Path) -> None:
    """Some of them are allowed: else chance would prove nothing."""
    answers = [decide_denial_text(data, "claude", str(root), "user", lambda _: None) for data in payloads]
    os.chdir(root)
    assert answers.count("") >= 15, answers


def test_a_few_hundred_changed_payloads_are_denied_or_right(payloads: list[bytes], root: Path) -> None:
    """As chance of today has it; a failure names its seed."""
    denied, allowed = storm(payloads, root, 400, random.randrange(1 << 32))
    assert denied > 100
    assert allowed > 10


@pytest.mark.storm
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_thousand_changed_payloads_are_denied_or_right(payloads: list[bytes], root: Path, part: int) -> None:
    """In ten parts, each with a seed of its own."""
    denied, allowed = storm(payloads, root, 10_000, random.randrange(1 << 32) + part)
    assert denied + allowed == 10_000
