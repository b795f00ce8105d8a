"""Run the line of a hook as its agent would: through the same shell, with the same time-out."""

import os
import re
import signal
import subprocess
import time
from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.manage.hooks.agent_behaviour import HookEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SECONDS = 60  # whoever waits longer for a hook would not call it guarded
_NOT_STARTED = 127
_QUOTES = r"""['"\\]*"""
_running = set[int]()
_SHELLS = {
    "claude": ("/bin/sh", "-c"),
    "codex": ("/bin/bash", "-c"),
    "gemini": ("bash", "-c"),
    "cursor": ("/bin/sh", "-lc"),
    "copilot": ("/bin/bash", "--norc", "--noprofile", "-c"),
    "vscode": ("/bin/sh", "-c"),
}


class HookCommand(Value):
    """What `hook install` writes into an agent's settings: words that are run as they are, or one text for a shell.

    `program` and `root` are the paths in it; the root is '' if the agent names it by a variable.
    """

    agent: str
    words: tuple[str, ...]
    program: str
    root: str
    timeout_seconds: float
    is_shell: bool = False
    fail_closed: bool = False

    def with_root(self, root: str) -> "HookCommand":
        """Return the line for another root, the same if a variable names it; raise ValueError if it is not found."""
        return self._replace_in_words(f"(--root[ =\0]{_QUOTES}){re.escape(self.root)}", root) if self.root else self

    def with_program(self, program: str) -> "HookCommand":
        """Return the line with another file in place of our program; raise ValueError if that is not found."""
        return self._replace_in_words(f"({_QUOTES}){re.escape(self.program)}(?={_QUOTES}[ \0]hook[ \0])", program)

    def _replace_in_words(self, pattern: str, text: str) -> "HookCommand":
        joined, count = re.subn(pattern, lambda match: match[1] + text, "\0".join(self.words))
        if not count:
            raise ValueError(pattern)
        return HookCommand(**{**vars(self), "words": tuple(joined.split("\0"))})


class LineRun(Value):
    """How a line ended, and how long it took."""

    end: HookEnd
    seconds: float


def run_hook_command(line: HookCommand, payload: str, directory: str, variables: "Mapping[str, str]") -> LineRun:
    """Run a line with a payload, in a directory, with more variables than this process has."""
    began = time.monotonic()
    command = [*_SHELLS[line.agent], *line.words] if line.is_shell else list(line.words)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=directory,
            env={**os.environ, **variables}, start_new_session=True,
        )  # fmt: skip
    except OSError:
        return LineRun(HookEnd(_NOT_STARTED, fail_closed=line.fail_closed), 0.0)
    _running.add(process.pid)
    with process:
        try:
            return LineRun(_wait_for_end(line, process, payload.encode()), time.monotonic() - began)
        finally:
            _running.discard(process.pid)


def kill_running_hook_commands() -> None:
    """Kill the lines that threads wait for."""
    for process_group in tuple(_running):
        _kill_group(process_group)


def _wait_for_end(line: HookCommand, process: "subprocess.Popen[bytes]", payload: bytes) -> HookEnd:
    """Wait for the end of the outputs, as agents do; Claude Code alone decides when the process ends."""
    timed_out = False
    try:
        out, err = process.communicate(payload, min(line.timeout_seconds, MAX_SECONDS))
    except subprocess.TimeoutExpired as late:
        out, err = late.stdout or b"", late.stderr or b""
        timed_out = line.agent != "claude" or process.poll() is None
        _kill_group(process.pid)
    code = process.wait()
    stdout, stderr = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    return HookEnd(code if code >= 0 else None, stdout, stderr, timed_out, line.fail_closed)


def _kill_group(process_group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process_group, signal.SIGKILL)
