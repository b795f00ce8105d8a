"""What agents do with the answer of a hook: each row was run in the real programs, with a hook that ends so."""

import json

import pytest

from cortex_policy.manage.hooks.agent_behaviour import HookEnd, is_call_blocked

WHY, SPOKEN = "not allowed here", "not allowed here\n"
# Claude, Claude with `onFailure`, Codex, Gemini, Copilot, Cursor, Cursor with `failClosed`
COLUMNS = (
    ("claude", False),
    ("claude", True),
    ("codex", False),
    ("gemini", False),
    ("copilot", False),
    ("cursor", False),
    ("cursor", True),
)


def answers(word: str, reason: str = WHY, event: str = "PreToolUse", **more: str) -> dict[str, str]:
    """Return the JSON of each agent for a decision."""
    claude = {
        "hookSpecificOutput": {"hookEventName": event, "permissionDecision": word, "permissionDecisionReason": reason}
    }
    gemini = {"decision": word, "reason": reason}
    copilot = {"permissionDecision": word, "permissionDecisionReason": reason}
    cursor = {"permission": word, "user_message": reason, "agent_message": reason}
    found: dict[str, dict[str, object]] = {
        "claude": {**claude},
        "codex": {**claude},
        "gemini": {**gemini},
        "copilot": {**copilot},
        "cursor": {**cursor},
    }
    return {agent: json.dumps({**value, **more}) for agent, value in found.items()}


DENY, ALLOW, ASK = answers("deny"), answers("allow"), answers("ask")


def noisy(before: str, after: str) -> dict[str, str]:
    """Return the denials with text around them."""
    return {agent: f"{before}{text}{after}" for agent, text in DENY.items()}


# what the hook does; exit code, stdout (of all, or for each agent), stderr, time-out; `B` if the call was blocked in that
# column, `r` if it ran, `.` if it was not tried
SEEN = [
    ("is silent", 0, "", "", False, "rrrrrrB"),
    ("prints an empty object", 0, "{}", "", False, "rrrrrrr"),
    ("exits with 2 and a reason", 2, "", SPOKEN, False, "B.BBBBB"),
    ("exits with 2 and no word", 2, "", "", False, "BBrrBBB"),
    ("exits with 2 and an empty object", 2, "{}", "", False, "B.rrB.."),
    ("denies three ways", 2, DENY, SPOKEN, False, "B.BBBBB"),
    ("denies by JSON", 0, DENY, "", False, "B.BBBBB"),
    ("denies by JSON and code 2", 2, DENY, "", False, "B.rBB.."),
    ("denies by JSON and code 1", 1, DENY, "", False, "BBrBBrB"),
    ("denies without a reason", 0, answers("deny", ""), "", False, "B.rBBBB"),
    ("denies with a key too many", 0, answers("deny", cortex="x"), "", False, "B.rBBBB"),
    ("denies on many lines", 0, noisy("", "\n\n"), "", False, "BBBBB.."),
    ("prints noise before its denial", 0, noisy("noise\n", ""), "", False, "rrrrrBB"),
    ("prints noise after its denial", 0, noisy("", "\nnoise"), "", False, "rrrrrBB"),
    ("denies three ways after noise", 2, noisy("noise\n", ""), SPOKEN, False, "BBBBB.."),
    ("denies for another event", 0, answers("deny", event="PostToolUse"), "", False, "rBBBB.."),
    ("says an unknown word", 0, answers("maybe"), "", False, "rBrrrBB"),
    ("asks", 0, ASK, "", False, "B.rBBrr"),
    ("allows", 0, ALLOW, "", False, "rrrrrrr"),
    ("allows with code 2", 2, ALLOW, "", False, "BBrrBBB"),
    ("allows with code 2 and a reason", 2, ALLOW, SPOKEN, False, "B.BrBBB"),
    ("exits with 1", 1, "", "", False, "rBrrBrB"),
    ("exits with 1 and a reason", 1, "", SPOKEN, False, "rBrrB.."),
    ("exits with 10", 10, "", "", False, "rBrrBrB"),
    ("exits with 10 and a reason", 10, "", SPOKEN, False, "r.rBB.."),
    ("exits with 10 and text", 10, "plain words", "", False, "rBrBB.."),
    ("is killed", None, "", "", False, "rBrrBrB"),
    ("is killed after its denial", None, DENY, SPOKEN, False, "B.rBB.."),
    ("hangs", None, "", "", True, "rBrrrrB"),
    ("hangs after its denial", None, DENY, SPOKEN, True, "rBrrrrB"),
    ("prints no JSON", 0, "%% not json %%", "", False, "rrrrrBB"),
    ("prints half an object", 0, '{"decision": ', "", False, "rrrrrBB"),
    ("prints an array", 0, "[1,2]", "", False, "rrrrrBB"),
    ("is missing, as the shell says", 127, "", "not found", False, "rBrBBrB"),
    ("speaks for 5 MB and exits with 0", 0, "", "x" * 5_000_000, False, "r.rrr.."),
]  # fmt: skip


@pytest.mark.parametrize(("number", "column"), list(enumerate(COLUMNS)), ids=str)
@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: str(seen[0]))
def test_an_agent_is_expected_to_do_what_the_real_program_did(
    seen: tuple[str, int | None, str | dict[str, str], str, bool, str], number: int, column: tuple[str, bool]
) -> None:
    """With a hook that ends so."""
    _, code, stdout, stderr, timed_out, outcomes = seen
    (agent, fail_closed), outcome = column, outcomes[number]
    if outcome != ".":
        end = HookEnd(code, stdout if isinstance(stdout, str) else stdout[agent], stderr, timed_out, fail_closed)
        assert is_call_blocked(agent, end) is (outcome == "B")


@pytest.mark.parametrize(("end", "is_blocked"), [(HookEnd(2), True), (HookEnd(0, DENY["claude"]), True), (HookEnd(1), False), (HookEnd(None, timed_out=True), False)])  # fmt: skip
def test_vs_code_is_expected_to_do_what_its_documentation_says(end: HookEnd, *, is_blocked: bool) -> None:
    """It was not run."""
    assert is_call_blocked("vscode", end) is is_blocked
