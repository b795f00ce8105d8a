"""The payloads of six agents are told apart, and read as one kind of call."""

import json
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.hooks.payload import MAX_BYTES, PayloadError, ToolCall, detect_agent, read_tool_call
from tests.support.hook_calls import PAYLOADS, read

CLAUDE: dict[str, Any] = {
    "session_id": "s", "transcript_path": "/t", "cwd": "/repo", "permission_mode": "default",
    "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t1",
}  # fmt: skip
COPILOT: dict[str, Any] = {
    "sessionId": "s", "timestamp": 1767225600000, "cwd": "/repo", "toolName": "bash", "toolArgs": {"command": "ls"},
}  # fmt: skip
VSCODE: dict[str, Any] = {
    "timestamp": "2026-01-01T00:00:00.000Z", "cwd": "/repo", "sessionId": "s", "hookEventName": "PreToolUse",
    "transcript_path": "/t", "tool_name": "run_in_terminal", "tool_input": {"command": "ls"}, "tool_use_id": "v1",
}  # fmt: skip
PASCAL: dict[str, Any] = {
    "hook_event_name": "PreToolUse", "session_id": "s", "timestamp": "2026-01-01T00:00:00.000Z", "cwd": "/repo",
    "tool_name": "Bash", "tool_input": {"command": "ls"},
}  # fmt: skip


