"""What a model hears: the answers of `check --peek`, `list` and `explain`, and nothing is changed by a question."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy import state
from cortex_policy.core.text import MAX_MESSAGE_BYTES
from cortex_policy.library.root_path_lookup import UnresolvedRoot, find_root_keeping_links
from cortex_policy.mcp.server_answers import ToolAnswer, answer_tool_call
from cortex_policy.mcp.server_tool_descriptions import CHECK, EXPLAIN, LIST, TOOLS
from tests.support.chance import inputs
from tests.support.command import result_of, run_command
from tests.support.roots import GIT, grant_file

CALLS = [
    ("git", "tree", {"path": "docs/x"}),
    ("git", "tree", {"path": "docs/link/passwd"}),
    ("git", "push", {}),
    ("git", "tree", {"repo": 7}),
    ("model-gateway", "chat", {}),
    ("none", "x", {}),
    ("../git", "tree", {}),
    ("git", "t\x1b]0;x\x07", {"path": "\x1b[31m"}),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back after each test: a question goes to its root."""
    monkeypatch.chdir("/")


def ask(root: Path, tool: str, **arguments: Any) -> ToolAnswer:
    """Ask the grants of a root that was named."""
    return answer_tool_call(find_root_keeping_links(str(root)), tool, arguments)


def printed(*words: str) -> Any:
    """Return what a command prints as JSON, without the time that it took."""
    return without_time(json.loads(result_of(*words, "--json").stdout))


def without_time(members: Any) -> Any:
    """Return members without the time that they took."""
    return {name: value for name, value in members.items() if name != "duration_us"}


@pytest.mark.parametrize(("grant", "action", "args"), CALLS)
def test_a_check_has_the_members_of_the_command(root: Path, grant: str, action: str, args: dict[str, Any]) -> None:
    """Of each kind of answer; its text begins with the verdict, and holds no character that a terminal acts on."""
    words = ("check", grant, action, "--args", json.dumps(args), "--peek", "--root", str(root))
    answer = ask(root, CHECK, grant=grant, action=action, args=args)
    assert answer.members is not None
    assert without_time(answer.members) == printed(*words)
    assert answer.text.startswith("allowed" if answer.members["decision"] else "denied: ")
    assert answer.text.replace("\n", "").isprintable()
    assert not answer.is_error


@pytest.mark.parametrize(("grant", "action", "args"), CALLS)
def test_an_explanation_has_the_members_of_the_command(
    root: Path, grant: str, action: str, args: dict[str, Any]
) -> None:
    """Of each kind of answer."""
    words = ("explain", grant, action, "--args", json.dumps(args), "--root", str(root))
    answer = ask(root, EXPLAIN, grant=grant, action=action, args=args)
    assert answer.members is not None
    assert without_time(answer.members) == printed(*words)
    assert answer.text.replace("\n", "").isprintable()


def test_an_explanation_does_not_tell_a_model_to_change_its_grant(root: Path) -> None:
    """The command tells its user that they may write; a model is told what an operator could do."""
    assert "run by" in result_of("explain", "git", "push").stdout
    text = ask(root, EXPLAIN, grant="git", action="push").text
    assert "operator   cortex-policy set git --allow push" in text
    assert "run by" not in text


def test_a_list_has_the_members_of_the_command(root: Path) -> None:
    """With a grant that is wrong, one that others can write, and a stop."""
    grant_file(root, "wrong").write_text("{")
    grant_file(root, "open").write_text(json.dumps(GIT))
    grant_file(root, "open").chmod(0o666)
    run_command("stop", "--reason", "too fast")
    answer = ask(root, LIST)
    assert answer.members == printed("list", "--root", str(root))
    assert {row["id"]: row["state"] for row in answer.members["grants"]}["open"] == "unsafe"
    assert "too fast" in answer.text
    assert "wrong (invalid): every call is denied: " in answer.text
    assert "git (unstamped): tool git-map; actions tree, snippet, search; scope apps/cortex-os" in answer.text


