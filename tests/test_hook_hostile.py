# ruff: noqa: D103 - the name of a situation says what it is
"""Hostile situations of a hook: in each the call of the tool is denied, in the terms of its agent."""

import errno
import fcntl
import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from tests.support.hooks import Answer, Scene, assert_allowed, assert_denied, make_scene
from tests.support.processes import wait_until
from tests.support.roots import grant_file

Situation = Callable[[Scene, str], Answer]
SITUATIONS: dict[str, Situation] = {}
RECOGNISED_BY_THIS = ("no tool_name", "no tool_input")  # Copilot's payload is recognised by what is left out
HANG = "import time; d.decide_denial_text = lambda data, agent, root, tag, tell: (open({!r}, 'w').close(), time.sleep(600))"


def situation(test: Situation) -> Situation:
    """Add a row to the table."""
    SITUATIONS[test.__name__.replace("_", " ")] = test
    return test


@pytest.fixture
def scene(root: Path, tmp_path: Path) -> Scene:
    """Make a root in which the call would be allowed."""
    return make_scene(root, tmp_path)


@pytest.mark.parametrize("agent", AGENTS)
def test_without_anything_hostile_the_call_is_allowed(scene: Scene, agent: str) -> None:
    """And counted: else the table would prove nothing."""
    assert_allowed(scene.ask(agent))
    assert scene.used() == 1


def rows() -> Iterator[Any]:
    """Give each situation to one agent, all of them in turn."""
    for index, name in enumerate(SITUATIONS):
        agent = "claude" if name in RECOGNISED_BY_THIS else AGENTS[index % len(AGENTS)]
        yield pytest.param(SITUATIONS[name], agent, id=name)


def breaking(scene: Scene, code: str) -> Scene:
    """Break the program before it starts, `d` is the module that decides, `h` the process."""
    scene.before = f"import cortex_policy.hook_decision as d, cortex_policy.hook as h, os\n{code}"
    return scene


# the words


def with_words(*words: str) -> Callable[[Scene, str], Answer]:
    """Run a hook with other words."""
    return lambda scene, agent: scene.ask(agent, words=[word.format(agent=agent, root=scene.root) for word in words])


for _name, _words in {
    "no root": ("{agent}",),
    "a relative root": ("{agent}", "--root", "."),
    "an empty root": ("{agent}", "--root="),
    "a root without its value": ("{agent}", "--root"),
    "two roots": ("{agent}", "--root", "{root}", "--root", "{root}"),
    "a root that does not exist": ("{agent}", "--root", "{root}/absent"),
    "a root without a policy": ("{agent}", "--root", "{root}/docs"),
    "a root that is a file": ("{agent}", "--root", "/etc/passwd"),
    "an unknown option": ("{agent}", "--root", "{root}", "--allow"),
    "a word too many": ("{agent}", "--root", "{root}", "extra"),
    "help in place of an answer": ("{agent}", "--help"),
    "a deadline of nothing": ("{agent}", "--root", "{root}", "--deadline", "0"),
    "a deadline that is no number": ("{agent}", "--root", "{root}", "--deadline", "1e3"),
    "a deadline that is too late": ("{agent}", "--root", "{root}", "--deadline", "9" * 400),
    "an empty tag": ("{agent}", "--root", "{root}", "--install="),
    "a tag that is a path": ("{agent}", "--root", "{root}", "--install", "../x"),
}.items():
    SITUATIONS[_name] = with_words(*_words)


# the root and the rules


def with_rules(data: bytes) -> Situation:
    """Run a hook with other rules."""

    def ask(scene: Scene, agent: str) -> Answer:
        scene.rules.write_bytes(data)
        return scene.ask(agent)

    return ask


for _name, _rules in {
    "empty rules": b"",
    "rules that are not TOML": b"format = 1\nunmapped =\n",
    "rules of another format": b'format = 2\nunmapped = "pass"\n',
    "rules with an unknown key": b'format = 1\nunmapped = "pass"\nallow = true\n',
    "rules that allow in a word of their own": b'format = 1\nunmapped = "allow"\n',
    "rules that are not UTF-8": b'format = 1\nunmapped = "pass"\n# \xff\n',
    "rules of more than a megabyte": b'format = 1\nunmapped = "pass"\n' + b"#" * (1 << 20),
    "no rule for the tool": b'format = 1\nunmapped = "deny"\n',
    "a rule that denies": b'format = 1\n[[rule]]\ntools = ["*"]\ndecide = "deny"\n',
}.items():
    SITUATIONS[_name] = with_rules(_rules)


@situation
def absent_rules(scene: Scene, agent: str) -> Answer:
    scene.rules.unlink()
    return scene.ask(agent)


