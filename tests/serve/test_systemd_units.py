"""The units of examples/systemd are what systemd wants."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import CHECKOUT

UNITS = CHECKOUT / "examples" / "systemd"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """With the program where it is installed here."""
    (tmp_path / "units").mkdir()
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/opt/cortex-policy/bin/cortex-policy", sys.executable)
        (tmp_path / "units" / unit.name).write_text(text)
    words = ["systemd-analyze", "verify", *map(str, sorted((tmp_path / "units").iterdir()))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_service_may_write_nothing_but_its_state() -> None:
    """And is a user that exists only while it runs."""
    lines = set((UNITS / "cortex-policy.service").read_text().splitlines())
    assert {
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "StateDirectory=cortex-policy",
        "CapabilityBoundingSet=",
    } <= lines