def changed(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return a payload with other members; None removes one."""
    return {key: value for key, value in (document | members).items() if value is not None}


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
@pytest.mark.parametrize("named", ["auto", "claude", "codex", "gemini", "cursor", "copilot"])
def test_a_recorded_payload_is_its_agents_whatever_hook_it_reaches(path: Path, named: str) -> None:
    """Cursor and Copilot run hooks that were installed for Claude, with their own payloads."""
    document = json.loads(path.read_bytes())
    assert detect_agent(document, named) == path.stem.partition("-")[0]


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_a_recorded_payload_is_read_whole(path: Path) -> None:
    """The tool, the inputs, the session, the directory and the id are those that were sent."""
    document = json.loads(path.read_bytes())
    one = read(path.read_bytes(), "auto")
    assert one.tool == document.get("tool_name", document.get("toolName"))
    assert one.inputs == document.get("tool_input", document.get("toolArgs"))
    assert one.session == document.get("session_id", document.get("sessionId"))
    assert one.cwd == document["cwd"]
    assert one.call_id == document.get("tool_use_id", "")
    assert one.timestamp == str(document.get("timestamp", ""))
    assert one.mcp == ((("mini", "mark"),) if "mcp" in path.stem else ())
    assert one.subagent == document.get("agent_type")


def test_the_payloads_are_all_there() -> None:
    """37 were recorded from real programs."""
    assert len(PAYLOADS) == 37


def test_a_payload_of_vs_code_is_read() -> None:
    """Its keys are of both styles."""
    one = read_tool_call(VSCODE, "vscode")
    assert (one.agent, one.session, one.call_id, one.tool) == ("vscode", "s", "v1", "run_in_terminal")


@pytest.mark.parametrize(
    ("document", "named", "agent"),
    [
        (changed(CLAUDE, transcript_path=None, permission_mode=None), "claude", "claude"),
        (changed(CLAUDE, transcript_path=None, permission_mode=None), "vscode", "vscode"),
        (changed(CLAUDE, transcript_path=None, permission_mode=None), "copilot", "claude"),
        (PASCAL, "copilot", "copilot"),
        (PASCAL, "gemini", "copilot"),
        (PASCAL, "claude", "copilot"),
        (changed(PASCAL, timestamp=None), "claude", "claude"),
        (changed(PASCAL, timestamp=None), "codex", ""),
        (changed(CLAUDE, turn_id="t", model="m"), "claude", "codex"),
        (changed(CLAUDE, hook_event_name="BeforeTool"), "claude", "gemini"),
        (changed(CLAUDE, hook_event_name="preToolUse"), "claude", "cursor"),
    ],
)
def test_the_name_of_the_hook_counts_only_where_the_payload_does_not_tell(
    document: dict[str, Any], named: str, agent: str
) -> None:
    """The answer must be in the terms of who asks."""
    assert detect_agent(document, named) == agent


@pytest.mark.parametrize(
    "document",
    [
        None, [], "text", 1, {}, {"tool_name": "Bash"}, changed(CLAUDE, hook_event_name="PostToolUse"),
        changed(CLAUDE, hook_event_name="pretooluse"), changed(CLAUDE, hook_event_name=["PreToolUse"]),
        changed(CLAUDE, toolName="Read"), changed(CLAUDE, hookEventName="PreToolUse"), changed(COPILOT, toolArgs=None),
        changed(COPILOT, tool_name="Read"), changed(VSCODE, hookEventName="PostToolUse"), changed(VSCODE, toolName="x"),
        changed(CLAUDE, hook_event_name="beforeShellExecution"),
    ],
)  # fmt: skip
def test_other_events_belong_to_no_agent(document: object) -> None:
    """It is denied with the keys of all agents."""
    assert detect_agent(document, "claude") == ""
    with pytest.raises(PayloadError, match="known agent"):
        read_tool_call(document, "claude")


@pytest.mark.parametrize(
    "members",
    [
        {"tool_input": "ls"}, {"tool_input": ["ls"]}, {"tool_input": None}, {"tool_name": ""}, {"tool_name": None},
        {"tool_name": 1}, {"tool_name": "a" * 257}, {"tool_name": "\ud800"}, {"cwd": None}, {"cwd": "repo"}, {"cwd": ""},
        {"cwd": "/a\0b"}, {"cwd": "/\udfff"}, {"session_id": None}, {"session_id": 1}, {"session_id": "\ud800"},
        {"tool_use_id": 1}, {"tool_use_id": ""}, {"timestamp": True}, {"timestamp": 1.5}, {"agent_id": "a", "agent_type": 1},
        {"agent_id": "a", "agent_type": ""}, {"mcp_server": "x"}, {"mcp_server": {}}, {"mcp_server": {"name": ""}},
        {"mcp_server": {"name": "other"}, "tool_name": "mcp__mini__mark"}, {"mcp_context": []},
        {"mcp_context": {"server_name": "a", "tool_name": "b/c"}},
    ],
)  # fmt: skip
def test_a_member_that_is_missing_or_of_another_kind_denies(members: dict[str, Any]) -> None:
    """Nothing is guessed."""
    with pytest.raises(PayloadError):
        read_tool_call(changed(CLAUDE, **members), "claude")


def test_a_key_twice_anywhere_denies() -> None:
    """Readers differ in which of the two they use."""
    text = json.dumps(CLAUDE)
    for twice in (
        text.replace('"command": "ls"', '"command": "ls", "command": "rm"'),
        text.replace('"cwd": "/repo"', '"cwd": "/repo", "cwd": "/"'),
        text.replace('"command": "ls"', '"deep": [{"a": 1, "a": 2}]'),
        text.replace('"command": "ls"', '"command": "ls", "comm\\u0061nd": "rm"'),
    ):
        assert twice != text
        with pytest.raises(MalformedError, match="duplicate"):
            read(twice.encode())


def test_a_payload_of_exactly_the_limit_is_read_and_one_byte_more_is_not() -> None:
    """32 MiB."""
    head = json.dumps(changed(CLAUDE, tool_input={"content": ""})).encode()
    filled = head.replace(b'"content": ""', b'"content": "' + b"x" * (MAX_BYTES - len(head)) + b'"')
    assert len(filled) == MAX_BYTES
    assert len(str(read(filled).inputs["content"])) == MAX_BYTES - len(head)
    with pytest.raises(MalformedError, match="larger"):
        read(filled + b" ")


def test_lone_surrogates_may_be_in_inputs_until_they_are_judged() -> None:
    """Free text of an editor may be cut in the middle of a character."""
    assert read(json.dumps(changed(CLAUDE, tool_input={"content": "\ud83d"})).encode()).inputs == {"content": "\ud83d"}


def test_inputs_nested_too_deep_deny() -> None:
    """As in a grant."""
    deep = "[" * 65 + "]" * 65
    with pytest.raises(MalformedError, match="nested"):
        read(json.dumps(CLAUDE).replace('"ls"', deep).encode())


def subagent(document: dict[str, Any]) -> str | None:
    """Return the sub-agent of a payload."""
    return read_tool_call(document, "claude").subagent


def test_a_sub_agent_is_known_by_its_id() -> None:
    """The main agent may have a type too."""
    assert subagent(CLAUDE) is None
    assert subagent(changed(CLAUDE, agent_type="reviewer")) is None
    assert subagent(changed(CLAUDE, agent_id="a", agent_type="reviewer")) == "reviewer"
    assert subagent(changed(CLAUDE, agent_id="a")) == ""
    assert subagent(changed(CLAUDE, agent_id="a", agent_type="x", hook_event_name="BeforeTool")) is None


def readings(tool: str, agent: str = "claude", **members: Any) -> tuple[tuple[str, str], ...]:
    """Return what the name of a tool may stand for."""
    base = {
        "claude": CLAUDE, "codex": changed(CLAUDE, turn_id="t"), "gemini": changed(CLAUDE, hook_event_name="BeforeTool"),
        "cursor": changed(CLAUDE, hook_event_name="preToolUse"), "vscode": VSCODE, "copilot": COPILOT,
    }[agent]  # fmt: skip
    key = "toolName" if agent == "copilot" else "tool_name"
    one: ToolCall = read_tool_call(base | {key: tool} | members, agent)
    assert one.agent == agent
    return one.mcp


def test_the_name_of_an_mcp_tool_is_split_as_its_agent_joins_it() -> None:
    """Every way to split it is a reading."""
    assert readings("mcp__files__read") == (("files", "read"),)
    assert readings("mcp__a__b__c") == (("a", "b__c"), ("a__b", "c"))
    assert readings("mcp__files__read", "codex") == (("files", "read"),)
    assert readings("mcp_my_files_read", "gemini") == (("my", "files_read"), ("my_files", "read"))
    assert readings("mcp_files_read", "vscode") == (("files", "read"),)
    assert readings("my-files-read", "copilot") == (("my", "files-read"), ("my-files", "read"))
    assert readings("MCP:read", "cursor") == (("", "read"),)


def test_a_server_that_the_agent_names_decides_the_reading() -> None:
    """Claude by `mcp_server`, Gemini by `mcp_context`."""
    assert readings("mcp__a__b__c", mcp_server={"name": "a__b"}) == (("a__b", "c"),)
    assert readings("mcp__claude_ai_X__c", mcp_server={"name": "claude.ai X"}) == (("claude.ai X", "c"),)
    assert readings("mcp__plugin_p_files__read", mcp_server={"name": "files"}) == (("files", "read"),)
    context = {"server_name": "a_b", "tool_name": "c_d"}
    assert readings("mcp_a_b_c_d", "gemini", mcp_context=context) == (("a_b", "c_d"),)
    assert readings("write_file", "gemini", mcp_context=context) == (("a_b", "c_d"),)
    assert readings("mcp__x_y__c", mcp_server={"name": "x/y"}) == (("x_y", "c"),)


def test_built_in_tools_are_not_mcp_tools() -> None:
    """A name alone makes none, but by the mark of the agent."""
    assert readings("Bash") == readings("mini-mark") == ()
    assert readings("bash", "copilot") == readings("read_file", "gemini") == ()
    assert readings("mcp__", "claude") == (("", ""),)
    assert readings("mcp_x", "gemini") == (("x", ""),)
