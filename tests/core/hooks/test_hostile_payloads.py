"""Whatever reaches a hook is denied, or read right: never another exception."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.hooks.denial_outputs import make_denial_outputs
from cortex_policy.core.hooks.hook_rules import HookRules
from cortex_policy.core.hooks.payload import AGENTS, PayloadError, detect_agent
from cortex_policy.core.hooks.ruling import Ruling
from cortex_policy.core.path_arguments import collapse_path
from tests.support.chance import chance
from tests.support.hook_calls import PAYLOADS, read, rules, ruling

RECORDED = [path.read_bytes() for path in PAYLOADS]
DOCUMENTS = [json.loads(data) for data in RECORDED]
RULES = (
    rules(),
    HookRules("pass", (), ()),
    rules('format = 1\n[[rule]]\ntools = ["*"]\nmcp = ["*/*"]\ndecide = "pass"'),
)
WORDS = [
    ".env", "/repo/.claude/settings.json", "~/.codex/config.toml", "x/../.cortex/policy", "*** Begin Patch", "bash", "\0", "\ud800",
    "cortex-policy set x", "path", "command", "tool_name", "toolName", "hook_event_name", "PreToolUse", "preToolUse", "BeforeTool",
    "mcp__a__b__c", "mcp_a_b", "a-b", "file_path", "agent_id", "mcp_server", "", "/", "docs/a", "*/../x", "file:///repo/.env",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.sampled_from(WORDS), st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def judge(data: bytes) -> list[Ruling]:
    """Read and judge a payload as a hook does; none if it is refused before."""
    try:
        one = read(data, "claude")
    except (MalformedError, PayloadError) as error:
        make_denial_outputs("", str(error))
        return []
    assert one.agent in AGENTS
    answers = [ruling(one, given_rules) for given_rules in RULES]
    for answer in answers:
        assert not (answer.denial and answer.checks)
        make_denial_outputs(one.agent, answer.denial)
    return answers


@given(
    st.sampled_from(RECORDED),
    st.lists(st.tuples(st.integers(0, 700), st.binary(max_size=6), st.integers(0, 6)), max_size=4),
)
def test_a_payload_with_other_bytes_is_denied_or_read(data: bytes, edits: list[tuple[int, bytes, int]]) -> None:
    """Bytes are put in, and left out."""
    for at, new, length in edits:
        data = data[:at] + new + data[at + length :]
    judge(data)


def put(document: Any, steps: list[int], name: str, value: object) -> None:
    """Put a value somewhere into a document."""
    for step in steps:
        parts = list(document.values() if isinstance(document, dict) else document)
        inner = [part for part in parts if isinstance(part, dict | list)]
        if not inner:
            break
        document = inner[step % len(inner)]
    if isinstance(document, dict):
        keys = [*document, name]
        document[keys[len(name) % len(keys)] if steps and steps[0] % 2 else name] = value
    else:
        document.append(value)


@chance(500)
@given(
    st.integers(0, len(DOCUMENTS) - 1),
    st.lists(
        st.tuples(st.lists(st.integers(0, 5), max_size=4), st.sampled_from(WORDS) | st.text(max_size=6), VALUES),
        max_size=4,
    ),
)
def test_a_payload_with_other_values_is_denied_or_read(index: int, edits: list[tuple[list[int], str, object]]) -> None:
    """Keys and values of agents, of other agents, and of nobody."""
    document = json.loads(RECORDED[index])
    for steps, name, value in edits:
        put(document, steps, name, value)
    judge(json.dumps(document).encode())


@given(VALUES, st.sampled_from([*AGENTS, "auto", ""]))
def test_other_documents_belong_to_no_agent(document: object, named: str) -> None:
    """Or an agent's, by its keys."""
    assert detect_agent(document, named) in (*AGENTS, "")


NAMES = st.sampled_from(["path", "file_path", "PATHS", "out_dir", "options", "list", "x", "notebookPath"])
TREES = st.recursive(
    st.sampled_from([".env", "a/.ENV", "b", ".codex/x", ".codex/skills/x", "c/../.mcp.json", "/etc/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


def texts_below_path_names(value: object, *, is_below: bool = False) -> list[str]:
    """Return each text in a member that is called like a path, or in one inside it."""
    if isinstance(value, str):
        return [value] if is_below else []
    if isinstance(value, list):
        return [text for part in value for text in texts_below_path_names(part, is_below=is_below)]
    assert isinstance(value, dict)
    return [
        text
        for name, part in value.items()
        for text in texts_below_path_names(part, is_below=is_below or name not in ("options", "list", "x"))
    ]


@given(st.dictionaries(NAMES, TREES, max_size=4))
@example({"list": [{"path": ["b", {"x": ".env"}]}]})
def test_each_path_in_any_inputs_is_checked(inputs: dict[str, object]) -> None:
    """Either the call is denied, or the caller gets the path to resolve it."""
    document = DOCUMENTS[0] | {"tool_name": "any", "tool_input": inputs}
    answer = judge(json.dumps(document).encode())[1]
    for text in texts_below_path_names(inputs):
        absolute = text if text.startswith("/") else f"/repo/{text}"
        is_guarded = any(word in collapse_path(absolute).lower() for word in (".env", ".mcp.json", ".codex/x"))
        if is_guarded:
            assert answer.denial
        else:
            assert answer.denial or absolute in answer.paths
