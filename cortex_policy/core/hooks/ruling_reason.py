"""Why the rules of hooks.toml deny a call before any grant is asked, as a model should read it (docs/hooks.md)."""

from cortex_policy.core.text import truncate

_MAX_WHY_BYTES = 600
_POLICY = ".cortex"
CHANGE = "Change the call; the same call will be denied again, now and later."
ASK = "Do not try again and do not look for another way: only a human can allow this, so tell the user."


def ruling_reason(tool: str, why: str, *, is_final: bool) -> str:
    """Return why the rules of hooks.toml deny a call before any grant is asked."""
    return f"`{truncate(tool, 200)}` was not run: {without_policy(why)}. {ASK if is_final else CHANGE}"


def without_policy(why: str) -> str:
    """Return a sentence without a path of the policy."""
    if _POLICY in why.casefold() or "governs grants" in why or "remembers calls" in why:
        return "it touches the policy that this very call is checked by, which is closed to every tool"
    return truncate(why, _MAX_WHY_BYTES)
