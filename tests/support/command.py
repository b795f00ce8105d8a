"""Run a command of the program: in this process, or as a process of its own where the process is the point."""

import gc
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Never
from unittest.mock import patch

from typer.testing import CliRunner

import cortex_policy
from cortex_policy import main

PROGRAM = [sys.executable, "-m", "cortex_policy"]
Done = subprocess.CompletedProcess[str]
_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGPIPE,
)


def run_command(
    *words: str, code: int = 0, given: str | None = None, cwd: Path | str | None = None, **variables: str
) -> Done:
    """Run a command in this process; it must answer this code."""
    done = result_of(*words, given=given, cwd=cwd, **variables)
    assert done.returncode == code, done
    return done


def result_of(*words: str, given: str | None = None, cwd: Path | str | None = None, **variables: str) -> Done:
    """Run a command in this process, with input, directory and variables of its own, and return what it answered."""
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, variables))
        stack.enter_context(_directory(cwd))
        stack.enter_context(_process_state())
        out, err = (stack.enter_context(_descriptor(number, b"")) for number in (1, 2))
        stack.enter_context(_descriptor(0, (given or "").encode("utf-8", "surrogateescape")))
        stdout, stderr, _ = stack.enter_context(CliRunner().isolation())
        sys.stdin = stack.enter_context(open(0, encoding="utf-8", closefd=False))  # the runner's has no descriptor
        ended = _run(list(words))
        sys.stdout.flush()
        sys.stderr.flush()
        texts = [_text(stream.getvalue() + _content(file)) for stream, file in ((stdout, out), (stderr, err))]
    return Done([*PROGRAM, *words], ended, *texts)


def process_of(*words: str, given: str = "", cwd: Path | str | None = None, **variables: str) -> Done:
    """Run a command as a process of its own, and return what it answered."""
    return subprocess.run(
        [*PROGRAM, *words], capture_output=True, text=True, check=False, input=given, cwd=cwd,
        env=os.environ | variables, timeout=120,
    )  # fmt: skip


def hear_interrupts() -> None:
    """Undo, in a new process, what a shell does to programs in the background: Python would not be interrupted."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def load_program() -> None:
    """Load all that a command may need, so that no process forked from this one does it again."""
    for module in pkgutil.walk_packages(cortex_policy.__path__, "cortex_policy."):
        if not module.name.endswith("__main__") and ".adapters" not in module.name:  # these say that they are old
            import_module(module.name)


def become_command(*words: str) -> Never:
    """Run a command in this process, which has just been forked, and exit with its code."""
    sys.argv = ["cortex-policy", *words]
    main.main()


class ForkedCommand:
    """A command in a process forked from this one: a kill finds it at work, and not while Python starts."""

    def __init__(self, *words: str) -> None:
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            gc.disable()  # a collection would copy all that the tests hold
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - not what pytest keeps
            become_command(*words)

    def wait(self, seconds: float) -> int | None:
        """Wait at most so long for its end; return its exit code, None if it goes on."""
        end = time.monotonic() + seconds
        while self._code is None:
            gone, status = os.waitpid(self.pid, os.WNOHANG)
            if gone:
                self._code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= end:
                break
            else:
                time.sleep(0.0001)
        return self._code

    def kill(self) -> None:
        """Kill it."""
        os.kill(self.pid, signal.SIGKILL)
        self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class _Exit(BaseException):
    """The program ends its process here; only the test helper sees it."""

    def __init__(self, code: int) -> None:
        self.code = code


def _run(words: list[str]) -> int:
    """Go through the same doors as a process does, and return the code it would exit with."""
    ours, exit_process = os.getpid(), os._exit

    def end(code: int) -> Never:
        if os.getpid() != ours:  # a process that the command has started
            exit_process(code)
        raise _Exit(code)

    with patch.object(os, "_exit", end):
        try:
            return main.run_command_line(words)
        except _Exit as error:
            return error.code


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


@contextmanager
def _directory(path: Path | str | None) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(path or before)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _process_state() -> Iterator[None]:
    """Put back what a command may change because its process ends with it."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    is_collecting, threshold, mask = gc.isenabled(), gc.get_threshold(), os.umask(0o022)
    os.umask(mask)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.umask(mask)
        gc.set_threshold(*threshold)
        if is_collecting:
            gc.enable()


@contextmanager
def _descriptor(number: int, data: bytes) -> Iterator[BinaryIO]:
    """Put a file in the place of a standard descriptor: some commands and what they start go past `sys.stdout`."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        before = os.dup(number)
        os.dup2(file.fileno(), number)
        try:
            yield file
        finally:
            os.dup2(before, number)
            os.close(before)
