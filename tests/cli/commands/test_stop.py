"""An emergency stop in whole processes: every check is a no at once, and a yes again after `resume`."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.state import Root
from cortex_policy.state.writer_lock import hold_writer_lock
from tests.support.command import PROGRAM, Done, process_of
from tests.support.command import run_command as run
from tests.support.doors import FAST, TYPER
from tests.support.terminal import Terminal

# a host of our own: /etc is this process's alone
HOST = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /etc && eval "$0" && exec "$@"']
KINDS: dict[str, Callable[[Path], object]] = {
    "file": lambda file: file.write_text("the token leaked\n"),
    "dangling link": lambda file: file.symlink_to("nowhere"),
    "loop": lambda file: file.symlink_to(file.name),
    "directory": lambda file: file.mkdir(),
    "fifo": os.mkfifo,
    "unreadable": lambda file: (file.touch(), file.chmod(0)),
}
MEMBERS = [
    "decision", "reason", "message", "exit_code", "retryable", "grant", "action", "paths", "rate", "obligations",
    "approval", "root", "duration_us",
]  # fmt: skip


def need_namespaces() -> None:
    """Skip where no process may have an /etc of its own."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed here")
    if subprocess.run([*HOST, "true", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace may be made here")


def on_host(shell: str, *argv: str, code: int) -> Done:
    """Run a program where only some lines of shell have written to /etc; it must answer this code."""
    need_namespaces()
    done = subprocess.run([*HOST, shell, *argv], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done
    return done


@pytest.fixture
def stop(root: Path) -> Path:
    """Return where the stop stands, if one does."""
    return root / ".cortex" / "policy" / "stop"


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_of_any_kind_denies_check_and_enforce_until_it_ends(stop: Path, kind: str) -> None:
    """With all members in JSON, nothing to say where nothing is to be said, and the same bytes from both."""
    KINDS[kind](stop)
    for words in (("git", "tree"), ("nope", "x"), ("git", "tree", "--wait", "9"), ("git", "tree", "--explain")):
        fast, slow = (door.result_of("check", *words) for door in (FAST, TYPER))
        assert fast.returncode == slow.returncode == 15
        assert (fast.stdout, fast.stderr) == (slow.stdout, slow.stderr)
        assert fast.stderr.startswith(f"{words[0]} {words[1]}: emergency stop: by ")
        assert re.search("^hint:? +an operator ends it with `cortex-policy resume`$", fast.stderr, re.MULTILINE)
        assert ("rule: stop\n" in fast.stderr) == ("--explain" in words)
    quiet = run("check", "git", "tree", "-q", "--peek", code=15)
    assert (quiet.stdout, quiet.stderr) == ("", "")
    answer = json.loads(run("check", "git", "tree", "--json", code=15).stdout)
    assert list(answer) == MEMBERS
    assert (answer["decision"], answer["reason"], answer["exit_code"]) == (False, "stopped", 15)
    assert (answer["retryable"], answer["rate"]["consumed"]) == (False, 0)
    assert answer["root"] == str(stop.parents[2])
    assert "it was stopped by " in run("resume").stdout
    assert not os.path.lexists(stop)
    run("check", "git", "tree")


def test_thirty_checks_in_a_loop_turn_at_once(stop: Path) -> None:
    """Each that starts after the stop is a no, and each that starts after the resume a yes again."""
    codes = []
    for nth in range(30):
        if nth == 10:
            run("stop", "--reason", "the token leaked")
        if nth == 20:
            run("resume")
        codes.append(process_of("check", "git", "tree").returncode)
    assert codes == [0] * 10 + [15] * 10 + [0] * 10
    assert not stop.exists()


def test_a_check_that_waits_ends_by_a_stop(stop: Path) -> None:
    """After the sleep it is in, and not as something to be waited for."""
    run("check", "git", "tree", "--cost", "30")
    words = [*PROGRAM, "check", "git", "tree", "--wait", "50", "--json"]
    waiter = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    stop.touch()
    began = time.monotonic()
    answer = json.loads(waiter.communicate(timeout=50)[0])
    assert time.monotonic() - began < 20  # 50 on an idle machine it would be; a second is what it takes
    assert (waiter.returncode, answer["reason"], answer["retryable"]) == (15, "stopped", False)


def test_a_library_that_loaded_before_is_stopped(stop: Path) -> None:
    """In a process that goes on: no, and after `resume` yes."""
    program = (
        "import sys; from cortex_policy import AccessDenied, enforce, load_grant; grant = load_grant('git')\n"
        "for line in sys.stdin:\n"
        "    try: enforce(grant, 'tree'); print('yes', flush=True)\n"
        "    except AccessDenied as error: print(error.decision.reason, error.exit_code, flush=True)\n"
    )
    asked = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert asked.stdin is not None
    assert asked.stdout is not None
    for command, answer in ((("list",), "yes"), (("stop",), "stopped 15"), (("resume",), "yes")):
        run(*command)
        asked.stdin.write("\n")
        assert asked.stdout.readline().strip() == answer
    asked.communicate()
    assert not stop.exists()


def test_a_stop_needs_nothing_else_to_be_in_order(root: Path, stop: Path) -> None:
    """No lock, no sound grant, no mode or owner that a check would believe."""
    (root / ".cortex" / "policy" / "tools" / "git.json").write_text("{")
    (root / ".cortex" / "policy" / "tools").chmod(0o777)
    (root / ".cortex").chmod(0o777)
    (root / ".cortex" / "policy" / "config.toml").touch()
    (root / ".cortex" / "policy" / "stamp.json").write_text("{")
    with hold_writer_lock(Root(str(root), trusts_owner=True)):
        assert "stopped by " in run("stop").stdout
        run("check", "git", "tree", code=15)
        run("resume")
    run("check", "git", "tree", code=22)
    shutil.rmtree(root / ".cortex" / "policy" / "tools")
    run("stop")
    run("check", "git", "tree", code=15)
    assert stop.stat().st_size == 0


def test_the_first_of_several_stops_is_reported(stop: Path) -> None:
    """Of eight at a time one makes it, and no later word replaces its own."""
    makers = [
        subprocess.Popen([*PROGRAM, "stop", "--json", "--reason", f"reason {nth}"], stdout=subprocess.PIPE)
        for nth in range(8)
    ]
    told = [json.loads(maker.communicate(timeout=60)[0]) for maker in makers]
    assert [maker.returncode for maker in makers] == [0] * 8
    assert sum(one["changed"] for one in told) == 1
    kept = stop.read_text().strip()
    again = run("stop", "--reason", "another")
    assert again.stdout.startswith("nothing to do: stopped by ")
    assert again.stdout.endswith(f": {kept}\n")
    assert f"write it in the first line of `{stop}`" in again.stderr
    ended = json.loads(run("resume", "--json").stdout)
    assert (ended["changed"], ended["ended"]["reason"], ended["stopped"]) == (True, kept, None)
    assert json.loads(run("resume", "--json").stdout)["changed"] is False
    assert run("resume").stdout.startswith("nothing to do: there is no stop in ")


@pytest.mark.parametrize("reason", ["the token leaked", "a\nb\x1b[31m\u202e", "é" * 500, "x" * 399, "", "\udcff"])
def test_a_reason_is_one_line_that_any_terminal_may_show(stop: Path, reason: str) -> None:
    """As it stands in the file, and wherever it is told."""
    run("stop", "--reason", reason)
    assert stop.stat().st_mode & 0o777 == 0o644
    text = stop.read_text()
    assert text.count("\n") == bool(reason)
    said = run("check", "git", "tree", code=15).stderr
    assert text.strip() in said
    assert all(line.isprintable() for line in said.splitlines())
    assert " ..." not in said


def test_list_and_show_say_it_first(root: Path, stop: Path) -> None:
    """`list` beside its lines, which stay data; both in a member of JSON; neither where nothing is stopped."""
    for words in (("list",), ("show", "git")):
        assert json.loads(run(*words, "--json").stdout)["stopped"] is None
        assert "stopped" not in run(*words).stdout + run(*words).stderr
    run("stop", "--reason", "the token leaked")
    listed = run("list")
    assert [line.partition("\t")[0] for line in listed.stdout.splitlines()] == ["git", "model-gateway"]
    assert listed.stderr.startswith("stopped by ")
    assert ": the token leaked\nhint: an operator ends the stop with `cortex-policy resume`\n" in listed.stderr
    assert run("show", "git").stdout.startswith("stopped by ")
    for words in (("list",), ("show", "git")):
        told = json.loads(run(*words, "--json").stdout)["stopped"]
        assert (told["file"], told["host"], told["reason"]) == (str(stop), False, "the token leaked")
        assert list(told) == ["file", "host", "by", "stopped_at", "reason", "problem"]
    assert Terminal("list").end()[1].startswith("stopped by ")
    assert f"`cortex-policy resume --root {root}`" in run("list", "--root", str(root)).stderr
    assert "stop" not in run("validate", "--output", "json").stdout
    run("set", "git", "--rate", "3")


def test_a_stop_that_cannot_be_made_or_ended_is_reported(root: Path, stop: Path) -> None:
    """With what would stop the host instead, and nothing changed."""
    (stop / "below").mkdir(parents=True)
    said = run("resume", code=3).stderr
    assert f"`{stop}`: directory not empty" in said
    assert f"hint: see why with `ls -ld {stop}`" in said
    shutil.rmtree(stop)
    policy = root / ".cortex" / "policy"
    policy.rename(root / "real")
    policy.symlink_to(root / "real")
    for command in ("stop", "resume"):
        assert "is a link, or not a directory" in run(command, code=22).stderr
    run("check", "git", "tree", code=22)
    (root / "real" / "stop").touch()
    run("check", "git", "tree", code=15)
    assert run("list", code=22).stderr.startswith("stopped by ")


def test_no_grant_lets_its_tool_end_a_stop(stop: Path) -> None:
    """Nor make one: it lies in what governs grants, there or not."""
    paths = ("--path", ".cortex/policy/stop", "--path", str(stop), "--path", "docs/../.cortex/policy/STOP")
    for nth in range(0, len(paths), 2):
        assert "governs grants" in run("check", "model-gateway", "chat", *paths[nth : nth + 2], code=12).stderr
    host = run("check", "model-gateway", "chat", "--path", "/etc/cortex-policy/stop", code=12)
    assert "governs grants" in host.stderr


@pytest.mark.parametrize("shell", [
    "mkdir /etc/cortex-policy; touch /etc/cortex-policy/stop", "mkdir -p /etc/cortex-policy/stop",
    "mkdir /etc/cortex-policy; ln -s nowhere /etc/cortex-policy/stop", "touch /etc/cortex-policy",
    "mkdir /etc/cortex-policy; mkfifo /etc/cortex-policy/stop", "ln -s nowhere /etc/cortex-policy",
])  # fmt: skip
@pytest.mark.usefixtures("root")
def test_a_stop_of_the_host_denies_every_check(tmp_path: Path, shell: str) -> None:
    """Every check on it, below a root or not; no `resume` of a root ends it."""
    denied = on_host(shell, *PROGRAM, "check", "git", "tree", code=15)
    assert denied.stderr.startswith("git tree: emergency stop: ")
    assert "/etc/cortex-policy" in denied.stderr
    words = ("check", "git", "tree", "--json", "--root", str(tmp_path))
    answer = json.loads(on_host(shell, *PROGRAM, *words, code=15).stdout)
    assert list(answer) == MEMBERS
    assert (answer["reason"], answer["root"]) == ("stopped", None)
    run("stop")
    still = on_host(shell, *PROGRAM, "resume", code=0)
    assert "resumed; it was stopped by" in still.stdout
    assert still.stderr.startswith("still stopped ")
    assert on_host(shell, *PROGRAM, "list", code=0).stderr.startswith("stopped ")
    on_host("true", *PROGRAM, "check", "git", "tree", code=0)
    on_host("mkdir /etc/cortex-policy", *PROGRAM, "check", "git", "tree", code=0)


def test_a_full_disk_loses_the_reason_and_not_the_stop(root: Path, tmp_path: Path) -> None:
    """The name is made first, and it is enough."""
    small = tmp_path / "small"
    small.mkdir()
    shell = (
        f"mount -t tmpfs -o size=64k none {small} && cp -r {root}/. {small} && chmod -R go-w {small} && cd {small}"
        " && head -c 100000 /dev/zero > fill 2>/dev/null; true"
    )
    both = f'cd {small} && "$0" -m cortex_policy stop --reason why && "$0" -m cortex_policy check git tree; exit $?'
    need_namespaces()
    done = on_host(shell, "sh", "-c", both, sys.executable, code=15)
    assert "stopped by " in done.stdout
    assert "why" not in done.stdout
    assert "your reason was not saved" in done.stderr
    assert "emergency stop" in done.stderr
