"""A shell that stays open is a channel without hooks, and our own program may only be asked."""

import pytest

from cortex_policy.cli.command_table import COMMANDS
from cortex_policy.core.hooks.shell_commands import (
    CHANGING,
    READING,
    may_change_policy,
    opens_shell,
    shell_command_denial,
)


@pytest.mark.parametrize(
    "command",
    [
        "bash", "sh", " zsh ", "/bin/bash", "bash -i", "bash -l", "bash --norc -i", "python", "python3", "python3.12 -i",
        "python -", "node", "node -i", "irb", "perl", "R", "'bash'", 'b"as"h', "b\\ash", "env bash", "exec bash", "sudo sh",
        "FOO=1 bash", "nohup bash &", "cd x && bash", "cd x; python3", "true || sh", "x\nbash", "(bash)", "{ bash; }",
        "time python", "timeout 100 bash", "bash > log", "bash 2>&1", "bash </dev/stdin", "python <&0", "bash | tee log",
        "busybox sh", "uv run python", "bash -s", "bash -v", "bash -h", "node -v -i", "if x; then bash; fi", "ba\\\nsh",
        "$SHELL", "exec ${SHELL} -l", "bash +x", "if bash; then :; fi", "`bash`", "bash #x", "$'bash'", '$"bash"',
        "> x bash", "2>x bash", "bash >> x 2>&1", "</dev/stdin bash", "bash /dev/stdin", "python3 /dev/fd/0", "coproc bash",
        "sh /proc/self/fd/0", "bash -c bash", "bash -lc 'bash -i'", "env -S 'bash -i'", "su", "su -", "sudo -i",
        "sudo -s", "doas -s", "sudo su",
    ],
)  # fmt: skip
def test_a_bare_shell_or_interpreter_is_denied(command: str) -> None:
    """Whatever starts it, and whatever precedes it."""
    assert opens_shell(command)
    assert "interpreter" in shell_command_denial(command)


@pytest.mark.parametrize(
    "command",
    [
        "", "ls", "bash x.sh", "bash -c ls", "python -m pytest", "python x.py", "python -c 'import x'", "python --version",
        "bash --version", "node -v", "perl -v", "python3 -V", "which python", "command -v python", "! command -v node", "type bash", "node --test",
        "echo x | python", "curl x | sh", "bash < x.sh", "python3 - <<'EOF'\nbash\nEOF", "cat > x <<EOF\npython\nnode\nEOF",
        "git commit -m 'use python; bash'", 'echo "a; sh"', "echo a\\;bash", "pip install python", "npm run node", "rbash.txt",
        "for p in python node; do echo $p; done", "ssh host", "python3 <<< 'print(1)'",
        "bash < x.sh > y", "bash -c 'bash x.sh'", "sudo -l", "sudo ls -i", "su -c ls", "bash x.sh # python", "echo '$'bash", "> x ls",
    ],
)  # fmt: skip
def test_a_shell_with_something_to_run_is_not_denied(command: str) -> None:
    """It ends by itself."""
    assert not opens_shell(command)


@pytest.mark.parametrize(
    "command",
    [
        "cortex-policy set git --allow x", "cortex_policy edit x", "python -m cortex_policy set x", "python -mcortex_policy set",
        "python -Im cortex_policy undo", "/usr/bin/cortex-policy stop", "env -i cortex-policy approve 1", "x; cortex-policy new y",
        "cortex-policy --root /x set y", "sh -c 'cortex-policy set x'", "CORTEX-POLICY set x", "cortex-policy 's'et x",
        "cort\\ex-policy set x", "cortex-policy $X", "cortex-policy $(echo set)", "xargs cortex-policy hook install",
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
    assert may_change_policy(command)
    assert "that program may only be run with: check, diff, " in shell_command_denial(command)


@pytest.mark.parametrize(
    "command",
    [
        *(f"cortex-policy {command} x" for command in sorted(READING)), "python -m cortex_policy check git tree", "cortex-policy",
        "cortex-policy --help", "cortex-policy --version", "pip install cortex-policy", "cd cortex-policy && ls", "ls set",
        "grep -rn cortex_policy src", "ruff check cortex_policy tests", "git clone https://x/cortex-policy y",
        "cortex-policy check set edit", "my-cortex-policy set x", "grep -rn 'import cortex_policy' src",
        "sudo pip install cortex-policy rich", "cortex-policy check x y --path *.md", "python x.py cortex_policy", "cat cortex-policyx set",
    ],
)  # fmt: skip
def test_a_command_of_cortex_policy_that_only_reads_is_allowed(command: str) -> None:
    """What only reads is allowed, and so is its name."""
    assert not may_change_policy(command)


def test_each_command_of_the_program_is_known() -> None:
    """A new one either changes something or only reads."""
    assert set(COMMANDS) <= CHANGING | READING
    assert not CHANGING & READING


def test_a_nul_denies() -> None:
    """Shells drop it or stop there."""
    assert "NUL" in shell_command_denial("ls\0")
