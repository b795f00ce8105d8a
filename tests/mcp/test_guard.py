"""What the guard of an MCP server decides about the call of a tool."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from cortex_policy import hook_decision
from cortex_policy.core.model import GrantError, UsageError
from cortex_policy.mcp import guard as guard_module
from cortex_policy.mcp.guard import ToolDecision, ToolGuard
from tests.support.chance import chance
from tests.support.command import run_command
from tests.support.logs import events
from tests.support.mcp import hits, make_mcp_root, write_grant

PATH = {"path": "docs/x"}


@pytest.fixture
def guard(root: Path) -> ToolGuard:
    """Guard a server whose tools may read and write below `docs`."""
    make_mcp_root(root)
    return ToolGuard("files")


def denied(decision: ToolDecision, reason: str | None) -> str:
    """Assert a denial for this reason that a model and a program can read; return its text."""
    assert decision.allowed is False
    assert decision.members["decision"] is False
    assert decision.members["reason"] == reason
    assert decision.text.isprintable()
    assert 0 < len(decision.text) <= 2000
    assert ".cortex/policy" not in decision.text
    json.dumps(decision.members).encode()
    return decision.text


def test_an_allowed_call_takes_one_hit_and_has_the_members_of_check(guard: ToolGuard, root: Path, state: Path) -> None:
    """The members are those of `check --json`, and the number of the rule."""
    decision = guard.decide("read", PATH)
    assert (decision.allowed, decision.text, decision.arguments) == (True, "", PATH)
    assert hits(root, state) == 1
    checked = json.loads(run_command("check", "fs", "read", "--path", "docs/x", "--json").stdout)
    assert decision.members.keys() == checked.keys() | {"rule"}
    assert decision.members["rule"] == 5
    assert decision.members["grant"] == checked["grant"]
    assert decision.members["paths"] == checked["paths"]
    assert decision.members["rate"] == {"limit": 1000, "used": 1, "remaining": 999, "retry_after_seconds": 0.0, "consumed": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "arguments", "reason", "part"),
    [
        ("read", {"path": "src/x"}, "path_outside_scope", "only in `docs`"),
        ("read", {"path": "../x"}, "path_outside_scope", "outside the project"),
        ("read", {"path": "docs/link/x"}, "path_outside_scope", "outside the project"),
        ("read", {}, "path_outside_scope", "no path"),
        ("delete", PATH, "action_not_allowed", "allows only `read`, `write`"),
        ("wipe", PATH, "action_not_allowed", "denies `files/wipe`"),
        ("secret", PATH, "grant_not_found", "does not exist"),
        ("both", PATH, "action_not_allowed", "rule 5"),
        ("read", {"path": ".cortex/policy/hooks.toml"}, "action_not_allowed", "no tool may do that"),
        ("ping", {"path": "docs/.env"}, "action_not_allowed", "secrets"),
        ("ping", {"command": "bash"}, "action_not_allowed", "was not run"),
        ("cortex_policy_canary", PATH, "action_not_allowed", "always denies"),
        ("a/read", PATH, "action_not_allowed", "name of a tool"),
        ("", PATH, "action_not_allowed", "name of a tool"),
        ("x" * 257, PATH, "action_not_allowed", "name of a tool"),
        ("re\x1bad", PATH, "action_not_allowed", "name of a tool"),
        ("Wipe", PATH, "action_not_allowed", "upper and in lower case"),
        ("PING", PATH, "action_not_allowed", "upper and in lower case"),
        ("read ", PATH, "action_not_allowed", "name of a tool"),
        ("__0123456789ab_read", PATH, "action_not_allowed", "name of a tool"),
        ("read", PATH | {"edits": '[{"path": "src/x"}]'}, "path_outside_scope", "only in `docs`"),
    ],
)
def test_a_denial_says_why_and_takes_no_hit(
    guard: ToolGuard, root: Path, state: Path, tool: str, arguments: dict[str, Any], reason: str, part: str
) -> None:
    """In the words of the agents' hooks."""
    assert part in denied(guard.decide(tool, arguments), reason)
    assert hits(root, state) == 0


def test_each_call_takes_a_hit_and_the_last_ones_are_denied(guard: ToolGuard, root: Path, state: Path) -> None:
    """No call is taken for another delivery of the same one."""
    write_grant(root, rate={"perMinute": 3})
    assert [guard.decide("read", PATH).allowed for _ in range(5)] == [True] * 3 + [False] * 2
    late = guard.decide("read", PATH)
    assert "Wait" in denied(late, "rate_limited")
    assert late.members["retryable"] is True
    assert hits(root, state) == 3


def test_a_rule_that_passes_asks_no_grant(guard: ToolGuard) -> None:
    """The answer names the rules in place of a grant, as the audit log does."""
    decision = guard.decide("ping", {"text": "x"})
    assert decision.allowed
    assert decision.members["grant"] == {"id": "hooks.toml", "tool": None, "file": None, "sha256": None}
    assert (decision.members["action"], decision.members["rule"]) == ("files/ping", None)