@situation
def rules_behind_a_link(scene: Scene, agent: str) -> Answer:
    scene.rules.rename(scene.top / "rules")
    scene.rules.symlink_to(scene.top / "rules")
    return scene.ask(agent)


@situation
def rules_that_are_a_pipe(scene: Scene, agent: str) -> Answer:
    scene.rules.unlink()
    os.mkfifo(scene.rules)
    return scene.ask(agent)


@situation
def rules_that_are_a_directory(scene: Scene, agent: str) -> Answer:
    scene.rules.unlink()
    scene.rules.mkdir()
    return scene.ask(agent)


@situation
def rules_that_everyone_can_write(scene: Scene, agent: str) -> Answer:
    scene.rules.chmod(0o666)
    return scene.ask(agent)


@situation
def a_policy_that_everyone_can_write(scene: Scene, agent: str) -> Answer:
    scene.policy.chmod(0o777)
    return scene.ask(agent)


@situation
def rules_without_the_stamp_that_is_required(scene: Scene, agent: str) -> Answer:
    (scene.policy / "config.toml").write_text('stamp = "require"\n')
    return scene.ask(agent)


@situation
def a_stop_of_the_root(scene: Scene, agent: str) -> Answer:
    scene.rules.write_text('format = 1\nunmapped = "pass"\n')
    (scene.policy / "stop").touch()
    return scene.ask(agent, scene.payload(agent, tool="Other"))


@situation
def a_stop_of_the_host(scene: Scene, agent: str) -> Answer:
    scene.rules.write_text('format = 1\nunmapped = "pass"\n')
    (scene.top / "etc").mkdir()
    (scene.top / "etc" / "stop").touch()
    return scene.ask(agent, scene.payload(agent, tool="Other"))


@situation
def invalid_settings_of_the_project(scene: Scene, agent: str) -> Answer:
    (scene.policy / "config.toml").write_text("sensitive = 1\n")
    return scene.ask(agent)


@situation
def invalid_settings_of_the_system(scene: Scene, agent: str) -> Answer:
    (scene.top / "etc").mkdir()
    (scene.top / "etc" / "config.toml").write_text("nonsense")
    return scene.ask(agent)


# the grant


def with_grant(data: bytes | None = None, **members: Any) -> Situation:
    """Run a hook with another grant."""

    def ask(scene: Scene, agent: str) -> Answer:
        scene.write_grant(**members)
        if data is not None:
            grant_file(scene.root, "fs").write_bytes(data)
        return scene.ask(agent)

    return ask


SITUATIONS["a grant that is not JSON"] = with_grant(b"{")
SITUATIONS["a grant for another action"] = with_grant(actions=["read"])
SITUATIONS["a grant for another scope"] = with_grant(fsScope=["packages"])
SITUATIONS["a grant for other arguments"] = with_grant(args={"file_path": {"const": "y"}, "path": {"const": "y"}})


@situation
def absent_grant(scene: Scene, agent: str) -> Answer:
    grant_file(scene.root, "fs").unlink()
    return scene.ask(agent)


@situation
def a_grant_behind_a_link(scene: Scene, agent: str) -> Answer:
    grant_file(scene.root, "fs").rename(scene.top / "fs.json")
    grant_file(scene.root, "fs").symlink_to(scene.top / "fs.json")
    return scene.ask(agent)


@situation
def a_grant_that_everyone_can_write(scene: Scene, agent: str) -> Answer:
    grant_file(scene.root, "fs").chmod(0o666)
    return scene.ask(agent)


@situation
def a_rate_that_is_used_up(scene: Scene, agent: str) -> Answer:
    scene.write_grant(rate={"perMinute": 1})
    assert_allowed(scene.ask(agent))
    return scene.ask(agent)


@situation
def sensitive_data_that_is_denied(scene: Scene, agent: str) -> Answer:
    scene.write_grant(dataClass="sensitive")
    (scene.policy / "config.toml").write_text('sensitive = "deny"\n')
    return scene.ask(agent)


# the state


@situation
def state_that_everyone_can_read(scene: Scene, agent: str) -> Answer:
    scene.state.chmod(0o755)
    return scene.ask(agent)


@situation
def state_that_is_a_file(scene: Scene, agent: str) -> Answer:
    scene.state.rmdir()
    scene.state.touch()
    return scene.ask(agent)


def ring_of(scene: Scene, agent: str) -> Path:
    """Have a ring made, and return its file."""
    assert_allowed(scene.ask(agent))
    (ring,) = [file for file in scene.state.rglob("*") if len(file.name) == 40 and file.is_file()]
    return ring


