"""What each agent does with the answer of its hook, as seen in the real programs (docs/agents.md)."""

import json

from cortex_policy.core import Value

_BLOCK = 2  # the exit code that every agent knows as a denial
_CODEX_KEYS = frozenset(("hookEventName", "permissionDecision", "permissionDecisionReason"))


class HookEnd(Value):
    """How a hook ended: its exit code, None if a signal ended it; whether the agent's time-out came first.

    `fail_closed` is the switch beside it in the agent's settings (`onFailure`, `failClosed`); some agents have none.
    """

    code: int | None
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False
    fail_closed: bool = False


def is_call_blocked(agent: str, end: HookEnd) -> bool:
    """Tell whether an agent blocks the call after its hook ended so."""
    return _RULES[agent](end)


def _claude_blocks(end: HookEnd) -> bool:
    """Exit 2 blocks. With any other code JSON decides; the switch does not see text at exit 0."""
    if end.timed_out or end.code == _BLOCK:
        return end.fail_closed or not end.timed_out
    answer = _parse_object_or_none(end.stdout)
    if answer is None:
        return end.fail_closed and end.code != 0
    specific = answer.get("hookSpecificOutput")
    if not isinstance(specific, dict):
        return answer.get("decision") == "block" or (end.fail_closed and end.code != 0)
    if specific.get("hookEventName") != "PreToolUse":
        return end.fail_closed
    decision = specific.get("permissionDecision")
    return decision in ("deny", "ask") or (end.fail_closed and decision not in ("allow", "defer", None))


def _codex_blocks(end: HookEnd) -> bool:
    """Exit 2 blocks if there is a reason on standard error. JSON needs exit 0, a reason, and no key that it lacks."""
    if end.timed_out or end.code == _BLOCK:
        return not end.timed_out and bool(end.stderr.strip())
    answer = _parse_object_or_none(end.stdout) if end.code == 0 else None
    if answer is None:
        return False
    if answer.keys() == {"decision", "reason"}:
        return answer["decision"] == "block" and bool(answer["reason"])
    specific = answer.get("hookSpecificOutput")
    if answer.keys() != {"hookSpecificOutput"} or not isinstance(specific, dict):
        return False
    is_denial = specific.get("permissionDecision") == "deny" and bool(specific.get("permissionDecisionReason"))
    return is_denial and specific.keys() <= _CODEX_KEYS


def _gemini_blocks(end: HookEnd) -> bool:
    """JSON decides, whatever the code. Other text blocks with a code other than 0 and 1; without text the tool runs."""
    text = end.stdout.strip() or end.stderr.strip()
    if end.timed_out or not text:
        return False
    answer = _parse_object_or_none(text)
    if answer is not None:
        return answer.get("decision") in ("deny", "block", "ask")
    return end.code not in (0, 1, None)


def _copilot_blocks(end: HookEnd) -> bool:
    """Whatever is not exit 0 blocks, but a time-out lets the tool run."""
    if end.timed_out or end.code != 0:
        return not end.timed_out
    return (_parse_object_or_none(end.stdout) or {}).get("permissionDecision") in ("deny", "ask")


def _cursor_blocks(end: HookEnd) -> bool:
    """Exit 2 blocks, and at exit 0 whatever is not a valid answer; the switch covers the rest."""
    if end.timed_out or end.code not in (0, _BLOCK) or (end.code == 0 and not end.stdout.strip()):
        return end.fail_closed
    answer = _parse_object_or_none(end.stdout)
    return end.code == _BLOCK or answer is None or answer.get("permission", "allow") not in ("allow", "ask")


def _vscode_blocks(end: HookEnd) -> bool:
    """Exit 2 blocks, and JSON at exit 0. So its documentation says: it was not run here."""
    if end.timed_out or end.code == _BLOCK:
        return not end.timed_out
    answer = _parse_object_or_none(end.stdout) if end.code == 0 else None
    specific = (answer or {}).get("hookSpecificOutput")
    return isinstance(specific, dict) and specific.get("permissionDecision") in ("deny", "ask")


def _parse_object_or_none(text: str) -> "dict[str, object] | None":
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


_RULES = {
    "claude": _claude_blocks,
    "codex": _codex_blocks,
    "gemini": _gemini_blocks,
    "cursor": _cursor_blocks,
    "copilot": _copilot_blocks,
    "vscode": _vscode_blocks,
}
