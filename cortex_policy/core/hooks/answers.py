"""What a hook writes: nothing that allows, or a denial in the terms of one agent (docs/hooks.md)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    Members = dict[str, object]

NO_OPINION = b"{}\n"
MAX_REASON_BYTES = 2000


def denial_output(agent: str, reason: str) -> tuple[bytes, bytes]:
    """Return what goes to standard output and standard error; the exit code of a denial is always 2.

    An agent that is not known ('') gets the keys of all of them.
    """
    from cortex_policy.core.json_text import json_text  # noqa: PLC0415 - an allowed call does not need it

    text = model_reason(reason)
    error = text.encode("utf-8", "backslashreplace") + b"\n"
    members = _denial_members(agent, text)
    # Cursor shows standard output to the model as it is, and standard error if there is none
    return (f"{json_text(members)}\n".encode() if members else b""), error


def _denial_members(agent: str, text: str) -> "Members":
    nested: Members = {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": text,
        },
    }  # fmt: skip
    flat: Members = {"permissionDecision": "deny", "permissionDecisionReason": text}
    if agent in ("claude", "codex", "vscode"):
        return nested
    if agent == "copilot":
        return flat
    if agent == "gemini":
        return {"decision": "deny", "reason": text}
    if agent == "cursor":
        return {}
    # INVARIANT: Gemini takes the decision of the JSON whatever the exit code is, so it must be among the keys
    return {"decision": "block", "reason": text, "permission": "deny", "user_message": text, **flat, **nested}


def model_reason(text: str) -> str:
    """Return a reason as a model may read it: one line of at most 2 kB, control characters escaped, never empty."""
    from cortex_policy.core.text import printable, truncate  # noqa: PLC0415 - only a denial needs it

    shown = truncate(printable(truncate(text.strip(), MAX_REASON_BYTES)), MAX_REASON_BYTES)
    return shown or "denied by the policy of this project"
