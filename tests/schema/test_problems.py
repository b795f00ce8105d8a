"""What is doubtful about a grant that loads is found, where it stands, and nothing else."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.compare.grants import compare_grants
from cortex_policy.core.compare.verdicts import NARROWED, SAME
from cortex_policy.core.decode import MAX_BYTES, decode_grant
from cortex_policy.schema.lint import apply_safe_fixes_to_bytes, decode_and_lint_grant
from cortex_policy.schema.problems import MAX_PROBLEMS, locate_problems
from cortex_policy.schema.rule_catalog import RULES
from tests.support.work import counted

EVERY = frozenset(rule.code for rule in RULES)
GRANT = {"tool": "t", "actions": ["read"], "rate": {"perMinute": 30}}


def found(grant_id: str = "t", **keys: object) -> list[tuple[str, str]]:
    """Return the code and the place of what is found in a grant with these keys."""
    data = json.dumps(GRANT | keys).encode()
    return [(one.code, one.pointer) for one in decode_and_lint_grant(data, grant_id, grant_id)[1]]


CASES: list[tuple[dict[str, object], list[tuple[str, str]]]] = [
    ({}, []),
    ({"$schema": "x", "rules": {"deny": 1}, "egress": {}, "fs": {}, "description": "d"}, []),
    ({"fsscope": ["docs"]}, [("key-unknown", "/fsscope")]),
    ({"data_class": "public"}, [("key-unknown", "/data_class")]),
    ({"Actions": ["x"]}, [("key-unknown", "/Actions")]),
    ({"scope": ["docs"]}, [("key-unknown", "/scope")]),
    ({"enabled": False}, [("key-idle", "/enabled")]),
    ({"expires_at": "2027-01-01"}, [("key-idle", "/expires_at")]),
    ({"deny": ["x"]}, [("key-idle", "/deny")]),
    ({"rate": {"perMinute": 3, "perHour": 9}}, [("key-idle", "/rate/perHour")]),
    ({"rate": {"perMinute": 3, "per_minutes": 9}}, [("key-unknown", "/rate/per_minutes")]),
    ({"denyScope": ["x"]}, [("key-idle", "/denyScope")]),
    ({"exclude-paths": ["x"]}, [("key-idle", "/exclude-paths")]),
    ({"allowed_paths": ["x"]}, [("key-idle", "/allowed_paths")]),
    ({"rate": {"perMinute": 3, "maxPerDay": 9}}, [("key-idle", "/rate/maxPerDay")]),
    ({"maximal": 1, "allowance": 1, "denyer": 1}, []),
    (
        {"args": {"type": "object", "properties": {"path": {"type": "string"}}, "required": []}},
        [("arg-keyword", "/args")],
    ),
    ({"tool": "u"}, [("tool-id", "/tool")]),
    ({"actions": []}, [("action-none", "/actions")]),
    ({"actions": ["a", "b", "a", "a"]}, [("action-twice", "/actions/2"), ("action-twice", "/actions/3")]),
    ({"actions": ["a", ""]}, [("action-empty", "/actions/1")]),
    ({"actions": ["a", " a"]}, [("action-blank", "/actions/1")]),
    ({"actions": ["git:*"]}, [("action-glob", "/actions/0")]),
    ({"fsScope": ["docs", "a/**"]}, [("scope-dead", "/fsScope/1")]),
    ({"fsScope": ["/etc"]}, [("scope-dead", "/fsScope/0")]),
    ({"fsScope": [""]}, [("scope-dead", "/fsScope/0")]),
    ({"fsScope": ["docs/"]}, []),
    ({"fsScope": ["docs", "docs/"]}, [("scope-covered", "/fsScope/1")]),
    ({"fsScope": ["docs/a/b", "docs"]}, [("scope-covered", "/fsScope/0")]),
    ({"fsScope": ["docs", "docsx"]}, []),
    ({"fsScope": [".cortex/policy/tools"]}, [("scope-guarded", "/fsScope/0")]),
    ({"fsScope": ["docs", "x/.github/workflows"]}, [("scope-escalation", "/fsScope/1")]),
    ({"actions": ["read", "writeFile"]}, [("scope-none", "/actions/1")]),
    ({"actions": ["writeFile"], "fsScope": ["docs"]}, []),
    ({"dataClass": "sensitive"}, [("scope-sensitive", "/dataClass")]),
    ({"args": {"u": {"format": "uri"}}}, [("arg-keyword", "/args/u/format")]),
    (
        {"args": {"u": {"items": {"items": {"uniqueItems": True}}}}},
        [("arg-keyword", "/args/u/items/items/uniqueItems")],
    ),
    ({"args": {"a/b": 5}}, [("arg-keyword", "/args/a~1b")]),
    ({"args": {"u": {"type": "text"}}}, [("arg-keyword", "/args/u/type")]),
    ({"args": {"u": {"type": "string", "title": "T", "maxLength": 4}}}, []),
    ({"args": {"u": {"pattern": "(x+)*y"}}}, [("arg-pattern", "/args/u/pattern")]),
    ({"args": {"u": {"items": {"pattern": "([a-z]+\\.?)+$"}}}}, [("arg-pattern", "/args/u/items/pattern")]),
    ({"args": {"u": {"pattern": "^(?:/[a-z]+)*$"}}}, []),
    ({"args": {"u": {"pattern": "^(?:a|b+)*$"}}}, [("arg-pattern", "/args/u/pattern")]),
    ({"args": {"u": {"pattern": "^[a-z]{1,9}([0-9]{2}){3}$"}}}, []),
]


@pytest.mark.parametrize(("keys", "expected"), CASES)
def test_each_rule_reports_its_own_problems(keys: dict[str, object], expected: list[tuple[str, str]]) -> None:
    """With the place in the document."""
    assert found(**keys) == expected


def test_a_file_without_an_id_may_have_any_tool() -> None:
    """Standard input has no name."""
    assert found("") == []


def test_keys_of_an_invalid_document_are_reported_too() -> None:
    """All at once; but nothing of what was never meant as a grant."""
    assert found(rate=5, fsscope=[], enabled=False) == [
        ("shape-type", "/rate"), ("key-unknown", "/fsscope"), ("key-idle", "/enabled"),
    ]  # fmt: skip
    assert [one.code for one in decode_and_lint_grant(b'{"version": 1, "enabled": false}')[1]] == ["shape-other"]


@pytest.mark.parametrize(
    "text",
    [b'{"tool": "t", "enabled": false}', b'{"tool": "t", "actions": [], "rate": {"perMinute": 1}, "until": 1}'],
    ids=["invalid", "valid"],
)
def test_the_hint_at_a_key_that_switches_nothing_off_can_be_typed(text: bytes) -> None:
    """It names the grant."""
    problems = decode_and_lint_grant(text, "git", "git")[1]
    assert "with `cortex-policy remove git`" in next(one.hint for one in problems if one.code == "key-idle")


@pytest.mark.parametrize(
    ("scope", "why", "command"),
    [
        ("apps/**/tmp", "not patterns", "cortex-policy set t --remove-scope 'apps/**/tmp' --add-scope apps"),
        ("/docs", "absolute", "cortex-policy set t --remove-scope /docs --add-scope docs"),
        ("a\\b", "backslash", "cortex-policy set t --remove-scope 'a\\b' --add-scope a/b"),
        (" docs", "spaces", "cortex-policy set t --remove-scope ' docs' --add-scope docs"),
        ("./docs", "`.` or `..`", "cortex-policy set t --remove-scope ./docs --add-scope docs"),
        ("/srv/r/docs", "absolute", "cortex-policy set t --remove-scope /srv/r/docs --add-scope docs"),
        ("file:///docs", "empty component", "cortex-policy set t --remove-scope file:///docs --add-scope docs"),
        ("https://x.example/docs", "empty component", "without any scope, any path is allowed"),
        ("a//b", "empty component", "cortex-policy set t --remove-scope a//b --add-scope a/b"),
        ("**", "not patterns", "without any scope, any path is allowed"),
    ],
)
def test_a_scope_that_never_matches_comes_with_why_and_what_would(scope: str, why: str, command: str) -> None:
    """As a command that can be typed, and never as a fix: it would allow more than nothing."""
    (one,) = decode_and_lint_grant(json.dumps(GRANT | {"fsScope": [scope]}).encode(), "t", "t", "/srv/r")[1]
    assert why in one.message
    assert command in one.hint
    assert one.fix is None


MENDED = [
    ('"actions": ["a", "b", "a", ""]', '"actions": ["a", "b"]'),
    ('"actions": [\n    "a",\n    "a"\n  ]', '"actions": [\n    "a"\n  ]'),
    ('"actions": ["a"], "fsscope": ["docs", "docs/x"]', '"actions": ["a"], "fsScope": ["docs"]'),
    ('"actions": ["a"], "fsScope": ["docs", "a/**"]', '"actions": ["a"], "fsScope": ["docs", "a/**"]'),
    ('"actions": ["a"], "dataclass": "public"', '"actions": ["a"], "dataclass": "public"'),  # it would lower the class
    ('"actions": ["a"], "dataclass": "sensitive"', '"actions": ["a"], "dataClass": "sensitive"'),
    ('"actions": ["a"], "Actions": ["b"]', '"actions": ["a"], "Actions": ["b"]'),
]


@pytest.mark.parametrize(("before", "after"), MENDED)
def test_a_repair_changes_what_is_wrong_and_nothing_else(before: str, after: str) -> None:
    """To the byte, and never to more than was allowed."""
    head, tail = '{\r\n  "tool": "t",\n  ', ',\n  "rate": {"perMinute": 3.0}\n}'
    assert apply_safe_fixes_to_bytes((head + before + tail).encode(), EVERY) == (head + after + tail).encode()


def test_only_what_was_chosen_is_repaired() -> None:
    """`--ignore` leaves it alone."""
    data = json.dumps(GRANT | {"actions": ["a", "a", ""]}).encode()
    assert json.loads(apply_safe_fixes_to_bytes(data, EVERY - {"action-empty"}))["actions"] == ["a", ""]


def test_an_invalid_document_is_not_repaired() -> None:
    """It allows nothing, so any repair would allow more."""
    for data in (b'{"tool": "t",}', b"\xff", b'{"actions": ["a", "a"]}'):
        assert apply_safe_fixes_to_bytes(data, EVERY) == data


actions = st.lists(st.sampled_from(["a", "b", "", " a", "write", "x*"]), max_size=5)
scopes = st.lists(st.sampled_from(["docs", "docs/", "docs/a", "", "/x", "a/**", ".github", "..", "b"]), max_size=5)


@given(actions, scopes, st.sampled_from(["fsScope", "fsscope", "scopes"]), st.sampled_from(["dataClass", "dataclass"]))
def test_no_repair_ever_allows_more(names: list[str], prefixes: list[str], scope_key: str, class_key: str) -> None:
    """Proven by the same comparison that asks an operator."""
    data = json.dumps(GRANT | {"actions": names, scope_key: prefixes, class_key: "public"}).encode()
    new = apply_safe_fixes_to_bytes(data, EVERY)
    assert compare_grants(decode_grant(data), decode_grant(new)).verdict in {SAME, NARROWED}
    assert apply_safe_fixes_to_bytes(new, EVERY) == new


def test_at_most_a_hundred_problems_of_one_code_are_reported() -> None:
    """Else it would take for ever."""
    data = json.dumps(GRANT | {"actions": ["a"] * 100_000, "fsScope": ["b"] * 50_000}).encode()
    assert Counter(one.code for one in locate_problems("f", data, decode_and_lint_grant(data)[1])) == {
        "action-twice": 100,
        "scope-covered": 100,
    }


GIANTS: list[dict[str, object]] = [
    {"fsScope": ["/".join("a" * 500_000)]},
    {"fsScope": ["/".join([".git"] * 200_000)]},
    {"actions": ["a"] * 50_000},
    {"fsScope": ["a", *(f"a/{number}" for number in range(20_000))]},
]


@pytest.mark.parametrize(
    "keys",
    [pytest.param(keys, marks=pytest.mark.storm) if "actions" in keys else keys for keys in GIANTS],
    ids=["deep", "deep-git", "twice", "covered"],
)
def test_a_very_large_grant_is_validated_within_seconds(keys: dict[str, object]) -> None:
    """It took hours, and so would have held up whoever waits for the gate."""
    data = json.dumps(GRANT | keys, separators=(",", ":")).encode()
    assert len(data) <= MAX_BYTES
    locate_problems("f", data, decode_and_lint_grant(data)[1])
    assert len(apply_safe_fixes_to_bytes(data, EVERY)) <= len(data)


def test_many_problems_of_one_code_hide_no_others() -> None:
    """A hundred doubts about actions passed a scope that can never match."""
    scopes = [".cortex/policy/x"] * 200 + ["docs/**"]
    codes = {code for code, _ in found(actions=["a"] * 200 + ["*"], fsScope=scopes, fsscope=1)}
    assert codes == {"key-unknown", "action-twice", "action-glob", "scope-guarded", "scope-dead", "scope-covered"}


def test_problems_come_in_the_order_of_the_file_in_every_process() -> None:
    """That of a set is another in each, and which are told of many would be."""
    keys = {f"fs{'-' * number}Scope": number for number in range(1, 300)}
    pointers = [pointer for code, pointer in found(**keys) if code == "key-unknown"]
    assert pointers == [f"/{key}" for key in keys][:100]


def test_a_key_with_a_rival_is_not_repaired() -> None:
    """Which of both was meant is not certain."""
    data = json.dumps(GRANT | {"scope": ["docs"], "fsscope": ["src"]}).encode()
    assert apply_safe_fixes_to_bytes(data, EVERY) == data
    assert [one.fix for one in locate_problems("f", data, decode_and_lint_grant(data)[1])] == [None, None]


SLOW = [
    "^(a+)+$", "(x*)*y", "(.*)*$", "(?:a*b?)*$", "^(a|a)+$", "^(a|aa)+$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$", "^(.*?,){15}P", "^(.|a)*b$",
    r"\s+$", r"^([a-z]+)*\.com$", "^(a{1,20}){1,20}$", "^(?:aa|a)*$", "^a*a*a*a*a*a*a*a*b$", "^(?:a?){30}a{30}$", "(ab)+$", "[a-z]+@", ".{0,900}x",
    r"^(\w+\s?)*$", "^https://example\\.org/(?:abc|abcabc)*$", "(?:" * 60 + "a" + ")+" * 60 + "$", "^(?=(a+)+$)b", "^(?!.{3}$)(a+)+$",
]  # fmt: skip
QUICK = [
    "(a+)+", "(.*)*", "(a?)*", "(?:a*b)*", "(?:^)*", "(?:(?:(?:a)))", r"^(?:\b\w+\b\s*)+$", r"^(?:[a-z0-9]{1,63}\.)+[a-z]{2,63}$", "^.{0,500}$",
    r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$", r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$",
    r"\.md$", "^docs/", r"^(?=.*\d)(?=.*[a-z]).{8,64}$", r"^[A-Za-z0-9+/]*={0,2}$", "^(?=.{1,5}$)(a|a)+$", r"^\w+@\w+\.\w+$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_is_reported_that_stops_an_engine_which_backtracks(pattern: str) -> None:
    """Or that needs more steps here than a check takes; each nested, each with many ways to match the same text."""
    assert found(args={"x": {"pattern": pattern}}) == [("arg-pattern", "/args/x/pattern")]


@pytest.mark.parametrize("pattern", QUICK)
def test_a_pattern_is_not_reported_that_no_value_makes_slow(pattern: str) -> None:
    """Some repeat what repeats itself, but match at the first try, or have one way only."""
    assert "arg-pattern" not in {code for code, _ in found(args={"x": {"pattern": pattern}})}


@pytest.mark.parametrize("pattern", ["a^", "$a", "[]", r"a\bb", "^a{2}b$c", r"\B\b"])
def test_a_pattern_is_reported_that_nothing_matches(pattern: str) -> None:
    """It denies every call with the argument."""
    [problem] = decode_and_lint_grant(json.dumps(GRANT | {"args": {"x": {"pattern": pattern}}}).encode(), "t", "t")[1]
    assert problem.code == "arg-pattern"
    assert problem.message == "`x` has a pattern that no value matches"


def test_a_short_value_needs_few_steps() -> None:
    """A declared length is what a check looks at, whatever others do."""
    assert found(args={"x": {"pattern": "^(?:.{0,99}b){2}$", "maxLength": 200}}) == []


@pytest.mark.parametrize(("pattern", "why"), [
    (r"^((a)\2)+$", "a backreference, which is not supported, at character 6"), ("a(?<=a)", "lookbehind, which is not supported, at character 2"),
    ("(?:" * 300 + "a" + ")" * 300, "more than 64 groups in each other, at character 193"), ("^[a-z", "a class that is not closed, at character 2"),
    ("^.{1,1000}$", "more than 1,000 positions, counts unrolled, at character 1"), (r"^\p{L}$", "its tables change with Unicode, at character 2"),
])  # fmt: skip
def test_a_wrong_pattern_is_reported_with_its_place(pattern: str, why: str) -> None:
    """And that every call is denied."""
    [problem] = decode_and_lint_grant(json.dumps(GRANT | {"args": {"x": {"pattern": pattern}}}).encode(), "t", "t")[1]
    assert problem.code == "arg-keyword"
    assert f"{why}, so every call with it is denied" in problem.message


def hints(scope: str) -> list[str]:
    """Return the hints of a grant with this scope."""
    data = json.dumps(GRANT | {"fsScope": [scope]}).encode()
    return [one.hint for one in decode_and_lint_grant(data, "t", "t --root /r")[1] if one.code == "scope-dead"]


def test_a_command_in_a_hint_can_be_typed() -> None:
    """A scope is no option, and what cannot be shown as it is cannot be typed."""
    (option,) = hints("-x/**")
    assert "`cortex-policy set t --root /r --remove-scope='-x/**' --add-scope=-x`" in option
    (control,) = hints("a\n/**")
    assert "`cortex-policy edit t --root /r`" in control


@pytest.mark.parametrize("letter", ["x", "\n", "\U000e0041"])
def test_problems_below_one_long_name_are_few_and_their_messages_short(letter: str) -> None:
    """Each has the name in its place, so that a hundred of them would be a hundred names."""
    name = letter * (200_000 // len(letter.encode()))
    data = json.dumps(
        {**GRANT, "args": {name: {f"k{number}": 1 for number in range(200)}}}, ensure_ascii=False
    ).encode()
    found = locate_problems("x", data, decode_and_lint_grant(data)[1])
    assert "arg-keyword" in [problem.code for problem in found]
    assert sum(len(problem.pointer) for problem in found) < 1 << 20
    assert max(len(problem.message.encode()) for problem in found) <= 4_100


@pytest.mark.parametrize(
    "args",
    [{"x": {f"k{number}": 1 for number in range(2_000)}}, {f"x{number}": {"minLenght": 1} for number in range(2_000)}],
)
def test_unreported_keywords_are_not_compared(args: dict[str, object]) -> None:
    """To guess what a keyword was meant to be takes a comparison with each."""
    with counted(find_closest_word) as work:
        found = decode_and_lint_grant(json.dumps({**GRANT, "args": args}).encode())[1]
    assert [problem.code for problem in found].count("arg-keyword") == MAX_PROBLEMS
    assert work["find_closest_word"] <= MAX_PROBLEMS
