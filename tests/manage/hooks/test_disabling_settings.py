"""Which words in which settings switch a hook off."""

import pytest

from cortex_policy.manage.hooks.disabling_settings import SettingsDocument, describe_disabling_settings
from cortex_policy.manage.hooks.targets import MANAGED, PROJECT, USER, HookTarget

OFF = {
    "claude": {"disableAllHooks": True},
    "copilot": {"disableAllHooks": True},
    "codex": {"features": {"hooks": False}},
}
ONLY_MANAGED = {"claude": {"allowManagedHooksOnly": True}, "codex": {"allow_managed_hooks_only": True}}


def switches(agent: str, levels: set[str], **documents: object) -> list[str]:
    """Return the sentences about settings of some levels, for hooks of some."""
    given = [SettingsDocument(HookTarget(agent, level, f"/{level}"), value, ()) for level, value in documents.items()]
    return list(describe_disabling_settings(agent, levels, given))


@pytest.mark.parametrize("agent", ["claude", "copilot"])
def test_only_managed_settings_switch_managed_hooks_off(agent: str) -> None:
    """Seen in both programs."""
    assert switches(agent, {MANAGED}, project=OFF[agent]) == []
    assert switches(agent, {USER}, project=OFF[agent]) != []
    assert switches(agent, {MANAGED}, managed=OFF[agent]) != []


def test_a_project_switches_managed_hooks_of_codex_off_unless_managed_settings_switch_them_on() -> None:
    """Seen: a managed hook needs the switch beside it."""
    assert switches("codex", {MANAGED}, project=OFF["codex"]) != []
    assert switches("codex", {MANAGED}, project=OFF["codex"], managed={"features": {"hooks": True}}) == []


def test_nothing_closes_the_list_of_disabled_hooks_of_gemini() -> None:
    """A project can name the hook in it, whatever managed settings say."""
    on = {"hooksConfig": {"enabled": True}}
    assert switches("gemini", {MANAGED}, project={"hooksConfig": {"enabled": False}}, managed=on) == []
    assert switches("gemini", {MANAGED}, project={"hooksConfig": {"disabled": ["cortex-policy"]}}, managed=on) != []


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_where_only_managed_hooks_run_those_of_others_do_not(agent: str) -> None:
    """The word counts in managed settings alone."""
    assert switches(agent, {USER}, managed=ONLY_MANAGED[agent]) != []
    assert switches(agent, {USER, MANAGED}, managed=ONLY_MANAGED[agent]) == []
    assert switches(agent, {USER}, user=ONLY_MANAGED[agent]) == []


def test_a_word_with_another_value_switches_nothing_off() -> None:
    """Nor does one that only looks like it."""
    assert switches("claude", {USER}, user={"disableAllHooks": False}, project={"disableAllHooks": "true"}) == []
    assert switches("codex", {USER}, user={"features": "hooks"}, project=[PROJECT]) == []
