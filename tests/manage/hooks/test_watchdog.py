"""The wrapper in each shell that an agent may use: as the hook ends, or with 2 and a reason."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from shlex import quote, split

import pytest

from cortex_policy.manage.hooks.watchdog import DENIED, FAILED, wrap_in_watchdog
from tests.support.processes import command_lines, wait_until

SHELLS = ("dash -c", "bash -c", "bash --norc --noprofile -c", "busybox sh -c")
PAYLOAD = b'{"tool_name":"Bash",\x00\xff"x":"\n\n"}' * 8000  # more than a pipe holds, and no newline at its end
Done = subprocess.CompletedProcess[bytes]
SECONDS = 30

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """Return the words that run a text in a shell."""
    words = split(str(request.param))
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    return words


def run_wrapped(shell: list[str], program: str, payload: bytes = b"{}", seconds: float = SECONDS) -> Done:
    """Run a command line in the wrapper; `seconds` are the watchdog's."""
    return subprocess.run(
        [*shell, wrap_in_watchdog(program, seconds)], input=payload, capture_output=True, check=False, timeout=60
    )


def sh(text: str) -> str:
    """Return a command line of one program that does what a text says."""
    return f"/bin/sh -c {quote(text)}"


def processes_with(mark: str) -> list[int]:
    """Return all other processes that have a mark in their command lines."""
    found = [process for process, words in command_lines().items() if mark in " ".join(words)]
    return [process for process in found if process != os.getpid()]


def wait_until_gone(mark: str) -> None:
    """Wait until no process has a mark; fail if one stays."""
    wait_until(lambda: not processes_with(mark), f"a process with {mark} stays")


@pytest.mark.parametrize(("code", "more"), [(0, ""), (2, f"{DENIED}\n")])
def test_the_answer_of_a_hook_passes_unchanged(shell: list[str], code: int, more: str) -> None:
    """Both streams to the last byte: trailing newlines, NUL, no newline; a denial gets a line more."""
    done = run_wrapped(shell, sh(rf"printf 'a\n\n\0b\n\n'; printf 'why\n\n\0' >&2; exit {code}"))
    assert (done.returncode, done.stdout, done.stderr) == (code, b"a\n\n\0b\n\n", b"why\n\n\0" + more.encode())


def test_a_denial_that_the_hook_cannot_print_has_a_reason(shell: list[str]) -> None:
    """Codex and Gemini CLI let a call run after exit code 2 without a word."""
    done = run_wrapped(shell, sh("exec >&- 2>&-; exit 2"))
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", f"{DENIED}\n".encode())


def test_the_payload_reaches_the_hook_unchanged(shell: list[str]) -> None:
    """Also if it is more than a pipe holds."""
    done = run_wrapped(shell, "/bin/cat", PAYLOAD)
    assert (done.returncode, done.stdout, done.stderr) == (0, PAYLOAD, b"")


def test_a_hook_that_reads_no_payload_blocks_nothing(shell: list[str]) -> None:
    """The agent's pipe is closed with the call."""
    assert run_wrapped(shell, sh("exit 2"), PAYLOAD).returncode == 2


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (sh("exit 1"), 1),
        (sh("exit 10"), 10),
        (sh("exit 127"), 127),
        ("/no/such/program hook codex", 127),
        ("/etc hook codex", 126),
        (sh("kill -KILL $$"), 137),
        (sh("kill -TERM $$"), 143),
        (sh("kill -SEGV $$"), 139),
    ],
)
def test_a_hook_that_fails_denies_with_a_reason(shell: list[str], program: str, code: int) -> None:
    """Every code but 0 and 2, a signal, a missing program: an agent would take most of them for no opinion."""
    done = run_wrapped(shell, program)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.endswith(f"{FAILED} ({code})\n".encode())


@pytest.mark.parametrize(("program", "code"), [("/no/such/program", 2), (sh("exit 3"), 2), (sh("exit 0"), 0)])
def test_a_shell_that_ends_at_the_first_error_denies_all_the_same(shell: list[str], program: str, code: int) -> None:
    """The option comes from the environment of the agent, in which Bash believes it."""
    words = ["/usr/bin/env", "SHELLOPTS=errexit", *shell] if "bash" in shell else [*shell[:-1], "-e", shell[-1]]
    done = subprocess.run([*words, wrap_in_watchdog(program, SECONDS)], input=b"{}", capture_output=True, check=False)
    assert done.returncode == code


