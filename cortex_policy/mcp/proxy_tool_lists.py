"""Answers to `tools/list`: tools that are never allowed are left out (docs/mcp.md).

A list is asked under an id that the proxy draws, so that no other request of the client can take its answer, and the
client knows no answer that was not looked at.
"""

import re
import secrets
from threading import Lock

from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.mcp.non_json_texts_in_schema import UNKNOWN_TEXTS, TextArguments, find_non_json_texts_in_schema
from cortex_policy.mcp.proxy_messages import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    MAX_MESSAGE_BYTES,
    RefusedMessage,
    encode_error,
    encode_message,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

    Message = dict[str, Any]

MAX_PENDING = 1000
_CHANGE = re.compile(rb"tools\\?/list_changed")
_CHANGE_BYTES = 19
_LOWEST, _NUMBERS = 1 << 30, 1 << 30  # ten digits, and small enough for a server that counts in 32 bits


class ToolLists:
    """The lists that a client waits for; for the thread that asks and the one that answers."""

    def __init__(self, hidden_tools: "Callable[[list[str]], Container[str]]") -> None:
        """Take what says which of some tools are never allowed."""
        self._hidden_tools = hidden_tools
        self._lock = Lock()
        self._ids: dict[int | str, int | str] = {}  # id of the proxy -> the client's
        self._cancelled: dict[int | str, None] = {}  # those that may never be answered, the oldest first
        self._with_schema: set[str] = set()
        self._texts: dict[str, TextArguments] = {}
        self._output_end = b""

    @property
    def is_pending(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._ids)

    def has_output_schema(self, tool: str) -> bool:
        """Whether the client was told what the structured results of a tool look like."""
        return tool in self._with_schema

    def text_arguments(self, tool: str) -> TextArguments:
        """Return how a tool reads the texts in its arguments, in doubt as JSON if the client has not listed it."""
        return self._texts.get(tool, UNKNOWN_TEXTS)

    def forget_if_list_changed(self, output: bytes) -> None:
        """Forget how tools read texts if the server says that its list has changed; output comes in parts."""
        output = self._output_end + output
        if _CHANGE.search(output):
            self._texts = {}
        self._output_end = output[1 - _CHANGE_BYTES :]

    def is_proxy_id(self, request_id: object) -> bool:
        """Whether an id is one that a list is asked under."""
        return type(request_id) in (int, str) and request_id in self._ids

    def cancel(self, request_id: object) -> int | str | None:
        """Return the id under which a list that the client cancels is asked, None if there is none."""
        with self._lock:
            proxy_id = next((proxy_id for proxy_id, own in self._ids.items() if own == request_id), None)
            if proxy_id is not None:
                self._cancelled[proxy_id] = None
            return proxy_id

    def begin(self, request_id: int | str) -> int | str:
        """Return the id under which to ask a list: a number if the client's is one, else a text."""
        with self._lock:
            if len(self._ids) >= MAX_PENDING and self._cancelled:
                self._forget(next(iter(self._cancelled)))
            if len(self._ids) >= MAX_PENDING:
                raise RefusedMessage(INVALID_REQUEST, f"{MAX_PENDING} lists are not answered yet", request_id)
            number = _LOWEST + secrets.randbelow(_NUMBERS)
            while number in self._ids:
                number = _LOWEST + secrets.randbelow(_NUMBERS)
            proxy_id = number if isinstance(request_id, int) else f"cortex-policy-{number}-{secrets.token_hex(16)}"
            self._ids[proxy_id] = request_id
            return proxy_id

    def filter_line(self, line: bytes) -> bytes:
        """Return a line of the server as the client gets it."""
        with self._lock:
            proxy_id = next((one for one in self._ids if str(one).encode("ascii") in line), None)
        return line if proxy_id is None else self._filter_answer(line, proxy_id)

    def _filter_answer(self, line: bytes, proxy_id: int | str) -> bytes:
        try:
            message = decode_json(line, MAX_MESSAGE_BYTES, allow_surrogates=True)
            if not isinstance(message, dict):
                raise MalformedError("not an object")  # noqa: TRY301 - one error for all
            if "method" in message or not self.is_proxy_id(message.get("id")):
                return line  # it only names the id
            message["id"] = self._end(message["id"])
            self._leave_out_hidden(message.get("result"))
            return encode_message(message)
        except MalformedError as error:
            return encode_error(self._end(proxy_id), INTERNAL_ERROR, f"the list of tools cannot be read: {error}")

    def _end(self, proxy_id: int | str) -> int | str | None:
        with self._lock:
            return self._forget(proxy_id)

    def _forget(self, proxy_id: int | str) -> int | str | None:
        self._cancelled.pop(proxy_id, None)
        return self._ids.pop(proxy_id, None)

    def _leave_out_hidden(self, result: object) -> None:
        if not isinstance(result, dict) or "tools" not in result:
            return
        tools = result["tools"] if isinstance(result["tools"], list) else []
        named = {tool["name"]: tool for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)}
        hidden = self._hidden_tools(list(named))
        shown = [tool for name, tool in named.items() if name not in hidden]
        for tool in shown:
            (self._with_schema.add if "outputSchema" in tool else self._with_schema.discard)(tool["name"])
            self._texts[tool["name"]] = find_non_json_texts_in_schema(tool.get("inputSchema"))
        result["tools"] = shown
