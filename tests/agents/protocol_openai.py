"""The protocols of OpenAI: Responses (Codex) and chat completions (Copilot)."""

import json
import time
from collections.abc import Iterator
from typing import Any

from tests.agents.protocols import TOKENS, Answer, Event, new_id, text_of, tool_names

_RESULTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
_RESPONSE_USAGE = {"input_tokens": TOKENS, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": TOKENS,
                   "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2 * TOKENS}  # fmt: skip
_CHAT_USAGE = {"prompt_tokens": TOKENS, "completion_tokens": TOKENS, "total_tokens": 2 * TOKENS}


class Responses:
    """The Responses protocol."""

    def tools(self, body: dict[str, Any]) -> list[str]:
        """Return the names of the tools; the newer models get them as a message."""
        added = [item["tools"] for item in body.get("input", []) if item.get("type") == "additional_tools"]
        return tool_names(sum(added, body.get("tools") or []))

    def results(self, body: dict[str, Any]) -> list[str]:
        """Return the text of each tool result."""
        return [text_of(item.get("output")) for item in body.get("input", []) if item.get("type") in _RESULTS]

    def whole(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """Return a response."""
        return {
            "id": new_id("resp"), "object": "response", "created_at": int(time.time()), "model": body.get("model"),
            "output": [_item(call) for call in answer.calls] or [_message_item(answer.text)],
            "status": "completed", "usage": _RESPONSE_USAGE,
        }  # fmt: skip

    def events(self, body: dict[str, Any], answer: Answer) -> Iterator[Event]:
        """Yield a response: its beginning, each item twice, its end."""
        whole = self.whole(body, answer)
        begun = {**whole, "output": [], "status": "in_progress"}
        del begun["usage"]
        steps: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
        for index, item in enumerate(whole["output"]):
            both = {"output_index": index, "item": item}
            steps += ({"type": f"response.output_item.{word}", **both} for word in ("added", "done"))
        steps.append({"type": "response.completed", "response": whole})
        for number, step in enumerate(steps):
            yield step["type"], {**step, "sequence_number": number}


def _item(call: dict[str, Any]) -> dict[str, Any]:
    call_id = new_id("call")
    item = {"call_id": call_id, "name": call["name"], "status": "completed"}
    if "input" in call:  # a tool that takes a text
        return {**item, "type": "custom_tool_call", "id": f"ctc_{call_id}", "input": call["input"]}
    space = {"namespace": call["namespace"]} if "namespace" in call else {}
    arguments = json.dumps(call["arguments"])
    return {**item, **space, "type": "function_call", "id": f"fc_{call_id}", "arguments": arguments}


def _message_item(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": new_id("msg"), "role": "assistant", "status": "completed", "content": content}


class Chat:
    """The protocol of chat completions."""

    def tools(self, body: dict[str, Any]) -> list[str]:
        """Return the names of the tools."""
        return tool_names(body.get("tools") or [])

    def results(self, body: dict[str, Any]) -> list[str]:
        """Return the text of each tool result."""
        return [text_of(message.get("content")) for message in body["messages"] if message.get("role") == "tool"]

    def whole(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """Return a completion."""
        choice = {"index": 0, "message": _chat_message(answer), "finish_reason": _finish(answer)}
        return {**self._frame(body, "chat.completion"), "choices": [choice], "usage": _CHAT_USAGE}

    def events(self, body: dict[str, Any], answer: Answer) -> Iterator[Event]:
        """Yield a completion: the message, the reason of its end, what it cost."""
        frame = self._frame(body, "chat.completion.chunk")
        delta = {"index": 0, "delta": _chat_message(answer), "finish_reason": None}
        yield None, {**frame, "choices": [delta]}
        yield None, {**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(answer)}]}
        yield None, {**frame, "choices": [], "usage": _CHAT_USAGE}
        yield None, "[DONE]"

    @staticmethod
    def _frame(body: dict[str, Any], kind: str) -> dict[str, Any]:
        return {"id": new_id("chatcmpl"), "object": kind, "created": int(time.time()), "model": body.get("model")}


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def _chat_message(answer: Answer) -> dict[str, Any]:
    if not answer.calls:
        return {"role": "assistant", "content": answer.text}
    calls = [
        {"index": index, "id": new_id("call"), "type": "function",
         "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])}}
        for index, call in enumerate(answer.calls)
    ]  # fmt: skip
    return {"role": "assistant", "content": None, "tool_calls": calls}
