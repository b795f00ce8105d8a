"""What the call of a tool asks: the grants that must all allow it, or why it is denied already (docs/hooks.md)."""

from cortex_policy.core import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.payload import ToolCall
    from cortex_policy.core.hooks.rules import HookRules


class GrantQuestion(Value):
    """What one grant must allow.

    `rule` is the number of the rule, from 1. `args` are the inputs without those that the rule ignores. `path_values`
    are (label, path) of what the rule says is a path, besides those that the grant finds in `args`. A relative path is
    judged from each of `directories`, which are absolute, and must be allowed from all of them. `within_root`: a path
    outside of the root is denied (12) before the grant is asked. Unless `no_path`, a grant with scopes denies a call
    in which there is no path. Of those that `consume`, the first takes the one hit; the others are only asked.
    """

    rule: int
    grant: str
    action: str
    args: "dict[str, object]"
    path_values: tuple[tuple[str, str], ...]
    directories: tuple[str, ...]
    within_root: bool
    no_path: bool
    consumes: bool


class Ruling(Value):
    """What the rules say of a call: why it is denied ('' if it is not), and what its grants are asked, all of them.

    `paths` are absolute, and spelled as the call spells them: whatever links they lead through, none may end where
    `guard_denial` says why it is denied. That holds without a question too.
    """

    denial: str
    questions: tuple[GrantQuestion, ...] = ()
    paths: tuple[str, ...] = ()


def rule_on(call: "ToolCall", rules: "HookRules", root: str, home: str) -> Ruling:
    """Return what the rules say of a call; `root` and `home` are absolute."""
    return Ruling(f"not built yet: {call.tool} {rules.unmapped} {root} {home}")
