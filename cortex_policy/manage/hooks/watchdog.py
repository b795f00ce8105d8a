"""The shell text around a hook for agents that would let a call run if the hook crashes, is missing or hangs.

It exits with 0 or 2 as the program does, and with 2 and a reason for everything else, in dash, bash and busybox.
"""

import os

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.operator_commands import quote_for_shell

WATCHDOG_SECONDS = 12
DENIED = "cortex-policy denied this call"  # after the reason, and alone if the program could not print it
FAILED = "cortex-policy: the check itself failed, so the call is denied; a human has to look at the hook"
_SLEEP_PLACES = ("/bin/sleep", "/usr/bin/sleep", "/run/current-system/sw/bin/sleep")
# names that no environment has: Gemini replaces `$NAME` in its settings by a variable of that name.
# 3: the payload, which a program in the background gets from nowhere else; 4: standard error, which the shell's own
# notices about jobs do not get. The program's exit ends the watchdog: `sleep` is killed, and only if it ends by itself
# the program is. INVARIANT: the watchdog holds neither 0-2 nor their copies: agents wait until their pipes are closed
# an option of the shell (`SHELLOPTS`) or an output without a reader does not end it before it has its exit code
_TEXT = """\
set +e
trap "" PIPE
exec 3<&0 4>&2 2>/dev/null
"$@" <&3 2>&4 3<&- 4>&- & hook_pid=$!
hook_timer=$( ( {sleep} {seconds} <&- >&- & echo $!; exec >&-; wait $! && kill -9 $hook_pid ) <&- 2>&- 3<&- 4>&- & )
trap 'kill -9 $hook_pid $hook_timer; echo "{failed}" >&4; exit 2' HUP INT TERM
exec 3<&-
wait $hook_pid
hook_exit=$?
kill -9 $hook_timer
case $hook_exit in 0) exit 0;; 2) echo "{denied}" >&4; exit 2;; esac
echo "{failed} ($hook_exit)" >&4
exit 2"""
# INVARIANT: a shell of the agent finds no command here by a name that its environment may have made a function: Bash
# takes `exec`, `exit` and `wait` from there, but nothing with a `/`. It becomes the program by itself; others by `exec`
_START = "hook_exec=${BASH_VERSION-exec}; hook_exec=${hook_exec%%[0-9]*}; $hook_exec "


def wrap_in_watchdog(program: str, seconds: float = WATCHDOG_SECONDS) -> str:
    """Return shell text that runs a command line of one program, and ends it after some seconds."""
    return f"{_START}{' '.join(map(quote_for_shell, make_watchdog_prefix_words(seconds)))} {program}"


def make_watchdog_prefix_words(seconds: float = WATCHDOG_SECONDS) -> tuple[str, ...]:
    """Return what precedes the words of a program, so that it is ended after some seconds."""
    lines = _TEXT.format(sleep=_sleep_program(), seconds=seconds, failed=FAILED, denied=DENIED)
    return ("/usr/bin/env", "-i", "/bin/sh", "-c", "; ".join(lines.splitlines()), "sh")


def _sleep_program() -> str:
    """Return the path of `sleep`: the PATH of an agent is not ours."""
    for path in _SLEEP_PLACES:
        if os.access(path, os.X_OK):
            return path
    raise NotDoneError("`sleep` is not found, so nothing would end a hook that hangs", "install coreutils")