@situation
def a_locked_ledger(scene: Scene, agent: str) -> Answer:
    with ring_of(scene, agent).open() as ring:
        fcntl.flock(ring, fcntl.LOCK_EX)
        return scene.ask(agent)


@situation
def a_damaged_ledger(scene: Scene, agent: str) -> Answer:
    ring_of(scene, agent).write_bytes(b"damaged")
    return scene.ask(agent)


@situation
def a_locked_table_of_deliveries(scene: Scene, agent: str) -> Answer:
    ring_of(scene, agent)
    (table,) = scene.state.rglob(".deliveries")
    with table.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return scene.ask(agent)


@situation
def a_full_disk(scene: Scene, agent: str) -> Answer:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)).errno
    code = f"os.pwrite = os.write_to_disk = lambda *_: (_ for _ in ()).throw(OSError({full}, 'no space'))"
    ring_of(scene, agent)
    return breaking(scene, code).ask(agent)


@situation
def files_that_may_not_grow(scene: Scene, agent: str) -> Answer:
    return scene.ask(agent, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))


@situation
def an_audit_log_that_cannot_be_written(scene: Scene, agent: str) -> Answer:
    config = scene.top / "home" / ".config" / "cortex-policy"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(f'[audit]\nfile = "{scene.top}/absent/log"\n')
    return scene.ask(agent)


# the input


def with_input(make: Callable[[bytes], bytes]) -> Situation:
    """Run a hook with another input, made of the right one."""
    return lambda scene, agent: scene.ask(agent, make(scene.payload(agent)))


def without(member: str) -> Callable[[bytes], bytes]:
    """Leave members out."""
    others = {"tool_name": "toolName", "tool_input": "toolArgs", "session_id": "sessionId"}

    def make(data: bytes) -> bytes:
        document = json.loads(data)
        document.pop(member, None)
        document.pop(others.get(member, member), None)
        return json.dumps(document).encode()

    return make


for _name, _make in {
    "no input": lambda _: b"",
    "an input that is not JSON": lambda _: b"hello\n",
    "half of an input": lambda data: data[:-1],
    "an input twice": lambda data: data + data,
    "an input with a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "an input that is not UTF-8": lambda data: data.replace(b"text", b"\xff\xfe"),
    "a member twice": lambda data: data.replace(b'"content"', b'"file_path": "docs/x", "path": "docs/x", "content"'),
    "a member of an ignored text twice": lambda data: data.replace(b'"text"', b'{"a": 1, "a": 2}'),
    "an input that is nested too deep": lambda data: data.replace(b'"text"', b"[" * 100_000 + b"]" * 100_000),
    "an input of more than 32 MiB": lambda data: data + b" " * (32 << 20),
    "half of a character in a path": lambda data: data.replace(b"docs/x", b"docs/\\ud800"),
    "a number that JSON does not have": lambda data: data.replace(b'"text"', b"NaN"),
    "a path outside of the scope": lambda data: data.replace(b"docs/x", b"docs/../packages/x"),
    "a path that leads out of the scope": lambda data: data.replace(b"docs/x", b"docs/link/passwd"),
    "a path to the policy": lambda data: data.replace(b"docs/x", b".cortex/policy/hooks.toml"),
    "a working directory that is gone": lambda data: data.replace(b'/root"', b'/root/absent"'),
}.items():
    SITUATIONS[_name] = with_input(_make)
for _member in ("tool_name", "tool_input", "session_id", "cwd"):
    SITUATIONS[f"no {_member}"] = with_input(without(_member))


@situation
def an_input_that_does_not_end(scene: Scene, agent: str) -> Answer:
    reader, writer = os.pipe()
    try:
        os.write(writer, scene.payload(agent))
        return scene.ask(agent, stdin=reader)
    finally:
        os.close(reader)
        os.close(writer)


@situation
def an_input_that_never_ends(scene: Scene, agent: str) -> Answer:
    with open("/dev/zero", "rb") as zeros:
        return scene.ask(agent, stdin=zeros)


@situation
def a_closed_input(scene: Scene, agent: str) -> Answer:
    return scene.ask(agent, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.close(0))


@situation
def the_reserved_tool(scene: Scene, agent: str) -> Answer:
    scene.rules.write_text('format = 1\nunmapped = "pass"\n')
    answer = scene.ask(agent, scene.payload(agent, tool="cortex_policy_canary"))
    assert scene.used() == 0
    return answer


# the process


@situation
def a_bug(scene: Scene, agent: str) -> Answer:
    return breaking(scene, "d.apply_rules = lambda *_: 1 / 0").ask(agent)


@situation
def no_memory(scene: Scene, agent: str) -> Answer:
    return breaking(scene, "d.apply_rules = lambda *_: bytearray(1 << 62)").ask(agent)


