"""Why the rules of hooks.toml deny a call before any grant is asked, as a model should read it (docs/hooks.md)."""

from cortex_policy.core.hooks import DENY, InputError
from cortex_policy.core.text import elide_middle, join_words_that_fit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.hook_rules import HookRules
    from cortex_policy.core.hooks.payload import ToolCall

_MAX_WHY_BYTES = 600
_MAX_TOOLS_BYTES = 400
_POLICY = ".cortex"
POLICY_SENTENCE = "it touches the policy that checks this call, and no tool may do that"
CHANGE = "Change the call; the same call will be denied again, now and later."
ASK = "Do not try again and do not look for another way: only a human can allow this, so tell the user."


def format_rules_denial(tool: str, why: str, *, is_final: bool) -> str:
    """Return why the rules of hooks.toml deny a call before any grant is asked."""
    return (
        f"`{elide_middle(tool, 200)}` was not run: {redact_sentence_about_policy(why)}. {ASK if is_final else CHANGE}"
    )


def make_unmapped_tool_error(call: "ToolCall", rules: "HookRules") -> InputError:
    """Return the denial of a tool that no rule fits: it names those that have rules for the same agent."""
    allowing = [rule for rule in rules.rules if rule.decide != DENY and call.agent in (rule.agents or (call.agent,))]
    names = dict.fromkeys(name for rule in allowing for name in (rule.mcp if call.mcp else rule.tools))
    others = join_words_that_fit([f"`{name}`" for name in names], _MAX_TOOLS_BYTES)
    why = f"no rule of the hooks allows `{elide_middle(call.tool, 100)}`"
    return InputError(f"{why}; there are rules for {others}" if others else why, is_final=not others)


def redact_sentence_about_policy(why: str) -> str:
    """Return a sentence without a path of the policy."""
    if _POLICY in why.casefold() or "governs grants" in why or "remembers calls" in why:
        return POLICY_SENTENCE
    return elide_middle(why, _MAX_WHY_BYTES)
