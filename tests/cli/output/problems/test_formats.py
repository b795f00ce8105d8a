"""Each format is there by its name, and costs nothing until it is asked for."""

import subprocess
import sys

import pytest

from cortex_policy.cli.output.problems import FORMATS
from tests.support.reports import REAL

SCRIPT = (
    "import sys; import cortex_policy.cli.output.problems; print([name for name in sys.modules if '.formats.' in name])"
)


@pytest.mark.parametrize("name", ["text", "json", "github", "gitlab", "sarif", "junit"])
def test_a_format_is_drawn_by_its_name(name: str) -> None:
    """The last newline included."""
    assert FORMATS[name](REAL).endswith("\n")
    assert len(FORMATS) == 6


def test_the_table_alone_loads_none_of_them() -> None:
    """A run pays for what it writes."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
