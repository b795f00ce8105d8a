"""Print whose budgets a command speaks of, and where they are counted."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.other_budget_owners import find_other_budget_owners
from cortex_policy.state.grants_errors import format_root_option

if TYPE_CHECKING:
    from cortex_policy.manage.budget_owner import BudgetOwner
    from cortex_policy.state import Root


def format_budget_owner(owner: "BudgetOwner") -> str:
    """Return whose budgets are counted where."""
    if owner.shared is not None:
        return f"budgets of {owner.user_or_hosts_label}, on {owner.shared.server}"
    return f"budgets of {owner.label}, in {owner.state_dir}"


def print_budget_owners(owner: "BudgetOwner", root: "Root") -> None:
    """Print whose budgets of a root follow, and which other users have some; on stderr."""
    typer.echo(escape_message_to_one_line(format_budget_owner(owner)), err=True)
    for other in find_other_budget_owners(root).owners:
        command = f"cortex-policy rate show --user {other.user or other.uid}{format_root_option(root)}"
        typer.echo(escape_message_to_one_line(f"note: also counted by {other.label}: `{command}`"), err=True)


def budget_owner_to_json(owner: "BudgetOwner") -> dict[str, object]:
    """Return a user whose budgets are counted as JSON members."""
    members: dict[str, object] = {"uid": owner.uid, "user": owner.user or None, "state_dir": owner.state_dir}
    if owner.shared is not None:
        members["shared"] = {"name": owner.shared.name, "server": owner.shared.server}
    return members
