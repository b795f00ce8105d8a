"""A call that waits for a human, and is called again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.mcp import approval_round_trips
from cortex_policy.mcp.approval_round_trips import ANSWER_KEY, ApprovalRoundTrips, UserQuestion
from cortex_policy.mcp.guard import ToolDecision, ToolGuard
from tests.support.command import run_command
from tests.support.mcp import hits, make_mcp_root, write_grant

CALL = {"path": "docs/x", "content": "a"}
YES = {ANSWER_KEY: {"action": "accept", "content": {"approve": True}}}


@pytest.fixture
def trips(root: Path, monkeypatch: pytest.MonkeyPatch) -> ApprovalRoundTrips:
    """Guard a server whose calls wait for a human."""
    make_mcp_root(root, dataClass="sensitive")
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    return ApprovalRoundTrips(ToolGuard("files"))


@pytest.fixture
def consent(tmp_path: Path) -> Path:
    """Let answers of clients count as those of a human."""
    directory = tmp_path / "config" / "cortex-policy"
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text("[approvals]\nelicitation = true\n")
    return directory / "config.toml"


def ask(trips: ApprovalRoundTrips, call: dict[str, Any] = CALL, tool: str = "read") -> UserQuestion:
    """Call a tool; its user must be asked."""
    question = trips.decide(tool, call, None, None, can_ask=True)
    assert isinstance(question, UserQuestion)
    return question


def again(
    trips: ApprovalRoundTrips, state: object, answers: object = YES, call: dict[str, Any] = CALL, tool: str = "read"
) -> ToolDecision:
    """Call a tool again; nobody is asked twice."""
    decision = trips.decide(tool, call, state, answers, can_ask=True)
    assert isinstance(decision, ToolDecision)
    return decision


def request_id(question: UserQuestion) -> str:
    """Return the id that the user is shown."""
    return question.message.partition("request `")[2].partition("`")[0]


def test_an_answer_of_a_client_is_no_approval(trips: ApprovalRoundTrips, root: Path, state: Path) -> None:
    """It says nothing about a human, whatever is in it."""
    question = ask(trips)
    assert question.schema["properties"] == {}
    decision = again(trips, question.state)
    assert (decision.allowed, decision.members["reason"]) == (False, "approval_required")
    assert hits(root, state) == 0


def test_once_a_human_has_approved_it_the_second_call_takes_the_hit(
    trips: ApprovalRoundTrips, root: Path, state: Path
) -> None:
    """Once for both."""
    question = ask(trips)
    run_command("approve", request_id(question), "--yes")
    assert again(trips, question.state).allowed
    assert hits(root, state) == 1
    assert not again(trips, question.state).allowed
    assert hits(root, state) == 1


def test_a_state_counts_once(trips: ApprovalRoundTrips, root: Path, state: Path) -> None:
    """Whatever became of it, and however many try at once."""
    write_grant(root, dataClass="sensitive")
    question = ask(trips)
    run_command("approve", request_id(question), "--yes")
    with ThreadPoolExecutor(8) as pool:
        decisions = list(pool.map(lambda _: again(trips, question.state), range(16)))
    assert sum(decision.allowed for decision in decisions) == 1
    assert hits(root, state) == 1
    assert sum("unknown" in decision.text for decision in decisions) == 15


@pytest.mark.parametrize(
    ("tool", "call"),
    [("write", CALL), ("read", {"path": "docs/y", "content": "a"}), ("read", {"path": "docs/x", "content": "b"})],
)
@pytest.mark.usefixtures("consent")
def test_a_state_is_of_one_call(trips: ApprovalRoundTrips, tool: str, call: dict[str, Any]) -> None:
    """Of another tool, or with other arguments, ignored ones too, it counts for nothing."""
    question = ask(trips)
    assert "another call" in again(trips, question.state, tool=tool, call=call).text
    assert "unknown" in again(trips, question.state).text


@pytest.mark.parametrize("end", ["", "0" * 64, "x\0"])
@pytest.mark.usefixtures("consent")
def test_a_state_that_was_not_given_out_is_denied(trips: ApprovalRoundTrips, end: str) -> None:
    """A guess is as good as none."""
    prefix = ask(trips).state.rpartition(":")[0]
    assert "unknown" in again(trips, f"{prefix}:{end}").text


@pytest.mark.usefixtures("consent")
def test_a_state_of_another_guard_says_nothing(trips: ApprovalRoundTrips) -> None:
    """Such as that of a server that is mounted in this one, or of another process: the call is a new one."""
    question, other = ask(trips), ApprovalRoundTrips(ToolGuard("files"))
    decision = other.decide("read", CALL, question.state, YES, can_ask=False)
    assert isinstance(decision, ToolDecision)
    assert decision.members["reason"] == "approval_required"
    assert again(trips, question.state).allowed


def test_a_state_of_the_tool_itself_saves_nothing(trips: ApprovalRoundTrips, root: Path, state: Path) -> None:
    """Each call that reaches the tool takes its hits."""
    write_grant(root)
    for _ in range(3):
        assert again(trips, "a state of the tool").allowed
    assert hits(root, state) == 3


def test_a_state_is_no_older_than_its_request(trips: ApprovalRoundTrips, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most `approvals.timeout_seconds`."""
    monkeypatch.setenv("CORTEX_POLICY_APPROVALS_TIMEOUT_SECONDS", "60")
    question, real = ask(trips), approval_round_trips.monotonic
    monkeypatch.setattr(approval_round_trips, "monotonic", lambda: real() + 60)
    assert "too old" in again(trips, question.state).text


