"""What a server gets of its client: every call of a tool only after it was allowed."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.mcp.non_json_texts_in_schema import UNKNOWN_TEXTS, TextArguments
from cortex_policy.mcp.proxy_messages import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Line
from cortex_policy.mcp.proxy_request_decisions import RequestGate, Verdict
from cortex_policy.mcp.proxy_tool_lists import MAX_PENDING, ToolLists
from tests.support.mcp_messages import FakeGuard, call, line_of, listed, request

MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


class Scene:
    """A gate, and what is behind it."""

    def __init__(self) -> None:
        self.guard = FakeGuard()
        self.lists = ToolLists(self.guard.hidden_tools)
        self.gate = RequestGate(self.guard, self.lists)

    def judge(self, message: object) -> Verdict:
        """Send a message, or bytes."""
        return self.gate.judge(Line(message if isinstance(message, bytes) else line_of(message)))

    def error_of(self, message: object) -> tuple[object, int]:
        """Send a message that is refused; return the id and the code of its error."""
        verdict = self.judge(message)
        assert not verdict.to_server
        answer = json.loads(verdict.to_client)
        return answer["id"], answer["error"]["code"]

    def forwarded(self, message: object) -> Any:
        """Send a message that is forwarded, and return what the server gets."""
        verdict = self.judge(message)
        assert not verdict.to_client
        return json.loads(verdict.to_server)


@pytest.fixture
def scene() -> Scene:
    """Make a gate."""
    return Scene()


def test_an_allowed_call_is_forwarded_as_it_came(scene: Scene) -> None:
    """Byte for byte: what was decided is what the server reads."""
    line = (
        b' { "method" : "tools\\/call","params":{"arguments":{"n":1.50,"t":"\xc3\xa9\\u00e9"},"name":"x"},"id":5}\r\n'
    )
    assert scene.judge(line) == Verdict(line)
    assert scene.guard.asked == [("x", {"n": 1.5, "t": "éé"})]


def test_a_call_is_found_however_it_is_spelled(scene: Scene) -> None:
    """By an escape, or members in another order."""
    assert not scene.judge(rb'{"params":{"name":"no"},"id":1,"method":"\u0074ools\u002fcall"}').to_server
    assert scene.guard.asked == [("no", {})]


def test_a_denied_call_is_answered_with_a_result(scene: Scene) -> None:
    """A text for the model and members for programs, and no error of the transport."""
    verdict = scene.judge(call("no", "id-1"))
    assert not verdict.to_server
    assert json.loads(verdict.to_client) == {
        "jsonrpc": "2.0",
        "id": "id-1",
        "result": {
            "content": [{"type": "text", "text": "denied: not this one"}],
            "isError": True,
            "structuredContent": {"decision": False, "reason": "x"},
        },
    }


def test_a_client_of_the_newest_revision_is_told_that_the_result_is_complete(scene: Scene) -> None:
    """Older ones do not know the member."""
    message = request("tools/call", name="no", _meta=MODERN)
    assert json.loads(scene.judge(message).to_client)["result"]["resultType"] == "complete"


def test_members_do_not_break_the_schema_that_a_tool_has_for_its_results(scene: Scene) -> None:
    """Clients of the SDK for TypeScript hold denials to it as well, and the model would not see the text."""
    proxy_id = scene.forwarded(request("tools/list"))["id"]
    answer: dict[str, Any] = listed(proxy_id, "now_allowed")
    answer["result"]["tools"][0] |= {"name": "x", "outputSchema": {"type": "object"}}
    scene.lists.filter_line(line_of(answer))
    scene.guard.decide = lambda tool, *_: FakeGuard().decide(f"no{tool}", {})  # type: ignore[method-assign] # it was allowed before
    result = json.loads(scene.judge(call("x")).to_client)["result"]
    assert "structuredContent" not in result
    assert result["_meta"] == {"cortex-policy/decision": {"decision": False, "reason": "x"}}


def test_the_guard_is_told_which_arguments_are_texts_as_the_server_lists_them(scene: Scene) -> None:
    """A server may read others as JSON; of a tool, or a version of it, that was not listed nobody knows."""
    told: list[TextArguments] = []
    scene.guard.decide = lambda tool, _, texts: (told.append(texts), FakeGuard().decide(tool, {}))[1]  # type: ignore[func-returns-value, method-assign]
    scene.judge(call("x"))
    answer = listed(scene.forwarded(request("tools/list"))["id"], "x")
    properties = {
        "a": {"type": "string"},
        "b": {"type": ["string", "null"]},
        "c": {"type": "array"},
        "d": True,
        "e": {},
        "f": {"type": "string", "contentMediaType": "application/json"},
    }
    answer["result"]["tools"][0]["inputSchema"] = {"type": "object", "properties": properties}
    scene.lists.filter_line(line_of(answer))
    scene.judge(call("x"))
    scene.judge(request("tools/call", name="x", _meta={"fastmcp": {"version": "1"}}))
    listed_texts = TextArguments(frozenset("a"), has_nested_json=True)
    assert told == [UNKNOWN_TEXTS, listed_texts, UNKNOWN_TEXTS]


@pytest.mark.parametrize("more", [{"task": {"ttl": 1}}, {"inputResponses": {}, "requestState": "s"}, {"_meta": {}}])
def test_a_call_of_any_kind_is_decided(scene: Scene, more: dict[str, object]) -> None:
    """As a task, or the next round of another call."""
    assert not scene.judge(request("tools/call", name="no", **more)).to_server


def test_each_call_is_decided_however_equal_it_is_to_another(scene: Scene) -> None:
    """An id that is used twice saves no hit."""
    for _ in range(3):
        scene.judge(call("x", 1))
    assert len(scene.guard.asked) == 3


def test_a_call_that_is_a_notification_is_dropped(scene: Scene) -> None:
    """Nobody waits for its result, but a server may run the tool."""
    verdict = scene.judge({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "x"}})
    assert (verdict.to_server, verdict.to_client) == (b"", b"")
    assert "dropped" in verdict.log
    assert not scene.guard.asked


@pytest.mark.parametrize(
    "method",
    ["Tools/Call", " tools/call", "tools/call ", "tools/call\0", "tools/run", "toolS/list", "tools\ud800/call"],
)
def test_a_method_for_tools_that_mcp_does_not_have_is_refused(scene: Scene, method: str) -> None:
    """A server may compare it without case."""
    assert scene.error_of(request(method, 3)) == (3, METHOD_NOT_FOUND)


@pytest.mark.parametrize("params", [[], None, "x", 5])
def test_a_call_without_an_object_of_params_is_refused(scene: Scene, params: object) -> None:
    """A server may read a list as well."""
    assert scene.error_of({"id": 1, "method": "tools/call", "params": params}) == (1, INVALID_PARAMS)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": None},
        {"name": ["x"]},
        {"name": "\ud800"},
        {"name": "x", "arguments": []},
        {"name": "x", "arguments": "{}"},
        {"name": "x", "Name": "no"},
        {"name": "x", "NAME": "no"},
        {"name": "x", " name": "no"},
        {"name": "x", "name\0": "no"},
        {"name": "x", "arguments": {}, "Arguments": {}},
        {"name": "x", "argument\u017f": {}},
        {"name": "x", "__proto__": {"name": "no"}},
        {"name": "x", "na\ud800me": "no"},
        {"name": "x", "na\0me": "no"},
        {"name": "x", "arguments\ufeff": {}},
    ],
)
def test_a_call_whose_tool_or_arguments_could_be_read_in_two_ways_is_refused(
    scene: Scene, params: dict[str, object]
) -> None:
    """It is not decided, and takes no hit."""
    assert scene.error_of(request("tools/call", 1, **params)) == (1, INVALID_PARAMS)
    assert not scene.guard.asked


@pytest.mark.parametrize(
    "message",
    [
        request("ping"),
        request("resources/read", uri="file:///x"),
        request("subscriptions/listen", filter={}),
        request("tasks/result", taskId="t"),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}},
        {"jsonrpc": "2.0", "id": 4, "result": {"content": "\ud83d", "method": "tools/call"}},
        {"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "x"}},
        request("ping", "x" * 1000, Method="tools/call", inner={"method": "tools/call", "params": {"name": "no"}}),
    ],
)
def test_everything_else_passes_byte_for_byte(scene: Scene, message: object) -> None:
    """Also text that half of a character is in, as a model may write it."""
    assert scene.judge(line_of(message)) == Verdict(line_of(message))
    assert not scene.guard.asked


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"  \t\n"])
def test_an_empty_line_is_no_message(scene: Scene, line: bytes) -> None:
    """Nobody gets anything."""
    assert scene.judge(line) == Verdict()


def test_a_message_that_is_too_large_has_an_error_with_its_id(scene: Scene) -> None:
    """In whichever order its client writes members."""
    for data in (b'{"jsonrpc":"2.0","id":8,"method":"x","par...', b'...}},"jsonrpc":"2.0","id":8}\n'):
        verdict = scene.gate.judge(Line(data, is_cut=True))
        answer = json.loads(verdict.to_client)
        assert (answer["id"], answer["error"]["code"]) == (8, INVALID_REQUEST)
        assert "larger than 33554432 bytes" in answer["error"]["message"]


def test_a_refused_message_without_an_id_is_logged(scene: Scene) -> None:
    """Its client may not look at an error for nobody."""
    assert "byte order mark" in scene.judge(b'\xef\xbb\xbf{"method":"x"}').log


class TestLists:
    """A list is asked under an id of the proxy."""

    @pytest.mark.parametrize("request_id", [1, "one"])
    def test_its_id_cannot_be_known_and_is_of_the_same_type(self, scene: Scene, request_id: int | str) -> None:
        """A server may expect numbers."""
        message = scene.forwarded(request("tools/list", request_id, cursor="c"))
        assert message["params"] == {"cursor": "c"}
        assert type(message["id"]) is type(request_id)
        assert message["id"] != request_id

    @pytest.mark.parametrize("method", ["ping", "tools/call"])
    def test_no_other_request_can_have_it(self, scene: Scene, method: str) -> None:
        """Its answer would be taken for the list."""
        proxy_id = scene.forwarded(request("tools/list"))["id"]
        assert scene.error_of(request(method, proxy_id, name="x")) == (proxy_id, INVALID_REQUEST)
        assert not scene.guard.asked

    def test_it_can_be_cancelled_by_the_id_of_the_client(self, scene: Scene) -> None:
        """The server knows the other one; an answer that comes all the same is looked at."""
        proxy_id = scene.forwarded(request("tools/list", 5))["id"]
        cancelled = scene.forwarded({"method": "notifications/cancelled", "params": {"requestId": 5, "reason": "r"}})
        assert cancelled["params"] == {"requestId": proxy_id, "reason": "r"}
        assert b'"no"' not in scene.lists.filter_line(line_of(listed(proxy_id, "no")))

    def test_two_under_one_id_are_told_apart(self, scene: Scene) -> None:
        """Each answer is looked at."""
        first, second = (scene.forwarded(request("tools/list", 5))["id"] for _ in range(2))
        for proxy_id in (second, first):
            assert json.loads(scene.lists.filter_line(line_of(listed(proxy_id, "no", "yes")))) == listed(5, "yes")

    def test_there_is_a_bound_for_those_that_are_waited_for(self, scene: Scene) -> None:
        """Memory is bounded."""
        for number in range(MAX_PENDING):
            assert scene.judge(request("tools/list", number)).to_server
        assert scene.error_of(request("tools/list", MAX_PENDING)) == (MAX_PENDING, INVALID_REQUEST)

    def test_those_that_were_cancelled_do_not_count_for_ever(self, scene: Scene) -> None:
        """A server does not answer them; those of others are still waited for."""
        for number in range(MAX_PENDING):
            scene.judge(request("tools/list", number))
        for number in (3, 5):
            scene.judge({"method": "notifications/cancelled", "params": {"requestId": number}})
        ids = [scene.forwarded(request("tools/list", number))["id"] for number in ("a", "b")]
        assert scene.error_of(request("tools/list", "c")) == ("c", INVALID_REQUEST)
        for own, one in zip("ab", ids, strict=True):
            assert json.loads(scene.lists.filter_line(line_of(listed(one, "x"))))["id"] == own

    def test_one_that_is_a_notification_is_dropped(self, scene: Scene) -> None:
        """A careless server would answer it under no id."""
        assert not scene.judge({"jsonrpc": "2.0", "method": "tools/list"}).to_server


# texts of which messages are made that look like calls
WORDS = st.sampled_from(
    ["tools/call", "tools/list", "ping", "no", "x", "Method", "method", "params", "name", "id", "result"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)

CALLS = st.fixed_dictionaries(
    {"method": WORDS, "params": st.fixed_dictionaries({"name": WORDS}, optional={"Name": WORDS, "arguments": VALUES})},
    optional={"id": VALUES, "Method": WORDS, "result": VALUES},
)
REAL_CALLS = st.fixed_dictionaries({"method": st.just("tools/call"), "params": st.fixed_dictionaries({"name": WORDS})})
NESTED_CALLS = st.fixed_dictionaries(
    {"method": st.just("ping"), "params": st.lists(REAL_CALLS, min_size=1, max_size=2)}
)
SEPARATORS = st.sampled_from(["", *"\r\t\0\x0b\x0c\x1e\x85\u2028"])
NOISE = st.sampled_from(
    [*'"[]{},: \\', *"\r\0\x0b\x0c\x1e\x85\u2028\ufeff", '{"method":"tools/call","params":{"name":"no"}}']
)


@given(VALUES, st.binary(max_size=3), st.integers(0, 200))
def test_no_call_reaches_the_server_that_was_not_allowed(value: object, noise: bytes, place: int) -> None:
    """Of whatever a client may send, with noise anywhere in it."""
    line = json.dumps(value).encode()
    scene = Scene()
    verdict = scene.gate.judge(Line(line[:place] + noise + line[place:]))
    if not verdict.to_server:
        return
    message = json.loads(verdict.to_server)
    assert isinstance(message, dict)
    if message.get("method") == "tools/call":
        assert scene.guard.asked == [(message["params"]["name"], message["params"].get("arguments") or {})]
        assert not message["params"]["name"].startswith("no")
    else:
        assert not scene.guard.asked


def lenient_calls(data: bytes) -> Iterator[tuple[object, object]]:
    """Yield each call that careless programs may see in a line: in any line of its text, with keys in any case."""
    for text in (data.decode("utf-8", "replace"), data.decode("latin-1")):
        for part in (*text.splitlines(), *re.split("[\r\0]", text)):
            try:
                parsed = json.loads(part.strip("\ufeff\0"), strict=False, object_pairs_hook=fold)
            except ValueError:
                continue
            for one in parsed if isinstance(parsed, list) else [parsed]:
                if isinstance(one, dict) and one.get("method") == "tools/call":
                    params = one.get("params")
                    yield (params.get("name"), params.get("arguments")) if isinstance(params, dict) else (params, None)


def fold(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return members as a program does that takes `Method` for `method`, and the last of those that are equal."""
    return {name.partition("\0")[0].strip().casefold(): value for name, value in pairs}


@given(st.data())
def test_no_careless_program_sees_a_call_that_was_not_decided(data: st.DataObject) -> None:
    """In whatever passes, wherever separators, quotes and brackets are put into it."""
    text = json.dumps(data.draw(VALUES | CALLS | NESTED_CALLS), ensure_ascii=False)
    separator = data.draw(SEPARATORS)
    text = text.replace('{"method": "tools', f'{separator}{{"method": "tools').replace("}}", f"}}}}{separator}")
    for noise in data.draw(st.lists(NOISE, max_size=4)):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + noise + text[place:]
    scene = Scene()
    verdict = scene.gate.judge(Line(text.encode("utf-8", "surrogatepass")))
    asked = {name for name, _ in scene.guard.asked}
    assert {name for name, _ in lenient_calls(verdict.to_server)} <= asked