@situation
def a_recursion_without_end(scene: Scene, agent: str) -> Answer:
    return breaking(scene, "def f(*_): return f()\nd.apply_rules = f").ask(agent)


@situation
def an_exit_in_the_middle(scene: Scene, agent: str) -> Answer:
    return breaking(scene, "d.apply_rules = lambda *_: os._exit(0)").ask(agent)


@situation
def an_end_after_the_answer_that_is_no_good_one(scene: Scene, agent: str) -> Answer:
    code = "leave = os._exit\nos._exit = lambda code: leave(code or 9 * (os.getppid() == ours))\nours = os.getpid()"
    return breaking(scene, code).ask(agent)


@situation
def a_message_that_is_too_long(scene: Scene, agent: str) -> Answer:
    return breaking(
        scene,
        "d.decide_denial_text = lambda data, agent, root, tag, tell: [tell('x' * 99) for _ in range(999)] and ''",
    ).ask(agent)


@situation
def a_message_that_says_more_than_pass(scene: Scene, agent: str) -> Answer:
    return breaking(
        scene, "d.decide_denial_text = lambda data, agent, root, tag, tell: tell(agent + '\\npass') or ''"
    ).ask(agent)


@situation
def a_module_that_cannot_be_loaded_in_the_child(scene: Scene, agent: str) -> Answer:
    scene.before = "sys.modules['cortex_policy.hook_decision'] = None"
    return scene.ask(agent)


@situation
def a_module_that_cannot_be_loaded_at_all(scene: Scene, agent: str) -> Answer:
    scene.before = "sys.modules['cortex_policy.hook'] = None"
    return scene.ask(agent)


@situation
def no_process_can_be_started(scene: Scene, agent: str) -> Answer:
    return breaking(scene, "def fork(): raise BlockingIOError(11, 'no')\nos.fork = fork").ask(agent)


@situation
def few_descriptors(scene: Scene, agent: str) -> Answer:
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))"
    return breaking(scene, code).ask(agent)


def stopped_by(send: Callable[["subprocess.Popen[bytes]"], None], *words: str) -> Situation:
    """Do something to a hook whose child hangs."""

    def ask(scene: Scene, agent: str) -> Answer:
        marker = scene.top / "hangs"
        scene.words += words
        process = breaking(scene, HANG.format(str(marker))).start(agent)
        wait_until(marker.exists)
        send(process)
        out, err = process.communicate(timeout=30)
        return Answer(process.returncode, out, err)

    return ask


def child_of(process: "subprocess.Popen[bytes]") -> int:
    """Return the child of a process."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())


for _number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM, signal.SIGXCPU):
    SITUATIONS[f"{_number.name} while it decides"] = stopped_by(
        lambda process, number=_number: process.send_signal(number)
    )  # type: ignore[misc]
SITUATIONS["SIGKILL of the child"] = stopped_by(lambda process: os.kill(child_of(process), signal.SIGKILL))
SITUATIONS["a child that is stopped"] = stopped_by(
    lambda process: os.kill(child_of(process), signal.SIGSTOP), "--deadline", "2"
)
SITUATIONS["a child that hangs"] = stopped_by(lambda _: None, "--deadline", "2")


@pytest.mark.parametrize(("ask", "agent"), list(rows()))
def test_a_hostile_situation_is_denied(scene: Scene, ask: Situation, agent: str) -> None:
    """Three ways at once: exit code, standard error, and the agent's own JSON."""
    assert_denied(ask(scene, agent), agent)


OF_NOBODY = (
    b"[]", b"7", b'"text"', b"null", b"{}", b'{"hook_event_name": "PostToolUse", "tool_name": "Write"}',
    b'{"hook_event_name": ["PreToolUse"]}', b'{"hookEventName": "PreToolUse", "hook_event_name": "PreToolUse"}',
)  # fmt: skip


@pytest.mark.parametrize("data", OF_NOBODY)
def test_a_payload_that_nobody_sends_is_denied_with_the_keys_of_all(scene: Scene, data: bytes) -> None:
    """Whatever agent the line names."""
    assert_denied(scene.ask("cursor", data), "nobody")


@pytest.mark.parametrize("words", [[], ["unknown"], ["auto"], ["--root", "/"], ["check"]])
def test_a_line_that_names_no_agent_is_denied_with_the_keys_of_all(scene: Scene, words: list[str]) -> None:
    """The payload is not read then."""
    assert_denied(scene.ask("claude", words=words), "nobody")


def test_the_table_has_sixty_rows() -> None:
    """And more."""
    assert len(SITUATIONS) >= 60
