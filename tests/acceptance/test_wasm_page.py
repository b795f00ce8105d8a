"""What docs/wasm.md says is typed and run here."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.command import run_command

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "wasm.md").read_text()


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_program_of_the_page_decides(root: Path) -> None:
    """With the module and the loader that its commands write; a call that is denied is an error with the message of `check`."""
    (program,) = [text for text in re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL) if "readFileSync" in text]
    for command in re.findall(r"^\$ cortex-policy (.*)$", PAGE, re.MULTILINE):
        run_command(*command.split())
    file = root / "program.mjs"
    file.write_text(program)
    subprocess.run(["node", file], cwd=root, check=True, capture_output=True, timeout=60)
    file.write_text(file.read_text().replace('"tree"', '"push"'))
    denied = subprocess.run(["node", file], cwd=root, check=False, capture_output=True, text=True, timeout=60)
    assert "Error: action not allowed: `push`" in denied.stderr
