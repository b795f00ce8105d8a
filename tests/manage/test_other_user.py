"""A child that acts as another user has nothing left of root, and never goes on as the command that made it."""

import os
import subprocess
import sys

import pytest

from cortex_policy.core.model import UsageError
from cortex_policy.manage.other_user import MAX_UID, User, find_user_by_name_or_number

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
CHILD = """
import os, sys
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.other_user import User, find_user_by_name_or_number, run_function_in_child_as_user

def guard(command):
    try:
        return command()
    except NotDoneError as error:
        print(error)
        return 3

def work():
{work}

print("code", run_function_in_child_as_user({user}, work, guard))
"""


def child(work: str, user: str = "User(12345, (12345, 4711), '/home/x')") -> list[str]:
    """Run some lines as a user, in a process with no other threads, and return what is printed."""
    lines = "".join(f"    {line}\n" for line in work.splitlines())
    program = CHILD.replace("{work}", lines).replace("{user}", user)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    return (done.stdout + done.stderr).splitlines()


def test_every_id_group_and_right_is_the_users() -> None:
    """For good: the kernel knows no way back."""
    printed = child(
        "print(*os.getresuid(), *os.getresgid(), *sorted(os.getgroups()), os.environ['HOME'])\n"
        "rights = [line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapPrm', 'CapInh'))]\n"
        "print(*{int(right, 16) for right in rights})\n"
        "for call in (lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):\n"
        "    try: call()\n"
        "    except PermissionError: print('no')\n"
        "return 7"
    )
    assert printed == ["12345 12345 12345 12345 12345 12345 4711 12345 /home/x", "0", *["no"] * 4, "code 7"]


@pytest.mark.parametrize(
    ("work", "code"), [("raise KeyboardInterrupt", 130), ("raise ValueError", 70), ("sys.exit(0)", 70), ("return 0", 0)]
)
def test_the_child_ends_in_every_case(work: str, code: int) -> None:
    """It prints the code once: only the parent goes on."""
    printed = child(work)
    assert [line for line in printed if line.startswith("code")] == [f"code {code}"]
    assert not any("Traceback" in line for line in printed)


def test_a_child_that_is_killed_is_not_done() -> None:
    """And no success."""
    printed = child("os.kill(os.getpid(), 9)")
    assert (
        "NotDoneError: not done, nothing was changed: the process that acted as uid 12345 was ended by signal 9"
        in printed[-1]
    )


def test_no_child_process_becomes_root() -> None:
    """The work is not begun."""
    assert child("print('done')", "User(0, (0,))") == [
        "not done, nothing was changed: this process runs as root and could not give up the rights of root for uid 0", "code 3"
    ]  # fmt: skip


def test_a_user_is_found_by_name_and_by_number() -> None:
    """With all groups and the home; a number without a name has its own group and no home."""
    assert (
        find_user_by_name_or_number("root")
        == find_user_by_name_or_number("0")
        == User(0, find_user_by_name_or_number("root").groups, "/root")
    )
    assert find_user_by_name_or_number("12345") == User(12345, (12345,))
    assert find_user_by_name_or_number(str(MAX_UID)).uid == MAX_UID
    for word in ("", "-1", "1.0", "²", str(MAX_UID + 1), "9" * 40, "a\0b"):
        with pytest.raises(UsageError, match="unknown user"):
            find_user_by_name_or_number(word)
