"""It is known whose budgets are counted where."""

import os
from pathlib import Path

from cortex_policy.manage.budget_owner import BudgetOwner, find_budget_owner_of_caller


def test_the_current_user_is_named_with_the_place(state: Path) -> None:
    """Whatever names the place."""
    owner = find_budget_owner_of_caller()
    assert (owner.uid, owner.state_dir) == (os.geteuid(), str(state))
    assert BudgetOwner(7, "agent", "/s").label == "agent (uid 7)"
    assert BudgetOwner(7, "", "/s").label == "uid 7"
