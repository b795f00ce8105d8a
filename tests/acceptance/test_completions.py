"""TAB in real shells: commands, options, grant ids, and the actions of that grant."""

import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pexpect
import pytest

CASES = [
    ("cortex-policy ", {"check", "list", "show", "stamp", "completions"}),
    ("cortex-policy ch", {"check"}),
    ("cortex-policy check ", {"git", "model-gateway"}),
    ("cortex-policy check g", {"git"}),
    ("cortex-policy check git ", {"tree", "snippet", "search"}),
    ("cortex-policy check --peek --path docs/x git s", {"snippet", "search"}),
    ("cortex-policy check model-gateway ", {"chat"}),
    ("cortex-policy check git tree --re", {"--require-path"}),
    ("cortex-policy stamp ", {"show", "verify", "write"}),
    ("cortex-policy show m", {"model-gateway"}),
    ("cortex-policy completions ", {"bash", "zsh", "fish"}),
    ("cortex-policy check missing ", set()),
]


def script(shell: str) -> Path:
    """Return the shipped script of a shell, where that shell is there to run it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here; .ci/run installs it")
    name = {"bash": "cortex-policy.bash", "zsh": "_cortex-policy", "fish": "cortex-policy.fish"}[shell]
    return Path(str(files("cortex_policy"))) / "completions" / name


@pytest.fixture
def below(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand below a root that also holds files which are no grants."""
    tools = root / ".cortex" / "policy" / "tools"
    (tools / "$(touch owned).json").write_text("{}")
    (tools / "hostile.json.bak").write_text("{}")
    monkeypatch.chdir(root / "docs")
    return root


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_bash(below: Path, line: str, expected: set[str]) -> None:
    """The function that TAB calls offers just these."""
    words = line.split(" ")
    program = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cortex_policy; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", program, "bash", script("bash"), *words], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == expected
    assert not (below / "docs" / "owned").exists()


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish(below: Path, line: str, expected: set[str]) -> None:
    """`complete -C` answers as TAB does."""
    program = f"source {script('fish')}; complete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", program], capture_output=True, text=True, check=True)
    assert {offer.split("\t")[0] for offer in done.stdout.splitlines()} == expected
    assert not (below / "docs" / "owned").exists()


@pytest.mark.parametrize(("line", "expected"), [case for case in CASES if len(case[1]) == 1])
def test_zsh(below: Path, line: str, expected: set[str]) -> None:
    """TAB is pressed in a real zsh, and the one candidate stands on the line."""
    zsh = pexpect.spawn("zsh", ["-f", "-i"], encoding="utf-8", timeout=20, dimensions=(24, 200))
    zsh.sendline("PS1='READY> '; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; echo SET-UP")
    zsh.expect("\nSET-UP")
    zsh.sendline(f"source {script('zsh')}; PS1='NOW> '")
    zsh.expect("NOW> $")
    zsh.send(f"{line}\t")
    (word,) = expected
    zsh.expect_exact(line.rpartition(" ")[0].split(" ")[-1])
    zsh.expect(f"{word} ")
    zsh.sendcontrol("c")
    zsh.close(force=True)
    assert not (below / "docs" / "owned").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_the_shipped_script(shell: str) -> None:
    """Byte for byte; another shell is a usage error."""
    command = [sys.executable, "-m", "cortex_policy", "completions"]
    done = subprocess.run([*command, shell], capture_output=True, check=True)
    assert done.stdout == script(shell).read_bytes()
    assert subprocess.run([*command, "tcsh"], capture_output=True, check=False).returncode == 2
