"""A shell that stays open is a channel without hooks, and our own program may only be asked."""

import pytest

from cortex_policy.cli.command_table import COMMANDS
from cortex_policy.core.hooks.forbidden_commands import (
    CHANGING,
    READING,
    find_forbidden_command_denial_text,
    may_run_changing_subcommand,
)


@pytest.mark.parametrize(
    "command",
    [
        "cortex-policy set git --allow x", "cortex_policy edit x", "python -m cortex_policy set x", "python -mcortex_policy set",
        "python -Im cortex_policy undo", "/usr/bin/cortex-policy stop", "env -i cortex-policy approve 1", "x; cortex-policy new y",
        "cortex-policy --root /x set y", "sh -c 'cortex-policy set x'", "CORTEX-POLICY set x", "cortex-policy 's'et x",
        "cort\\ex-policy set x", "$'cortex\\x2dpolicy' set x", "cortex-policy $'s\\145t' x", "cortex-policy $X", "cortex-policy $(echo set)", "xargs cortex-policy hook install", "echo set x | xargs cortex-policy",
        "echo set | xargs cortex-policy --root /x", "parallel cortex-policy ::: set",
        "python cortex_policy/__main__.py set x", "python -m cortex_policy.main rename a b", "uvx cortex-policy rate reset",
        "cortex-policy unknown-command", "cortex-policy check x; cortex-policy set x", "cortex-policy\\\n set x",
        "cortex-policy check | cortex-policy config set", "cortex-policy approvals", "cortex-policy 'set'",
        "env cortex-policy ed?t x", "nohup cortex-policy {set,x}", "cortex-policy --root /x $A$B", "cortex-policy --root /x ed*", "env cortex-policy --root /x s[e]t",
        "python -c 'from cortex_policy.main import run; run([\"s\" + \"et\"])'", "python3 - <<'E'\nimport cortex_policy.main as m\nE",
        "/usr/bin/python3.12 -c '__import__(\"cortex_policy.main\")'", "python -c 'import runpy; runpy.run_module(\"cortex_policy\")'",
    ],
)  # fmt: skip
def test_a_command_of_cortex_policy_that_changes_something_is_denied(command: str) -> None:
    """Neither grants, nor settings, nor stops, nor hooks."""
    assert may_run_changing_subcommand(command)
    assert "this program may only be run with: check, diff, " in find_forbidden_command_denial_text(command)


@pytest.mark.parametrize(
    "command",
    [
        *(f"cortex-policy {command} x" for command in sorted(READING)), "python -m cortex_policy check git tree", "cortex-policy",
        "cortex-policy --help", "cortex-policy --version", "pip install cortex-policy", "cd cortex-policy && ls", "ls set",
        "grep -rn cortex_policy src", "ruff check cortex_policy tests", "git clone https://x/cortex-policy y",
        "cortex-policy check set edit", "my-cortex-policy set x", "grep -rn 'import cortex_policy' src",
        "sudo pip install cortex-policy rich", "cortex-policy check x y --path *.md", "python x.py cortex_policy", "cat cortex-policyx set",
        "ls | xargs cortex-policy check git tree --path",
    ],
)  # fmt: skip
def test_a_command_of_cortex_policy_that_only_reads_is_allowed(command: str) -> None:
    """What only reads is allowed, and so is its name."""
    assert not may_run_changing_subcommand(command)


def test_each_command_of_the_program_is_known() -> None:
    """A new one either changes something or only reads."""
    assert set(COMMANDS) <= CHANGING | READING
    assert not CHANGING & READING


def test_a_nul_denies() -> None:
    """Shells drop it or stop there."""
    assert "NUL" in find_forbidden_command_denial_text("ls\0")


def test_a_shell_denies() -> None:
    """The reason says what to give it."""
    assert "interpreter" in find_forbidden_command_denial_text("bash")
    assert not find_forbidden_command_denial_text("bash x.sh")


@pytest.mark.parametrize("command", ["echo 'x", 'echo "x', "echo $(ls", "echo `ls", "echo " + "$(" * 99])
def test_a_command_that_cannot_be_read_is_denied(command: str) -> None:
    """A shell would not run it either, or read it in another way."""
    assert "cannot be read" in find_forbidden_command_denial_text(command)
    assert not find_forbidden_command_denial_text(
        f"apply_patch '*** Begin Patch {command}"
    )  # the patch itself is judged