def test_a_long_list_has_all_grants_as_members_and_the_first_in_the_text(root: Path) -> None:
    """A model reads 200 of them."""
    for number in range(250):
        grant_file(root, f"g{number:03}").write_text(json.dumps({**GIT, "actions": ["x" * 9000]}))
    answer = ask(root, LIST)
    assert answer.members is not None
    assert len(answer.members["grants"]) == 252
    assert answer.text.endswith("and 52 grants more")
    assert len(answer.text) < 201 * 1000


def test_an_empty_list_says_what_that_means(root: Path) -> None:
    """Nothing is allowed."""
    for name in ("git", "model-gateway"):
        grant_file(root, name).unlink()
    assert ask(root, LIST).text == f"there are no grants in {root}/.cortex/policy/tools, so every call is denied"


def test_a_question_counts_nothing(root: Path) -> None:
    """As often as it is asked, and whatever it would cost."""
    for _ in range(40):
        assert ask(root, CHECK, grant="git", action="tree", cost=30).members["decision"] is True  # type: ignore[index]
        ask(root, EXPLAIN, grant="git", action="tree", cost=30)
    assert ask(root, CHECK, grant="git", action="tree", cost=31).members["reason"] == "rate_limited"  # type: ignore[index]
    run_command("check", "git", "tree", "--cost", "30")
    assert ask(root, CHECK, grant="git", action="tree").members["rate"]["used"] == 30  # type: ignore[index]


def test_a_question_asks_no_human_and_uses_no_approval(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that a human must approve the call; an approval is there after any number of questions."""
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    grant_file(root).write_text(json.dumps({**GIT, "dataClass": "sensitive"}))
    call = {"grant": "git", "action": "tree", "args": {"path": "docs/x"}}
    words = ("check", "git", "tree", "--path", "docs/x", "--root", str(root))
    assert ask(root, CHECK, **call).members["reason"] == "approval_required"  # type: ignore[index]
    assert json.loads(result_of("approvals", "--json").stdout) == {"requests": []}
    request = json.loads(result_of(*words, "--json").stdout)["approval"]["id"]
    run_command("approve", request, "--yes")
    for tool in (CHECK, EXPLAIN, CHECK):
        assert ask(root, tool, **call).members["approval"]["status"] == "approved"  # type: ignore[index]
    assert json.loads(result_of(*words, "--json").stdout)["approval"]["status"] == "used"


def test_only_a_check_is_in_the_audit_log(root: Path, log: Path) -> None:
    """As a peek; the other questions write nothing."""
    ask(root, EXPLAIN, grant="git", action="tree")
    ask(root, LIST)
    assert not log.exists() or log.read_bytes() == b""
    ask(root, CHECK, grant="git", action="tree")
    assert len(log.read_text().splitlines()) == 1


def test_a_stop_of_the_host_is_an_answer(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It denies every question."""
    monkeypatch.setattr(state, "SYSTEM_SETTINGS", str(tmp_path / "host"))
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "stop").write_text("maintenance")
    answer = ask(root, CHECK, grant="git", action="tree")
    assert answer.members is not None
    assert (answer.members["decision"], answer.members["reason"]) == (False, "stopped")
    assert "maintenance" in ask(root, LIST).text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "`grant` is missing\nhint: The id of the grant, as `list_grants` returns it."),
        ({"grant": "git"}, "`action` is missing"),
        ({"grant": "git", "action": 7}, "`action` must be a JSON string"),
        ({"grant": None, "action": "x"}, "`grant` must be a JSON string"),
        ({"grant": "git", "action": "x", "args": "{}"}, "`args` must be a JSON object"),
        ({"grant": "git", "action": "x", "args": []}, "`args` must be a JSON object"),
        ({"grant": "git", "action": "x", "cost": 0}, "`cost` must be an integer of at least 1"),
        ({"grant": "git", "action": "x", "cost": True}, "`cost` must be an integer of at least 1"),
        ({"grant": "git", "action": "x", "cost": 1.5}, "`cost` must be an integer of at least 1"),
        ({"grant": "git", "action": "x", "arg": {}}, "unknown member `arg`\nhint: did you mean `args`?"),
        ({"grant": "git", "action": "x", "peek": False}, "unknown member `peek`"),
        ({"grant": "git", "action": "x", "\x1b[2J": 1}, "unknown member `\\x1b[2J`"),
        ({"grant": "git", "action": "x", "args": {"a": "\ud800"}}, "`args` cannot be used: a lone surrogate"),
        ({"grant": "git", "action": "x", "args": {"a": "x" * (1 << 20)}}, "`args` cannot be used: "),
    ],
)
def test_wrong_input_is_answered_with_a_hint(root: Path, arguments: dict[str, Any], sentence: str) -> None:
    """By both tools that take a call; it is an error that the model reads."""
    for tool in (CHECK, EXPLAIN):
        answer = ask(root, tool, **arguments)
        assert answer.is_error
        assert answer.members is None
        assert answer.text.startswith(sentence)
        assert len(answer.text) < 2 * MAX_MESSAGE_BYTES


