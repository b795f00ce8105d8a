"""What each agent would send to its hook for the call of a tool."""

import json
import uuid

_AGENT_KEYS: dict[str, dict[str, object]] = {
    "claude": {"transcript_path": "/nonexistent", "permission_mode": "default"},
    "codex": {"transcript_path": None, "permission_mode": "default", "model": "doctor", "turn_id": "doctor"},
    "gemini": {"transcript_path": "/nonexistent", "timestamp": "2026-01-01T00:00:00.000Z"},
    "cursor": {"generation_id": "doctor", "model": "doctor", "cursor_version": "1.0.0", "workspace_roots": [],
               "user_email": None, "transcript_path": None},
    "vscode": {"transcript_path": "/nonexistent", "timestamp": "2026-01-01T00:00:00.000Z"},
}  # fmt: skip
_EVENTS = {"gemini": "BeforeTool", "cursor": "preToolUse"}


def make_trial_payload(agent: str, tool: str, inputs: "dict[str, object]", directory: str) -> str:
    """Return the payload of one call, in a session that no other has."""
    session = f"doctor-{uuid.uuid4()}"
    if agent == "copilot":
        call: dict[str, object] = {
            "sessionId": session,
            "timestamp": 1767225600000,
            "toolName": tool,
            "toolArgs": inputs,
        }
        return json.dumps({**call, "cwd": directory})
    call = {"tool_name": tool, "tool_input": inputs, "cwd": directory, **_AGENT_KEYS[agent]}
    if agent == "vscode":
        return json.dumps({**call, "sessionId": session, "hookEventName": "PreToolUse", "tool_use_id": session})
    call |= {"session_id": session, "hook_event_name": _EVENTS.get(agent, "PreToolUse")}
    if agent == "cursor":
        call["conversation_id"] = session
    if agent != "gemini":
        call["tool_use_id"] = session
    return json.dumps(call)
