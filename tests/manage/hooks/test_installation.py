"""The settings of a host get the hook, and lose it again."""

import json
import tomllib
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.installation import plan_install, plan_uninstall, write_settings_change
from cortex_policy.manage.hooks.targets import MANAGED, USER, HookTarget

ON = '{\n  "hooksConfig": {\n    "enabled": true,\n    "disabled": []\n  }\n}\n'


@pytest.mark.parametrize(
    ("agent", "name", "text"),
    [
        ("claude", "managed-settings.json", '{\n  "permissions": {\n    "deny": []\n  }\n}\n'),
        ("claude", "managed-settings.json", None),
        ("codex", "requirements.toml", '# ours\nallowed_approval_policies = ["never"]\n\n[features]\nx = true\n'),
        ("codex", "requirements.toml", None),
        ("gemini", "settings.json", ON),
        ("gemini", "settings.json", None),
        ("cursor", "hooks.json", None),
        ("copilot", "cortex-policy.json", None),
    ],
)
def test_managed_settings_are_given_back_byte_for_byte(agent: str, name: str, text: str | None, tmp_path: Path) -> None:
    """Everyone can read them in between, and a second install changes nothing."""
    file = tmp_path / "etc" / name
    if text is not None:
        file.parent.mkdir()
        file.write_text(text)
    target = HookTarget(agent, MANAGED, str(file))
    write_settings_change(plan_install(target, "/srv/repo"))
    assert file.stat().st_mode & 0o444 == 0o444
    assert not plan_install(target, "/srv/repo").is_needed
    assert plan_install(target, "/srv/other").is_needed
    write_settings_change(plan_uninstall(target))
    assert (file.read_text() if file.exists() else None) == text


def test_managed_hooks_of_codex_are_switched_on_beside_the_hook(tmp_path: Path) -> None:
    """Else a project could switch them off."""
    file = tmp_path / "requirements.toml"
    write_settings_change(plan_install(HookTarget("codex", MANAGED, str(file)), "/srv/repo"))
    assert tomllib.loads(file.read_text())["features"] == {"hooks": True}


def test_managed_hooks_of_gemini_are_switched_on_beside_the_hook(tmp_path: Path) -> None:
    """Where a file has other settings, a person writes it: it would be left behind."""
    file = tmp_path / "settings.json"
    target = HookTarget("gemini", MANAGED, str(file))
    write_settings_change(plan_install(target, "/srv/repo"))
    assert json.loads(file.read_text())["hooksConfig"] == {"enabled": True}
    for text in ('{"ui": {}}', '{"hooksConfig": {"enabled": false}}'):
        file.write_text(text)
        with pytest.raises(NotDoneError, match="hooksConfig"):
            plan_install(target, "/srv/repo")


def test_a_hook_of_codex_that_was_made_by_hand_is_not_doubled(tmp_path: Path) -> None:
    """TOML of others is not rewritten."""
    file = tmp_path / "requirements.toml"
    file.write_text('[[hooks.PreToolUse]]\n[[hooks.PreToolUse.hooks]]\ncommand = "/x/cortex-policy hook codex"\n')
    for plan in (lambda target: plan_install(target, "/srv/repo"), plan_uninstall):
        with pytest.raises(NotDoneError, match="did not write"):
            plan(HookTarget("codex", MANAGED, str(file)))


@pytest.mark.parametrize(
    "more",
    ['], "PreToolUse": [', '], "x": {"y": 1, "y": 2}, "z": [', '], "x": [{"command": "a", "command": "b"}], "z": ['],
)
def test_hooks_with_a_key_twice_are_not_taken_for_installed(more: str, tmp_path: Path) -> None:
    """The agent reads one of the two, or none of the file."""
    target = HookTarget("claude", USER, str(tmp_path / "settings.json"))
    write_settings_change(plan_install(target, "/srv/repo"))
    text = Path(target.file).read_text()
    start, end = text.index("[") + 1, text.rindex("]")
    entry = text[start:end]
    Path(target.file).write_text(f"{text[:start]}{entry}{more}{text[end:]}")
    with pytest.raises(NotDoneError, match="appears twice"):
        plan_install(target, "/srv/repo")
    with pytest.raises(NotDoneError, match="appears twice"):
        plan_uninstall(target)
