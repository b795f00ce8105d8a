"""The exit code is fixed before anything is printed, and nothing outside changes it."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cortex_policy.library.functions import enforce, load_grant
from tests.support.command import hear_interrupts

PROGRAM = [sys.executable, "-m", "cortex_policy", "check"]
# a line with `--` is one for Typer's door
CODES = [
    ("git tree --path docs/x --json", 0), ("git --json -- tree", 0), ("--help", 0), ("git push", 10),
    pytest.param("git -- push", 10, marks=pytest.mark.storm),  # ends as `once -- a` does, which has a ledger open too
    ("git tree --args '{\"repo\": 3}' --explain", 11), ("git tree --path etc --json", 12), ("once a", 14), ("once -- a", 14),
    ("fs.write write", 20), ("git tree --nope", 2), ("git tree --arg x", 2),
]  # fmt: skip


@pytest.fixture
def spent(root: Path) -> Path:
    """Add a grant whose budget is spent, so that a denial has the ledger open."""
    once = '{"tool": "once", "actions": ["a"], "rate": {"perMinute": 1}}'
    (root / ".cortex" / "policy" / "tools" / "once.json").write_text(once)
    enforce(load_grant("once"), "a")
    return root


def holds_no_text(state: Path) -> bool:
    """Whether no word of an answer stands in the rate state."""
    texts = (b"git", b"once", b"allowed", b"hint", b"rate", b"decision", b"Usage", b"Error")
    return not any(text in file.read_bytes() for file in state.rglob("*") if file.is_file() for text in texts)


@pytest.mark.parametrize(
    "redirection",
    [">&-", "2>&-", ">&- 2>&-", ">&- 2>&- <&-", ">/dev/full 2>/dev/full", ">/dev/full", "2>/dev/full", "| head -c0"],
)
@pytest.mark.parametrize(("words", "code"), CODES)
def test_a_closed_output_changes_no_exit_code(
    spent: Path, state: Path, redirection: str, words: str, code: int
) -> None:
    """Closed, full or broken outputs leave the exit code as it was decided, and no text in the ledger."""
    line = f"set -o pipefail; {shlex.join(PROGRAM)} {words} {redirection}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False, timeout=30, cwd=spent)
    assert done.returncode == code
    assert holds_no_text(state)


@pytest.mark.parametrize("is_ignored", [True, False])
@pytest.mark.parametrize(("words", "code"), CODES)
def test_a_broken_pipe_changes_nothing(spent: Path, state: Path, words: str, code: int, *, is_ignored: bool) -> None:
    """The reader is gone before the first byte, with SIGPIPE ignored or left to kill."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*PROGRAM, *shlex.split(words)], stdout=writer, stderr=writer, check=False, timeout=30, cwd=spent,
            restore_signals=not is_ignored,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert done.returncode == code
    assert holds_no_text(state)


@pytest.mark.parametrize("words", [["once", "a"], ["once", "--", "a"]], ids=["fast", "typer"])
def test_an_interrupted_wait_exits_with_130_and_no_traceback(spent: Path, words: list[str]) -> None:
    """Ctrl-C while it waits for budget."""
    line = [*PROGRAM, "--wait", "3000", "--args", "-", *words]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=spent,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - no threads here
    ) as waiting:  # fmt: skip
        assert waiting.stdin is not None
        # more than a pipe holds: once it is written, the program is past its start and reads
        waiting.stdin.write(b"{" + b" " * 500_000 + b"}")
        waiting.stdin.close()
        waiting.stdin = None
        time.sleep(0.3)  # long enough to be asleep; whenever it comes, the answer is the same
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert not out
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    "value", ["bash_source", "source_bash", "zsh_source", "complete_bash", "bash_complete", "fish_complete", "1", ""]
)
@pytest.mark.parametrize(("words", "code"), [(["git", "--", "push"], 10), (["--help", "tree"], 2)])
def test_completion_variables_never_make_a_check_answer(root: Path, value: str, words: list[str], code: int) -> None:
    """They would make Typer print a script, and exit 0."""
    names = ("_CORTEX_POLICY_COMPLETE", "_CHECK_COMPLETE", "_PYTHON_M_CORTEX_POLICY_COMPLETE")
    asked = dict.fromkeys(names, value) | {
        "COMP_WORDS": "cortex-policy check",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "cortex-policy check ",
    }
    done = subprocess.run([*PROGRAM, *words], capture_output=True, check=False, cwd=root, env={**os.environ, **asked})
    assert (done.returncode, done.stdout) == (code, b"")
