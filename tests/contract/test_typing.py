"""What users write against the public names passes a strict type checker."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

USES = Path(__file__).parent.parent / "typing" / "uses.py"


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy comes with the extra `dev`")
def test_correct_uses_are_accepted(tmp_path: Path) -> None:
    """And an incorrect one is not, or the checker would see no types at all."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(USES.read_text().replace("count: int = stats.hits", "count: str = stats.hits"))
    check = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*check, str(USES)], capture_output=True, text=True, check=False, cwd=USES.parents[2])
    assert done.returncode == 0, done.stdout
    done = subprocess.run([*check, str(wrong)], capture_output=True, text=True, check=False, cwd=USES.parents[2])
    assert done.stdout.count("error:") == 1


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy comes with the extra `dev`")
def test_a_misspelt_name_is_refused(tmp_path: Path) -> None:
    """The package resolves its names when they are first used; a type checker must not take that for any name."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import cortex_policy\nfrom cortex_policy import AccessDenied, enforec\ncortex_policy.PolicyStor\n"
    )
    check = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(wrong)]
    done = subprocess.run(check, capture_output=True, text=True, check=False, cwd=USES.parents[2])
    assert done.stdout.count("error:") == 2, done.stdout
    assert "enforec" in done.stdout
    assert "PolicyStor" in done.stdout


@pytest.mark.skipif(find_spec("pyright") is None, reason="pyright comes with the extra `dev`")
@pytest.mark.skipif(shutil.which("node") is None, reason="pyright needs node, which it would download")
def test_every_public_name_has_a_type(tmp_path: Path) -> None:
    """For a checker that infers nothing; it must see the package as users install it, in an environment of its own."""
    python = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{python}:{os.environ['PATH']}", "PYRIGHT_PYTHON_GLOBAL_NODE": "1"}
    check = [sys.executable, "-m", "pyright", "--verifytypes", "cortex_policy", "--ignoreexternal"]
    done = subprocess.run(check, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert "Type completeness score: 100%" in done.stdout, done.stdout
    assert "error:" not in done.stdout, done.stdout
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from cortex_policy import AccessDenied, enforec\n")
    done = subprocess.run([*check[:3], str(wrong)], capture_output=True, text=True, check=False, env=environment)
    assert "enforec" in done.stdout
    assert "1 error" in done.stdout
