"""docs/mcp.md says what the proxy does: its bounds, the settings of the example, and what that allows."""

import json
import re
import shutil
from pathlib import Path

import pytest

from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.mcp import proxy, proxy_messages
from cortex_policy.mcp.guard import ToolGuard
from tests.support.checkout import CHECKOUT, page
from tests.support.command import run_command

EXAMPLE = CHECKOUT / "examples" / "mcp"
_, _, REST = page("mcp").partition("\n## Proxy\n")
PAGE, _, _ = REST.partition("\n## ")


def test_the_page_has_the_bounds() -> None:
    """As they are in the code."""
    assert f"more than {proxy_messages.MAX_MESSAGE_BYTES >> 20} MiB" in PAGE
    assert f"at most {proxy_messages.MAX_ID_CHARACTERS:,} characters" in PAGE
    assert f"more than {MAX_DEPTH} levels" in " ".join(PAGE.split())
    assert PAGE.count(f"{proxy.GRACE_SECONDS} seconds") == 3


def test_the_page_has_the_settings_of_the_example() -> None:
    """The first block of JSON."""
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert json.loads(block) == json.loads((EXAMPLE / "mcp.json").read_text())


@pytest.fixture
def example(root: Path) -> Path:
    """Put the example into a root."""
    shutil.copy(EXAMPLE / "hooks.toml", root / ".cortex" / "policy")
    shutil.copy(EXAMPLE / "files.json", root / ".cortex" / "policy" / "tools")
    return root


def test_the_example_is_valid(example: Path) -> None:
    """Without an error or a warning."""
    assert "warning" not in run_command("validate", str(example / ".cortex/policy/tools/files.json")).stdout
    run_command("validate", "--root", str(example))


@pytest.mark.parametrize(
    ("tool", "path", "is_allowed"),
    [
        ("read_text_file", "{root}/docs/x", True),
        ("read_text_file", "{root}/packages/a", False),
        ("read_text_file", "{root}/docs/../packages/a", False),
        ("read_text_file", "docs/x", False),
        ("read_text_file", " {root}/docs/x", False),
        ("read_text_file", "~/docs/x", False),
        ("move_file", "{root}/docs/x", False),
        ("list_directory", "{root}/docs", True),
    ],
)
def test_the_example_allows_absolute_paths_in_its_scope(example: Path, tool: str, path: str, is_allowed: bool) -> None:
    """The server starts relative ones elsewhere, and drops spaces and quotes around a path."""
    guard = ToolGuard("files", str(example))
    assert guard.decide(tool, {"path": path.format(root=example)}).allowed is is_allowed
