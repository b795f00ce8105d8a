"""The exec of `run`: the command has the process as the caller of `run` made it."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import PROGRAM, hear_interrupts

pytestmark = [
    pytest.mark.usefixtures("root"),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the process files of Linux"),
]
INHERITED = ("Sig", "Shd", "Umask", "NoNewPrivs", "Seccomp", "Threads", "Uid", "Gid", "Groups", "Cap", "CoreDumping")


def inherited_lines(status: bytes) -> list[str]:
    """Return the lines of a process's status that do not depend on when it started."""
    return [line for line in status.decode().splitlines() if line.startswith(INHERITED) and not line.startswith("SigQ")]


def results(command: tuple[str, ...], **options: object) -> list[bytes]:
    """Return what a command says that is started by itself, and by `run`."""
    lines = [list(command), [*PROGRAM, "run", "git", "tree", "--path", "docs/x", "--", *command]]
    return [subprocess.run(line, capture_output=True, check=True, **options).stdout for line in lines]  # type: ignore[call-overload]


def test_the_process_has_the_signals_descriptors_and_limits_of_its_caller(tmp_path: Path) -> None:
    """Nothing that the check opened is left, with a log and settings too."""
    inherited = os.open("/dev/null", os.O_RDONLY)

    def prepare() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1, signal.SIGTERM))
        os.umask(0o027)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    for prepared in (None, prepare):
        for more in ({}, {"CORTEX_AUDIT_LOG": str(tmp_path / "log"), "CORTEX_POLICY_SENSITIVE": "ask"}):
            options = {"preexec_fn": prepared, "pass_fds": (inherited,), "env": {**os.environ, **more}}
            plain, ours = map(inherited_lines, results(("cat", "/proc/self/status"), **options))
            assert ours == plain
            assert any(line.startswith("SigIgn") for line in plain)
            for command in (("cat", "/proc/self/limits"), ("ls", "/proc/self/fd")):
                plain, ours = results(command, **options)
                assert ours == plain
    os.close(inherited)


def test_the_process_keeps_closed_descriptors_closed() -> None:
    """We open them for ourselves alone."""
    line = f"{' '.join(PROGRAM)} run git tree -- ls /proc/self/fd <&- 2>&-"
    plain = subprocess.run(["sh", "-c", "ls /proc/self/fd <&- 2>&-"], capture_output=True, check=False)
    assert subprocess.run(["sh", "-c", line], capture_output=True, check=False).stdout == plain.stdout


@pytest.mark.parametrize(
    "variables",
    [
        {}, {"LC_CTYPE": "C"}, {"LC_CTYPE": ""}, {"LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "POSIX", "B": ""}, {"LANG": "C"},
        {"LC_ALL": "C"}, {"LC_CTYPE": "nonsense"}, {"_CORTEX_POLICY_COMPLETE": "bash_source", "_X_COMPLETE": "1"},
        {"PYTHONPATH": "/nowhere", "PYTHONUTF8": "1", "_": "x", "BASH_FUNC_x%%": "() { :; }"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", [(), ("--arg", "-x=1")], ids=["fast", "typer"])
def test_the_process_has_the_environment_of_its_caller_to_the_byte(
    variables: dict[str, str], words: tuple[str, ...], state: Path, root: Path
) -> None:
    """Python sets a variable in the C locale, as under cron, and Typer reads some of its own."""
    base = {
        "PATH": os.environ["PATH"],
        "CORTEX_POLICY_STATE_DIR": str(state),
        "XDG_CONFIG_HOME": str(root / "none"),
    }
    command = ["cat", "/proc/self/environ"]
    call = ["model-gateway", "chat", *words]
    plain, ours = (
        subprocess.run(line, capture_output=True, check=True, env={**base, **variables}).stdout
        for line in (command, [*PROGRAM, "run", *call, "--", *command])
    )
    assert ours == plain


def test_the_process_dies_of_a_ctrl_c_that_comes_when_the_call_is_decided() -> None:
    """Python would note it for later, and there is no later: the command would run."""
    program = (
        "import os, signal, sys; from cortex_policy import program_exec\n"
        "os.execv = lambda *words: os.kill(os.getpid(), signal.SIGINT)\n"
        "program_exec.execute_program_or_return_error('/bin/true', ['true'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, preexec_fn=hear_interrupts)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("is_ignored", [True, False])
def test_the_process_says_why_it_does_not_run_to_a_reader_that_is_gone(root: Path, *, is_ignored: bool) -> None:
    """The code stays, although SIGPIPE has its default again."""
    script = root / "script"
    script.write_text("#!/nowhere/interpreter\n")
    script.chmod(0o755)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, "run", "git", "tree", "--", "./script"],
        stderr=writer,
        check=False,
        restore_signals=not is_ignored,
    )
    os.close(writer)
    assert done.returncode == 127
