"""Processes that decide one call after another for a server, so that what hangs can be killed (docs/hook-install.md).

A worker starts as a copy of the server, which has read nothing of the policy, and reads everything again for each
call: what it keeps is its loaded modules.
"""

import os
import signal
import socket

from cortex_policy.core.hooks import grant_denial, ruling_denial  # noqa: F401 - loaded before a worker needs them
from cortex_policy.core.hooks.denial_outputs import escape_reason_for_model
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.hook import HookWords, close_all_descriptors_except, format_bug_by_type, format_uncaught_error
from cortex_policy.hook_decision import decide_denial_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never

ENDED = "the process that applies the policy ended without an answer; try again once"
_LENGTH = 8  # bytes of the number before a payload
_AGENT, _PASS, _DENY = b"agent:", b"pass", b"deny:"
_MAX_MESSAGE = 1 << 14
_PART = 1 << 16


class Worker:
    """A process that decides, at most one call at a time, and what the server knows of it."""

    calls: int
    end: int
    process: int
    socket: "socket.socket"

    def __init__(self, words: HookWords) -> None:
        """Start it; raises OSError."""
        self.socket, theirs = socket.socketpair()
        with theirs:
            self.process = os.fork()
            if self.process == 0:
                _decide_calls(words, theirs.detach())
        self.socket.settimeout(0)
        self.end = os.pidfd_open(self.process)  # readable once it has ended
        self.calls = 0
        self._outgoing = memoryview(b"")
        self._message = b""

    def begin_call(self, payload: bytes) -> None:
        """Give it a call; nothing is sent yet."""
        self.calls += 1
        self._outgoing = memoryview(len(payload).to_bytes(_LENGTH, "big") + payload)
        self._message = b""

    def send_part(self) -> bool:
        """Send as much as it takes now; return whether more is left. Raises OSError if it has ended."""
        try:
            self._outgoing = self._outgoing[self.socket.send(self._outgoing) :]
        except BlockingIOError:
            return True
        if self._outgoing:
            return True
        self._outgoing = memoryview(b"")  # else it keeps the payload
        return False

    def try_receive_denial(self) -> str | None:
        """Read what it says; return why the call is denied, '' if it is not, None if more must come."""
        part = self.socket.recv(_MAX_MESSAGE)
        self._message += part
        last = self._message.split(b"\n")[-2:]
        if last[-1] or len(last) == 1 or last[0].startswith(_AGENT):
            return None if part and len(self._message) < _MAX_MESSAGE else ENDED
        if last[0].startswith(_DENY):
            return last[0][len(_DENY) :].decode("utf-8", "replace")
        return "" if last[0] == _PASS else ENDED

    def agent_of_call(self, named: str) -> str:
        """Return the agent that the payload is of, as far as it is known, else the one that is named."""
        head, newline, _ = self._message.partition(b"\n")
        told = head.removeprefix(_AGENT).decode("ascii", "replace")
        return told if newline and head.startswith(_AGENT) and told in ("", *AGENTS) else named

    def kill(self) -> None:
        """End it, whatever it does; one that hangs in a system call ends when that does."""
        self.socket.close()
        try:
            signal.pidfd_send_signal(self.end, signal.SIGKILL)
        except OSError:
            return  # it has ended

    def reap(self) -> None:
        """Take note of its end, once `end` is readable."""
        os.waitpid(self.process, 0)
        os.close(self.end)


def _decide_calls(words: HookWords, channel: int) -> "Never":
    """Decide calls until the server closes its end, or dies."""
    code = 1
    try:
        for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        close_all_descriptors_except(channel)
        while (payload := _read_payload(channel)) is not None:
            # for a server that was killed; it kills a worker that is late by itself
            signal.setitimer(signal.ITIMER_REAL, words.deadline_seconds + 1)
            _decide_and_send(words, payload, channel)
            payload = b""
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.chdir("/")
        code = 0
    finally:
        os._exit(code)


def _read_payload(channel: int) -> bytes | None:
    """Return the next payload, None if there will be none."""
    length, data = 0, bytearray()
    while len(data) < _LENGTH + length:
        part = os.read(channel, _PART)
        if not part:
            return None
        data += part
        if not length and len(data) >= _LENGTH:
            length = int.from_bytes(data[:_LENGTH], "big")
    return bytes(data[_LENGTH:])


def _decide_and_send(words: HookWords, payload: bytes, channel: int) -> None:
    try:
        denial = decide_denial_text(
            payload,
            words.agent,
            words.root,
            words.tag,
            lambda agent: _send_line(channel, _AGENT + agent.encode("ascii")),
        )
    except Exception as error:  # noqa: BLE001 - a bug denies
        denial = format_uncaught_error(error, format_bug_by_type)
    _send_line(
        channel, _DENY + escape_reason_for_model(denial).encode("utf-8", "backslashreplace") if denial else _PASS
    )


def _send_line(channel: int, line: bytes) -> None:
    data = line + b"\n"
    while data:
        data = data[os.write(channel, data) :]
