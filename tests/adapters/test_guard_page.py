"""docs/mcp.md says what the guards do."""

import re
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.adapters import fastmcp, mcp_server
from cortex_policy.core.settings import BY_NAME
from tests.support.checkout import page
from tests.support.mcp import make_mcp_root

GUARD = page("mcp").partition("## Guard\n")[2]
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", GUARD, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("program", "kind"), list(zip(PROGRAMS, (fastmcp, mcp_server), strict=True)))
def test_the_programs_of_the_page_guard_their_servers(root: Path, program: str, kind: Any) -> None:
    """As they are, but for the root."""
    make_mcp_root(root)
    names: dict[str, Any] = {}
    exec(program.replace("/srv/notes", str(root)), names)  # noqa: S102 - it is ours
    assert any(type(one) is kind.GrantMiddleware for one in names["server"].middleware)


def test_the_setting_of_the_page_is_of_operators_alone() -> None:
    """Neither a project nor a variable sets it."""
    assert "cortex-policy config set approvals.elicitation true" in GUARD
    assert BY_NAME["approvals.elicitation"].places == ("system", "user")
    assert BY_NAME["approvals.elicitation"].default is False
