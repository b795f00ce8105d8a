"""Lines of this program are recognized in an agent's settings."""

import pytest

from cortex_policy.manage.hooks.own_hook_handlers import parse_own_hook_handler_or_none


@pytest.mark.parametrize(
    ("handler", "agent", "root"),
    [
        ({"command": "/x/cortex-policy hook claude --root /r --install t"}, "claude", "/r"),
        ({"command": "/x/cortex-policy", "args": ["hook", "claude", "--root", "/a b"]}, "claude", "/a b"),
        ({"exec": "/bin/sh", "args": ["-c", "'/x y/cortex-policy' hook copilot --root=/r; exit 2"]}, "copilot", "/r"),
        ({"command": "cortex-policy hook codex"}, "codex", ""),
        ({"command": "python -m cortex_policy hook gemini || exit 2"}, "gemini", ""),
        ({"bash": 'cortex-policy hook copilot --root "$CLAUDE_PROJECT_DIR"'}, "copilot", "$CLAUDE_PROJECT_DIR"),
    ],
)
def test_a_line_is_recognized_however_it_is_written(handler: dict[str, object], agent: str, root: str) -> None:
    """By hand, by an older version, in any form of its agent."""
    line = parse_own_hook_handler_or_none(handler)
    assert line is not None
    assert (line.agent, line.root) == (agent, root)


@pytest.mark.parametrize(
    "handler",
    [
        {"command": "/x/cortex-policy check git tree"},
        {"command": "/x/cortex-policy hook status"},
        {"command": "/x/my-cortex-policy-hook claude"},
        {"type": "http", "url": "http://localhost/"},
        {"command": ["cortex-policy", "hook"]},
        {},
    ],
)
def test_lines_of_other_programs_are_not_recognized(handler: dict[str, object]) -> None:
    """It stays."""
    assert parse_own_hook_handler_or_none(handler) is None
