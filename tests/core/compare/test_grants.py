"""What a change means is proven against the engine itself: no `same` and no `narrowed` is ever wrong."""

from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.arguments import (
    find_declaration_problem_text_or_empty,
    find_first_argument_violation_text,
    find_value_violation_text,
)
from cortex_policy.core.compare.declarations import accepts_nothing, is_subset
from cortex_policy.core.compare.grants import compare_grants, format_grant_summary
from cortex_policy.core.compare.verdicts import BOTH, NARROWED, SAME, WIDENED, combine_verdicts, widens
from cortex_policy.core.decode import DATA_CLASSES
from cortex_policy.core.ecma_regex import SharedSteps
from cortex_policy.core.engine import DEFAULTS, find_denial_before_rate, find_matching_scope
from cortex_policy.core.model import Grant, Rate, Request, ResolvedPath, Settings
from cortex_policy.core.path_arguments import find_path_arguments
from tests.support.chance import chance
from tests.support.work import counted

NAN = float("nan")
GRANT = Grant("git", "git-map", ("tree", "search"), Rate(30), {}, "internal", ("docs",))


def changed(grant: Grant = GRANT, /, **fields: Any) -> Grant:
    """Return a grant with other fields."""
    return Grant(**{**vars(grant), **fields})


def became(field: str, old: Grant, new: Grant) -> tuple[str, str]:
    """Return the verdict and the sentence of one field; it must be the one that decides."""
    meaning = compare_grants(old, new)
    found = next(part for part in meaning.fields if part.field == field)
    assert meaning.verdict == found.verdict
    return found.verdict, found.sentence


@pytest.mark.parametrize(
    ("field", "old", "new", "verdict", "sentence"),
    [
        ("tool", {}, {"tool": "git"}, WIDENED, "git-map becomes git, with a fresh budget"),
        ("actions", {}, {"actions": ("tree", "search", "push it")}, WIDENED, 'adds "push it"'),
        ("actions", {}, {"actions": ("tree",)}, NARROWED, "drops search"),
        ("actions", {}, {"actions": ("tree", "push")}, BOTH, "adds push; drops search"),
        ("actions", {}, {"actions": ("search", "tree", "search")}, SAME, "the same actions, written differently"),
        ("rate", {}, {"rate": Rate(60)}, WIDENED, "30 becomes 60 a minute"),
        ("rate", {}, {"rate": Rate(1)}, NARROWED, "30 becomes 1 a minute"),
        ("dataClass", {}, {"data_class": "public"}, WIDENED, "internal becomes public"),
        ("dataClass", {"data_class": "sensitive"}, {}, WIDENED, "sensitive becomes internal"),
        ("dataClass", {}, {"data_class": "sensitive"}, NARROWED, "internal becomes sensitive"),
        ("fsScope", {}, {"fs_scope": ("docs/",)}, SAME, "the same paths in other words"),
        ("fsScope", {}, {"fs_scope": ("docs/a", "docs", "docs/**")}, SAME, "the same paths in other words"),
        ("fsScope", {"fs_scope": ("docs/**",)}, {"fs_scope": ("/", "../x")}, SAME, "the same paths in other words"),
        ("fsScope", {}, {"fs_scope": ("docs", "src")}, WIDENED, "adds src"),
        ("fsScope", {"fs_scope": ("docs/a",)}, {}, WIDENED, "adds docs"),
        ("fsScope", {}, {"fs_scope": ()}, WIDENED, "drops the last scope: any path is allowed"),
        ("fsScope", {"fs_scope": ("docs/**",)}, {"fs_scope": ()}, WIDENED, "drops the last scope: any path is allowed"),
        ("fsScope", {"fs_scope": ("docs/**",)}, {}, WIDENED, "adds docs"),
        ("fsScope", {"fs_scope": ()}, {}, NARROWED, "any path becomes docs"),
        ("fsScope", {"fs_scope": ()}, {"fs_scope": ("*",)}, NARROWED, '"*" can never match: no path is allowed'),
        ("fsScope", {}, {"fs_scope": ("docs/*",)}, NARROWED, '"docs/*" can never match: no path is allowed'),
        ("fsScope", {}, {"fs_scope": ("docs/a", "docs/b")}, NARROWED, "keeps only a part of docs"),
        ("fsScope", {"fs_scope": ("docs", "src")}, {"fs_scope": ("src",)}, NARROWED, "drops docs"),
        ("fsScope", {}, {"fs_scope": ("docs-x",)}, BOTH, "adds docs-x; drops docs"),
    ],
)  # fmt: skip
def test_each_changed_field_has_its_verdict_and_sentence(
    field: str, old: dict[str, object], new: dict[str, object], verdict: str, sentence: str
) -> None:
    """Each has its verdict, and a sentence that an operator understands."""
    assert became(field, changed(**old), changed(**new)) == (verdict, sentence)


