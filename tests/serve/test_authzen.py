"""Authorization API 1.0 over HTTP: the certification scenario of the working group, and the examples of the standard.

Its fixture has resources of the type `record`, and decides by subjects and properties. Ours are of the type `tool`, and
neither decides: a grant belongs to a tool. What the scenario asks of requests and answers is all here.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.serve import (
    EVALUATION,
    EVALUATIONS,
    JSON,
    SEARCH,
    Request,
    Server,
    call,
    environment,
    make_root,
    running,
)

ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}
RECORD_1, RECORD_2 = {"type": "tool", "id": "record-1"}, {"type": "tool", "id": "record-2"}
READ, WRITE = {"name": "read"}, {"name": "write"}
PERMITTED = {"subject": ALICE, "action": READ, "resource": RECORD_1}
DENIED = {"subject": BOB, "action": {"name": "delete"}, "resource": RECORD_1}
TIMES = {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}


@pytest.fixture(scope="module", params=["socket", "loopback"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with the resources of the scenario."""
    top = tmp_path_factory.mktemp("authzen")
    both = {"actions": ["read", "write"]}
    root = make_root(top, **{"record-1": both, "record-2": {"actions": ["write"]}})
    words = ("--tcp", "127.0.0.1:0", "--token", str(top / "token")) if request.param == "loopback" else ()
    with running(root, *words, env=environment(top)) as server:
        yield server


def without(request: Request, part: str, member: str | None = None) -> Request:
    """Return a request with something missing."""
    if member is None:
        return {name: value for name, value in request.items() if name != part}
    return {**request, part: {name: value for name, value in request[part].items() if name != member}}


def decisions(server: Server, request: Request) -> list[bool]:
    """Return the decisions of several evaluations."""
    reply = server.post(EVALUATIONS, request)
    assert reply.status == 200
    assert "decision" not in reply.json
    return [one["decision"] for one in reply.json["evaluations"]]


@pytest.mark.parametrize(
    ("request_", "decision"),
    [
        (PERMITTED, True),
        (DENIED, False),
        ({**PERMITTED, "context": TIMES}, True),
        ({**PERMITTED, "foo": "bar", "futureField": {"nested": True}}, True),
        ({
            "subject": {**ALICE, "properties": {"department": "Sales", "role": "manager"}},
            "action": {**READ, "properties": {"method": "GET"}},
            "resource": {**RECORD_1, "properties": {"status": "active", "owner": "bob"}},
        }, True),
        ({**PERMITTED, "resource": {"type": "record", "id": "record-1"}}, False),
        ({**PERMITTED, "resource": {"type": "tool", "id": "nothing"}}, False),
        ({**PERMITTED, "evaluations": [DENIED]}, True),  # means nothing here
    ],
)  # fmt: skip
def test_an_evaluation_is_answered_with_200_whatever_the_decision(
    server: Server, request_: Request, decision: bool
) -> None:
    """Unknown members and properties are ignored; the answer has a decision and a context."""
    reply = server.post(EVALUATION, request_)
    assert reply.status == 200
    assert reply.json["decision"] is decision
    assert isinstance(reply.json["context"], dict)
    assert [server.evaluate(request_).decision for _ in range(3)] == [decision] * 3


def test_the_context_has_the_members_of_check(server: Server) -> None:
    """A question consumes nothing; a call that counts says so."""
    asked = server.evaluate({**PERMITTED, "resource": RECORD_2, "action": WRITE}).json["context"]
    assert asked["reason"] == "allowed"
    assert asked["exit_code"] == 0
    assert asked["rate"]["consumed"] == 0
    counted = server.evaluate(call("record-2", "write", consume=True)).json["context"]
    assert counted["rate"]["consumed"] == 1
    assert counted["rate"]["used"] == asked["rate"]["used"] + 1
    assert counted.keys() == asked.keys()
    assert server.evaluate(call("record-2", "write")).json["context"]["rate"]["used"] == counted["rate"]["used"]


WRONG: list[Any] = [
    without(PERMITTED, "subject"), without(PERMITTED, "action"), without(PERMITTED, "resource"),
    without(PERMITTED, "subject", "type"), without(PERMITTED, "subject", "id"), without(PERMITTED, "action", "name"),
    without(PERMITTED, "resource", "type"), without(PERMITTED, "resource", "id"),
    {**PERMITTED, "subject": "alice"}, {**PERMITTED, "action": {"name": 123}}, {**PERMITTED, "context": []},
    {**PERMITTED, "context": {"consume": "true"}}, [PERMITTED], None,
    b"", b"{", b'{"subject": {}, "subject": {}}', b"\xff{}", b"\xef\xbb\xbf{}", b"[" * 100_000, b"{} {}",
]  # fmt: skip


@pytest.mark.parametrize("path", [EVALUATION, EVALUATIONS])
@pytest.mark.parametrize("body", WRONG, ids=repr)
def test_what_is_no_request_is_400_with_a_sentence(server: Server, path: str, body: Any) -> None:
    """Missing members, wrong types, malformed and empty bodies."""
    reply = server.post(path, body)
    assert reply.status == 400
    assert reply.fields["content-type"] == "text/plain; charset=utf-8"
    assert reply.body.strip()
    assert b"decision" not in reply.body


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_a_content_type_other_than_json_is_400(server: Server, kind: str) -> None:
    """As forms of web pages send."""
    assert server.evaluate(PERMITTED, content_type=kind).status == 400


def test_parameters_of_the_content_type_do_not_matter(server: Server) -> None:
    """The character set is always UTF-8."""
    assert server.evaluate(PERMITTED, content_type="Application/JSON; charset=utf-8").decision


