"""Words that can name no grant are answered before the disk is touched."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# isolated: else Python itself looks for modules in the working directory
CHECK = [sys.executable, "-I", "-m", "cortex_policy", "check"]
NAMED = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')


def touched(tmp_path: Path, *words: str, calls: str = "%file") -> tuple[int, set[Path]]:
    """Run a check under strace; return its code, and each path below the test's directory that such a call named."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed here")
    if subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")
    trace = tmp_path / "trace"
    line = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={calls}", "-o", str(trace), *CHECK, *words]
    done = subprocess.run(line, capture_output=True, check=False, timeout=60)
    found = [NAMED.search(call) for call in trace.read_text().splitlines() if "execve(" not in call]
    named = {Path(match[1] or os.getcwd(), match[2]) for match in found if match is not None}
    return done.returncode, {path for path in named if path.is_relative_to(tmp_path)}


@pytest.mark.parametrize("word", ["../model-gateway", "/etc/passwd", "", ".hidden", "git/../git", "x" * 129, "git\n"])
@pytest.mark.usefixtures("root")
def test_a_word_that_cannot_be_an_id_reads_no_file(tmp_path: Path, word: str) -> None:
    """Neither below the root nor in the state directory; only whether settings name an audit log is looked up."""
    assert touched(tmp_path, word, "chat") == (20, {tmp_path / "config/cortex-policy/config.toml"})


def test_a_denial_opens_no_rate_state(root: Path, state: Path, tmp_path: Path) -> None:
    """Of the grants it opens its own; an allowed call opens its budget too, so the trace sees both."""
    tools = root / ".cortex" / "policy" / "tools"
    opening = "open,openat,mkdir,mkdirat"
    code, paths = touched(tmp_path, "git", "push", calls=opening)
    assert code == 10
    assert paths == {root, root / ".cortex", tools.parent, tools, tools / "git.json"}
    code, paths = touched(tmp_path, "git", "tree", "--path", "docs/x", calls=opening)
    assert code == 0
    assert any(path.is_relative_to(state) for path in paths)


@pytest.mark.parametrize("words", [("git", "tree"), ("nope", "x"), ("git", "tree", "--json")])
def test_a_stop_is_seen_before_the_grant_and_not_opened(root: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """One that is no file is looked at by its name alone; nothing else below the policy directory is touched."""
    policy = root / ".cortex" / "policy"
    os.mkfifo(policy / "stop")
    opening = "open,openat,mkdir,mkdirat"
    assert touched(tmp_path, *words, calls=opening) == (15, {root, root / ".cortex", policy})
