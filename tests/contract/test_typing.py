"""What users write against the public names passes a strict type checker."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.checkout import CHECKOUT

USES = CHECKOUT / "tests" / "typing" / "uses.py"


WRONG = USES.read_text().replace("count: int = stats.hits", "count: str = stats.hits")
MISSPELT = "import cortex_policy\nfrom cortex_policy import AccessDenied, enforec\ncortex_policy.PolicyStor\n"


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """Check a correct file and two that are not, in one run of mypy; return what gives the errors in one of them."""
    if find_spec("mypy") is None:
        pytest.skip("mypy comes with the extra `dev`")
    directory = tmp_path_factory.mktemp("mypy")
    (directory / "wrong.py").write_text(WRONG)
    (directory / "misspelt.py").write_text(MISSPELT)
    check = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(directory / "cache"), str(USES)]
    done = subprocess.run(
        [*check, *map(str, directory.glob("*.py"))], capture_output=True, text=True, check=False, cwd=CHECKOUT
    )
    assert "checked 3 source files" in done.stdout, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    return lambda name: [line for line in lines if f"{name}:" in line]


def test_correct_uses_are_accepted(errors: Callable[[str], list[str]]) -> None:
    """And an incorrect one is not, or the checker would see no types at all."""
    assert errors(USES.name) == []
    assert len(errors("wrong.py")) == 1


def test_a_misspelt_name_is_refused(errors: Callable[[str], list[str]]) -> None:
    """The package resolves its names when they are first used; a type checker must not take that for any name."""
    one, other = errors("misspelt.py")
    assert "enforec" in one
    assert "PolicyStor" in other


@pytest.mark.storm
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
