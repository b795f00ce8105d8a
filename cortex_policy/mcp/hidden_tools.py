"""Which tools of an MCP server are never allowed, whatever their arguments: they are not listed (docs/mcp.md)."""

from cortex_policy.core.hooks import DENY, INPUT_ACTION, InputError
from cortex_policy.core.hooks.hook_rules import find_action_of_rule, select_first_fitting_rules
from cortex_policy.core.hooks.payload import CANARY
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.state.enforcement import check_host_stop, load_grant_without_host_stop_check
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.hooks_file import load_hook_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.core.hooks.hook_rules import HookRule, HookRules
    from cortex_policy.core.hooks.payload import ToolCall
    from cortex_policy.core.model import Grant, Settings
    from cortex_policy.state import Root


def find_hidden_tools(named_root: str, calls: "Mapping[str, ToolCall]") -> frozenset[str]:
    """Return the names of the calls that no arguments make allowed; raise CortexPolicyError, also for a stop."""
    check_host_stop()
    root = find_named_or_only_root(named_root)
    judge = _ListJudge(root, load_hook_rules(root))
    return frozenset(name for name, call in calls.items() if not judge.may_allow(call))


class _ListJudge:
    """Judges the tools of one list; each grant is loaded once."""

    def __init__(self, root: "Root", rules: "HookRules") -> None:
        self._root, self._rules = root, rules
        self._grants: dict[str, tuple[Grant, Settings] | None] = {}

    def may_allow(self, call: "ToolCall") -> bool:
        """Whether some arguments may make a call allowed."""
        try:
            fits = select_first_fitting_rules(call, self._rules)
        except InputError:
            return False
        rules = [self._rules.rules[index] for index, _ in fits]
        ends = bool(rules) and (rules[-1].subagents is None or not rules[-1].grant)
        if (not ends and self._rules.unmapped == DENY) or any(tool == CANARY for _, tool in call.mcp):
            return False
        return all(self._may_rule_allow(rule, part) for rule, (_, part) in zip(rules, fits, strict=True))

    def _may_rule_allow(self, rule: "HookRule", part: str) -> bool:
        if not rule.grant:
            return rule.decide != DENY
        loaded = self._load(rule.grant)
        if loaded is None:
            return False
        grant, settings = loaded
        if settings.sensitive == "deny" and grant.data_class == "sensitive":
            return False
        return rule.action.startswith(INPUT_ACTION) or find_action_of_rule(rule, part, {}) in grant.actions

    def _load(self, grant_id: str) -> "tuple[Grant, Settings] | None":
        if grant_id not in self._grants:
            try:
                self._grants[grant_id] = load_grant_without_host_stop_check(self._root, grant_id)
            except CortexPolicyError:
                self._grants[grant_id] = None
        return self._grants[grant_id]
