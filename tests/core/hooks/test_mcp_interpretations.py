"""Inputs that the server of an MCP tool may read in another way than they are written."""

import json
from typing import Any

import pytest

from cortex_policy.core.hooks.ruling import (
    Ruling,
    add_paths_to_arguments,
    apply_rules,
    find_misread_mcp_argument_denial_text,
)
from cortex_policy.core.model import Grant, Rate
from tests.support.hook_calls import HOME, call, one_rule

RULE = 'mcp = ["s/*"]\ngrant = "g"\naction = "a"\nignore = ["content"]\n'
GRANT = Grant("g", "g", ("a",), Rate(1), {"mode": {"enum": ["r"]}, "target": {"format": "path"}, "source": {"format": "not-path"}})  # fmt: skip


def denial(rule: str, plain: frozenset[str] = frozenset(), **inputs: Any) -> str:
    """Return why the rule, or the grant before its paths are looked at, denies a call of an MCP tool."""
    ruling = apply_rules(call("s/t", mcp=(("s", "t"),), inputs=inputs, plain_texts=plain), one_rule(rule), HOME)
    if ruling.denial:
        return ruling.denial
    return "".join(find_misread_mcp_argument_denial_text(GRANT, check) for check in ruling.checks)


def nested(rule: str, **inputs: Any) -> Ruling:
    """Apply a rule to the call of a tool that may read texts at any depth as JSON."""
    return apply_rules(call("s/t", mcp=(("s", "t"),), inputs=inputs, has_nested_json=True), one_rule(rule), HOME)


def nested_denial(rule: str, **inputs: Any) -> str:
    """Return why such a call is denied before its paths are looked at."""
    ruling = nested(rule, **inputs)
    return ruling.denial or "".join(find_misread_mcp_argument_denial_text(GRANT, check) for check in ruling.checks)


def judged_paths(**inputs: Any) -> object:
    """Return the paths that the grant judges besides those that are arguments themselves."""
    ruling = apply_rules(call("s/t", mcp=(("s", "t"),), inputs=inputs), one_rule(RULE), HOME)
    return add_paths_to_arguments(GRANT, ruling.checks[0]).get("paths")


@pytest.mark.parametrize("name", ["Mode", "MODE", "mode ", "modE", "mo_de", "mo-De", "\ufeffmode"])
def test_a_name_that_a_server_may_take_for_a_declared_one_is_denied(name: str) -> None:
    """Servers in Go and C# compare names without case; alone, and beside the declared one."""
    assert "for `mode`" in denial(RULE, **{name: "w"})
    assert "for `mode`" in denial(RULE, mode="r", **{name: "w"})
    assert not denial(RULE, mode="r", other="w", inner={name: "w"})


@pytest.mark.parametrize(
    ("line", "inputs", "meant"),
    [
        ('paths = ["place?"]', {"Place": "/etc"}, "place"),
        ('globs = ["pick"]', {"pick": "*.py", "Pick": "/etc/*"}, "pick"),
        ('paths = ["edits[].place"]', {"edits": [{"place": "x", "PLACE": "/etc"}]}, "place"),
        ('paths = ["edits[].place"]', {"edits": [], "Edits": [{"place": "/etc"}]}, "edits"),
    ],
)
def test_a_name_that_a_server_may_take_for_one_of_the_rule_is_denied(
    line: str, inputs: dict[str, Any], meant: str
) -> None:
    """What the rule names as a path or a pattern would not be judged."""
    assert f"for `{meant}`" in denial(RULE + line, **inputs)


def test_a_name_with_a_nul_is_denied() -> None:
    """Where a program in C reads the name of a path, nobody else does."""
    assert "NUL" in denial(RULE, **{"path\0x": "/etc"})
    assert "NUL" in denial(RULE, a=[{"path\0": "/etc"}])


def test_a_name_that_a_server_may_take_for_the_action_is_denied() -> None:
    """The grant would be asked for another action."""
    rule = RULE.replace('"a"', '"{input.op}"')
    assert "for `op`" in denial(rule, op="a", Op="b")
    assert not denial(rule, op="a")


@pytest.mark.parametrize("inputs", [{"__proto__": {"mode": "w"}}, {"a": [{"__proto__": 1}]}])
def test_members_behind_a_prototype_are_denied(inputs: dict[str, Any]) -> None:
    """Programs in JavaScript may find `mode` there."""
    assert "__proto__" in denial(RULE, **inputs)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("edits", '[{"path": "/etc/x"}]'),
        ("files", ' ["/etc/x"]'),
        ("edits", '\ufeff[{"path": "/etc/x"}]'),
        ("edits", '\xa0[{"path": "/etc/x"}]\ufeff'),
    ],
)
def test_paths_in_a_text_that_a_server_may_read_as_json_are_judged(name: str, text: str) -> None:
    """The SDK for Python reads it so if the tool wants a list."""
    assert judged_paths(**{name: text}) == ["/etc/x"]
    assert ".env" in denial(RULE, **{name: text.replace("/etc/x", ".env")})