DENYING = Settings(undeclared_args="deny")


@pytest.mark.parametrize(("old", "new", "verdict"), [
    ((), ("docs",), BOTH), ((), ("*",), BOTH), (("docs",), (), WIDENED), (("docs",), ("docs/a",), NARROWED), (("*",), ("docs",), WIDENED),
])  # fmt: skip
def test_a_first_scope_lets_undeclared_paths_pass_where_they_were_denied(
    old: tuple[str, ...], new: tuple[str, ...], verdict: str
) -> None:
    """With `undeclared_args = "deny"`: what the path rule checks counts as declared in a grant with scopes alone."""
    found = compare_grants(changed(fs_scope=old), changed(fs_scope=new), DENYING).fields[-1]
    assert (found.field, found.verdict) == ("fsScope", verdict)
    assert ("`undeclared_args` allows undeclared paths there now" in found.sentence) == (verdict == BOTH)


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("old", "new", "verdict", "sentence"),
    [
        ({"a": TEXT, "b": {}}, {"b": {}, "a": TEXT}, SAME, "the same arguments in another order"),
        ({"a": TEXT}, {"a": {"type": ["string"], "title": "A"}}, SAME, 'a has `type` ["string"] instead of "string"'),
        ({"a": TEXT}, {"a": {**TEXT, "title": "A"}}, SAME, "a means the same in other words"),
        ({"a": {"enum": [1, 2]}}, {"a": {"enum": [2.0, 1, 1]}}, SAME, "a has `enum` [2.0, 1, 1] instead of [1, 2]"),
        ({"a": {"const": 1}}, {"a": {"const": True}}, BOTH, "a has `const` true instead of 1"),
        ({"a": {"minimum": 1}}, {"a": {"minimum": 1.0, "type": "number"}}, SAME, 'a has `minimum` 1.0 instead of 1, takes `type` "number"'),
        ({"a": {"minimum": 1}}, {"a": {"exclusiveMinimum": 1}}, NARROWED, "a drops `minimum` 1, takes `exclusiveMinimum` 1"),
        ({"a": {"maximum": 5}}, {"a": {"exclusiveMaximum": 6}}, WIDENED, "a drops `maximum` 5, takes `exclusiveMaximum` 6"),
        ({"a": {"minimum": 1, "maximum": 5}}, {"a": {"minimum": 2, "maximum": 6}}, BOTH, "a has `minimum` 2 instead of 1, has `maximum` 6 instead of 5"),
        ({}, {"a": TEXT}, WIDENED, 'a is declared as {"type": "string"}; `undeclared_args` allows it now'),
        ({}, {"path": TEXT}, NARROWED, 'path is declared as {"type": "string"}'),
        ({}, {"path": {"const": {"a": 1}}}, WIDENED, None),
        ({}, {"a": {"enum": []}}, NARROWED, None),
        ({"a": {"type": "object"}}, {"a": {"const": {"b": 1}}}, WIDENED, None),
        ({"a": TEXT}, {"a": {**TEXT, "format": "path"}}, WIDENED, 'a takes `format` "path", counts as a path now; it satisfies `require_path`'),
        ({"a": {"type": "integer"}}, {"a": {"type": "integer", "format": "path"}}, NARROWED, 'a takes `format` "path", counts as a path now'),
        ({"log_file": {}}, {"log_file": {"format": "path"}}, NARROWED, 'log_file takes `format` "path"'),
        ({"path": {**TEXT, "format": "not-path"}}, {"path": TEXT}, WIDENED, None),
        ({"a": TEXT}, {}, WIDENED, "a is no longer declared"),
        ({"a": {}}, {}, WIDENED, "a is no longer declared"),
        ({"a": {"type": ["string", "null"]}}, {"a": TEXT}, NARROWED, 'a has `type` "string" instead of ["string", "null"]'),
        ({"a": {"type": "integer"}}, {"a": {"type": "number"}}, WIDENED, 'a has `type` "number" instead of "integer"'),
        ({"a": TEXT}, {"a": {"type": "integer"}}, BOTH, 'a has `type` "integer" instead of "string"'),
        ({"a": {"maxLength": 5}}, {"a": {"maxLength": 6}}, WIDENED, "a has `maxLength` 6 instead of 5"),
        ({"a": {"minLength": 5}}, {"a": {"minLength": 6}}, NARROWED, "a has `minLength` 6 instead of 5"),
        ({"a": TEXT}, {"a": {"pattern": "^a"}}, NARROWED, 'a drops `type` "string", takes `pattern` "^a"'),
        ({"a": {"pattern": "^a"}}, {"a": {"pattern": "^ab"}}, WIDENED, 'a has `pattern` "^ab" instead of "^a"'),
        ({"a": {"pattern": "^a"}}, {"a": {"enum": ["ab", "b"]}}, BOTH, 'a drops `pattern` "^a", takes `enum` ["ab", "b"]'),
        ({"a": {"pattern": "^a"}}, {"a": {"enum": ["ab"]}}, NARROWED, 'a drops `pattern` "^a", takes `enum` ["ab"]'),
        ({"a": {"items": TEXT}}, {"a": {"type": "array"}}, WIDENED, 'a drops `items` {"type": "string"}, takes `type` "array"'),
        ({"a": {"items": TEXT}}, {"a": {"type": "array", "maxItems": 0}}, NARROWED, None),
        ({"a": {"type": "array"}}, {"a": {"items": TEXT, "maxItems": 3}}, NARROWED, None),
        ({"a": TEXT}, {"a": {"properties": {}}}, NARROWED, "a is declared with `properties`, which cannot be enforced: no call may give it"),
        ({"a": None}, {"a": {"type": "x"}}, SAME, "a is declared with `type`, which cannot be enforced: no call may give it"),
        ({"a": 3}, {"a": {"type": "null"}}, WIDENED, 'a is declared as {"type": "null"}'),
        ({"a": {"enum": []}}, {}, WIDENED, "a is no longer declared"),
        ({}, {"a": {"format": "path"}}, WIDENED, 'a is declared as {"format": "path"}; `undeclared_args` allows it now, counts as a path now; it satisfies `require_path`'),
        ({"a": {"format": "path"}}, {"a": {}}, WIDENED, 'a drops `format` "path", is no longer a path: no scope limits it'),
        ({"a": {"items": {"format": "path"}}}, {"a": {"items": {}}}, WIDENED, None),
        ({}, {"path": {"format": "not-path"}}, WIDENED, 'path is declared as {"format": "not-path"}, is no longer a path: no scope limits it'),
        ({}, {"path": {**TEXT, "format": "not-path"}}, BOTH, None),
        ({"path": {"format": "path"}}, {"path": {}}, SAME, 'path drops `format` "path"'),
        ({"path": {"format": "path"}}, {"path": {"format": "not-path", "bad": 1}}, NARROWED, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("scope", [(), ("docs",), ("never/**",)])
def test_each_changed_argument_has_its_verdict(
    old: dict[str, object], new: dict[str, object], verdict: str, sentence: str | None, scope: tuple[str, ...]
) -> None:
    """A dropped or changed rule widens unless it is proven not to; with a scope or without."""
    found = became("args", changed(args=old, fs_scope=scope), changed(args=new, fs_scope=scope))
    assert found == (verdict, found[1] if sentence is None else sentence)


def test_a_grant_that_allows_nothing_is_compared_as_a_whole() -> None:
    """An absent or invalid grant allowed nothing, and so does one without actions."""
    empty = changed(actions=())
    assert compare_grants(None, GRANT).verdict == compare_grants(empty, GRANT).verdict == WIDENED
    assert compare_grants(GRANT, None).verdict == compare_grants(GRANT, empty).verdict == NARROWED
    assert (
        compare_grants(None, None).verdict
        == compare_grants(None, empty).verdict
        == compare_grants(empty, None).verdict
        == SAME
    )
    (whole,) = compare_grants(None, GRANT).fields
    assert (whole.field, whole.sentence) == (
        "grant", "new: git-map may tree, search below docs, 30 a minute, internal",
    )  # fmt: skip
    assert format_grant_summary(changed(fs_scope=(), args={"a": {}})).endswith(
        "on any path, 30 a minute, internal, 1 declared argument"
    )
    assert format_grant_summary(empty) == "nothing"


def test_an_untouched_grant_is_the_same_field_by_field() -> None:
    """All six are there, in the order of the contract, and none says anything."""
    meaning = compare_grants(GRANT, changed(id="other"))
    assert meaning.verdict == SAME
    assert [part.field for part in meaning.fields] == ["tool", "actions", "rate", "args", "dataClass", "fsScope"]
    assert {(part.verdict, part.sentence) for part in meaning.fields} == {(SAME, "")}


def test_verdicts_combine() -> None:
    """One that widens and one that narrows are both."""
    assert combine_verdicts([]) == combine_verdicts([SAME, SAME]) == SAME
    assert combine_verdicts([SAME, NARROWED]) == NARROWED
    assert combine_verdicts([SAME, WIDENED]) == WIDENED
    assert (
        combine_verdicts([NARROWED, WIDENED]) == combine_verdicts([BOTH]) == combine_verdicts([BOTH, NARROWED]) == BOTH
    )
    assert [widens(verdict) for verdict in (SAME, NARROWED, WIDENED, BOTH)] == [False, False, True, True]


def test_long_values_are_cut() -> None:
    """A sentence stays one that can be read."""
    _, sentence = became("args", changed(), changed(args={"a": {"enum": ["x" * 5000]}}))
    assert len(sentence) < 200


PARTS = ("a", "b", "ab")
SCOPES = [*PARTS, *("/".join(pair) for pair in product(PARTS, PARTS)), "a/", "a/b/", "*", "", "a//b"]
PATHS = ["/".join(parts) for depth in (1, 2, 3) for parts in product((*PARTS, "c"), repeat=depth)]


def places(scopes: tuple[str, ...]) -> set[str]:
    """Return all paths that these scopes allow; `nowhere` stands for what no scope can cover."""
    return {path for path in PATHS if find_matching_scope(scopes, path)} if scopes else {*PATHS, "nowhere"}


@given(st.lists(st.sampled_from(SCOPES), max_size=4), st.lists(st.sampled_from(SCOPES), max_size=4))
def test_scope_comparison_agrees_with_brute_force(before: list[str], after: list[str]) -> None:
    """Exactly: never a wrong `same` or `narrowed`, and never a missed one."""
    old, new = places(tuple(before)), places(tuple(after))
    expected = (SAME if old <= new else NARROWED) if new <= old else WIDENED if old <= new else BOTH
    verdict, _ = became("fsScope", changed(fs_scope=tuple(before)), changed(fs_scope=tuple(after)))
    assert verdict == expected


# where each path lands: as it is spelled, through a link, out of the root, in an error, on what governs grants
WORLD = {
    "docs/x": ("docs/x", "docs/x", "", ""), "docs": ("docs", "docs", "", ""), "src/x": ("src/x", "src/x", "", ""),
    "docs/link": ("docs/link", "src/x", "", ""), "../etc": (None, None, "", ""), "http://x": ("http:/x", "http:/x", "", ""),
    "docs/err": ("docs/err", None, "cannot be resolved", ""), "docs/gov": ("docs/gov", "docs/gov", "", "governs"),
    "": ("", "", "", ""), "a": ("a", "a", "", ""), "abc": ("abc", "abc", "", ""),
}  # fmt: skip
VALUES: list[object] = [
    *WORLD, None, True, False, 0, 1, 1.0, 1.5, 2, 3, -1, 10**400, NAN, [], {}, ["docs/x"], ["docs/x", "src/x"], ["docs/gov"],
    [1], [[]], [["src/x"]], {"path": "src/x"}, {"path": "docs/x"}, {"x": 1}, {"file": 3}, ["a", 1], [NAN], [None],
]  # fmt: skip
NAMES = ["path", "n", "source", "log_file"]
CALLS: list[dict[str, object]] = [
    *({name: value} for name in NAMES for value in VALUES),
    *({one: left, two: right} for one, two in combinations(NAMES, 2) for left, right in product(VALUES[::5], VALUES[::4])),
    {},
]  # fmt: skip


def request(grant: Grant, action: str, args: dict[str, object]) -> Request:
    """Return a call whose paths were looked up in the world."""
    found = ((label, given) for label, given, _ in find_path_arguments(grant, args) if given is not None)
    return Request(action, args, tuple(
        ResolvedPath(label, given, collapsed, landed, landed, fault, guard)
        for label, given in found for collapsed, landed, fault, guard in [WORLD.get(given, (given, given, "", ""))]
    ))  # fmt: skip


RULES = [
    Settings(require_path=path, undeclared_args=known) for path in (False, True) for known in ("allow", "deny")
]  # fmt: skip


def allowed(grant: Grant) -> list[set[tuple[str, int]]]:
    """Return all calls of the enumeration that the engine lets pass, under each of the settings."""
    calls = [request(grant, grant.actions[0], args) for args in CALLS] if grant.actions else []
    passing = [
        [index for index, call in enumerate(calls) if find_denial_before_rate(grant, call, rules) is None]
        for rules in RULES
    ]
    return [set(product(grant.actions, found)) for found in passing]


SIZES = st.sampled_from([0, 1, 2, 2.0, 3])
BOUNDS = st.sampled_from([-1, 0, 1, 1.0, 1.5, 2, 10**400])
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "null"])
LITERALS = st.sampled_from([value for value in VALUES if value == value and value != [NAN]])  # noqa: PLR0124 - no NaN
KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.one_of(TYPES, TYPES, st.lists(TYPES, min_size=1, max_size=3)),
    "enum": st.lists(LITERALS, max_size=4),
    "const": LITERALS,
    "pattern": st.sampled_from(["^docs", "x$", "", "^a", "["]),
    "format": st.sampled_from(["path", "path", "not-path", "not-path", "not-path", "uri"]),
    "title": st.sampled_from(["x", "y"]),
    "properties": st.just({}),
    **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], BOUNDS),
    **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems"], SIZES),
    "items": st.deferred(lambda: DECLARATIONS),
}
# those that fit together, so that some value meets them, and now and then any
FAMILIES = [
    ["type", "minLength", "maxLength", "pattern", "format"],
    ["type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
    ["type", "minItems", "maxItems", "items"],
    ["type", "enum", "const", "format", "title"],
    sorted(KEYWORDS),
]


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    """Generate declarations, a few of which cannot be enforced."""
    family = draw(st.sampled_from(FAMILIES))
    return {name: draw(KEYWORDS[name]) for name in draw(st.sets(st.sampled_from(family), max_size=3))}


DECLARATIONS: st.SearchStrategy[dict[str, Any]] = declarations()


@st.composite
def redeclared(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Generate a declaration, and one in which a keyword or two was added, dropped or changed."""
    old = draw(DECLARATIONS)
    new = dict(old)
    for name in draw(st.lists(st.sampled_from([*old, *old, *draw(st.sampled_from(FAMILIES))]), max_size=2)):
        new.pop(name, None)
        if draw(st.booleans()):
            new[name] = draw(KEYWORDS[name])
    return old, new


@chance(1000)
@given(redeclared())
def test_no_declaration_is_wrongly_inside_another(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Each value that is tried and meets the new one meets the old one too, as the engine sees it."""
    one, two = ({"a": declaration} for declaration in pair)
    for old, new in ((one, two), (two, one), ({}, one), (one, {})):
        meets = [
            value
            for value in [*VALUES, "abc", "docs", "xx"]
            if not find_first_argument_violation_text(new, {"a": value})
        ]
        assert not (meets and accepts_nothing(new, "a"))
        if is_subset(new, old, "a"):
            assert not [value for value in meets if find_first_argument_violation_text(old, {"a": value})]
    assert is_subset(one, {"a": dict(reversed(pair[0].items()))}, "a")


GRANTS = st.builds(
    Grant,
    st.just("id"),
    st.sampled_from(["tool", "tool", "tool", "other"]),
    st.lists(st.sampled_from(["read", "write"]), max_size=2).map(tuple),
    st.sampled_from([Rate(1), Rate(2)]),
    st.dictionaries(st.sampled_from(NAMES), st.one_of(DECLARATIONS, DECLARATIONS, st.none()), max_size=2),
    st.sampled_from(["internal", "internal", "sensitive", "public"]),
    st.lists(st.sampled_from(["docs", "docs/", "docs/x", "src", "*", ""]), max_size=2).map(tuple),
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[Grant, Grant]:
    """Generate a grant and another one that shares most of its fields, as an edit does."""
    old, other = draw(GRANTS), draw(GRANTS)
    fields = draw(st.sets(st.sampled_from(Grant.__match_args__), min_size=1, max_size=2))
    new = changed(old, **{field: getattr(other, field) for field in fields})
    if draw(st.booleans()):
        name, (before, after) = draw(st.sampled_from(NAMES)), draw(redeclared())
        old, new = changed(old, args={**old.args, name: before}), changed(new, args={**old.args, name: after})
    return old, new


def is_inside(new: Grant, old: Grant, calls: dict[int, list[set[tuple[str, int]]]], under: Settings) -> bool:
    """Whether the engine allows nothing more, as far as the enumeration can see, under any of the settings.

    The first scope of a grant makes all its path arguments known, and so lets them pass `undeclared_args`: only that
    verdict depends on the settings that hold.
    """
    classes = DATA_CLASSES.index
    is_first_scope = bool(new.fs_scope) and not old.fs_scope
    is_left_out = is_first_scope and under.undeclared_args == "allow"
    settings = [index for index, rules in enumerate(RULES) if not (is_left_out and rules.undeclared_args == "deny")]
    return not calls[id(new)][0] or (
        all(calls[id(new)][index] <= calls[id(old)][index] for index in settings)
        and new.tool == old.tool
        and new.rate.per_minute <= old.rate.per_minute
        and classes(new.data_class) >= classes(old.data_class)
    )


@chance(300)
@given(edits())
@example((changed(args={"a": {"const": 1}}), changed(args={"a": {"const": True}})))
def test_no_verdict_is_wrong(pair: tuple[Grant, Grant]) -> None:
    """`same` is equal and `narrowed` is inside for each call that is tried, in both directions of an edit."""
    calls = {id(grant): allowed(grant) for grant in pair}
    for (old, new), under in product((pair, pair[::-1]), (DEFAULTS, DENYING)):
        verdict = compare_grants(old, new, under).verdict
        if verdict in {SAME, NARROWED}:
            assert is_inside(new, old, calls, under)
        if verdict == SAME:
            assert is_inside(old, new, calls, under)
    assert compare_grants(pair[0], pair[0]).verdict == SAME


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"enum": ["a" * 50, "b"]}, {"enum": ["a" * 50], "pattern": "^a+$"}),  # narrowed
        ({"enum": ["a" * 50], "pattern": "^a+$"}, {"enum": ["a" * 50]}),  # same
        ({"enum": ["a"]}, {"enum": ["b" * 50], "pattern": "^a+$"}),  # allows none
        ({"pattern": "^b+$"}, {"const": "b" * 50}),
    ],
)
def test_comparisons_that_take_too_many_steps_prove_nothing(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Neither narrowed nor the same: where patterns are no longer matched, nothing is known of the values."""
    grants = changed(args={"x": before}), changed(args={"x": after})
    assert became("args", *grants)[0] != BOTH
    with SharedSteps(0):
        verdict, sentence = became("args", *grants)
    assert verdict == BOTH
    assert sentence.endswith("steps, so that not everything is proven")


def test_arguments_that_may_allow_more_are_reported_first() -> None:
    """A sentence that somebody can read, in which no widening hides."""
    many = {f"x{number}": {"maximum": 2} for number in range(1000)}
    verdict, sentence = became(
        "args", changed(args=many), changed(args={name: {"maximum": 1} for name in many} | {"x999": {"maximum": 3}})
    )
    assert verdict == BOTH
    assert sentence.startswith("x999 ")
    assert sentence.endswith("; 980 more")
    assert len(sentence) < 4000


def nested(declaration: dict[str, Any], depth: int, **members: Any) -> dict[str, Any]:
    """Return the declaration of arrays in arrays, around another one."""
    for _ in range(depth):
        declaration = {"items": declaration, **members}
    return declaration


@pytest.mark.parametrize("inner", [{"enum": ["a"]}, {"maxLength": 2, "pattern": "^a+$"}])
def test_arrays_in_arrays_are_looked_through_once(inner: dict[str, Any]) -> None:
    """Not once more for each array around them."""
    old, new = (nested(inner, 60, minItems=1, maxItems=most) for most in (2, 3))
    with counted(find_declaration_problem_text_or_empty, find_value_violation_text) as work:
        assert became("args", changed(args={"x": old}), changed(args={"x": new}))[0] == WIDENED
    assert work["find_declaration_problem_text_or_empty"] < 60 * 12
    assert work["find_value_violation_text"] < 60 * 12


@pytest.mark.parametrize("more", [{}, {"minLength": 1}])
def test_a_value_repeated_in_a_list_is_compared_once(more: dict[str, Any]) -> None:
    """A grant of 1 MiB may have it half a million times."""
    old, new = {"enum": ["a"] * 10_000, **more}, {"enum": ["a"] * 9_000 + ["b"], **more}
    with counted(find_value_violation_text) as work:
        assert became("args", changed(args={"x": old}), changed(args={"x": new}))[0] == WIDENED
    assert work["find_value_violation_text"] < 20


def test_values_that_match_nothing_in_a_list_use_up_steps() -> None:
    """So that a log does not have it looked at without end."""
    with SharedSteps() as steps:
        assert accepts_nothing({"x": {"enum": [*range(1_000)], "minimum": 1_000}}, "x")
    assert steps.left < SharedSteps().left - 1_000
