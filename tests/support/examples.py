"""The examples as a newcomer has them: copied to a place of their own, and run as programs."""

import os
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from cortex_policy.state import ledger_ring
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.settings import find_state_directory
from tests.support.checkout import CHECKOUT

EXAMPLES = CHECKOUT / "examples"
SECOND = 1_000_000_000 >> ledger_ring.TICK_BITS


class Example:
    """A copy of one example, and its program."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self.root = place / name
        shutil.copytree(EXAMPLES / name, self.root, ignore=shutil.ignore_patterns("history", "__pycache__"))
        for path in (self.root, *self.root.rglob("*")):  # a clone may have been made under any umask
            path.chmod(0o755 if path.is_dir() else 0o644)

    def operator(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line on this root."""
        command = [sys.executable, "-m", "cortex_policy", *words, "--root", str(self.root)]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    def run(self, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run the program to its end."""
        command = [sys.executable, str(self.root / f"{self.name}.py"), *words]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start the program."""
        command = [sys.executable, str(self.root / f"{self.name}.py"), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def module(self) -> ModuleType:
        """Import the program, for what no input of it can bring about."""
        spec = spec_from_file_location(f"example_{self.name}", self.root / f"{self.name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def spend(self, tool: str, action: str, *ages: float) -> None:
        """Take hits that are so many seconds old, the oldest first."""
        status = os.stat(self.root)
        now = ledger_ring.read_ticks_since_boot
        with pytest.MonkeyPatch.context() as patch:
            for age in ages:
                patch.setattr(ledger_ring, "read_ticks_since_boot", lambda age=age: now() - int(age * SECOND))
                assert Ledger((status.st_dev, status.st_ino), find_state_directory()).take(tool, action, 30).consumed
