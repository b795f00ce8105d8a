"""Root learns which other users have budgets of a root, and what it did not look at."""

import os
import pwd
from pathlib import Path

import pytest

from cortex_policy.manage import other_budget_owners
from cortex_policy.manage.budget_owner import BudgetOwner
from cortex_policy.manage.other_budget_owners import find_other_budget_owners
from cortex_policy.state import read_boot_id
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.ledger import format_budget_directory_name

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


@pytest.fixture
def place(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let default state directories be beside each other in a directory of the test."""
    assert root.is_dir()
    place = tmp_path / "shm"
    place.mkdir()
    monkeypatch.setattr(
        other_budget_owners, "find_default_rate_state_directory", lambda: f"{place}/cortex-policy-{os.geteuid()}"
    )
    return place


def budgets_of(place: Path, name: str) -> Path:
    """Make a directory of state in which a call of the root was counted."""
    status = Path.cwd().stat()
    budgets = place / name / format_budget_directory_name((status.st_dev, status.st_ino), read_boot_id())
    budgets.mkdir(parents=True)
    (budgets / "0123").touch()
    return budgets


@as_root
def test_another_user_counts_if_a_call_was_counted_there(place: Path) -> None:
    """Not by a directory alone, which a look makes too; and not the caller."""
    budgets = budgets_of(place, "cortex-policy-12345")
    os.chown(budgets.parent, 12345, 12345)
    budgets_of(place, f"cortex-policy-{os.geteuid()}")
    assert find_other_budget_owners(find_named_or_only_root()).owners == (
        BudgetOwner(12345, "", f"{place}/cortex-policy-12345"),
    )
    (budgets / "0123").rename(budgets / ".swept")
    assert find_other_budget_owners(find_named_or_only_root()).owners == ()


@pytest.mark.parametrize("kind", ["another owner", "link", "file", "odd names", "another root"])
def test_state_that_another_user_could_write_has_no_owner(place: Path, tmp_path: Path, kind: str) -> None:
    """Nothing is followed, and nothing in it is read."""
    match kind:
        case "another owner":
            budgets_of(place, "cortex-policy-12345")
        case "link":
            budgets_of(tmp_path, "elsewhere")
            (place / "cortex-policy-12345").symlink_to(tmp_path / "elsewhere")
        case "file":
            (place / "cortex-policy-12345").touch()
        case "odd names":
            for name in ("cortex-policy-", "cortex-policy-x", "cortex-policy-²", "cortex-policy-1-2", "other-1"):
                budgets_of(place, name)
        case _:
            (place / "cortex-policy-12345" / "0123").mkdir(parents=True)
    assert find_other_budget_owners(find_named_or_only_root()).owners == ()


@pytest.fixture
def home(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of the only user besides the caller, whose settings name a directory with budgets."""
    home = tmp_path / "home"
    settings = home / ".config" / "cortex-policy"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text(f'state_dir = "{place}/agents"\n')
    budgets_of(place, "agents")
    for path in (place / "agents", home, *home.rglob("*")):
        os.chown(path, 12345, 12345)
    user = pwd.struct_passwd(("agent", "x", 12345, 12345, "", str(home), "/bin/sh"))
    daemon = pwd.struct_passwd(("daemon", "x", 12346, 12346, "", "/nonexistent", "/bin/false"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [user, daemon])
    return home


@as_root
@pytest.mark.usefixtures("home")
def test_the_configured_directory_of_a_user_is_searched(place: Path) -> None:
    """Only that of a service's environment nobody knows."""
    found = find_other_budget_owners(find_named_or_only_root())
    assert found.owners == (BudgetOwner(12345, "", f"{place}/agents"),)
    assert [text.split()[:4] for text in found.unchecked] == [["directories", "that", "only", "the"]]


@as_root
@pytest.mark.parametrize("kind", ["link", "directory behind a link", "fifo", "open to all", "no toml", "large"])
def test_settings_that_root_must_not_read_are_named(home: Path, tmp_path: Path, kind: str) -> None:
    """No link of that user is followed, and nothing is waited for."""
    file = home / ".config/cortex-policy/config.toml"
    match kind:
        case "link":
            file.symlink_to(file.rename(tmp_path / "elsewhere"))
        case "directory behind a link":
            (home / ".config").symlink_to((home / ".config").rename(tmp_path / "elsewhere"))
        case "fifo":
            file.unlink()
            os.mkfifo(file)
        case "open to all":
            file.chmod(0o666)
        case "no toml":
            file.write_text("state_dir")
        case _:
            file.write_text("#" * (1 << 21))
    found = find_other_budget_owners(find_named_or_only_root())
    assert found.owners == ()
    assert found.unchecked[1:] == ("the settings of agent, which cannot be read",)
