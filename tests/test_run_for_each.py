"""`run --for-each`: paths from standard input, each decided and counted by itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.run_for_each import MAX_PATH_BYTES, read_paths_from_stdin
from tests.support.command import PROGRAM, Done, hear_interrupts, process_of, result_of, run_command

EACH = [*PROGRAM, "run", "git", "tree", "--for-each", "--"]


def for_each(text: str, *command: str, words: tuple[str, ...] = ()) -> Done:
    """Run a command for each path of a text."""
    return process_of("run", "git", "tree", "--for-each", *words, "--", *command, given=text)


def test_for_each_runs_the_command_once_for_each_allowed_path_and_goes_on_after_a_denial(root: Path) -> None:
    """Each is counted by itself; the code is the first that was not 0."""
    done = for_each("docs/a\netc/passwd\npackages/b\n", "echo", "got {}")
    assert done.stdout == f"got {root}/docs/a\ngot {root}/packages/b\n"
    assert (done.returncode, done.stderr.count("\n")) == (12, 1)
    checked = run_command("check", "git", "tree", "--peek", "--json").stdout
    assert json.loads(checked)["rate"]["used"] == 2


def test_for_each_ends_with_the_first_code_that_was_not_0() -> None:
    """Of a command, of a denial, or 128 and the number of a signal."""
    script = "case $1 in */kill) kill -9 $$;; */three) exit 3;; esac"
    for names, code in (("a three kill", 3), ("kill three", 137), ("../etc three", 12), ("a b", 0)):
        text = "".join(f"docs/{name}\n" for name in names.split())
        assert for_each(text, "sh", "-c", script, "sh", "{}").returncode == code
    assert for_each("etc\n", "true", "{}", words=("--denied-exit", "99")).returncode == 99


@pytest.mark.parametrize(
    ("given", "words", "code"),
    [("", (), 2), ("", ("-0",), 2), ("\n", (), 2), ("\0", ("-0",), 2), ("\n\ndocs/a\n", (), 2)],
)
def test_for_each_without_a_path_is_a_usage_error(given: str, words: tuple[str, ...], code: int) -> None:
    """An empty line is no path either: it must not become the working directory; the others are run."""
    done = for_each(given, "echo", "{}", words=words)
    assert (done.returncode, done.stdout.count("\n")) == (code, given.count("docs"))


@pytest.mark.parametrize("given", ["docs/a\0docs/b\0", "docs/a\ndocs/b\0c\ndocs/d\n"])
def test_for_each_stops_at_a_list_of_another_kind(given: str) -> None:
    """What came before is done; what follows is not guessed."""
    done = for_each(given, "echo", "{}")
    assert (done.returncode, done.stdout.count("\n")) == (2, given.count("docs/a\n"))
    assert "`-0` reads paths that end with NUL" in done.stderr


def test_for_each_takes_names_as_they_are(root: Path) -> None:
    """A carriage return and blanks stay, which a scope denies; with NUL a name may have several lines."""
    for text, words, code in (
        ("docs/a\r\n", (), 12),
        ("docs/a \n", (), 12),
        ("docs/a\nb\0", ("-0",), 12),
        ("docs/a", (), 0),
    ):
        assert for_each(text, "true", "{}", words=words).returncode == code
    call = [*PROGRAM, "run", "model-gateway", "chat", "--for-each", "-0", "--", "printf", "%s|", "{}"]
    done = subprocess.run(call, input=b"a\r\nb\0\xff \0", capture_output=True, check=True)
    assert done.stdout == os.fsencode(root) + b"/a\r\nb|" + os.fsencode(root) + b"/\xff |"


def test_for_each_gives_its_commands_no_input() -> None:
    """Else a command would eat the paths that follow."""
    done = for_each("docs/a\n" + f"{'x' * 60_000}\n" * 4, "sh", "-c", "wc -c", "sh", "{}")  # more than is read at once
    assert (done.stdout.split(), done.stderr.count("\n")) == (["0"], 4)


def test_for_each_works_on_a_list_that_has_no_end() -> None:
    """A path is decided when it comes, not when all have come."""
    command = [*EACH, "echo", "{}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in ("docs/a", "docs/b"):
            process.stdin.write(f"{name}\n")
            process.stdin.flush()
            assert process.stdout.readline().endswith(f"{name}\n")
        process.stdin.close()
    assert process.returncode == 0


def test_for_each_stops_at_a_path_without_an_end() -> None:
    """It is not kept in memory until there is no more of that."""
    with subprocess.Popen(["yes", "x"], stdout=subprocess.PIPE) as endless:
        with subprocess.Popen(["tr", "-d", "\\n"], stdin=endless.stdout, stdout=subprocess.PIPE) as line:
            done = subprocess.run([*EACH, "true", "{}"], stdin=line.stdout,
                                  capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
            line.kill()
        endless.kill()
    assert (done.returncode, "is longer than" in done.stderr) == (2, True)


def test_for_each_knows_the_code_of_a_command_also_if_its_caller_ignores_children() -> None:
    """The kernel would drop it, and a failure would be a 0; the command itself has what the caller has."""
    for command, code in ((["false", "{}"], 1), (["grep", "SigIgn", "/proc/self/status", "{}"], 2)):
        done = subprocess.run(
            [*EACH, *command], input="docs/a\n", capture_output=True, text=True, check=False,
            preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        )  # fmt: skip
        assert done.returncode == code
    assert not done.stdout or int(done.stdout.split()[-1], 16) >> (signal.SIGCHLD - 1) & 1  # macOS has no such file


@pytest.mark.parametrize("words", [("--path", "docs/a"), ("--args", "-")])
def test_for_each_takes_paths_from_one_place(words: tuple[str, ...]) -> None:
    """What else would read standard input or names a path is a usage error, and `{}` must be there."""
    assert result_of("run", "git", "tree", "--for-each", *words, "--", "true", "{}").returncode == 2
    assert result_of("run", "git", "tree", "--for-each", "--", "true").returncode == 2
    assert result_of("run", "git", "tree", "--for-each", "--for-each", "--", "true", "{}").returncode == 2


def test_for_each_decides_each_path_by_the_grant_of_that_moment(root: Path) -> None:
    """What was taken back meanwhile is denied."""
    stop = root / ".cortex/policy/stop"
    done = for_each("docs/a\ndocs/b\n", "sh", "-c", f"echo $1; touch {stop}", "sh", "{}")
    assert (done.returncode, done.stdout) == (15, f"{root}/docs/a\n")


def test_for_each_says_that_a_list_cannot_be_read() -> None:
    """As one that is open for writing only."""
    with open(os.devnull, "wb") as output:
        done = subprocess.run([*EACH, "true", "{}"], stdin=output, capture_output=True, text=True, check=False)
    assert (done.returncode, "standard input cannot be read: bad file descriptor" in done.stderr) == (2, True)


def test_for_each_ends_with_130_after_an_interrupt_and_starts_no_other_command() -> None:
    """The command that runs has the same Ctrl-C, and time to clean up."""
    script = 'trap "sleep 0.3; echo cleaned; exit 5" INT; echo started; while :; do sleep 0.1; done'
    command = [*EACH, "sh", "-c", script, "sh", "{}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=hear_interrupts,  # noqa: PLW1509 - no threads here
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("docs/a\ndocs/b\n")
        process.stdin.flush()
        assert process.stdout.readline() == "started\n"
        os.killpg(process.pid, signal.SIGINT)
        rest, said = process.communicate(timeout=60)
    assert (process.returncode, rest, said) == (130, "cleaned\n", "")


def test_for_each_ends_with_130_if_the_interrupt_comes_as_the_command_ends() -> None:
    """Nothing is left to wait for, and that is no error."""
    program = """
