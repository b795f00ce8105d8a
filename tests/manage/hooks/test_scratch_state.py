"""What `hook doctor` tried leaves nothing where the rate state is."""

import os
from pathlib import Path

import pytest

from cortex_policy.manage.hooks import scratch_root
from cortex_policy.manage.hooks.scratch_state import remove_state_of_root
from cortex_policy.state import Root, find_default_rate_state_directory, read_boot_id
from cortex_policy.state.hooks_file import format_cached_rules_name_prefix
from cortex_policy.state.ledger import format_budget_directory_name
from cortex_policy.state.settings_cache import format_cached_settings_name_prefix
from tests.support.agent_settings import install_hook, settings_of
from tests.support.command import result_of

pytestmark = pytest.mark.usefixtures("root", "startable_program")


@pytest.mark.parametrize("place", ["usual", "set"])
def test_nothing_is_kept_of_a_root_that_was_made_for_a_trial(
    agents_home: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither budgets nor copies of rules and settings, in the usual place or in another one."""
    state = tmp_path / "elsewhere"
    state.mkdir(0o700)
    settings = agents_home / ".config" / "cortex-policy"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text(f'state_dir = "{state}"\n' if place == "set" else 'editor = "vi"\n')

    def kinds(root: Root) -> set[str]:
        """Return which kinds of state there are of a root."""
        status = os.stat(root.path)
        starts = {
            "budgets": format_budget_directory_name((status.st_dev, status.st_ino), read_boot_id()),
            "rules": format_cached_rules_name_prefix(root),
            "settings": format_cached_settings_name_prefix(root.path, str(settings), None, {}),
        }
        names = [*os.listdir(state), *os.listdir(find_default_rate_state_directory())]
        return {kind for kind, start in starts.items() if any(name.startswith(start) for name in names)}

    seen = []

    def remove(root: Root) -> None:
        """Look before and after."""
        seen.append(kinds(root))
        remove_state_of_root(root)
        seen.append(kinds(root))

    monkeypatch.setattr(scratch_root, "remove_state_of_root", remove)
    install_hook("claude")
    file = settings_of("claude")
    file.write_text(file.read_text().replace('"timeout": 20', '"timeout": 1'))
    result_of("hook", "doctor", "claude")
    assert seen == [{"budgets", "rules", "settings"}, set()]
