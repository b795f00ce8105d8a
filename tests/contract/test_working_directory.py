"""`python -m cortex_policy` takes no module from the working directory, whoever may write there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import cortex_policy
from tests.support.checkout import CHECKOUT

HOSTILE = 'import os\nos.write(1, b"the working directory answers")\nos._exit(0)\n'
PACKAGES = ("filelock", "platformdirs", "pydantic", "pydantic_core", "rich", "tomli_w", "typer", "typing_extensions")
PROBE = "import sys; print(*sys.modules)"


@pytest.fixture
def hostile(root: Path, tmp_path: Path) -> Path:
    """Put a module there for each that a command could import and that Python has not loaded before `__main__`."""
    (tmp_path / "probe").mkdir()
    (tmp_path / "probe" / "probe.py").write_text(PROBE)
    done = subprocess.run(
        [sys.executable, "-m", "probe"], capture_output=True, text=True, check=True, cwd=tmp_path / "probe"
    )
    loaded = set(done.stdout.split())
    assert {"os", "runpy"} <= loaded
    for name in {*sys.stdlib_module_names, *PACKAGES} - loaded:
        (root / f"{name}.py").write_text(HOSTILE)
    assert (root / "fcntl.py").exists()
    assert (root / "typing.py").exists()
    return root


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("check git push", 10),
        ("check git tree --path docs/x", 0),
        ("check git push --json", 10),
        ("check nobody push", 20),
        ("list", 0),
        ("show git", 0),
        ("validate", 0),
        ("validate --output json", 0),
        ("explain git push", 10),
        ("--help", 0),
        ("check --no-such-option", 2),
    ],
)
def test_no_module_of_the_working_directory_is_imported(hostile: Path, words: str, code: int) -> None:
    """Neither for a plain check nor for a command that loads half the standard library."""
    done = run("-m", "cortex_policy", *words.split(), cwd=hostile)
    assert (done.returncode, "working directory" in done.stdout) == (code, False), done.stderr


@pytest.mark.parametrize("words", [["-m"], ["-P", "-m"]])
def test_directories_of_pythonpath_stay_on_the_path(hostile: Path, words: list[str]) -> None:
    """`-m` adds one entry, and that one is taken off: PYTHONPATH is the word of whoever starts the program."""
    command = ["env", f"PYTHONPATH={hostile}", sys.executable, *words, "cortex_policy", "check", "git", "push"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=hostile)
    assert done.stdout == "the working directory answers"


def test_a_directory_that_is_run_keeps_its_own_path(root: Path) -> None:
    """`python DIRECTORY` puts no working directory first, and so nothing is taken off."""
    done = run(str(Path(cortex_policy.__path__[0])), "check", "git", "push", cwd=root)
    assert done.returncode == 10, done.stderr


def test_no_page_or_hint_starts_python_without_isolation() -> None:
    """Neither by a page, a hint, a hook nor an example: before our first line Python itself looks where it stands."""
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout
    files = [CHECKOUT / name for name in listed.splitlines() if not name.startswith(("tests/", "bench/"))]
    if not files:
        pytest.skip("not a checkout")
    said = [
        file for file in files if file.is_file() and re.search(rb"python[0-9.]* -m cortex_policy", file.read_bytes())
    ]
    assert said == [CHECKOUT / "cortex_policy" / "__main__.py"]
