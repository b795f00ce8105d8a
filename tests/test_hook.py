"""The process that answers an agent: what it says, what it believes, what it leaves behind."""

import fcntl
import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from cortex_policy.cli.commands.hook import hook_app
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.hook import HookWords, HookWordsError, find_first_word_if_agent_or_empty, parse_hook_argv
from cortex_policy.main import HOOK_COMMANDS
from tests.support.command import PROGRAM, result_of
from tests.support.hooks import Answer, Scene, assert_allowed, assert_denied, make_scene, open_descriptors
from tests.support.processes import is_alive, wait_until

ROOT = ("--root", "/r")


@pytest.fixture
def scene(root: Path, tmp_path: Path) -> Scene:
    """Make a root in which agents may write below `docs`."""
    return make_scene(root, tmp_path)


def hanging(scene: Scene, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a hook whose child hangs; return it, and its child."""
    marker = scene.top / "hangs"
    scene.words += words
    scene.before = (
        "import cortex_policy.hook_decision as d, os, time\n"
        f"d.decide_denial_text = lambda *_: (os.mkdir({str(marker)!r}), time.sleep(600))"
    )
    process = scene.start("claude")
    wait_until(marker.exists)
    return process, int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())


def end(process: subprocess.Popen[bytes]) -> Answer:
    """Read what a process says until nobody can say more."""
    out, err = process.communicate(timeout=30)
    return Answer(process.returncode, out, err)


@pytest.mark.parametrize("named", AGENTS)
@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "cursor", "copilot"])
def test_an_agent_is_answered_in_its_own_terms_whatever_agent_the_line_names(
    scene: Scene, agent: str, named: str
) -> None:
    """Cursor and Copilot run the hooks of Claude's settings too."""
    words = [named, "--root", str(scene.root)]
    assert_denied(scene.ask(agent, scene.payload(agent, path="x"), words), agent)


def test_a_line_for_any_agent_takes_what_the_payload_says(scene: Scene) -> None:
    """For tests; nobody installs it."""
    words = ["auto", "--root", str(scene.root)]
    assert_allowed(scene.ask("gemini", words=words))
    assert_denied(scene.ask("copilot", scene.payload("copilot", path="x"), words), "copilot")


def test_a_late_denial_is_in_the_terms_of_the_payload_too(scene: Scene) -> None:
    """The child says whose it is before it decides."""
    scene.before = "import cortex_policy.hook_decision as d, time\nd.apply_rules = lambda *_: time.sleep(600)"
    words = ["claude", "--root", str(scene.root), "--deadline", "2"]
    assert "within 2 s;" in assert_denied(scene.ask("gemini", words=words), "gemini")


def test_variables_of_the_agent_are_ignored(scene: Scene) -> None:
    """Neither where the state is, nor which settings count, nor which root."""
    config = scene.top / "elsewhere" / "cortex-policy"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('undeclared_args = "deny"\nrequire_path = true\n')
    scene.variables = {
        "CORTEX_POLICY_STATE_DIR": str(scene.top / "other"), "CORTEX_POLICY_ROOT": "/", "CORTEX_POLICY_SENSITIVE": "deny",
        "CORTEX_AUDIT_LOG": str(scene.top / "log"), "XDG_CONFIG_HOME": str(scene.top / "elsewhere"),
        "XDG_RUNTIME_DIR": "/", "PYTHONPATH": "/", "CORTEX_POLICY_NONSENSE": "1",
    }  # fmt: skip
    scene.write_grant(dataClass="sensitive")
    assert_allowed(scene.ask("claude"))
    assert scene.used() == 1
    assert not (scene.top / "log").exists()
    assert not (scene.top / "other").exists()


def test_the_settings_of_the_home_directory_count(scene: Scene) -> None:
    """An installed line names it."""
    config = scene.top / "home" / ".config" / "cortex-policy"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(f'[audit]\nfile = "{scene.top}/log"\n')
    assert_allowed(scene.ask("claude"))
    assert json.loads((scene.top / "log").read_text())["data"]["decision"] is True


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_descriptor_denies(scene: Scene, closed: int) -> None:
    """An agent that cannot hear the answer must not take silence for one."""
    answer = scene.ask("claude", preexec_fn=lambda: os.close(closed))
    assert answer.code == 2
    assert (answer.out if closed == 2 else answer.err) or closed == 1


@pytest.mark.parametrize("full", ["stdout", "stderr"])
def test_a_full_output_keeps_a_denial(scene: Scene, full: str) -> None:
    """The exit code says it as well."""
    with open("/dev/full", "wb") as device:
        answer = scene.ask("claude", scene.payload("claude", path="x"), **{full: device})
    assert answer.code == 2
    assert answer.out or answer.err


def test_a_full_output_makes_an_allowed_call_a_denied_one(scene: Scene) -> None:
    """Cursor takes an empty answer for a failed hook, others for a yes."""
    with open("/dev/full", "wb") as device:
        answer = scene.ask("claude", stdout=device)
    assert answer.code == 2
    assert b"cannot be written" in answer.err


@pytest.mark.parametrize("path", ["docs/x", "x"])
def test_an_output_that_nobody_reads_delays_a_denial_by_no_more_than_the_deadline(scene: Scene, path: str) -> None:
    """A full pipe would block it for ever."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    try:
        os.write(writer, b"x" * 4096)
        scene.words = ["--deadline", "2"]
        answer = scene.ask("claude", scene.payload("claude", path=path), stdout=writer)
    finally:
        os.close(reader)
        os.close(writer)
    assert answer.code == 2
    assert answer.err


def test_the_child_holds_none_of_the_pipes_of_the_agent(scene: Scene) -> None:
    """An agent reads its pipes to the end, whoever has them: it would let the call run meanwhile."""
    process, child = hanging(scene)
    try:
        assert open_descriptors(child).count("/dev/null") == 3
        (own,) = {name for name in open_descriptors(child) if name != "/dev/null"}
        assert own in open_descriptors(process.pid)  # the pipe to its parent
        process.kill()
        assert end(process) == Answer(-signal.SIGKILL, b"", b"")
        assert Path(f"/proc/{child}").exists()
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_child_keeps_no_descriptor_that_the_agent_leaks(scene: Scene) -> None:
    """Whatever its number is."""
    leaked = fcntl.fcntl(2, fcntl.F_DUPFD, 900)
    marker = scene.top / "closed"
    code = "import cortex_policy.hook_decision as d, os\nreal = d.apply_rules\n"
    code += f"d.apply_rules = lambda *a: (open({str(marker)!r}, 'w').write(' '.join(os.listdir('/proc/self/fd'))), real(*a))[1]"
    scene.before = code
    try:
        assert_allowed(scene.ask("claude", pass_fds=[leaked]))
    finally:
        os.close(leaked)
    held = marker.read_text().split()
    assert "0" in held
    assert str(leaked) not in held


def test_a_child_that_hangs_is_killed_at_the_deadline(scene: Scene) -> None:
    """And the agent is answered."""
    process, child = hanging(scene, "--deadline", "2")
    assert "within 2 s;" in assert_denied(end(process), "claude")
    wait_until(lambda: not is_alive(child), "the child goes on")


def test_a_caller_that_ignores_its_children_and_blocks_signals_changes_nothing(scene: Scene) -> None:
    """What a process inherits is put right."""

    def inherit() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD])

    assert_allowed(scene.ask("claude", preexec_fn=inherit))
    scene.before = "import cortex_policy.hook_decision as d, time\nd.apply_rules = lambda *_: time.sleep(600)"
    scene.words = ["--deadline", "2"]
    assert_denied(scene.ask("claude", preexec_fn=inherit), "claude")


def test_a_denial_whose_reason_cannot_be_made_still_says_something(scene: Scene) -> None:
    """Codex and Gemini let a call run whose hook ends with 2 and says nothing."""
    scene.before = "import cortex_policy.hook as h\nh.make_denial_outputs = lambda *_: bytearray(1 << 62)"
    answer = scene.ask("codex", scene.payload("codex", path="x"))
    assert (answer.code, answer.out) == (2, b"")
    assert answer.err.strip()


def test_a_large_payload_is_read_to_its_end(scene: Scene) -> None:
    """Text of files may be long."""
    inputs = {"file_path": "docs/x", "content": "é" * (4 << 20)}
    assert_allowed(scene.ask("claude", scene.payload("claude", inputs=inputs)))
    inputs["content"] *= 2
    assert "32 MiB" in assert_denied(scene.ask("claude", scene.payload("claude", inputs=inputs)), "claude")


def test_words_of_an_installed_line_are_read() -> None:
    """With and without `=`."""
    assert parse_hook_argv(["claude", *ROOT]) == HookWords("claude", "/r", 8.0, "")
    words = ["cursor", "--root=/r", "--deadline", "2.5", "--install=user.1_x-Y"]
    assert parse_hook_argv(words) == HookWords("cursor", "/r", 2.5, "user.1_x-Y")
    assert parse_hook_argv(["auto", *ROOT]).agent == ""


@pytest.mark.parametrize(
    "words",
    [
        [], ["x", *ROOT], ["claude"], ["claude", "--root", "r"], ["claude", "--root"], ["claude", *ROOT, *ROOT],
        ["claude", *ROOT, "--deadline", "-1"], ["claude", *ROOT, "--deadline", "nan"], ["claude", *ROOT, "--deadline", "٣"],
        ["claude", *ROOT, "--install", "x" * 65], ["claude", *ROOT, "--install", "a b"], ["claude", *ROOT, "--version"],
        ["claude", *ROOT, "--"], ["--root", "/r", "claude"],
    ],
)  # fmt: skip
def test_all_other_words_are_refused(words: list[str]) -> None:
    """The reason names what an operator does."""
    with pytest.raises(HookWordsError, match="hook install"):
        parse_hook_argv(words)
    assert find_first_word_if_agent_or_empty(words) in ("", "claude")


def test_commands_of_typer_are_not_agents() -> None:
    """They have the exit codes of other commands, and none is denied as a call of an agent."""
    assert not {*HOOK_COMMANDS} & {*AGENTS, "auto"}
    assert {command.name for command in hook_app.registered_commands} <= {*HOOK_COMMANDS}


@pytest.mark.parametrize(("words", "shown"), [(["instal"], "install"), ([], "install"), (["--version"], "hook")])
def test_a_person_who_mistypes_a_command_is_helped(words: list[str], shown: str) -> None:
    """On a terminal, where no agent runs its hooks."""
    terminal, other = pty.openpty()
    try:
        done = subprocess.run([*PROGRAM, "hook", *words], stdin=other, capture_output=True, text=True, check=False)
    finally:
        os.close(terminal)
        os.close(other)
    assert "permissionDecision" not in done.stdout
    assert shown in done.stdout + done.stderr


@pytest.mark.parametrize("words", [["instal"], [], ["--version"], ["--help", "x"]])
def test_the_same_words_without_a_terminal_are_denied(words: list[str]) -> None:
    """They may be in the settings of an agent."""
    done = subprocess.run([*PROGRAM, "hook", *words], input="", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["permission"] == "deny"
    assert done.stderr


def test_agents_come_by_no_other_way(scene: Scene) -> None:
    """Typer knows no agent: a usage error is a denial, too."""
    done = result_of("--root", str(scene.root), "hook", "claude")
    assert done.returncode == 2
    assert done.stderr
