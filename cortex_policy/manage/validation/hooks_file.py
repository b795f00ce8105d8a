"""Inspect the rules of agents' hooks: their text, and the grants that they name."""

from functools import partial

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES, decode_grant
from cortex_policy.schema.hook_rules import decode_and_lint_hook_rules
from cortex_policy.schema.problems import Problem, locate_problems, make_file_problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.manage.validation.targets import ValidationTarget
    from cortex_policy.state.grants import PolicyDirectory


def find_hook_rules_problems(
    target: "ValidationTarget", data: bytes, open_tools: "Callable[[str], PolicyDirectory]"
) -> tuple[Problem, ...]:
    """Return the problems of a hooks.toml; `open_tools` opens the grants of a root."""
    find_actions = partial(_find_actions, open_tools, target.root) if target.root else None
    _, problems = decode_and_lint_hook_rules(data, find_actions)
    located = locate_problems(target.shown, data, problems) if problems else ()
    if target.is_in_place:
        return located
    return make_file_problem(
        target.shown, "file-outside", "hooks do not read this file", f"they read `.cortex/policy/{HOOKS_TOML}`"
    ), *located


def _find_actions(open_tools: "Callable[[str], PolicyDirectory]", root: str, grant_id: str) -> tuple[str, ...] | None:
    """Return the actions of a grant, None if there is none; raise GrantError if it cannot be read."""
    try:
        return decode_grant(open_tools(root).read(f"{grant_id}.json", MAX_BYTES + 1), grant_id).actions
    except FileNotFoundError:
        return None