def test_the_list_takes_nothing(root: Path) -> None:
    """A word that it does not know is not ignored."""
    answer = answer_tool_call(find_root_keeping_links(str(root)), LIST, {"root": "/etc"})
    assert answer.text == "unknown member `root`\nhint: list_grants takes nothing"
    assert answer.is_error


@inputs(200)
@given(arguments=st.dictionaries(st.sampled_from(["grant", "action", "args", "cost", "x"]), ANYTHING))
def test_a_hostile_model_gets_an_answer(tmp_path_factory: pytest.TempPathFactory, arguments: dict[str, Any]) -> None:
    """Whatever it sends: never an exception, and never an allowance."""
    top = tmp_path_factory.getbasetemp() / "hostile"
    (top / ".cortex" / "policy" / "tools").mkdir(parents=True, exist_ok=True)
    for tool in TOOLS:
        answer = answer_tool_call(UnresolvedRoot(str(top), is_explicit=True), tool, arguments)
        assert answer.text.replace("\n", "").isprintable()
        assert answer.members is None or answer.members.get("decision") is not True
        json.dumps(answer.members).encode("ascii")


def test_relative_paths_start_at_the_root(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the agent has started the server."""
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    answer = ask(root, CHECK, grant="git", action="tree", args={"path": "docs/x"})
    assert answer.members is not None
    assert answer.members["paths"][0]["resolved"] == f"{root}/docs/x"


def test_a_root_that_vanishes_is_an_answer_and_its_return_counts(root: Path) -> None:
    """Every question is denied in between."""
    name = find_root_keeping_links(str(root))
    away = root.with_name("away")
    root.rename(away)
    gone = answer_tool_call(name, CHECK, {"grant": "git", "action": "tree"})
    assert gone.members is not None
    assert (gone.members["decision"], gone.members["reason"]) == (False, "root_not_found")
    assert answer_tool_call(name, EXPLAIN, {"grant": "git", "action": "tree"}).members["exit_code"] == 25  # type: ignore[index]
    listed = answer_tool_call(name, LIST, {})
    assert listed.is_error
    assert listed.text.startswith("no policy root: ")
    away.rename(root)
    assert answer_tool_call(name, CHECK, {"grant": "git", "action": "tree"}).members["decision"] is True  # type: ignore[index]


def test_a_root_of_another_user_that_was_not_named_is_refused(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere; naming it is the operator's word."""
    monkeypatch.chdir(own)
    question = {"grant": "git", "action": "tree", "args": {"path": "docs/x"}}
    found = answer_tool_call(find_root_keeping_links(), CHECK, question)
    assert found.members is not None
    assert (found.members["decision"], found.members["reason"]) == (False, "grant_unsafe")
    named = answer_tool_call(find_root_keeping_links(str(own)), CHECK, question)
    assert named.members is not None
    assert named.members["decision"] is True


def test_names_that_are_no_text_can_be_answered(tmp_path: Path, root: Path) -> None:
    """A root whose name is not UTF-8: no message can carry it as it is."""
    odd = os.fsencode(tmp_path) + b"/r\xff"
    os.rename(root, odd)
    answer = answer_tool_call(find_root_keeping_links(os.fsdecode(odd)), CHECK, {"grant": "git", "action": "tree"})
    assert answer.members is not None
    assert answer.members["decision"] is True
    assert answer.members["root"].endswith("/r\\udcff")
