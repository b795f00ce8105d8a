"""`run` by both doors: the same words make the same Run, and what follows the first `--` is the command."""

import sys
from contextlib import suppress
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy import main
from cortex_policy.cli import app
from cortex_policy.cli.commands import run as run_module
from cortex_policy.run import Run
from tests.support.chance import chance

PLAIN = [
    "git tree -- ls", "git tree --path docs/x -- cat {}", "--path a git tree --path b -- ls -l --json", "git tree -q -- --",
    "git tree --denied-exit 9 -- ls", "git tree --denied-exit=255 --cost 2 --wait 1 -- ls", "git tree --for-each -0 -- cat {}",
    "git tree --root /r --args {} --arg a=1 --require-path -- ls", "git tree --quiet --for-each -- ls {} -- x", "git tree --path= -- ls",
]  # fmt: skip
NOT_PLAIN = [
    "git tree", "git tree --", "git tree ls", "-- git tree", "git -- tree ls", "git tree --peek -- ls", "git tree --json -- ls",
    "git tree --explain -- ls", "git tree --path -- ls", "git tree --path -x -- ls", "git tree --denied-exit 0 -- ls",
    "git tree -q -q -- ls", "git tree --help -- ls", "--help -- ls", "git tree -0 -0 -- ls", "git tree --for-each=1 -- ls",
    "git tree x -- ls", "git tree --denied-exit 9 --denied-exit 9 -- ls", "--version", "git tree --path -0 -- ls",
]  # fmt: skip


def by_typer(words: list[str]) -> "Run | int":
    """Return the Run that Typer builds, or the code it ends with."""
    runs: list[Run] = []

    def decide_and_exec_or_exit(run: Run, _: object) -> None:
        runs.append(run)
        raise SystemExit(0)

    code = 0
    streams = patch.multiple(sys, stdout=sys.stdout, stderr=sys.stderr)  # a run wraps them: put them back
    with (
        patch.object(run_module, "decide_and_exec_or_exit", decide_and_exec_or_exit),
        streams,
        suppress(SystemExit),
    ):
        code = app.run_typer(["run", *words])
    return runs[0] if runs else code


@pytest.mark.parametrize("line", [*PLAIN, *NOT_PLAIN])
def test_run_words_are_read_the_same_by_main_and_typer(line: str) -> None:
    """What is not plain is left to Typer."""
    words = line.split(" ")
    run, read = main.parse_run_argv_or_none(words), by_typer(words)
    assert (run is not None) == (line in PLAIN)
    assert run is None or read == run
    assert isinstance(read, Run) or read == (0 if line == "--version" else 2)


parts = st.sampled_from(
    ["--", "--for-each", "-0", "--denied-exit", "--denied-exit=3", "--path", "--path=-x", "-q", "--arg", "a=b", "git", "tree", "ls", "{}", "--json", "7", "--wait=1", "--", ""]
)  # fmt: skip


@chance(400)
@given(st.lists(parts, max_size=9))
def test_any_run_words_are_read_the_same_by_main_and_typer(words: list[str]) -> None:
    """Whatever the fast door makes of any words, Typer makes of them too; the command is what follows the first `--`."""
    run = main.parse_run_argv_or_none(words)
    if run is not None:
        assert by_typer(words) == run
        assert list(run.command) == words[words.index("--") + 1 :]