FUNCTIONS = (
    "exec",
    "exit",
    "wait",
    "trap",
    "set",
    "kill",
    "echo",
    "case",
    "eval",
    "command",
    "builtin",
    "env",
    "sh",
    "sleep",
)


@pytest.mark.parametrize("body", ["() { :; }", "() { exit 0; }", "() { return 0; }"])
@pytest.mark.parametrize(
    ("program", "code"), [(sh("exit 10"), 2), ("/no/such/program", 2), (sh("exit 2"), 2), (sh("exit 0"), 0)]
)
def test_functions_of_the_environment_change_nothing(shell: list[str], program: str, code: int, body: str) -> None:
    """Bash takes a function from a variable, also one called like a command of the wrapper."""
    functions = [f"BASH_FUNC_{name}%%={body}" for name in FUNCTIONS]
    words = ["/usr/bin/env", *functions, "SHELLOPTS=errexit:nounset", *shell, wrap_in_watchdog(program, SECONDS)]
    assert subprocess.run(words, input=b"{}", capture_output=True, check=False, timeout=60).returncode == code


@pytest.mark.parametrize("program", ["/no/such/program", sh("exit 2"), sh("kill -9 $$")])
def test_a_standard_error_without_a_reader_denies_all_the_same(shell: list[str], program: str) -> None:
    """The signal that comes of it would leave no exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    words = [*shell, wrap_in_watchdog(program, SECONDS)]
    done = subprocess.run(words, input=b"{}", stdout=subprocess.PIPE, stderr=writer, check=False, timeout=60)
    os.close(writer)
    assert done.returncode == 2


def test_a_hook_that_hangs_is_ended_and_denied(shell: list[str]) -> None:
    """What it printed before stays before the reason."""
    done = run_wrapped(shell, sh("echo x; exec sleep 61.25"), seconds=0.3)
    assert (done.returncode, done.stdout) == (2, b"x\n")
    assert done.stderr == f"{FAILED} (137)\n".encode()
    wait_until_gone("61.25")


def test_a_hook_that_ignores_signals_is_ended_too(shell: list[str]) -> None:
    """By the one that nothing can ignore."""
    done = run_wrapped(shell, sh("trap '' HUP INT TERM; exec sleep 61.25"), seconds=0.3)
    assert done.returncode == 2
    wait_until_gone("61.25")


@pytest.mark.parametrize("program", [sh("exit 0"), sh("exit 2"), sh("kill -9 $$"), "/no/such/program"])
def test_the_watchdog_ends_with_the_call(shell: list[str], program: str) -> None:
    """However it ends."""
    run_wrapped(shell, program, seconds=3599.25)
    wait_until_gone("3599.25")


def test_the_watchdog_holds_no_pipe_of_the_agent(shell: list[str]) -> None:
    """Some agents wait until their pipes are closed, and then let the call run."""
    with subprocess.Popen(
        [*shell, wrap_in_watchdog("/bin/cat", 3598.25)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        while not (sleepers := _sleepers("3598.25")):
            time.sleep(0.01)
        pipes = {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in (0, 1)}
        for pid in [*sleepers, *map(_parent, sleepers)]:
            assert not pipes & set(_open_files(pid))
            # a program that starts opens its own files in their place for a moment
            wait_until(lambda pid=pid: not {"0", "1", "2"} & set(os.listdir(f"/proc/{pid}/fd")))
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_wrapper_that_is_ended_denies(shell: list[str], number: signal.Signals) -> None:
    """An agent takes a death by signal for no opinion."""
    with subprocess.Popen(
        [*shell, wrap_in_watchdog(sh("echo x; exec sleep 62.25"), SECONDS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"x\n"
        time.sleep(0.3)  # until it waits
        process.send_signal(number)
        _, reason = process.communicate(timeout=30)
    assert (process.returncode, reason) == (2, f"{FAILED}\n".encode())
    wait_until_gone("62.25")


def _sleepers(seconds: str) -> list[int]:
    lines = command_lines().items()
    return [process for process, words in lines if words[0].endswith("sleep") and seconds in words]


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _open_files(pid: int) -> list[str]:
    return [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
