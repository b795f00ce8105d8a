"""What the wire protocols of models have in common: read a request of an agent, write an answer of a model."""

import json
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

TOKENS = 10  # in each answer: no agent may think that its context is full
Event = tuple[str | None, dict[str, Any] | str]  # the name and data of a server-sent event


class Answer(NamedTuple):
    """What the model answers: calls of tools, or a text if there is none."""

    calls: list[dict[str, Any]]
    text: str = "done"


class Wire(Protocol):
    """One wire protocol."""

    def tools(self, body: dict[str, Any]) -> list[str]:
        """Return the names of the tools that a request offers; a request without tools is none of the main loop."""

    def results(self, body: dict[str, Any]) -> list[str]:
        """Return the text of each tool result that a request has so far."""

    def whole(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """Return an answer as one object."""

    def events(self, body: dict[str, Any], answer: Answer) -> Iterator[Event]:
        """Yield an answer as a stream."""


def new_id(prefix: str) -> str:
    """Return an id that no other has."""
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


def text_of(value: object) -> str:
    """Return whatever a message or a tool result holds as one text."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return "\n".join(text_of(part) for part in value)
        case dict():
            for key in ("text", "content", "output", "error", "encrypted_content"):
                if key in value:
                    return text_of(value[key])
    return json.dumps(value)


def tasks(body: dict[str, Any]) -> str:
    """Return what the user, or the agent above, asked first; Codex tells its sub-agents by a message of its own."""
    messages = body.get("messages") or body.get("input") or body.get("contents") or []
    asked = [one for one in messages if one.get("role") == "user" or one.get("type") == "agent_message"]
    texts = [text_of(one.get("content") or one.get("parts")) for one in asked]
    return next((text for text in texts if not text.startswith("<environment_context>")), "")


def tool_names(tools: list[dict[str, Any]]) -> list[str]:
    """Return the names of offered tools; Codex puts some of them into namespaces."""
    names: list[str] = []
    for tool in tools:
        if tool.get("type") == "namespace":
            names += (f"{tool['name']}.{name}" for name in tool_names(tool.get("tools", [])))
        else:
            names.append(tool.get("name") or tool.get("function", {}).get("name") or tool["type"])
    return names
