"""Checks find the user's directories with a few lines of their own, which answer as platformdirs does."""

import os
import sys
from pathlib import Path

import pytest
from platformdirs.api import PlatformDirsABC
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from cortex_policy.state import find_default_rate_state_directory, find_system_and_user_settings_directories

SYSTEMS = {"linux": Unix, "darwin": MacOS}


def directories(kind: type[PlatformDirsABC]) -> PlatformDirsABC:
    """Return the directories of this program on a system."""
    return kind("cortex-policy", appauthor=False)


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Pretend to be on a system, in an empty home."""
    name = str(request.param)
    monkeypatch.setattr(sys, "platform", name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return name


@pytest.mark.parametrize(
    "variable", [None, "/srv/settings", "/srv/settings/", "settings", "./settings", "~/settings", "", " "]
)
def test_settings_are_where_platformdirs_expects_them(
    system: str, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unset, absolute, relative and blank: what is not absolute is ignored."""
    if variable is None:
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", variable)
    expected = directories(SYSTEMS[system]).user_config_dir
    assert os.path.normpath(find_system_and_user_settings_directories()[1]) == expected


def test_rate_state_on_a_mac_is_in_its_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Linux has memory for it; there is none on a Mac."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert find_default_rate_state_directory() == directories(MacOS).user_cache_dir
