"""docs/scripts.md: its scripts and commands do what the page says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import page

PAGE = page("scripts")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = [block for block in BLOCKS if block.startswith("#!")]
COMMANDS = [block for block in BLOCKS if not block.startswith("#!")]
CRON = re.search(r"^\*/5 \* \* \* \* agent (.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def shell(root: Path) -> dict[str, str]:
    """Put the grant of the page and its files into a root, and the program into the path."""
    grant = {"tool": "deploy", "actions": ["run"], "rate": {"perMinute": 30}, "fsScope": ["srv"]}
    (root / ".cortex/policy/tools/deploy.json").write_text(json.dumps(grant))
    (root / "srv" / "app").mkdir(parents=True)
    (root / "srv" / "app" / "name $(touch owned)").touch()
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("block", COMMANDS)
def test_a_command_of_the_page_ends_with_0(block: str, root: Path, shell: dict[str, str]) -> None:
    """In a root with its grant."""
    done = subprocess.run(["bash", "-ec", block], env=shell, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout or "exit 12" in block
    assert not (root / "owned").exists()


@pytest.mark.parametrize("text", SCRIPTS)
@pytest.mark.parametrize(("path", "code"), [("srv/app", 0), ("/etc", 12), ("", 12)])
def test_a_script_of_the_page_works_only_where_the_grant_allows_it(
    text: str, path: str, code: int, root: Path, shell: dict[str, str]
) -> None:
    """And ends with the code of the check."""
    script = root / "bin" / "deploy.sh"
    script.parent.mkdir()
    script.write_text(text)
    done = subprocess.run(["sh", script, path], env=shell, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "" if code else f"deploying {path}\n")


def test_a_script_that_names_its_root_works_from_anywhere(root: Path, shell: dict[str, str], tmp_path: Path) -> None:
    """The path is absolute then."""
    script = root / "bin" / "deploy.sh"
    script.parent.mkdir()
    script.write_text(next(text for text in SCRIPTS if "--root" in text))
    done = subprocess.run(
        ["sh", script, root / "srv/app"], env={**shell, "CDPATH": "/"}, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0


def test_the_line_for_cron_works_in_an_empty_environment(root: Path, shell: dict[str, str]) -> None:
    """With the paths of this machine in place of those of the page."""
    assert CRON is not None
    line = CRON[1].replace("/opt/cortex-policy/bin/cortex-policy", f"{sys.executable} -m cortex_policy")
    line = line.replace("/srv/repo", str(root)).replace("/usr/local/bin/deploy", "/bin/ls -d")
    variables = {name: shell[name] for name in ("CORTEX_POLICY_STATE_DIR", "XDG_CONFIG_HOME")}
    done = subprocess.run(["/bin/sh", "-c", line], env=variables, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{root}/srv/app\n")
