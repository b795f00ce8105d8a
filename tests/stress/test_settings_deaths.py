"""Whoever is killed while settings are written leaves the old file or the new one, and nothing in the way."""

import os
from pathlib import Path

import pytest
from processes import DeathByDeath

from cortex_policy.core.settings import PROJECT, SYSTEM, USER
from cortex_policy.manage.settings.write import SettingsFile, remove_setting_from_file, write_setting_to_file
from cortex_policy.state import Root
from cortex_policy.state.enforcement import load_effective_settings
from tests.support.stamps import agree

OLD = '# by hand\nsensitive = "ask"\n'
NEW = '# by hand\nsensitive = "deny"\n'


@pytest.mark.forks
@pytest.mark.parametrize("place", [SYSTEM, pytest.param(USER, marks=pytest.mark.storm), PROJECT])
def test_a_writer_of_settings_that_dies_leaves_one_of_both(root: Path, tmp_path: Path, place: str) -> None:
    """Killed at each system call of `config set`: what counts is one of both, and the next write sweeps."""
    patch = pytest.MonkeyPatch()  # for good: in a child
    patch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path / "etc"))
    patch.setattr("cortex_policy.state.settings.STABLE_NS", 0)  # no half of a text is left: nobody waits for the rest
    target = SettingsFile(place, Root(str(root), trusts_owner=True))
    file = Path(target.file)
    write_setting_to_file(target, "sensitive", "ask", agree)  # makes the directory
    before = {*os.listdir(file.parent), *([".lock"] if place == PROJECT else [])}
    seen = set()
    death = DeathByDeath(lambda: write_setting_to_file(target, "sensitive", "deny", agree))
    while not death.is_over:
        file.write_text(OLD)
        death.die()
        text = file.read_text()
        assert text in (OLD, NEW)
        seen.add(text)
        assert load_effective_settings(str(root)).sensitive in ("ask", "deny")
        file.write_text(OLD)
        assert write_setting_to_file(target, "require_path", "true", agree)
        assert remove_setting_from_file(target, "require_path", agree)
        assert set(os.listdir(file.parent)) <= before
    assert seen == {OLD, NEW}
    assert death.at > 10