def test_of_two_rules_that_must_allow_one_takes_the_hit(guard: ToolGuard, root: Path, state: Path) -> None:
    """The second is only asked."""
    write_grant(root, actions=["read", "both"])
    assert guard.decide("both", PATH).allowed
    assert (hits(root, state, "read"), hits(root, state, "both")) == (1, 0)


def test_many_threads_share_one_budget_exactly(guard: ToolGuard, root: Path, state: Path) -> None:
    """Whatever they do at once."""
    write_grant(root, rate={"perMinute": 40})
    with ThreadPoolExecutor(8) as pool:
        allowed = sum(decision.allowed for decision in pool.map(lambda _: guard.decide("read", PATH), range(80)))
    assert (allowed, hits(root, state)) == (40, 40)


@pytest.mark.parametrize(
    "error", [ValueError("x"), MemoryError(), RecursionError(), OSError(24, "x"), AssertionError()]
)
@pytest.mark.parametrize("place", ["decide_tool_call", "copy_arguments", "outcome_to_json", "escape_reason_for_model"])
def test_any_exception_while_deciding_is_a_denial(
    guard: ToolGuard, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    """Wherever it comes from, the tool does not run."""
    real, calls = getattr(guard_module, place), [0]

    def fail_once(*args: object) -> object:
        calls[0] += 1
        if calls[0] == 1:
            raise error
        return real(*args)

    monkeypatch.setattr(guard_module, place, fail_once)
    tool = "wipe" if place == "escape_reason_for_model" else "read"
    assert "could not be decided" in denied(guard.decide(tool, PATH), None)
    assert calls[0] > 0


def test_a_bug_below_is_a_denial(
    guard: ToolGuard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also after the hit was taken; the log of the server says what it is."""
    monkeypatch.setattr(hook_decision.AuditedCall, "_emit", lambda *_: 1 // 0)
    assert "ZeroDivisionError" in denied(guard.decide("read", PATH), None)
    (line,) = caplog.messages
    assert line.startswith("brAInwav cortex-policy: the call of a tool could not be decided: ZeroDivisionError: ")


def test_a_decision_that_is_missing_is_a_denial(guard: ToolGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outcome without a text allows nothing by itself."""
    monkeypatch.setattr(guard_module, "decide_tool_call", lambda *_: hook_decision.ToolOutcome(""))
    denied(guard.decide("read", PATH), None)


class Liar(str):
    """A text that says something else each time it is asked."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [Liar("docs/x"), float("nan"), float("inf"), ("docs/x",), b"docs/x", {1: "x"}, {Liar("x"): 1}, object(), Path("x")],
    ids=lambda value: type(value).__name__,
)
def test_an_argument_that_json_does_not_have_is_denied(guard: ToolGuard, value: object) -> None:
    """Nobody knows what the tool would make of it."""
    denied(guard.decide("read", PATH | {"more": [value]}), "action_not_allowed")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PATHS = st.sampled_from(["docs/x", "docs/../x", "/etc/x", "docs/link/x", ".env", "~/x", "docs/\0", "file:///x", ""])


@chance(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arguments=st.dictionaries(st.text() | st.sampled_from(["path", "file", "cwd", "command"]), JSON | PATHS, max_size=4)
)
def test_whatever_the_arguments_are_the_answer_is_one_of_two(guard: ToolGuard, arguments: dict[str, Any]) -> None:
    """Nothing is raised, and what is allowed is what was asked."""
    decision = guard.decide("read", arguments)
    if decision.allowed:
        assert decision.arguments == arguments
        assert all(path["resolved"].startswith(f"{Path.cwd()}/docs") for path in decision.members["paths"])  # type: ignore[attr-defined] # an array
        assert decision.members["paths"]
    else:
        assert decision.text.isprintable()
        assert decision.members["reason"] is not None
    json.dumps(decision.members, allow_nan=False).encode()


def test_arguments_that_are_too_deep_are_denied(guard: ToolGuard) -> None:
    """Before anything walks through them."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert "deeper" in denied(guard.decide("ping", {"x": deep}), "action_not_allowed")
    while deep:
        deep = deep.pop()  # type: ignore[assignment] # else its end recurses


def test_the_arguments_that_were_decided_are_a_copy(guard: ToolGuard) -> None:
    """Who holds the others changes nothing of what the tool gets."""
    given: dict[str, Any] = {"path": "docs/x", "list": [{"a": 1}]}
    decided = guard.decide("read", given).arguments
    given["path"] = "/etc/x"
    given["list"][0]["a"] = 2
    assert decided == {"path": "docs/x", "list": [{"a": 1}]}


def test_every_answer_is_in_the_audit_log(guard: ToolGuard, log: Path) -> None:
    """Also for a tool that is hidden, that nobody knows, or that has no name."""
    for tool in ("read", "wipe", "ping", "secret", "nobody", "a/b"):
        guard.decide(tool, PATH)
    lines = [(line["data"]["grant"], line["data"]["action"], line["data"]["reason"]) for line in events(log)]
    assert lines == [
        ("fs", "read", "allowed"), ("hooks.toml", "files/wipe", "action_not_allowed"),
        ("hooks.toml", "files/ping", "allowed"), ("absent", "read", "grant_not_found"),
        ("fs", "nobody", "action_not_allowed"), ("hooks.toml", "files/a/b", "action_not_allowed"),
    ]  # fmt: skip


def test_a_log_that_cannot_be_written_denies(guard: ToolGuard, log: Path, root: Path, state: Path) -> None:
    """As it does for a check, and before the hit is taken."""
    log.mkdir()
    assert [guard.decide(tool, PATH).allowed for tool in ("read", "ping", "a/b")] == [False] * 3
    assert hits(root, state) == 0


def test_an_emergency_stop_denies_all_and_empties_the_list(guard: ToolGuard) -> None:
    """Also what a rule passes."""
    assert run_command("stop", "--reason", "x").returncode == 0
    assert "Stop working" in denied(guard.decide("ping", {}), "stopped")
    assert "Stop working" in denied(guard.decide("read", PATH), "stopped")
    assert guard.hidden_tools(["read", "ping"]) == {"read", "ping"}


@pytest.mark.parametrize("text", [None, "format = 1\nx = 1\n"], ids=["none", "not valid"])
def test_without_valid_rules_nothing_is_allowed(guard: ToolGuard, root: Path, text: str | None) -> None:
    """The file is read for each call."""
    file = root / ".cortex" / "policy" / "hooks.toml"
    file.unlink() if text is None else file.write_text(text)  # type: ignore[func-returns-value] # either
    denied(guard.decide("read", PATH), "grant_not_found" if text is None else "grant_invalid")
    assert guard.hidden_tools(["ping"])


def test_what_is_never_allowed_is_hidden(guard: ToolGuard, root: Path) -> None:
    """A rule that denies, no rule, no grant, and an action that the grant does not have."""
    names = ["read", "write", "wipe", "ping", "secret", "delete", "a/b", "both", "cortex_policy_canary"]
    assert guard.hidden_tools(names) == set(names) - {"read", "write", "ping"}
    assert ToolGuard("other").hidden_tools(["read"])
    write_grant(root, actions=["both", "read"])
    assert not guard.hidden_tools(["both"])
    (root / ".cortex" / "policy" / "tools" / "fs.json").write_text("{")
    assert guard.hidden_tools(["read"])


def test_a_tool_that_no_rule_fits_is_shown_where_it_passes(guard: ToolGuard, root: Path) -> None:
    """As it is called."""
    file = root / ".cortex" / "policy" / "hooks.toml"
    file.write_text(
        'format = 1\nunmapped = "pass"\n[[rule]]\nmcp = ["files/go"]\ngrant = "fs"\naction = "{input.what}"\n'
    )
    assert guard.hidden_tools(["x", "go"]) == frozenset()
    assert guard.decide("x", {}).allowed


def test_data_that_is_always_denied_is_hidden(guard: ToolGuard, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what a human may approve is not."""
    write_grant(root, dataClass="sensitive")
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "deny")
    assert guard.hidden_tools(["read"])
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    assert not guard.hidden_tools(["read"])


def test_a_call_that_needs_a_human_is_denied_until_one_approves_it(
    guard: ToolGuard, root: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The approval is of this very call, ignored text included, and counts once."""
    write_grant(root, dataClass="sensitive")
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    call = {"path": "docs/x", "content": "a"}
    first = guard.decide("read", call)
    assert "a human must approve" in denied(first, "approval_required")
    assert hits(root, state) == 0
    approval = first.members["approval"]
    assert isinstance(approval, dict)
    assert run_command("approve", approval["id"], "--yes").returncode == 0
    denied(guard.decide("read", call | {"content": "b"}), "approval_required")
    assert guard.decide("read", call).allowed
    denied(guard.decide("read", call), "approval_required")
    assert hits(root, state) == 1


def test_a_server_that_has_left_its_directory_is_denied(guard: ToolGuard, root: Path) -> None:
    """Its tools would open other files than the ones that are judged; the process is not moved back."""
    os.chdir(root / "docs")
    assert "working directory" in denied(guard.decide("read", {"path": "x"}), "action_not_allowed")
    assert Path.cwd() == root / "docs"


def test_paths_start_at_the_directory_of_the_server(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever its root is."""
    make_mcp_root(root)
    monkeypatch.chdir(root / "docs")
    guard = ToolGuard("files", str(root))
    assert guard.decide("read", {"path": "x"}).allowed
    denied(guard.decide("read", {"path": "docs/../../x"}), "path_outside_scope")


@pytest.mark.parametrize("name", ["", "a/b", "x" * 257, "a\nb"])
@pytest.mark.usefixtures("root")
def test_a_server_without_a_name_is_refused(name: str) -> None:
    """No rule could name its tools."""
    with pytest.raises(UsageError):
        ToolGuard(name)


def test_a_server_without_a_policy_is_refused(tmp_path: Path) -> None:
    """At its start, where a developer sees it."""
    with pytest.raises(GrantError):
        ToolGuard("files", str(tmp_path))
