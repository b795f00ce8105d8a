"""Codex's managed requirements get a hook, and lose it again."""

import tomllib

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.codex_requirements_edit import (
    add_managed_hook,
    list_pre_tool_use_handlers_in_text,
    remove_managed_hook,
)

GROUP: dict[str, object] = {
    "matcher": "*",
    "hooks": [{"type": "command", "command": "sh 'a' \"b\" $c & \\", "timeout": 20}],
}
OTHER = '[hooks]\nmanaged_dir = "/d"\n\n[[hooks.PreToolUse]]\nmatcher = "Bash"\n\n[[hooks.PreToolUse.hooks]]\ntype = "command"\ncommand = "x"\n'


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "\n",
        "# only a comment",
        'allowed_approval_policies = ["never"]\n',
        "[features]\nhooks = true\n",
        "[features] # ours\n# more\nx = true\n",
        "[features]\r\nx = true\r\n\r\n[other]\r\n",
        "[features]",
        "[hooks]\n",
        OTHER,
        OTHER + "\n[features]\nx = 1",
    ],
)
def test_the_text_is_given_back_byte_for_byte(text: str | None) -> None:
    """In between it has the hook, hooks switched on, and all that it had."""
    after = add_managed_hook(text, GROUP, "/bin")
    document = tomllib.loads(after)
    assert document["features"]["hooks"] is True
    assert document["hooks"]["managed_dir"] == ("/d" if text and "/d" in text else "/bin")
    assert document["hooks"]["PreToolUse"][-1] == GROUP
    assert list_pre_tool_use_handlers_in_text(after)[-1] == GROUP["hooks"][0]  # type: ignore[index]
    assert remove_managed_hook(after) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[features]\nhooks = false\n", "switches all hooks off"),
        ("features = {x = 1}\n", "nothing can be added"),
        ("features.x = 1\n", "nothing can be added"),
        ("[hooks]\nPreToolUse = []\n", "nothing can be added"),
        ("[", "it is not TOML"),
    ],
)
def test_a_text_without_a_place_is_refused(text: str, said: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(NotDoneError, match=said):
        add_managed_hook(text, GROUP, "/bin")
