"""AuthZEN requests: what must be there, what is ignored, and the three semantics of several."""

from typing import Any

import pytest

from cortex_policy.batch.authzen import answer_one_or_more_evaluations
from cortex_policy.core.model import UsageError

SUBJECT = {"type": "user", "id": "alice@example.com"}
REQUEST = {"subject": SUBJECT, "resource": {"type": "tool", "id": "1"}, "action": {"name": "read"}}


class Grants:
    """Grants `1` and `3` allow `read`; remembers what was asked."""

    def __init__(self) -> None:
        """Start without questions."""
        self.asked: list[tuple[str, str, dict[str, Any], bool]] = []

    def ask(self, grant: str, action: str, args: dict[str, Any], is_counted: bool) -> dict[str, Any]:
        """Answer as `check --json` does, in short."""
        self.asked.append((grant, action, args, is_counted))
        allowed = grant in "13" and action == "read"
        return {"decision": allowed, "reason": "allowed" if allowed else "denied", "exit_code": 0 if allowed else 10}


def evaluations(semantic: str | None = None, *ids: str) -> dict[str, Any]:
    """Ask to read several resources."""
    options = {} if semantic is None else {"options": {"evaluations_semantic": semantic, "another_option": "value"}}
    items = [{"resource": {"type": "tool", "id": one}} for one in ids]
    return {"subject": SUBJECT, "action": {"name": "read"}, "evaluations": items, **options}


def test_an_evaluation_is_a_question_and_its_answer_carries_the_reason_in_the_context() -> None:
    """Members that the standard does not know are ignored."""
    grants = Grants()
    request = {**REQUEST, "context": {"time": "2024-05-31T15:22-07:00", "path": "docs/x"}, "more": [1]}
    answer, code = answer_one_or_more_evaluations(request, grants.ask)
    assert answer == {"decision": True, "context": {"reason": "allowed", "exit_code": 0}}
    assert code == 0
    assert grants.asked == [("1", "read", {"time": "2024-05-31T15:22-07:00", "path": "docs/x"}, False)]


@pytest.mark.parametrize("consume", [True, False])
def test_a_request_is_counted_only_if_it_says_so(consume: bool) -> None:
    """The word is no argument of the call."""
    grants = Grants()
    answer_one_or_more_evaluations({**REQUEST, "context": {"consume": consume}}, grants.ask)
    assert grants.asked == [("1", "read", {}, consume)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"subject": None}, "`subject` is missing"),
        ({"subject": {"type": "user"}}, "`subject.id` is missing"),
        ({"subject": {"id": "x"}}, "`subject.type` is missing"),
        ({"subject": "alice"}, "`subject` must be an object"),
        ({"resource": None}, "`resource` is missing"),
        ({"resource": {"type": "tool"}}, "`resource.id` is missing"),
        ({"resource": {"id": "1"}}, "`resource.type` is missing"),
        ({"resource": {"type": "tool", "id": 1}}, "`resource.id` must be a string"),
        ({"action": None}, "`action` is missing"),
        ({"action": {}}, "`action.name` is missing"),
        ({"action": {"name": ["read"]}}, "`action.name` must be a string"),
        ({"context": []}, "`context` must be an object"),
        ({"context": {"consume": "yes"}}, "`context.consume` must be true or false"),
        ({"consume": True}, "`consume` has no effect here"),
        ({"context": {"Consume": True}}, "`Consume` has no effect here"),
        ({"evaluations": {}}, "`evaluations` must be an array"),
    ],
)
def test_missing_and_wrong_members_are_named(changes: dict[str, Any], why: str) -> None:
    """And nothing is decided."""
    grants = Grants()
    with pytest.raises(UsageError, match=why):
        answer_one_or_more_evaluations({**REQUEST, **changes}, grants.ask)
    assert grants.asked == []


@pytest.mark.parametrize(
    ("semantic", "ids", "decisions", "code"),
    [
        (None, "123", [True, False, True], 10),
        ("execute_all", "123", [True, False, True], 10),
        ("execute_all", "13", [True, True], 0),
        ("deny_on_first_deny", "123", [True, False], 10),
        ("deny_on_first_deny", "13", [True, True], 0),
        ("permit_on_first_permit", "123", [True], 0),
        ("permit_on_first_permit", "213", [False, True], 0),
        ("permit_on_first_permit", "22", [False, False], 10),
    ],
)
def test_several_evaluations_end_as_their_semantic_says(
    semantic: str | None, ids: str, decisions: list[bool], code: int
) -> None:
    """The answers are in the order of the questions, and those after the end are not asked."""
    grants = Grants()
    answer, actual = answer_one_or_more_evaluations(evaluations(semantic, *ids), grants.ask)
    assert [one["decision"] for one in answer["evaluations"]] == decisions
    assert (actual, len(grants.asked)) == (code, len(decisions))
    assert "decision" not in answer


def test_an_unknown_semantic_is_refused_with_the_one_that_was_meant() -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError, match="must be one of") as raised:
        answer_one_or_more_evaluations(evaluations("deny_on_first", "1"), Grants().ask)
    assert raised.value.hint == "did you mean `deny_on_first_deny`?"
    with pytest.raises(UsageError, match="must be one of"):
        answer_one_or_more_evaluations({**evaluations(None, "1"), "options": []}, Grants().ask)


def test_an_evaluation_replaces_whole_members_of_the_request() -> None:
    """Never parts of them."""
    grants = Grants()
    request = {**REQUEST, "context": {"path": "docs", "consume": True}, "evaluations": [{"context": {"x": 1}}, {}]}
    answer_one_or_more_evaluations(request, grants.ask)
    assert grants.asked == [("1", "read", {"x": 1}, False), ("1", "read", {"path": "docs"}, True)]


@pytest.mark.parametrize("wrong", [{"action": {}}, 7, None, {"resource": {"type": "tool"}}])
def test_an_evaluation_that_is_wrong_is_denied_with_its_error_and_the_others_are_answered(wrong: object) -> None:
    """It counts as a denial where the first one ends the evaluations."""
    request = {**REQUEST, "evaluations": [{}, wrong, {}]}
    answer, code = answer_one_or_more_evaluations(request, Grants().ask)
    assert [one["decision"] for one in answer["evaluations"]] == [True, False, True]
    assert answer["evaluations"][1]["context"]["error"]["status"] == 400
    assert code == 2
    request["options"] = {"evaluations_semantic": "deny_on_first_deny"}
    assert len(answer_one_or_more_evaluations(request, Grants().ask)[0]["evaluations"]) == 2


def test_no_evaluations_are_one_evaluation() -> None:
    """As the standard says of an empty array."""
    assert answer_one_or_more_evaluations({**REQUEST, "evaluations": []}, Grants().ask)[0]["decision"] is True


def test_resources_of_other_types_are_denied() -> None:
    """They are no error: other decision points may know them."""
    grants = Grants()
    answer, code = answer_one_or_more_evaluations({**REQUEST, "resource": {"type": "account", "id": "1"}}, grants.ask)
    assert (answer["decision"], code, grants.asked) == (False, 20, [])
    assert answer["context"]["message"] == "resources are of the type `tool`, not `account`"
