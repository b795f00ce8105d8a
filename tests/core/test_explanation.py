"""Every decision is told rule by rule, with the line that decided, and what would help."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import decode_grant
from cortex_policy.core.engine import DEFAULTS, decide
from cortex_policy.core.explanation import Explanation, explain
from cortex_policy.core.explanation_steps import DENIES, MOST_PATHS, NOT_ASKED, PASSES, RULES, RuleStep
from cortex_policy.core.model import ALLOWED, STOPPED, Decision, Request, ResolvedPath, Settings
from cortex_policy.core.path_arguments import find_path_arguments

TEXT = b"""{
  "tool": "git-map",
  "actions": [
    "tree",
    "snippet"
  ],
  "args": {
    "lines": {
      "type": "integer",
      "maximum": 80
    },
    "mode": {"enum": ["fast", "slow"]},
    "tags": {
      "items": {
        "pattern": "^a"
      }
    },
    "odd": {"format": "uri"}
  },
  "dataClass": "sensitive",
  "rate": {
    "perMinute": 3
  },
  "fsScope": [
    "docs",
    "packages/a"
  ]
}
"""
GRANT = decode_grant(TEXT, "git")
LINES = TEXT.decode().splitlines()


def at(given_path: str, landed: str | None = None, **more: str) -> ResolvedPath:
    """Make a place below the root `/r`, which no link leads elsewhere unless it is said where it lands."""
    landed = given_path if landed is None else landed
    inside = None if landed.startswith("/") else landed
    return ResolvedPath("path", given_path, given_path, inside, landed if inside is None else f"/r/{landed}", **more)


def explained(
    action: str = "tree",
    args: Mapping[str, object] | None = None,
    *places: ResolvedPath,
    hits: tuple[float, ...] = (),
    settings: Settings = DEFAULTS,
    cost: int = 1,
) -> tuple[Explanation, Decision]:
    """Decide a call at the time 1 and explain that."""
    given_args = dict(args or {})
    if places and not given_args:
        given_args = {"path": places[0].given}
    request = Request(action, given_args, places, cost)
    decision = decide(GRANT, request, hits, 1.0, settings)
    return explain(GRANT, TEXT, request, decision, settings), decision


def denial(found: Explanation) -> RuleStep:
    """Return the first step that denies."""
    return next(step for step in found.steps if step.verdict == DENIES)


def test_an_allowed_call_passes_every_rule_with_its_line() -> None:
    """In the order of the rules."""
    found, decision = explained("snippet", {"path": "packages/a/x", "lines": 3}, at("packages/a/x"))
    assert decision.reason is ALLOWED
    assert [(step.rule, step.verdict, step.line) for step in found.steps] == [
        ("action", PASSES, 5), ("arguments", PASSES, 8), ("path", PASSES, 26), ("path", PASSES, 0),
        ("approval", PASSES, 20), ("rate", PASSES, 22),
    ]  # fmt: skip
    assert (found.nearest, found.allowed, found.remedy) == ("", (), "")


def path_sentences(args: Mapping[str, object], *places: ResolvedPath) -> list[tuple[str, int]]:
    """Return what is said of the paths of an allowed call, and the lines."""
    found, decision = explained("tree", args, *places)
    assert decision.reason is ALLOWED
    return [(step.message, step.line) for step in found.steps if step.rule == "path"]


def test_each_argument_is_described_as_a_path_or_not() -> None:
    """And a value that looks like one and is not is named, with the line of its declaration."""
    place = at("docs/x")
    assert path_sentences({"path": "docs/x"}, place) == [("`docs/x` lies in scope `docs`", 25)]
    inside = ResolvedPath("o.log_file", "docs/x", "docs/x", "docs/x", "/r/docs/x")
    args = {
        "path": "docs/x",
        "o": {"log_file": "docs/x", "n": ["x", "a/b"]},
        "lines": 3,
        "target": "/etc/passwd",
        "tags": ["a/b"],
    }
    assert path_sentences(args, place, inside)[2:] == [
        ("treated as paths: `path`, `o`; not treated as paths: `lines`, `target`, `tags`", 0),
        ("`o.n[1]` is not checked as a path, but `a/b` looks like one", 0),
        ("`target` is not checked as a path, but `/etc/passwd` looks like one", 0),
        ("`tags[0]` is not checked as a path, but `a/b` looks like one", 13),
    ]


def test_a_call_that_names_no_path_is_said_to_pass_the_scope_unchecked() -> None:
    """Where the grant has one."""
    assert path_sentences({}) == [("the call names no path, so `fsScope` is not checked", 24)]
    assert path_sentences({"lines": 1})[1:] == [("not treated as paths: `lines`", 0)]


def test_an_operator_learns_how_to_declare_an_argument_that_looks_like_a_path() -> None:
    """By a command, where the declaration is new and the value is text."""
    args = {"target": "/etc/passwd", "tags": ["a/b"], "o": {"x": "a/b"}, "a=b": "/x", "q": "x", "ref": "a/b"}
    found, _ = explained("tree", args)
    assert found.remedy == "cortex-policy set git --arg target=string,format=path --arg ref=string,format=path"
    assert explained("tree", {"q": "x"})[0].remedy == ""


@pytest.mark.parametrize(("args", "remedy", "hint"), [
    ({"line": 3, "q": "x", "dry": True, "at": 1.5}, "set git --arg line=integer --arg q=string --arg dry=boolean --arg at=number", "did you mean `lines`?"),
    ({"out": "/srv/x", "log_file": "docs/x"}, "set git --arg out=string,format=path", "leave the argument out"),
    ({"o": {"a": 1}}, "edit git", "leave the argument out"), ({"q": "x", "o": [1]}, "edit git", "leave the argument out"), ({"a=b": 1}, "edit git", "leave the argument out"),
])  # fmt: skip
def test_an_undeclared_argument_is_declared_by_the_suggested_command(
    args: dict[str, Any], remedy: str, hint: str
) -> None:
    """All of it at once, or else in an editor; first whether another name was meant."""
    places = tuple(ResolvedPath(name, "docs/x", "docs/x", "docs/x", "/r/docs/x") for name in args if name == "log_file")
    found, _ = explained("tree", args, *places, settings=Settings(undeclared_args="deny"))
    assert found.remedy == f"cortex-policy {remedy}"
    assert found.advice.startswith(hint)


def test_a_likely_typo_is_questioned_before_it_is_allowed() -> None:
    """A word that was mistyped is no reason to allow it; what reads like nothing is not asked about."""
    assert explained("tre")[0].advice == "did you mean `tree`? an operator can also allow `tre`"
    assert (
        explained("tree", None, at("Docs/x"))[0].advice == "did you mean a path in `docs`? upper and lower case matter"
    )
    assert (explained("push")[0].advice, explained("tree", None, at("packages/b"))[0].advice) == ("", "")


LEADS_OUT = (
    "`docs/link` leads to `/etc`, which is in no scope: as typed it is in scope `docs`, "
    "with links followed outside the root"
)
BESIDE, ABOVE = (
    ResolvedPath("file", "etc/x", "etc/x", "etc/x", "/r/etc/x"),
    ResolvedPath("dir", "usr", "usr", "usr", "/r/usr"),
)
DENIALS: list[tuple[dict[str, Any], tuple[str, str, int], tuple[str, tuple[str, ...], str]]] = [
    ({"action": "tre"}, ("action", "`tre` is not in `actions`", 3),
     ("tree", ("tree", "snippet"), "cortex-policy set git --allow tre")),
    ({"action": "-x y"}, ("action", "`-x y` is not in `actions`", 3),
     ("", ("tree", "snippet"), "cortex-policy set git '--allow=-x y'")),
    ({"action": ""}, ("action", "`` is not in `actions`", 3), ("", ("tree", "snippet"), "")),
    ({"action": "\x1b"}, ("action", "`\x1b` is not in `actions`", 3), ("", ("tree", "snippet"), "")),
    ({"args": {"lines": "9"}}, ("arguments", "`lines` must be of type integer, not string", 9),
     ("", ("`lines`: type integer, maximum 80",), "cortex-policy edit git")),
    ({"args": {"lines": 90}}, ("arguments", "`lines` must meet `maximum` 80, and is 90", 10),
     ("80", ("`lines`: type integer, maximum 80",), "cortex-policy edit git")),
    ({"args": {"mode": "Fats"}}, ("arguments", '`mode` must be one of `enum`: "fast", "slow", and is "Fats"', 12),
     ("fast", ('`mode`: one of "fast", "slow"',), "cortex-policy edit git")),
    ({"args": {"tags": ["a", "b"]}}, ("arguments", '`tags` (an item) must match `pattern` ^a, and is "b"', 15),
     ("", ("each item of `tags`: pattern ^a",), "cortex-policy edit git")),
    ({"args": {"odd": 1}}, ("arguments", "`odd` is declared with `format`, which cannot be enforced", 18),
     ("", (), "cortex-policy edit git")),
    ({"args": {"other": 1}, "settings": Settings(undeclared_args="deny")},
     ("arguments", "`other` is not declared in `args`, and the setting `undeclared_args` is `deny`", 7),
     ("", ('the arguments "lines", "mode", "tags", "odd"',), "cortex-policy set git --arg other=integer")),
    ({"places": [at("etc/x")]}, ("path", "`etc/x` is in no scope", 24),
     ("", ("docs", "packages/a"), "cortex-policy set git --add-scope etc/x")),
    ({"places": [at("Docs/x")]}, ("path", "`Docs/x` is in no scope", 25),
     ("docs", ("docs", "packages/a"), "cortex-policy set git --add-scope Docs/x")),
    ({"places": [at("packages/b c")]}, ("path", "`packages/b c` is in no scope", 26),
     ("packages/a", ("docs", "packages/a"), "cortex-policy set git --add-scope 'packages/b c'")),
    ({"places": [at("docs/link", "/etc")]},
     ("path", LEADS_OUT, 25),
     ("docs", ("docs", "packages/a"), "")),
    ({"places": [at("~/docs")]}, ("path", "`~/docs` starts with `~`, which is not expanded", 24),
     ("", ("docs", "packages/a"), "")),
    ({"places": [at("docs", protected_reason="governs grants")]}, ("path", "`docs` governs grants", 0), ("", (), "")),
    ({"args": {"path": 3}}, ("path", "argument `path` is neither a path nor an array of paths", 24), ("", ("docs", "packages/a"), "")),
    ({"args": {"path": "docs"}}, ("path", "`docs` was not resolved", 24), ("", ("docs", "packages/a"), "")),
    ({"settings": Settings(require_path=True)},
     ("path", "the call names no path, but `--require-path` or the settings require one", 0),
     ("", ("docs", "packages/a"), "")),
    ({"settings": Settings(sensitive="ask")},
     ("approval", "`dataClass` is sensitive, and the setting `sensitive` is `ask`: a human must approve this very call", 20),
     ("", (), "")),
    ({"settings": Settings(sensitive="deny")},
     ("approval", "`dataClass` is sensitive, and the setting `sensitive` is `deny`: no such call is allowed", 20),
     ("", (), "")),
    ({"hits": (0.0, 0.5, 0.5)}, ("rate", "3 of 3 used in the last minute; this call fits in 59.0 seconds", 22),
     ("in 59.0 seconds", (), "cortex-policy rate reset git tree")),
    ({"hits": (0.0, 0.5), "cost": 2}, ("rate", "2 of 3 used in the last minute; this call fits in 59.0 seconds", 22),
     ("in 59.0 seconds", ("a cost of at most 1 now",), "cortex-policy rate reset git tree")),
    ({"cost": 4}, ("rate", "a cost above 3 never fits into a minute", 22),
     ("", ("a cost of at most 3",), "cortex-policy set git --rate 4")),
    ({"cost": 10**5000}, ("rate", "a cost above 3 never fits into a minute", 22), ("", ("a cost of at most 3",), "")),
]  # fmt: skip


@pytest.mark.parametrize(("call", "step", "help_"), DENIALS, ids=[step[1] for _, step, _ in DENIALS])
def test_a_denial_names_the_rule_the_line_and_what_would_help(
    call: dict[str, Any], step: tuple[str, str, int], help_: tuple[str, tuple[str, ...], str]
) -> None:
    """Rules before it pass, those behind it are not asked."""
    found, decision = explained(call.get("action", "tree"), call.get("args"), *call.get("places", ()),
                                **{name: call[name] for name in ("hits", "settings", "cost") if name in call})  # fmt: skip
    assert not decision
    told = denial(found)
    assert (told.rule, told.message, told.line) == step
    assert (found.nearest, found.allowed, found.remedy) == help_
    at_rule = RULES.index(told.rule)
    assert all(step.verdict == PASSES for step in found.steps if RULES.index(step.rule) < at_rule)
    assert all(step.verdict == NOT_ASKED for step in found.steps if RULES.index(step.rule) > at_rule)


def test_each_path_has_its_own_step() -> None:
    """Those behind the first that is denied too: they are mended together."""
    found, _ = explained("tree", {"path": "docs/x", "file": "etc/x", "dir": "usr"}, at("docs/x"), BESIDE, ABOVE)
    paths = [(step.verdict, step.line) for step in found.steps if step.rule == "path"]
    assert paths == [(PASSES, 25), (DENIES, 24), (DENIES, 24)]
    assert found.remedy == "cortex-policy set git --add-scope etc/x --add-scope usr"


def test_of_many_paths_the_first_of_each_kind_are_shown() -> None:
    """And how many there are besides; no command has room for so many scopes."""
    files = [f"etc/{number}" for number in range(30)]
    places = [ResolvedPath(f"files[{number}]", path, path, path, f"/r/{path}") for number, path in enumerate(files)]
    found, _ = explained("tree", {"files": [*files, "docs"], "path": "docs"}, at("docs"), *places)
    told = [step for step in found.steps if step.rule == "path"]
    assert len([step for step in told if step.verdict == DENIES]) == MOST_PATHS + 1
    assert told[-1].message == f"and {len(files) + 1 - MOST_PATHS} paths more"
    assert (told[0].verdict == DENIES, found.remedy) == (True, "")


def test_a_rule_without_a_line_in_the_grant_has_no_line() -> None:
    """A grant without `args`, `fsScope` and `dataClass` passes by their absence."""
    text = b'{"tool": "t", "actions": ["a"], "rate": {"perMinute": 1}}'
    grant, place = decode_grant(text, "t"), ResolvedPath("path", "x", "x", "x", "/r/x")
    request = Request("a", {"path": "x", "n": 1}, (place,))
    found = explain(grant, text, request, decide(grant, request))
    assert [(step.rule, step.line) for step in found.steps] == [
        ("action", 1), ("arguments", 0), ("path", 0), ("path", 0), ("approval", 0), ("rate", 1),
    ]  # fmt: skip
    assert all(step.verdict == PASSES for step in found.steps)


def test_a_decision_before_the_rules_asks_no_rule() -> None:
    """An emergency stop stands before them."""
    found = explain(GRANT, TEXT, Request("tree", {}), Decision(STOPPED))
    assert [step.verdict for step in found.steps] == [NOT_ASKED] * 5


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
keywords = st.sampled_from(
    [
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "minLength",
        "maxItems",
        "pattern",
        "items",
        "format",
        "title",
        "odd",
    ]
)
bounds = values | st.sampled_from(["string", "integer", "array", ["null", "array"], "path", "not-path", "^a"])
declarations = st.dictionaries(keywords, bounds, max_size=3) | st.builds(
    lambda inner: {"items": inner}, st.dictionaries(keywords, bounds, max_size=2)
)
names = st.sampled_from(["path", "lines", "a/b", "~", "", "log_file"])


@given(
    st.dictionaries(names, declarations, max_size=2),
    st.dictionaries(names, values, max_size=2),
    st.lists(st.text(max_size=4) | st.sampled_from(["docs", "docs/", "a/b"]), max_size=2),
    st.sampled_from(["allow", "ask", "deny"]),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(["allow", "deny"]),
)
def test_any_decision_can_be_explained(
    declared: dict[str, object],
    args: dict[str, object],
    scopes: list[str],
    sensitive: str,
    cost: int,
    require_path: bool,
    undeclared: str,
) -> None:
    """Nothing raises, the rule that denies is the one that decided, and each line holds what its pointer names."""
    document = {"tool": "t", "actions": ["a"], "args": declared, "dataClass": "sensitive", "fsScope": scopes}
    text = json.dumps({**document, "rate": {"perMinute": 2}}, indent=2, allow_nan=True).encode()
    try:
        grant = decode_grant(text, "t")
    except Exception:  # noqa: BLE001 - NaN, a surrogate: no grant
        return
    places = tuple(
        ResolvedPath(name, path, path, path, f"/r/{path}") for name, path, _ in find_path_arguments(grant, args) if path
    )
    request = Request("a", args, places, cost)
    asked = Settings(sensitive, require_path=require_path, undeclared_args=undeclared)
    decision = decide(grant, request, (0.0,), 1.0, asked)
    found = explain(grant, text, request, decision, asked)
    denied = [step.rule for step in found.steps if step.verdict == DENIES]
    rule = {10: "action", 11: "arguments", 12: "path", 13: "approval", 14: "rate"}.get(decision.reason.exit_code)
    assert denied[:1] == ([rule] if rule else [])
    for step in found.steps:
        key = step.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        assert not step.pointer or key.isdigit() or json.dumps(key) in text.decode().splitlines()[step.line - 1]
