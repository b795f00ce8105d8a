"""The protocol of Anthropic: messages (Claude Code)."""

import json
from collections.abc import Iterator
from typing import Any

from tests.agents.protocols import TOKENS, Answer, Event, new_id, text_of, tool_names


class Messages:
    """The messages protocol."""

    def tools(self, body: dict[str, Any]) -> list[str]:
        """Return the names of the tools."""
        return tool_names(body.get("tools") or [])

    def results(self, body: dict[str, Any]) -> list[str]:
        """Return the text of each tool result."""
        contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
        parts = [part for content in contents for part in content]
        return [text_of(part.get("content")) for part in parts if part.get("type") == "tool_result"]

    def whole(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """Return a message."""
        return {
            "id": new_id("msg"), "type": "message", "role": "assistant", "model": body.get("model"),
            "content": [_tool_use(call) for call in answer.calls] or [{"type": "text", "text": answer.text}],
            "stop_reason": "tool_use" if answer.calls else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": TOKENS, "output_tokens": TOKENS},
        }  # fmt: skip

    def events(self, body: dict[str, Any], answer: Answer) -> Iterator[Event]:
        """Yield a message: its beginning, each block in three steps, its end."""
        message = self.whole(body, answer)
        yield _event("message_start", message={**message, "content": [], "stop_reason": None})
        for index, block in enumerate(message["content"]):
            if block["type"] == "tool_use":
                empty = {**block, "input": {}}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            else:
                empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
            yield _event("content_block_start", index=index, content_block=empty)
            yield _event("content_block_delta", index=index, delta=delta)
            yield _event("content_block_stop", index=index)
        end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        yield _event("message_delta", delta=end, usage={"output_tokens": TOKENS})
        yield _event("message_stop")


def _tool_use(call: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": new_id("toolu"), "name": call["name"], "input": call["arguments"]}


def _event(name: str, **members: object) -> Event:
    return name, {"type": name, **members}