def test_a_grant_that_changed_meanwhile_needs_another_approval(trips: ApprovalRoundTrips, root: Path) -> None:
    """The approval is of the bytes of the grant."""
    question = ask(trips)
    run_command("approve", request_id(question), "--yes")
    write_grant(root, dataClass="sensitive", rate={"perMinute": 1001})
    assert again(trips, question.state).members["reason"] == "approval_required"


@pytest.mark.parametrize(
    "answers",
    [
        None,
        {},
        [],
        {ANSWER_KEY: "accept"},
        {"x": YES[ANSWER_KEY]},
        {ANSWER_KEY: {"action": "decline"}},
        {ANSWER_KEY: {"action": "cancel"}},
    ],
)
def test_a_user_who_does_not_agree_ends_it(trips: ApprovalRoundTrips, answers: object) -> None:
    """Though a human has approved the call."""
    question = ask(trips)
    run_command("approve", request_id(question), "--yes")
    assert "did not agree" in again(trips, question.state, answers).text


def test_if_the_setting_says_so_the_answer_of_a_client_is_an_approval(
    trips: ApprovalRoundTrips, consent: Path, root: Path, state: Path
) -> None:
    """Of this call, once."""
    assert consent.is_file()
    question = ask(trips)
    assert question.schema["required"] == ["approve"]
    assert '"path": "docs/x"' in question.message
    assert again(trips, question.state).allowed
    assert hits(root, state) == 1
    assert isinstance(trips.decide("read", CALL, None, None, can_ask=True), UserQuestion)


@pytest.mark.parametrize(
    "content", [None, {}, {"approve": False}, {"approve": "true"}, {"approve": 1}, {"approve": None}]
)
@pytest.mark.usefixtures("consent")
def test_only_true_approves(trips: ApprovalRoundTrips, content: object) -> None:
    """As in the file of approvals."""
    question = ask(trips)
    decision = again(trips, question.state, {ANSWER_KEY: {"action": "accept", "content": content}})
    assert "did not approve" in decision.text
    assert trips.decide("read", CALL, None, None, can_ask=False).allowed is False  # type: ignore[union-attr] # a decision


def test_a_setting_that_is_withdrawn_counts_at_once(trips: ApprovalRoundTrips, consent: Path) -> None:
    """Also for a question that was asked before."""
    question = ask(trips)
    consent.unlink()
    assert not again(trips, question.state).allowed


@pytest.mark.usefixtures("consent")
def test_a_denial_by_a_human_outweighs_the_answer_of_a_client(trips: ApprovalRoundTrips) -> None:
    """It was given meanwhile."""
    question = ask(trips)
    run_command("deny", request_id(question))
    assert "no longer be approved" in again(trips, question.state).text


@pytest.mark.usefixtures("consent")
def test_a_call_that_is_too_long_to_be_shown_is_not_approved_by_an_answer(trips: ApprovalRoundTrips) -> None:
    """Who approves a call has seen all of it."""
    call = {"path": "docs/x", "more": "x" * 5000}
    question = ask(trips, call)
    assert question.schema["properties"] == {}
    assert not again(trips, question.state, call=call).allowed


def test_a_project_or_a_variable_cannot_make_answers_approvals(
    trips: ApprovalRoundTrips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent may write both."""
    monkeypatch.setenv("CORTEX_POLICY_APPROVALS_ELICITATION", "true")
    decision = trips.decide("read", CALL, None, None, can_ask=True)
    assert isinstance(decision, ToolDecision)
    assert decision.members["reason"] == "settings_invalid"


def test_a_client_that_cannot_ask_gets_a_denial(trips: ApprovalRoundTrips) -> None:
    """With the id of the request."""
    decision = trips.decide("read", CALL, None, None, can_ask=False)
    assert isinstance(decision, ToolDecision)
    assert decision.members["approval"]["status"] == "waiting"  # type: ignore[index] # an object
    assert "a human must approve" in decision.text


def test_open_questions_are_bounded(trips: ApprovalRoundTrips, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks on gets denials."""
    monkeypatch.setattr(approval_round_trips, "_MAX_OPEN", 2)
    assert [isinstance(trips.decide("read", CALL, None, None, can_ask=True), UserQuestion) for _ in range(3)] == [
        True,
        True,
        False,
    ]
    real = approval_round_trips.monotonic
    monkeypatch.setattr(approval_round_trips, "monotonic", lambda: real() + 3600)
    assert isinstance(trips.decide("read", CALL, None, None, can_ask=True), UserQuestion)


@pytest.mark.parametrize("place", ["_fingerprint", "_is_consent_enough", "UserQuestion"])
def test_any_exception_is_a_denial(trips: ApprovalRoundTrips, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Wherever it comes from."""
    monkeypatch.setattr(approval_round_trips, place, lambda *_: 1 // 0)
    decision = trips.decide("read", CALL, None, None, can_ask=True)
    assert isinstance(decision, ToolDecision)
    assert not decision.allowed
    assert "ZeroDivisionError" in decision.text
