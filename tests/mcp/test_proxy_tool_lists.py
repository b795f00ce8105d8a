"""Answers of a server to `tools/list`: without tools that are never allowed."""

import json

import pytest

from cortex_policy.mcp.proxy_tool_lists import ToolLists
from tests.support.mcp_messages import FakeGuard, line_of, listed


@pytest.fixture
def lists() -> ToolLists:
    """Wait for nothing yet."""
    return ToolLists(FakeGuard().hidden_tools)


def test_hidden_tools_are_left_out_and_the_rest_stays(lists: ToolLists) -> None:
    """With the id of the client, and what newer revisions have beside the tools."""
    proxy_id = lists.begin("a")
    answer = listed(proxy_id, "yes", "no", "yet", nextCursor="2", ttlMs=1.5, _meta={"x": "\ud83d"})
    expected = listed("a", "yes", "yet", nextCursor="2", ttlMs=1.5, _meta={"x": "\ud83d"})
    assert json.loads(lists.filter_line(line_of(answer))) == expected
    assert not lists.is_pending


def test_each_page_is_looked_at(lists: ToolLists) -> None:
    """Also one of which nothing is left."""
    for number, shown in ((1, ("yes",)), (2, ())):
        answer = listed(lists.begin(number), "no", *shown, nextCursor="c")
        assert json.loads(lists.filter_line(line_of(answer))) == listed(number, *shown, nextCursor="c")


def test_what_is_no_list_gets_its_id_back(lists: ToolLists) -> None:
    """An error, or a result of a kind that is not known."""
    for answer in ({"error": {"code": 1, "message": "m"}}, {"result": {"resultType": "input_required"}}, {"result": 5}):
        proxy_id = lists.begin(1)
        assert json.loads(lists.filter_line(line_of({"id": proxy_id, **answer}))) == {"id": 1, **answer}


@pytest.mark.parametrize("tools", [None, {}, "no", [{"name": 1}], [{}], ["no"], [{"name": "no"}]])
def test_a_tool_that_cannot_be_named_is_left_out(lists: ToolLists, tools: object) -> None:
    """It could not be called."""
    line = line_of({"id": lists.begin(1), "result": {"tools": tools}})
    assert json.loads(lists.filter_line(line))["result"] == {"tools": []}


@pytest.mark.parametrize("data", [b'{"id":%d,"id":1,"result":{"tools":[]}}', b"[%d]", b"%d x", b'{"id":%d,"result":{'])
def test_an_answer_that_cannot_be_read_is_an_error(lists: ToolLists, data: bytes) -> None:
    """It might show what is hidden."""
    answer = json.loads(lists.filter_line(data % lists.begin(6)))
    assert answer["id"] == 6
    assert "cannot be read" in answer["error"]["message"]


def test_other_lines_pass_byte_for_byte(lists: ToolLists) -> None:
    """Also those that name the id for another reason, and those that are no JSON."""
    proxy_id = lists.begin(1)
    lines = [
        b"starting ...\n",
        line_of(listed(1, "no")),
        line_of({"id": 1, "result": {"text": str(proxy_id)}}),
        line_of({"id": proxy_id, "method": "ping"}),
        line_of({"id": [proxy_id], "result": {}}),
        line_of({"id": float(proxy_id), "result": {}}),
    ]
    assert [lists.filter_line(line) for line in lines] == lines
    assert lists.is_pending