def test_other_texts_are_only_texts() -> None:
    """What the rule ignores, what is no JSON, and what the tool surely takes for a text."""
    text = '[{"path": ".env"}]'
    assert judged_paths(other="x", content=text) is None
    assert judged_paths(other="[not json") is None
    assert not denial(RULE, content=text)
    assert not denial(RULE, frozenset(("edits",)), edits=text)


@pytest.mark.parametrize(
    "text",
    [
        '[{"command": "bash"}]',
        '{"a": 1, "a": 2}',
        "[NaN]",
        "[" * 70 + "]" * 70,
        f"[{'9' * 5000}]",
        '{"path": [["x"]]}',
        '{"path": 5}',
    ],
)
def test_a_text_that_is_in_doubt_as_json_is_denied(text: str) -> None:
    """A command in it, a key twice, a path that is none; but not where the rule ignores it."""
    assert denial(RULE, args=text)
    assert not denial(RULE, content=text)
    assert not denial(RULE, frozenset(("args",)), args=text)


def test_a_path_is_no_json() -> None:
    """A label or a grant that says what is a path cannot see into a text; a null would be no path at all."""
    assert "as JSON" in denial(RULE + 'paths = ["place"]', place='["/etc"]')
    assert "as JSON" in denial(RULE + 'globs = ["pick"]', pick='["/etc/*"]')
    assert "as JSON" in denial(RULE, target='["/etc"]')
    assert "as JSON" in denial(RULE, target="null")
    assert "null" in denial(RULE, path=" null")
    assert not denial(RULE, other="null", source='["/etc"]')
    assert not denial(RULE + 'paths = ["place"]', place="[id]/page.tsx")


def test_paths_in_texts_at_any_depth_are_judged_if_the_tool_may_read_them() -> None:
    """Also where the grant says that the argument around them is no path; not in what the rule ignores."""
    text = '{"path": "/etc/x"}'
    for inputs in (
        {"a": [{"b": text}]},
        {"a": json.dumps({"b": text})},
        {"a": json.dumps(text)},
        {"source": {"b": text}},
    ):
        ruling = nested(RULE, **inputs)
        assert add_paths_to_arguments(GRANT, ruling.checks[0])["paths"] == ["/etc/x"]
        assert "paths" not in add_paths_to_arguments(GRANT, nested(RULE, content=inputs).checks[0])
    assert judged_paths(a=[{"b": text}]) is None
    assert not nested_denial(RULE, a=[{"content": '{"a": 1, "a": 2}', "b": "[no json"}])


@pytest.mark.parametrize(
    "text",
    [
        '{"command": "bash"}',
        '{"a": 1, "a": 2}',
        "[" * 70 + "]" * 70,
        '{"path": 5}',
        '{"path": ".env"}',
        '{"\\u0000": 1}',
    ],
)
def test_a_text_at_any_depth_that_is_in_doubt_as_json_is_denied(text: str) -> None:
    """As one that is an argument itself."""
    assert nested_denial(RULE, a=[{"b": text}])
    assert not denial(RULE, a=[{"b": text}])


def test_texts_in_texts_are_read_to_a_depth() -> None:
    """What is deeper is denied; and so is a null for a path."""
    text = "1"
    for _ in range(8):
        text = json.dumps([[[[[[[[[text]]]]]]]]])
    assert "deeper" in nested_denial(RULE, a=text)
    assert "null" in nested_denial(RULE, a=[{"path": "null"}])


def test_a_label_denies_only_a_text_that_it_leads_to() -> None:
    """Other texts of the same argument may be JSON."""
    rule = RULE + 'paths = ["a.place"]'
    assert "as JSON" in nested_denial(rule, a={"place": '["/etc"]'})
    assert not nested_denial(rule, a={"place": "x", "b": '{"path": "y"}'})


def test_the_tools_of_the_agent_itself_read_inputs_as_they_are() -> None:
    """They are known."""
    rules = one_rule('tools = ["T"]\ngrant = "g"\naction = "a"\n')
    inputs = {"Mode": "w", "edits": '[{"path": ".env"}]'}
    ruling = apply_rules(call("T", inputs=inputs), rules, HOME)
    assert not ruling.denial
    assert find_misread_mcp_argument_denial_text(GRANT, ruling.checks[0]) == ""
