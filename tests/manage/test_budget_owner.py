"""It is known whose budgets are counted where."""

import os
from pathlib import Path

import pytest

from cortex_policy.manage import budget_owner
from cortex_policy.manage.budget_owner import BudgetOwner, current_owner, other_owners
from cortex_policy.state import boot_id
from cortex_policy.state.grants import find_root
from cortex_policy.state.ledger import budget_directory_name


@pytest.fixture
def place(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let default state directories be beside each other in a directory of the test."""
    assert root.is_dir()
    place = tmp_path / "shm"
    place.mkdir()
    monkeypatch.setattr(budget_owner, "default_state_directory", lambda: f"{place}/cortex-policy-{os.geteuid()}")
    return place


def budgets_of(place: Path, name: str) -> Path:
    """Make a directory of state in which a call of the root was counted."""
    status = Path.cwd().stat()
    budgets = place / name / budget_directory_name((status.st_dev, status.st_ino), boot_id())
    budgets.mkdir(parents=True)
    (budgets / "0123").touch()
    return budgets


def test_the_current_user_is_named_with_the_place(state: Path) -> None:
    """Whatever names the place."""
    owner = current_owner()
    assert (owner.uid, owner.state_dir) == (os.geteuid(), str(state))
    assert BudgetOwner(7, "agent", "/s").label == "agent (uid 7)"
    assert BudgetOwner(7, "", "/s").label == "uid 7"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_another_user_counts_if_a_call_was_counted_there(place: Path) -> None:
    """Not by a directory alone, which a look makes too; and not the caller."""
    budgets = budgets_of(place, "cortex-policy-12345")
    os.chown(budgets.parent, 12345, 12345)
    budgets_of(place, f"cortex-policy-{os.geteuid()}")
    assert other_owners(find_root()) == (BudgetOwner(12345, "", f"{place}/cortex-policy-12345"),)
    (budgets / "0123").rename(budgets / ".swept")
    assert other_owners(find_root()) == ()


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
    assert other_owners(find_root()) == ()
