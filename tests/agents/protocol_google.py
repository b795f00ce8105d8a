"""The protocol of Google: contents (Gemini CLI)."""

from collections.abc import Iterator
from typing import Any

from tests.agents.protocols import TOKENS, Answer, Event, text_of


class Contents:
    """The protocol of `generateContent`."""

    def tools(self, body: dict[str, Any]) -> list[str]:
        """Return the names of the tools."""
        groups = [group.get("functionDeclarations", []) for group in body.get("tools") or []]
        return [tool["name"] for group in groups for tool in group]

    def results(self, body: dict[str, Any]) -> list[str]:
        """Return the text of each tool result."""
        parts = [part for content in body["contents"] for part in content.get("parts", [])]
        return [text_of(part["functionResponse"].get("response")) for part in parts if "functionResponse" in part]

    def whole(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:  # noqa: ARG002 - the interface
        """Return a candidate."""
        parts: list[dict[str, Any]] = [
            {"functionCall": {"name": call["name"], "args": call["arguments"]}} for call in answer.calls
        ]
        content = {"role": "model", "parts": parts or [{"text": answer.text}]}
        usage = {"promptTokenCount": TOKENS, "candidatesTokenCount": TOKENS, "totalTokenCount": 2 * TOKENS}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "mock"}

    def events(self, body: dict[str, Any], answer: Answer) -> Iterator[Event]:
        """Yield the candidate at once."""
        yield None, self.whole(body, answer)
