"""Two doors, one room: same argv, same bytes out, same exit code."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy import main
from cortex_policy.check import Call, CallOutcome
from cortex_policy.cli import app
from cortex_policy.cli.commands import check
from tests.support.chance import chance
from tests.support.doors import BOTH_DOORS, Door, split_line

PLAIN = [
    "git tree", "git tree --path docs/x", "--path docs/x git tree", "git --path a tree --path b", "git tree --path=a=b",
    "git tree --path=", "git tree --arg a=1 --arg b=2", "git tree --arg=a=1", "git tree --args {}", "git tree --args -",
    "git tree --args={}", "git tree --root /r", "git tree --root=/r", "git tree --wait 0", "git tree --wait 1.5",
    "git tree --wait 3600", "git tree --wait=2", "git tree --cost 1", "git tree --cost=30", "git tree --cost 007",
    "git tree --cost 1000000000", f"git tree --cost {'9' * 5000}", f"git tree --cost {'0' * 5000}1",
    f"git tree --wait {'0' * 5000}1.{'0' * 5000}5",
    "git tree --peek", "git tree --require-path", "git tree --explain", "git tree --json", "git tree -q",
    "git tree --quiet", "git tree -q --json --peek --explain --require-path", "../x y", "git tree\n", "gi\x1bt tree",
    "git tree --path \u202edocs", "git tree --path \udcff", "fs.write write", "git tree --path ~", "git tree --path \\",
    "git tree --wait 0.5 --cost 2 --path a --arg k=v --args {} --root .",
]  # fmt: skip
USAGE = [
    "", "git", "git tree extra", "git --help", "--help tree", "git tree --nope", "git tree -x", "git tree -qq",
    "git tree --path", "git tree --cost 0", "git tree --cost -3", "git tree --cost x", "git tree --cost 1.5",
    "git tree --wait nan", "git tree --wait -1", "git tree --wait 3601", "git tree --wait .", "git tree --wait inf",
    "git tree --json --json", "git tree -q --quiet", "git tree --args {} --args {}", "git tree --root a --root b",
    "git tree --wait 1 --wait 1", "git tree --cost 1 --cost 1", "git tree --peek=1", "git tree --pee", "git tree --pat x",
    "git tree --version", "--version tree", "git tree -", "git tree -q -q", "git tree --wait 1e3",
    f"git tree --cost {'0' * 5000}", f"git tree --wait {'9' * 5000}",
    "git tree --cost \u0663", "git tree --cost 1_0", "git tree --cost=+4",
]  # fmt: skip
TYPER_KNOWS_BETTER = [
    "--help", "--version", "git -- tree", "git tree --", "git -- --help", "git tree --path --json", "- tree",
    "git tree --path -x", "git tree --args -x",
]  # fmt: skip
TABLE = [*PLAIN, *USAGE, *TYPER_KNOWS_BETTER]


def by_typer(words: list[str]) -> "Call | int":
    """Return the Call that Typer builds, or the code it ends with."""
    calls: list[Call] = []

    def decide_outcome_with_wait(call: Call, _: object = None) -> CallOutcome:
        calls.append(call)
        raise SystemExit(0)

    code = 0
    room = patch.object(check, "decide_outcome_with_wait", decide_outcome_with_wait)
    streams = patch.multiple(sys, stdout=sys.stdout, stderr=sys.stderr)  # a run wraps them: put them back
    with room, streams, suppress(SystemExit):
        code = app.run_typer(["check", *words])
    return calls[0] if calls else code


@pytest.mark.parametrize("line", TABLE)
def test_plain_words_are_read_like_typer_reads_them(line: str) -> None:
    """Plain words make the same Call whoever reads them; the rest is left to Typer, and is usage where it is wrong."""
    call = main.parse_check_argv_or_none(split_line(line))
    assert (call is not None) == (line in PLAIN)
    read = by_typer(split_line(line))
    if call is not None:
        assert read == call
    elif line in USAGE:
        assert read == 2
    else:
        assert isinstance(read, Call) or read == 0


values = st.text(max_size=4) | st.sampled_from(
    ["0", "1", "2.5", "1.", ".5", "00", "-1", "3600.5", "9999999999", "\u0663", "a=b", "-", "--", "--json", "-q", "{}", "\udcff"]
)  # fmt: skip
options = st.sampled_from(["--path", "--arg", "--args", "--root", "--wait", "--cost", "--peek", "--pat", "-q"])
groups = (
    st.tuples(
        st.sampled_from(["--peek", "--require-path", "--explain", "--json", "--quiet", "-q"]) | st.text(max_size=4)
    )
    | st.tuples(options, values)
    | st.builds("{}={}".format, options, values).map(lambda word: (word,))
)


@chance(400)
@given(st.lists(groups, max_size=4).flatmap(lambda some: st.permutations([("git",), ("tree",), *some])))
def test_any_words_are_read_the_same_by_main_and_typer(parts: list[tuple[str, ...]]) -> None:
    """Whatever the fast door makes of any words, Typer makes of them too, and nothing raises."""
    words = [word for part in parts for word in part]
    call = main.parse_check_argv_or_none(words)
    if call is not None:
        assert by_typer(words) == call


FAST = [sys.executable, "-m", "cortex_policy"]
SLOW = [
    sys.executable,
    "-c",
    "from cortex_policy import main; main.parse_check_argv_or_none = lambda *words: None; main.main()",
]
WHOLE = [
    ("git", "tree", "--path", "docs/x"), ("git", "tree", "--path", "docs/x", "--json"), ("git", "tree", "--explain"),
    ("git", "push"), ("git", "push", "--json"), ("git", "push", "-q"), ("git", "tree", "--path", "etc/\x1b[31m\u202e"),
    ("git", "tree", "--path", "\udcff\udc80"), ("git", "tree", "--path", ""), ("git", "tree", "--path", "a", "--path=docs", "--json"),
    ("git", "tree", "--args", "-", "--json"), ("git", "tree", "--args", '{"a": 1, "a": 2}'), ("git", "tree", "--arg", "novalue"),
    ("git", "tree", "--arg", "repo=3", "--cost", "30", "--json", "--peek"), ("git", "tree", "--cost", "31", "--explain"),
    ("git", "tree", "--cost", "1000000000", "--json"), ("git", "tree", "--cost", "9" * 5000),
    ("git", "tree", "--wait=0.1", "--cost", "31", "--json"), ("../model-gateway", "chat"), ("fs.write", "write"), ("", ""),
    ("git", "tree\n"), ("git", "tree", "--root", "/nowhere"), ("git", "tree", "--root="), ("once", "a"), ("once", "a", "--json"),
    ("git", "push", "--explain"), ("git", "tree", "--path", "etc/\x1b", "--path", "docs", "--explain", "--json"),
    ("git", "--help"), ("git", "tree", "--nope"), ("git", "tree", "--cost", "0"),
]  # fmt: skip


def told(program: list[str], line: tuple[str, ...], state: Path) -> tuple[int, bytes, bytes]:
    """Run a whole process on a budget that is untouched but for `once`; return what it said, without its times."""
    shutil.rmtree(state)
    state.mkdir(mode=0o700)
    if line[0] == "once":
        subprocess.run([*FAST, "check", "once", "a"], check=True)
    argv: list[str | bytes] = [*program, "check", *map(os.fsencode, line)]
    done = subprocess.run(argv, input=b'{"path": "docs/x"}', capture_output=True, check=False, timeout=30)
    out, err = (
        re.sub(rb'("duration_us": |"retry_after_seconds": |fits in |--wait )[1-9][0-9.]*', rb"\1?", text)
        for text in (done.stdout, done.stderr)
    )
    return done.returncode, out, err


@pytest.mark.parametrize("line", WHOLE, ids=repr)
def test_main_and_typer_print_the_same_bytes(root: Path, state: Path, line: tuple[str, ...]) -> None:
    """Whole processes: the program as it is, and one whose fast door always declines."""
    once = '{"tool": "once", "actions": ["a"], "rate": {"perMinute": 1}}'
    (root / ".cortex" / "policy" / "tools" / "once.json").write_text(once)
    fast, slow = (told(program, line, state) for program in (FAST, SLOW))
    assert fast == slow
    assert fast[0] != 70


@pytest.mark.parametrize("line", WHOLE, ids=repr)
@BOTH_DOORS
def test_enforce_is_the_same_command_as_check(
    root: Path, state: Path, door: Door, line: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same exit code, same output; a usage error and its hint name the command that was typed."""
    monkeypatch.chdir(root)
    once = '{"tool": "once", "actions": ["a"], "rate": {"perMinute": 1}}'
    (root / ".cortex" / "policy" / "tools" / "once.json").write_text(once)
    answers = []
    for command in ("check", "enforce"):
        shutil.rmtree(state)
        state.mkdir(mode=0o700)
        if line[0] == "once":
            door.result_of(command, *line)
        done = door.result_of(command, *line, given='{"path": "docs/x"}')
        texts = (
            re.sub(r'("duration_us": |"retry_after_seconds": |fits in |--wait )[1-9][0-9.]*', r"\1?", text)
            for text in (done.stdout, done.stderr.partition("\n\nUsage: ")[0])  # its help says that it is the same
        )
        answers.append(
            [done.returncode, *(text.replace("cortex-policy enforce", "cortex-policy check") for text in texts)]
        )
    assert answers[0] == answers[1]
    assert ("cortex-policy enforce" in done.stderr) == (done.returncode == 2 and "--json" not in line)


@pytest.mark.parametrize("command", ["check", "enforce", "explain", "run"])
@BOTH_DOORS
@pytest.mark.usefixtures("root")
def test_help_of_a_deciding_command_counts_only_as_the_sole_word(door: Door, command: str) -> None:
    """A wrapper's `"$@"` must not turn a denial into a 0; the help names the command and its exit codes."""
    assert door.result_of(command, "--help", "git").returncode == 2
    assert door.result_of(command, "git", "push", "--help").returncode == 2
    done = door.result_of(command, "--help")
    assert (done.returncode, f"Usage: cortex-policy {command} " in done.stdout) == (0, True)
    assert "\n  20   grant not found" in done.stdout