@pytest.mark.parametrize("path", [EVALUATION, EVALUATIONS, SEARCH])
def test_a_request_id_comes_back(server: Server, path: str) -> None:
    """With an answer, and with an error."""
    name = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
    for body, status in ((PERMITTED, 200), ({}, 400)):
        reply = server.post(path, body, x_request_id=name)
        assert (reply.status, reply.fields["x-request-id"]) == (status, name)
    assert "x-request-id" not in server.post(path, PERMITTED).fields


@pytest.mark.parametrize("name", ["x" * 257, "é", "a\tb"])
def test_a_request_id_that_cannot_come_back_is_400(server: Server, name: str) -> None:
    """It is at most 256 printable ASCII characters."""
    reply = server.evaluate(PERMITTED, x_request_id=name)
    assert reply.status == 400
    assert "x-request-id" not in reply.fields


def test_evaluations_come_back_in_order_with_defaults(server: Server) -> None:
    """Members of the request stand for those that an evaluation does not have."""
    assert decisions(
        server, {"subject": ALICE, "action": READ, "evaluations": [{"resource": RECORD_1}, {"resource": RECORD_2}]}
    ) == [True, False]
    assert decisions(
        server, {"subject": BOB, "resource": RECORD_2, "evaluations": [{"action": READ}, {"action": WRITE}]}
    ) == [False, True]
    assert decisions(server, {"evaluations": [PERMITTED, DENIED]}) == [True, False]
    changed = {"resource": RECORD_1, "context": {"time": "2025-06-27T19:00-07:00", "source": "batch-override"}}
    assert decisions(
        server, {"subject": ALICE, "action": READ, "context": TIMES, "evaluations": [{"resource": RECORD_1}, changed]}
    ) == [True, True]


def test_the_error_of_an_evaluation_is_its_own(server: Server) -> None:
    """It is denied, and the others are answered."""
    request = {"subject": ALICE, "action": READ, "evaluations": [{"resource": RECORD_1}, {}, {"resource": RECORD_1}]}
    assert decisions(server, request) == [True, False, True]
    error = server.post(EVALUATIONS, request).json["evaluations"][1]["context"]["error"]
    assert error["status"] == 400
    assert "resource" in error["message"]


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [("execute_all", [True, False, True]), ("deny_on_first_deny", [True, False]), ("permit_on_first_permit", [True])],
)
def test_the_three_semantics_end_where_they_should(server: Server, semantic: str, expected: list[bool]) -> None:
    """As in the examples of the standard."""
    items = [{"resource": one} for one in (RECORD_1, RECORD_2, RECORD_1)]
    options = {"evaluations_semantic": semantic, "another_option": "value"}
    assert decisions(server, {"subject": ALICE, "action": READ, "options": options, "evaluations": items}) == expected


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
def test_evaluations_without_items_are_one_evaluation(server: Server, more: Request) -> None:
    """As in the scenario."""
    reply = server.post(EVALUATIONS, {**PERMITTED, **more})
    assert reply.decision
    assert "evaluations" not in reply.json


def test_an_unknown_semantic_and_too_many_evaluations_are_400(server: Server) -> None:
    """Nothing is decided."""
    assert (
        server.post(EVALUATIONS, {"options": {"evaluations_semantic": "x"}, "evaluations": [PERMITTED]}).status == 400
    )
    assert server.post(EVALUATIONS, {"evaluations": [{}] * 1001}).status == 400
    assert len(decisions(server, {"evaluations": [{}] * 1000})) == 1000


@pytest.mark.parametrize("more", [{}, {"context": TIMES}, {"page": {"limit": 1}}, {"context": {"consume": True}}])
def test_an_action_search_finds_what_is_allowed(server: Server, more: Request) -> None:
    """Without a grant there is nothing to find; pages are not needed."""
    reply = server.post(SEARCH, {"subject": ALICE, "resource": RECORD_1, **more})
    assert reply.status == 200
    assert reply.json == {"results": [{"name": "read"}, {"name": "write"}], "page": {"next_token": ""}}
    assert server.evaluate(call("record-1", "read")).json["context"]["rate"]["used"] == 0


@pytest.mark.parametrize("resource", [{"type": "tool", "id": "nothing"}, {"type": "spaceship", "id": "record-1"}])
def test_an_action_search_on_what_is_unknown_finds_nothing(server: Server, resource: Request) -> None:
    """It is no error."""
    assert server.post(SEARCH, {"subject": ALICE, "resource": resource}).json["results"] == []


@pytest.mark.parametrize(
    "body", [{"subject": ALICE}, {"resource": RECORD_1}, {"subject": {"type": "user"}, "resource": RECORD_1}]
)
def test_an_action_search_without_what_it_needs_is_400(server: Server, body: Request) -> None:
    """As in the scenario."""
    assert server.post(SEARCH, body).status == 400


def test_the_metadata_names_what_there_is(server: Server) -> None:
    """The URLs begin with the name by which the client asked; the other searches are left out."""
    reply = server.get("/.well-known/authzen-configuration")
    base = f"http://{server.host}"
    assert reply.status == 200
    assert reply.json == {
        "policy_decision_point": base,
        "access_evaluation_endpoint": base + EVALUATION,
        "access_evaluations_endpoint": base + EVALUATIONS,
        "search_action_endpoint": base + SEARCH,
    }
    for name in ("subject", "resource"):
        assert server.post(f"/access/v1/search/{name}", {}).status == 404


def test_answers_are_not_cached_and_not_guessed_at(server: Server) -> None:
    """A decision is of its instant."""
    fields = server.evaluate(PERMITTED).fields
    assert fields["cache-control"] == "no-store"
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["content-type"] == JSON
