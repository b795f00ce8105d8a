"""A process that has run out of descriptors is told so: a denial with a hint, never a bug, never an error of another kind."""

import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

PYTHON = """
import os, sys
from cortex_policy import AccessDenied, CortexPolicyError, PolicyStore, enforce, load_grant

store, kept = PolicyStore(os.getcwd()), load_grant("git")
warm = PolicyStore(os.getcwd())
warm.decide("git", "tree")
ways = {
    "load": lambda: enforce(load_grant("git"), "tree", {"path": "docs/x"}),
    "kept": lambda: enforce(kept, "tree", {"path": "docs/x"}),
    "cold": lambda: store.enforce("git", "tree", {"path": "docs/x"}),
    "warm": lambda: warm.enforce("git", "tree", {"path": "docs/x"}, cost=2),
    "read": lambda: PolicyStore.load(store, "model-gateway"),
    "decide": lambda: store.decide("model-gateway", "chat", {"path": "docs/x"}),
}
way, taken = ways[sys.argv[1]], []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
codes = []
while taken:
    try:
        codes.append(0 if way() else 1)
    except CortexPolicyError as error:
        codes.append(error.exit_code)
    os.close(taken.pop())
print(*codes)
"""


def within(most: int) -> "partial[None]":
    """Return what limits a process to this many descriptors."""
    return partial(resource.setrlimit, resource.RLIMIT_NOFILE, (most, most))


@pytest.mark.parametrize("most", range(5, 16))
def test_a_check_without_free_descriptors_reports_no_bug(root: Path, most: int) -> None:
    """It denies, and says what to raise."""
    assert root == Path.cwd()
    command = [sys.executable, "-I", "-m", "cortex_policy", "check", "git", "tree", "--path", "docs/x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=within(most))
    assert done.returncode in (0, 22, 24)
    if done.returncode:
        assert "too many open files\nhint: raise the limit of open files" in done.stderr


@pytest.mark.parametrize("way", ["load", "kept", "cold", "warm", "read", "decide"])
def test_a_service_without_free_descriptors_gets_a_cortex_policy_error(root: Path, way: str) -> None:
    """And an answer once there are some again."""
    assert root == Path.cwd()
    command = [sys.executable, "-I", "-c", PYTHON, way]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=within(40))
    assert done.stderr == ""
    codes = list(map(int, done.stdout.split()))
    assert codes[0] == 24
    assert codes[-1] in (0, 14)
    assert set(codes) <= {0, 14, 22, 24}
