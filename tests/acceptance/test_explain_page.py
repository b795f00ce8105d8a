"""The page about explanations shows what is printed: its grant is checked, its commands are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import page

PAGE = page("explain")
(GRANT,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TRANSCRIPTS = re.findall(r"^```console\n\$ (cortex-policy [^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BROKEN = '{\n  "tool": "broken",\n  "actions": "run",\n  "rate": {"perMinute": 0}\n}\n'


@pytest.fixture
def shell(root: Path) -> dict[str, str]:
    """Put the grants of the page into a root, and the program into the path."""
    tools = root / ".cortex" / "policy" / "tools"
    (tools / "git.json").write_text(GRANT)
    (tools / "broken.json").write_text(BROKEN)
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_the_explain_page_shows_five_denials() -> None:
    """Each of another rule or kind."""
    assert len(TRANSCRIPTS) == 5
    assert len({re.search("^rule: .*", printed, re.MULTILINE)[0] for _, printed in TRANSCRIPTS[:3]}) == 3  # type: ignore[index]


@pytest.mark.parametrize(("command", "printed"), TRANSCRIPTS, ids=[command for command, _ in TRANSCRIPTS])
def test_a_transcript_is_what_is_printed(shell: dict[str, str], command: str, printed: str) -> None:
    """To the letter, with the exit code that it names, and within 80 columns."""
    done = subprocess.run(["sh", "-c", command], env=shell, capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (printed.splitlines(), "")
    assert f"exit: {done.returncode} " in printed
    assert max(map(len, printed.splitlines()[3:])) <= 80
