"""What a change of the rules of hooks means: `same` and `narrowed` are proofs, all else is widened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.compare.hook_rules import compare_hook_rules
from cortex_policy.core.compare.verdicts import NARROWED, SAME, WIDENED, widens
from cortex_policy.core.hooks.hook_rules import HookRules
from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml
from cortex_policy.core.hooks.hooks_toml_problems import check_and_decode_rules_document
from cortex_policy.core.hooks.payload import ToolCall
from cortex_policy.core.hooks.ruling import apply_rules
from tests.support.chance import chance

READ = '[[rule]]\ntools = ["Read", "Grep"]\ngrant = "fs.read"\naction = "read"\n'
WRITE = '[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"\n'
PASSES = '[[rule]]\ntools = ["TodoWrite", "Task"]\ndecide = "pass"\n'
DENIES = '[[rule]]\ntools = ["WebFetch", "WebSearch"]\ndecide = "deny"\n'
ALL = DENIES + READ + WRITE + PASSES
MCP = '[[rule]]\nmcp = ["files/*"]\ndecide = "pass"\n'


def verdict(old: str | None, new: str | None, head: str = "", new_head: str | None = None) -> str:
    """Compare two texts, each below its head; what narrows too is widened all the same."""
    heads = (head, head if new_head is None else new_head)
    sides = [
        None if text is None else decode_hooks_toml(f"format = 1\n{above}\n{text}".encode())
        for above, text in zip(heads, (old, new), strict=True)
    ]
    found = compare_hook_rules(*sides).verdict
    return WIDENED if widens(found) else found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, None, SAME),
        (None, "", WIDENED),
        (ALL, None, NARROWED),
        (ALL, f"# a comment\n{ALL}", SAME),
        # rules that only deny
        (ALL, DENIES.replace("Web", "Net") + ALL, NARROWED),
        (ALL, READ + WRITE + PASSES, WIDENED),
        (READ + DENIES, READ, NARROWED),  # it is denied without it,
        (ALL, ALL.replace('"WebFetch", ', ""), WIDENED),
        (ALL, ALL.replace('"WebFetch"', '"WebFetch", "Fetch"'), NARROWED),
        # rules that pass
        (READ, READ + PASSES, WIDENED),
        (ALL, DENIES + READ + WRITE, NARROWED),
        (ALL, ALL.replace('"TodoWrite", ', ""), NARROWED),
        (ALL, ALL.replace('"Task"', '"Task", "Bash"'), WIDENED),
        (ALL, ALL.replace('"pass"', '"deny"'), NARROWED),
        (ALL, ALL.replace('decide = "pass"', 'grant = "x"\naction = "y"'), NARROWED),
        (ALL, ALL.replace('decide = "deny"', 'grant = "x"\naction = "y"'), WIDENED),
        # rules with a grant: the one that decides next may allow more
        (READ, READ + WRITE, WIDENED),
        (ALL, DENIES + WRITE + PASSES, WIDENED),
        (READ + WRITE, READ, NARROWED),
        (READ + WRITE + DENIES, READ + DENIES, NARROWED),
        (READ + WRITE, WRITE + READ, WIDENED),
        (READ, READ.replace('"Read", ', ""), NARROWED),
        (READ + WRITE, (READ + WRITE).replace('"Read", ', ""), WIDENED),
        (READ, READ.replace("fs.read", "other"), WIDENED),
        (READ, READ.replace('"read"', '"list"'), WIDENED),
        (READ, READ.replace('grant = "fs.read"\naction = "read"', 'decide = "pass"'), WIDENED),
        (READ, READ.replace('grant = "fs.read"\naction = "read"', 'decide = "deny"'), NARROWED),
        (READ, READ + 'within = "root"\n', NARROWED),
        (READ + 'within = "root"\n', READ, WIDENED),
        (READ, READ + "no_path = true\n", WIDENED),
        (READ + "no_path = true\n", READ, NARROWED),
        (READ, READ + 'ignore = ["content"]\n', WIDENED),
        (READ + 'ignore = ["content"]\n', READ, WIDENED),  # it may be the path that a scoped grant wants
        (READ, READ + 'paths = ["target"]\n', WIDENED),
        (READ + 'paths = ["a", "b"]\n', READ + 'paths = ["b", "a"]\n', SAME),
        (READ, READ + 'agents = ["claude"]\n', NARROWED),
        (READ + 'agents = ["claude"]\n', READ, WIDENED),
        (ALL, ALL + 'agents = ["claude"]\n', NARROWED),
        (DENIES + READ, DENIES + 'agents = ["claude"]\n' + READ, WIDENED),
        # another budget counts the calls of sub-agents then
        (READ, '[[rule]]\ntools = ["Read"]\nsubagents = []\ngrant = "x"\naction = "y"\n' + READ, WIDENED),
        (READ, '[[rule]]\ntools = ["Read"]\nsubagents = []\ndecide = "deny"\n' + READ, NARROWED),
        # two readings of a name that fit two rules are denied
        (MCP + READ, READ, WIDENED),
        (READ + MCP, READ, NARROWED),
        (READ, MCP + READ, WIDENED),
    ],
)  # fmt: skip
def test_rules_are_compared_by_the_calls_that_they_let_pass(old: str | None, new: str | None, expected: str) -> None:
    """Without a rule a call is denied."""
    assert verdict(old, new) == expected


def test_the_default_for_unmatched_calls_counts() -> None:
    """Passing it widens; where it passes, a rule takes away, and a rule that goes may let calls pass."""
    passes, denies = 'unmapped = "pass"', 'unmapped = "deny"'
    assert verdict(READ, READ, passes, denies) == NARROWED
    assert verdict(READ, READ, denies, passes) == WIDENED
    assert verdict("", READ, passes) == NARROWED
    assert verdict(READ + WRITE, READ, passes) == WIDENED
    assert verdict(MCP, READ + MCP, passes) == NARROWED
    assert (
        verdict(MCP, MCP.replace('decide = "pass"', 'grant = "x"\naction = "y"').replace("files", "*") + MCP, passes)
        == WIDENED
    )
    assert verdict(READ, READ.replace('"Read", ', ""), passes) == WIDENED


def test_a_rule_replaced_by_a_stricter_one_may_still_widen() -> None:
    """Whatever was denied before, or is passed now, counts in the old order and in the new one."""
    denies = DENIES + DENIES.replace("Web", "Net")
    assert verdict(denies + PASSES, READ + PASSES) == WIDENED
    assert verdict(DENIES, READ) == WIDENED
    assert verdict(READ, WRITE, 'unmapped = "pass"', 'unmapped = "deny"') == WIDENED
    assert verdict(PASSES, DENIES) == NARROWED


def test_more_guarded_files_are_less() -> None:
    """And fewer are more."""
    two, one = 'guard = ["/a", "/b"]', 'guard = ["/b"]'
    assert verdict(READ, READ, one, two) == NARROWED
    assert verdict(READ, READ, two, one) == WIDENED
    assert verdict(READ, READ, two, 'guard = ["/b", "/a"]') == SAME


NAMES = st.lists(st.sampled_from(["A", "B", "C*", "*"]), min_size=1, max_size=2, unique=True)
SERVERS = st.lists(st.sampled_from(["s/a", "s/A", "*/*", "s_a/*", "*/b"]), max_size=2, unique=True)
DECISIONS = st.sampled_from([
    {"decide": "pass"}, {"decide": "deny"}, {"decide": "deny"}, {"grant": "g", "action": "x"},
    {"grant": "g", "action": "x", "within": "root"}, {"grant": "g", "action": "x", "no_path": True},
    {"grant": "h", "action": "x"}, {"grant": "g", "action": "y"},
])  # fmt: skip


@st.composite
def rule_documents(draw: st.DrawFn) -> dict[str, object]:
    """Draw a rule that is valid."""
    rule: dict[str, object] = {"tools": draw(NAMES), **draw(DECISIONS)}
    if servers := draw(SERVERS):
        rule["mcp"] = servers
    if draw(st.booleans()):
        rule["agents"] = draw(st.sampled_from([["claude"], ["gemini"], ["claude", "gemini"]]))
    if rule.get("decide") != "pass" and draw(st.integers(0, 3)) == 0:
        rule["subagents"] = draw(st.sampled_from([[], ["r"]]))
    return rule


def documents() -> st.SearchStrategy[dict[str, object]]:
    """Draw rules for few tools."""
    return st.fixed_dictionaries({
        "format": st.just(1), "unmapped": st.sampled_from(["pass", "deny"]),
        "rule": st.lists(rule_documents(), max_size=4),
    })  # fmt: skip


@st.composite
def changed_documents(draw: st.DrawFn) -> tuple[dict[str, object], dict[str, object]]:
    """Draw rules, and what an edit makes of them: some rules go, come, move or change."""
    old = draw(documents())
    rules = list(old["rule"])  # type: ignore[call-overload]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(rules)))
        step = draw(st.sampled_from(["go", "come", "change", "change"]))
        if step == "come":
            rules.insert(at, draw(rule_documents()))
        elif at < len(rules) and step == "go":
            del rules[at]
        elif at < len(rules):
            other = draw(rule_documents())
            part = draw(
                st.sampled_from([["tools"], ["mcp"], ["agents"], ["decide", "grant", "action", "within", "no_path"]])
            )
            kept = {key: value for key, value in rules[at].items() if key not in part}
            rules[at] = kept | {key: other[key] for key in part if key in other}
            if rules[at].get("decide") == "pass":
                rules[at].pop("subagents", None)
    unmapped = draw(st.sampled_from([old["unmapped"], "pass", "deny"]))
    return old, {**old, "unmapped": unmapped, "rule": rules}


CALLS = [
    ToolCall(agent, "s", "c", tool, mcp, {}, "/repo", subagent, "")
    for agent in ("claude", "gemini")
    for tool, mcp in (
        ("A", ()), ("B", ()), ("Cx", ()), ("D", ()), ("s_a", (("s", "a"),)), ("s_A", (("s", "A"),)), ("s_a_b", (("s", "a_b"), ("s_a", "b"))),
    )
    for subagent in (None, "r", "q")
]  # fmt: skip


def needs(call: ToolCall, rules: HookRules) -> set[tuple[str, str, bool, bool, bool]] | None:
    """Return what a call needs, None if it is denied; the more it needs, the less is allowed."""
    ruling = apply_rules(call, rules, "/home/x")
    if ruling.denial:
        return None
    return {
        (check.grant, check.action, check.consumes, within, has_path)
        for check in ruling.checks
        for within in {False, check.within_root}
        for has_path in {False, not check.no_path}
    }


@chance(1500)
@given(changed_documents())
def test_what_is_called_narrower_lets_no_call_pass_that_was_denied(
    documents: tuple[dict[str, object], dict[str, object]],
) -> None:
    """And needs all that it needed; what is called the same is the same."""
    old, new = map(check_and_decode_rules_document, documents)
    verdict = compare_hook_rules(old, new).verdict
    if widens(verdict):
        return
    for call in CALLS:
        before, after = needs(call, old), needs(call, new)
        assert after is None or (before is not None and before <= after), call
        assert verdict != SAME or before == after, call