import os, sys
from cortex_policy import main
wait = os.waitpid
def interrupted(*words):
    os.waitpid = wait
    wait(*words)
    raise KeyboardInterrupt
os.waitpid = interrupted
sys.argv = ["cortex-policy", "run", "git", "tree", "--for-each", "--", "echo", "{}"]
main.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input="docs/a\ndocs/b\n", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (130, 1, "")


def _paths_of(data: bytes, *, nul: bool) -> list[str]:
    with patch("cortex_policy.run_for_each.os.read", _reader(data)):
        return list(read_paths_from_stdin(nul=nul))


def _reader(data: bytes) -> Callable[[int, int], bytes]:
    """Return a `read` that gives a few bytes at a time, as a pipe may."""
    parts = [data[index : index + 3] for index in range(0, len(data), 3)]
    return lambda *_: parts.pop(0) if parts else b""


@given(
    st.lists(st.binary(max_size=9).filter(lambda name: b"\0" not in name and b"\n" not in name), min_size=1),
    st.booleans(),
    st.booleans(),
)
def test_any_list_is_split_into_its_names(names: list[bytes], nul: bool, is_open: bool) -> None:
    """Each comes back as the bytes that it is; the last one may lack its end."""
    end = b"\0" if nul else b"\n"
    data = end.join(names) + (b"" if is_open and names[-1] else end)
    assert [os.fsencode(path) for path in _paths_of(data, nul=nul)] == names


def test_a_path_is_not_longer_than_any_system_takes() -> None:
    """Just as long is fine."""
    assert _paths_of(b"x" * MAX_PATH_BYTES + b"\n", nul=False) == ["x" * MAX_PATH_BYTES]
