"""import-linter refuses a circle of modules, and an import upwards, wherever in a module the import is."""

import subprocess
import sys
from pathlib import Path
from shutil import copyfile, copytree, ignore_patterns

import pytest

from tests.support.checkout import CHECKOUT

LINTER = Path(sys.executable).parent / "lint-imports"
TOP = "{}\n"
LAZY = "\n\ndef late() -> None:\n    {}\n"
TYPED = "\nif TYPE_CHECKING:\n    {}\n"


pytestmark = pytest.mark.skipif(not LINTER.exists(), reason="import-linter comes with the extra `dev`")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the package and the rules that hold it."""
    directory = tmp_path_factory.mktemp("checkout")
    copytree(CHECKOUT / "cortex_policy", directory / "cortex_policy", ignore=ignore_patterns("__pycache__"))
    copyfile(CHECKOUT / "pyproject.toml", directory / "pyproject.toml")
    return directory


def refused(directory: Path) -> str:
    """Return what import-linter says against a checkout, '' if nothing."""
    result = subprocess.run([LINTER, "--no-cache"], cwd=directory, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr if result.returncode else ""


def test_the_package_has_no_circle(copy: Path) -> None:
    """As it is."""
    assert not refused(copy)


@pytest.mark.parametrize(
    ("module", "form", "imported", "sentence"),
    [
        ("state/ledger_ring.py", TOP, "state.ledger", "No cycles are allowed in cortex_policy.state"),
        ("state/grants_errors.py", LAZY, "state.grants", "No cycles are allowed in cortex_policy.state"),
        ("state/audit_record.py", TYPED, "state.enforcement", "No cycles are allowed in cortex_policy.state"),
        ("core/model.py", LAZY, "core.engine", "No cycles are allowed in cortex_policy.core"),
        (
            "schema/syntax/problem_list.py",
            LAZY,
            "schema.syntax.parser",
            "No cycles are allowed in cortex_policy.schema",
        ),
        (
            "manage/diff/grants.py",
            LAZY,
            "manage.editing.editor_session",
            "No cycles are allowed in cortex_policy.manage",
        ),
        ("library/grant_cache.py", LAZY, "library.store", "No cycles are allowed in cortex_policy.library"),
        ("cli/help.py", LAZY, "cli.app", "No cycles are allowed in cortex_policy.cli"),
        ("core/decode.py", LAZY, "state.grants", "not allowed to import cortex_policy.state"),
        ("state/grants.py", LAZY, "manage.listing", "not allowed to import cortex_policy.manage"),
        ("manage/listing.py", TYPED, "cli.app", "not allowed to import cortex_policy.cli"),
    ],
)
def test_import_linter_refuses_a_circle_and_an_import_upwards(
    copy: Path, module: str, form: str, imported: str, sentence: str
) -> None:
    """At the top, inside a function, and for a type checker alone."""
    file = copy / "cortex_policy" / module
    text = file.read_text()
    file.write_text(text + form.format(f"import cortex_policy.{imported}"))
    try:
        assert sentence in refused(copy)
    finally:
        file.write_text(text)
