"""What a hook writes for a denial, in the terms of one agent, and `NO_OPINION` else: nothing allows (docs/hooks.md).

INVARIANT: a reason that is one short line needs no other module: the file system may hang while a hook denies.
"""

try:
    from _json import encode_basestring_ascii
except ImportError:  # another Python implementation
    from json.encoder import encode_basestring_ascii  # type: ignore[assignment, unused-ignore]

NO_OPINION = b"{}\n"
MAX_REASON_BYTES = 2000
_NESTED = (
    '"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": ?}'
)
_FLAT = '"permissionDecision": "deny", "permissionDecisionReason": ?'
_GEMINI = '"decision": "deny", "reason": ?'
# INVARIANT: Gemini takes the decision of the JSON whatever the exit code is, so it must be among the keys
_ALL = f'"decision": "block", "reason": ?, "permission": "deny", "user_message": ?, {_FLAT}, {_NESTED}'
# Cursor shows standard output to the model as it is, and standard error if there is none
_MEMBERS = {
    "claude": _NESTED, "codex": _NESTED, "vscode": _NESTED, "copilot": _FLAT, "gemini": _GEMINI, "cursor": "",
}  # fmt: skip


def make_denial_outputs(agent: str, reason: str) -> tuple[bytes, bytes]:
    """Return what goes to standard output and standard error; the exit code of a denial is always 2.

    An agent that is not known ('') gets the keys of all of them.
    """
    text = reason if _is_short_line(reason) else escape_reason_for_model(reason)
    members = _MEMBERS.get(agent, _ALL).replace("?", encode_basestring_ascii(text))
    output = f"{{{members}}}\n" if members else ""
    return output.encode("ascii"), text.encode("utf-8", "backslashreplace") + b"\n"


def _is_short_line(text: str) -> bool:
    is_printable = text.isprintable() and "##" not in text and ":" not in text[:1]
    return is_printable and bool(text.strip()) and len(text.encode()) <= MAX_REASON_BYTES


def escape_reason_for_model(text: str) -> str:
    """Return a reason as a model may read it: one line of at most 2 kB, control characters escaped, never empty."""
    from cortex_policy.core.text import elide_middle, escape_unprintable  # noqa: PLC0415 - few denials need it

    shown = elide_middle(escape_unprintable(elide_middle(text.strip(), MAX_REASON_BYTES)), MAX_REASON_BYTES)
    return shown or "denied by the policy of this project"
