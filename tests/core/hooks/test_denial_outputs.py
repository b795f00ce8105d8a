"""A denial reaches each agent in its own terms."""

import json

import pytest

from cortex_policy.core.hooks.denial_outputs import (
    MAX_REASON_BYTES,
    NO_OPINION,
    escape_reason_for_model,
    make_denial_outputs,
)
from cortex_policy.core.hooks.payload import AGENTS


def test_an_answer_without_an_opinion_is_an_empty_object() -> None:
    """Cursor takes nothing at all for a failed hook."""
    assert NO_OPINION == b"{}\n"


@pytest.mark.parametrize("agent", [*AGENTS, ""])
def test_the_reason_is_always_on_standard_error(agent: str) -> None:
    """Codex and Gemini let a call run whose hook ends with 2 and says nothing."""
    assert make_denial_outputs(agent, "not today")[1] == b"not today\n"


@pytest.mark.parametrize("agent", ["claude", "codex", "vscode"])
def test_the_nested_form_has_exactly_these_keys(agent: str) -> None:
    """Codex refuses any other key."""
    inner = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "not today"}
    assert json.loads(make_denial_outputs(agent, "not today")[0]) == {"hookSpecificOutput": inner}


def test_copilot_gets_the_flat_form() -> None:
    """It works under both keys of its settings, and with exit code 2."""
    out = json.loads(make_denial_outputs("copilot", "not today")[0])
    assert out == {"permissionDecision": "deny", "permissionDecisionReason": "not today"}


def test_gemini_gets_a_decision() -> None:
    """It takes the decision of the JSON, whatever the exit code is."""
    assert json.loads(make_denial_outputs("gemini", "not today")[0]) == {"decision": "deny", "reason": "not today"}


def test_cursor_gets_nothing_on_standard_output() -> None:
    """It would show the JSON to the model as it is."""
    assert make_denial_outputs("cursor", "not today")[0] == b""


def test_an_agent_that_is_not_known_gets_the_keys_of_all() -> None:
    """One of them is its own."""
    out = json.loads(make_denial_outputs("", "not today")[0])
    assert out["decision"] == "block"
    assert out["permission"] == out["permissionDecision"] == "deny"
    assert out["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert {out["reason"], out["user_message"], out["permissionDecisionReason"]} == {"not today"}


@pytest.mark.parametrize("agent", [*AGENTS, ""])
@pytest.mark.parametrize(
    "reason", ["", " \n", "a" * 100_000, "\x1b[2J\0\n\t\u202e", "\ud800", "é" * 5000, "\u2028" * 3000]
)
def test_any_reason_becomes_one_short_line(agent: str, reason: str) -> None:
    """It goes into the context of a model and onto terminals."""
    out, error = make_denial_outputs(agent, reason)
    assert error.endswith(b"\n")
    assert 1 < len(error) <= MAX_REASON_BYTES + 1
    assert error[:-1].decode().isprintable()
    assert out.isascii()
    assert out == b"" or isinstance(json.loads(out), dict)


def test_an_empty_reason_still_says_something() -> None:
    """An empty one would let the call run in Codex."""
    assert "denied" in escape_reason_for_model(" ")
