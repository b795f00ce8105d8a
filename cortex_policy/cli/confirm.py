"""Functions that show a change, and ask before it is saved: the consent of the commands that write."""

from typing import TYPE_CHECKING

from cortex_policy.cli.output.diff import print_diff, widens
from cortex_policy.cli.output.write_result import print_impact
from cortex_policy.cli.prompts import require_widening_consent, require_yes_answer
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import GrantDiff, PolicyDiff

if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.state import Root


def make_widening_prompt_for_grant_diff(
    *, allowed: bool, json: bool, root: "Root | None" = None, again: bool = False
) -> "Callable[[GrantDiff], None]":
    """Return a function that shows a change, and asks for consent if the change may allow more than before.

    With a root it also prints the change's effect on the last calls.
    """
    show_and_ask = make_widening_prompt_for_policy_diff(allowed=allowed, json=json, root=root, again=again)
    return lambda change: show_and_ask(PolicyDiff((change,)))


def make_widening_prompt_for_policy_diff(
    *, allowed: bool, json: bool, root: "Root | None" = None, again: bool = False
) -> "Callable[[PolicyDiff], None]":
    """Return the same for several changes; it asks once."""

    def show_and_ask(diff: PolicyDiff) -> None:
        """Print what the changes mean; raise NotDoneError if they may allow more and nobody agrees."""
        if not json:
            print_diff(diff)
            if root is not None:
                print_impact(root, diff)
        elif widens(diff.verdict) and not allowed:  # nobody can confirm a change that was not shown
            raise NotDoneError("the change may allow more than before", "add `--allow-widening`")
        require_widening_consent(diff.verdict, allowed=allowed, again=again)

    return show_and_ask


def make_yes_prompt_for_grant_diff(question: str, *, yes: bool, json: bool) -> "Callable[[GrantDiff], None]":
    """Return a function that shows a change and asks for yes or no."""

    def show_and_ask(change: GrantDiff) -> None:
        """Print what the change means; raise NotDoneError unless the answer is yes."""
        if not json:
            print_diff(PolicyDiff((change,)))
        require_yes_answer(question, yes=yes)

    return show_and_ask
