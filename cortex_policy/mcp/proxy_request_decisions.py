"""What becomes of a line that a client sends: the server gets it, or the client gets an answer (docs/mcp.md)."""

from cortex_policy.core import Value
from cortex_policy.core.decode import has_surrogate
from cortex_policy.core.hooks.mcp_interpretations import fold_case_and_trim_name
from cortex_policy.mcp.non_json_texts_in_schema import UNKNOWN_TEXTS
from cortex_policy.mcp.proxy_messages import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Line,
    RefusedMessage,
    decode_message,
    encode_error,
    encode_message,
    encode_result,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from cortex_policy.mcp.guard import ToolDecision
    from cortex_policy.mcp.non_json_texts_in_schema import TextArguments
    from cortex_policy.mcp.proxy_tool_lists import ToolLists

    class Guard(Protocol):
        """What decides calls."""

        def decide(self, tool: str, arguments: "dict[str, object]", texts: TextArguments, /) -> ToolDecision:
            """Decide the call of a tool, and take its hits; `texts` says which texts may be read as JSON."""

    Message = dict[str, Any]

CALL, LIST, CANCEL = "tools/call", "tools/list", "notifications/cancelled"
_TOOLS = "tools/"
_WHAT_A_CALL_SAYS = frozenset(("name", "arguments"))
_REVISION = "io.modelcontextprotocol/protocolVersion"  # in `_meta` of each request, since the revision 2026-07-28
_DECISION = "cortex-policy/decision"


class Verdict(Value):
    """What becomes of a line; all is empty if nothing is forwarded or answered."""

    to_server: bytes = b""
    to_client: bytes = b""
    log: str = ""


class RequestGate:
    """Decides what a server gets of its client; for one thread, in the order of the lines."""

    def __init__(self, guard: "Guard", lists: "ToolLists") -> None:
        """Take what decides calls, and the lists that are waited for."""
        self._guard, self._lists = guard, lists

    def judge(self, line: Line) -> Verdict:
        """Decide a line. A call of a tool that is allowed has taken its hits."""
        if line.data.isspace():
            return Verdict()
        try:
            return self._judge_message(decode_message(line), line.data)
        except RefusedMessage as refused:
            answers = [encode_error(one, refused.code, str(refused)) for one in refused.request_ids or [None]]
            return Verdict(
                to_client=b"".join(answers), log="" if refused.request_ids else f"a message was refused: {refused}"
            )

    def _judge_message(self, message: "Message", line: bytes) -> Verdict:
        method = message.get("method")
        if method is None:  # an answer to the server
            return Verdict(line)
        if not method.strip().casefold().startswith(_TOOLS):
            return self._judge_other(message, line)
        if "id" not in message:  # nobody waits for the result, but the tool might run
            return Verdict(log=f"a notification was dropped: `{method:.60}` is a request and needs an id")
        if method == CALL:
            return self._judge_call(message, line)
        if method == LIST:
            return Verdict(encode_message({**message, "id": self._lists.begin(message["id"])}))
        raise RefusedMessage(METHOD_NOT_FOUND, f"the method `{method:.60}` is not known", message["id"])

    def _judge_other(self, message: "Message", line: bytes) -> Verdict:
        if self._lists.is_proxy_id(message.get("id")):
            raise RefusedMessage(INVALID_REQUEST, "the id is in use", message["id"])
        params = message.get("params")
        if message["method"] == CANCEL and isinstance(params, dict):
            proxy_id = self._lists.cancel(params.get("requestId"))
            if proxy_id is not None:
                return Verdict(encode_message({**message, "params": {**params, "requestId": proxy_id}}))
        return Verdict(line)

    def _judge_call(self, message: "Message", line: bytes) -> Verdict:
        request_id = message["id"]
        if self._lists.is_proxy_id(request_id):
            raise RefusedMessage(INVALID_REQUEST, "the id is in use", request_id)
        params = message.get("params")
        if not isinstance(params, dict):
            raise RefusedMessage(INVALID_PARAMS, "`params` is not an object", request_id)
        name, arguments = _read_call(params, request_id)
        # the client has listed the newest version of a tool; an older one may take other arguments
        texts = UNKNOWN_TEXTS if _names_version(params) else self._lists.text_arguments(name)
        decision = self._guard.decide(name, arguments, texts)
        if decision.allowed:
            return Verdict(line)
        return Verdict(to_client=encode_result(request_id, self._denial(name, params, decision)))

    def _denial(self, name: str, params: "Message", decision: "ToolDecision") -> "Message":
        """Return the result of a denied call."""
        result: Message = {"content": [{"type": "text", "text": decision.text}], "isError": True}
        if self._lists.has_output_schema(name):
            # clients of the SDK for TypeScript hold an error to the schema, too, and would drop the text
            result["_meta"] = {_DECISION: decision.members}
        else:
            result["structuredContent"] = decision.members
        meta = params.get("_meta")
        if isinstance(meta, dict) and _REVISION in meta:
            result["resultType"] = "complete"
        return result


def _names_version(params: "Message") -> bool:
    """Whether a call may name another version of a tool, as fastmcp has them."""
    meta = params.get("_meta")
    return isinstance(meta, dict) and "fastmcp" in meta


def _read_call(params: "Message", request_id: object) -> "tuple[str, dict[str, object]]":
    """Return the tool and the arguments of a call; raise RefusedMessage for what a server may read in another way."""
    for member in params:
        meant = fold_case_and_trim_name(member)
        # some programs drop half of a character, or a NUL
        is_odd = member == "__proto__" or has_surrogate(member) or "\0" in member
        if is_odd or (meant in _WHAT_A_CALL_SAYS and member not in _WHAT_A_CALL_SAYS):
            raise RefusedMessage(INVALID_PARAMS, f"an unknown member `{member:.60}` of `params`", request_id)
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str) or has_surrogate(name):
        raise RefusedMessage(INVALID_PARAMS, "`name` is not a text", request_id)
    if arguments is not None and not isinstance(arguments, dict):
        raise RefusedMessage(INVALID_PARAMS, "`arguments` is not an object", request_id)
    return name, arguments or {}
