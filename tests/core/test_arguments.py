"""Arguments meet their declarations, and no restriction is skipped in silence."""

import json
import re
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.arguments import (
    MAX_DEPTH,
    _enum_cache,
    find_declared_path_or_not_path,
    find_declared_types,
    find_first_argument_violation_text,
    make_comparison_key,
)
from tests.support.work import counted

NAN, INFINITY = float("nan"), float("inf")


def missed(declaration: object, value: object) -> str:
    """Say how a value violates its declaration, '' where it meets it."""
    return find_first_argument_violation_text({"x": declaration}, {"x": value})


def nested(value: object, wrap: Callable[[object], object], times: int) -> object:
    """Wrap a value so often."""
    for _ in range(times):
        value = wrap(value)
    return value


TYPES = ["string", "number", "integer", "boolean", "array", "object", "null"]
SOME: list[object] = ["a", 3, None, [], {}, True]
NUMBER, WHOLE = {"number"}, {"number", "integer"}


@pytest.mark.parametrize(
    ("value", "types"),
    [
        ("", {"string"}), ("3", {"string"}), ("true", {"string"}), ("\ud800", {"string"}), (0, WHOLE), (-3, WHOLE), (1.0, WHOLE),
        (-0.0, WHOLE), (1e300, WHOLE), (10**400, WHOLE), (1.5, NUMBER), (INFINITY, NUMBER), (True, {"boolean"}), (False, {"boolean"}),
        ([], {"array"}), ([1, "a"], {"array"}), ((1, 2), {"array"}), ({}, {"object"}), ({"a": 1}, {"object"}), (None, {"null"}),
        (NAN, set()), (b"", set()),
    ],
)  # fmt: skip
def test_a_type_takes_its_own_kind_and_no_other(value: object, types: set[str]) -> None:
    """Booleans are no numbers, and `1.0` is an integer; of several types one is enough."""
    assert {word for word in TYPES if not missed({"type": word}, value)} == types
    for word in TYPES:
        assert (missed({"type": ["object", word]}, value) == "") == bool(types & {word, "object"})


@pytest.mark.parametrize(
    ("declaration", "value"),
    [
        ({}, "anything"), ({}, None),
        ({"type": ["string", "null"]}, None), ({"type": ["string", "null"]}, "a"), ({"type": ["null", "integer"]}, 2.0),
        ({"type": ["string", "null"], "minLength": 3, "pattern": "a"}, None),
        ({"enum": ["a", 1, None, [1, {"b": True}]]}, "a"), ({"enum": [1]}, 1.0), ({"enum": [1.0]}, 1), ({"enum": [None]}, None),
        ({"enum": [[1, {"b": True}]]}, [1, {"b": True}]), ({"enum": [{"a": 1, "b": 2}]}, {"b": 2, "a": 1}),
        ({"enum": [True]}, True), ({"const": True}, True), ({"const": 1}, 1), ({"const": None}, None), ({"const": [0]}, [0.0]),
        ({"const": {"a": [False]}}, {"a": [False]}), ({"const": ""}, ""),
        ({"minimum": 3}, 3), ({"minimum": 3}, 3.0), ({"minimum": 2.5}, 3), ({"minimum": -1}, -1), ({"minimum": 1}, 10**400),
        ({"maximum": 3}, 3), ({"maximum": 3.5}, -(10**400)), ({"minimum": 1, "maximum": 1}, 1),
        ({"exclusiveMinimum": 3}, 3.0000001), ({"exclusiveMaximum": 3}, 2), ({"minimum": 0}, INFINITY),
        ({"minLength": 0}, ""), ({"minLength": 2}, "äö"), ({"maxLength": 1}, "\U0001f600"), ({"minLength": 2.0}, "ab"),
        ({"maxLength": 0}, ""), ({"maxLength": 3}, "e\u0301!"),
        ({"pattern": "b"}, "abc"), ({"pattern": "^a+$"}, "aaa"), ({"pattern": ""}, ""), ({"pattern": r"^\d{2}$"}, "42"),
        ({"pattern": "^[a-z$.]+$"}, "a.$"), ({"pattern": r"^\$$"}, "$"), ({"pattern": "^a|b$"}, "xb"), ({"pattern": "^.$"}, "ä"),
        ({"pattern": r"^\/$"}, "/"), ({"pattern": r"^[\]]$"}, "]"),
        ({"minItems": 0}, []), ({"minItems": 1}, ["a"]), ({"maxItems": 1}, [["a", "b"]]), ({"maxItems": 2}, (1, 2)),
        ({"items": {"type": "string"}}, []), ({"items": {"type": "string", "maxLength": 1}}, ["a", "b"]),
        ({"items": {"items": {"minimum": 1}}}, [[1], [], [2, 3]]), ({"items": {}}, [None, 1, "a"]),
        ({"items": {"enum": [1, "a"]}, "maxItems": 2}, ["a", 1.0]),
        ({"type": "string", "title": 1, "description": [], "default": 3, "examples": None, "$comment": {}, "deprecated": "x",
          "readOnly": 0, "writeOnly": 0}, "a"),
        ({"format": "path"}, "a"), ({"format": "not-path", "type": "string"}, "a"),
    ],
)  # fmt: skip
def test_a_value_that_meets_its_declaration_passes(declaration: object, value: object) -> None:
    """Each keyword at its bound, in every spelling of a number, and annotations of any shape."""
    assert missed(declaration, value) == ""


@pytest.mark.parametrize(
    ("declaration", "value", "keyword"),
    [
        ({"type": "integer"}, True, "integer"), ({"type": "number"}, False, "number"), ({"type": "integer"}, 1.5, "integer"),
        ({"type": "integer"}, "1", "integer"), ({"type": "string"}, None, "string"), ({"type": ["string", "null"]}, 1, "string or null"),
        ({"type": "boolean"}, 1, "boolean"), ({"type": "boolean"}, 0, "boolean"), ({"type": "integer"}, INFINITY, "integer"),
        ({"enum": []}, "a", "enum"), ({"enum": ["a"]}, "A", "enum"), ({"enum": [1]}, True, "enum"), ({"enum": [True]}, 1, "enum"),
        ({"enum": [0]}, False, "enum"), ({"enum": ["1"]}, 1, "enum"), ({"enum": [None]}, False, "enum"), ({"enum": [[1]]}, [True], "enum"),
        ({"enum": [{"a": 1}]}, {"a": True}, "enum"), ({"enum": [{"a": [{"b": 0}]}]}, {"a": [{"b": False}]}, "enum"),
        ({"enum": [[1, 2]]}, [2, 1], "enum"), ({"enum": [[1, 2]]}, [1], "enum"), ({"enum": [{"a": 1}]}, {"a": 1, "b": 1}, "enum"),
        ({"const": 1}, True, "const"), ({"const": True}, 1, "const"), ({"const": False}, 0.0, "const"), ({"const": 0}, False, "const"),
        ({"const": None}, 0, "const"), ({"const": "a"}, ["a"], "const"), ({"const": [1]}, [True], "const"), ({"const": {}}, [], "const"),
        ({"const": 1, "enum": [1, 2]}, 2, "const"),
        ({"minimum": 3}, 2.9999, "minimum"), ({"maximum": 3}, 3.0001, "maximum"), ({"exclusiveMinimum": 3}, 3, "exclusiveMinimum"),
        ({"exclusiveMaximum": 3}, 3.0, "exclusiveMaximum"), ({"maximum": 3}, 10**400, "maximum"), ({"maximum": 1e308}, INFINITY, "maximum"),
        ({"minimum": 2**53}, 2**53 - 1, "minimum"), ({"maximum": float(2**53)}, 2**53 + 1, "maximum"),
        ({"minLength": 3}, "äö", "minLength"), ({"minLength": 2}, "\U0001f600", "minLength"), ({"maxLength": 2}, "abc", "maxLength"),
        ({"maxLength": 3}, "a\u0301b\u0301", "maxLength"),
        ({"pattern": "^a$"}, "a\n", "pattern"), ({"pattern": "^a$"}, "b\na", "pattern"), ({"pattern": "^[a]$"}, "a\n", "pattern"), ({"pattern": "a"}, "A", "pattern"),
        ({"pattern": r"^\d$"}, "\u0663", "pattern"), ({"pattern": r"^\w$"}, "ä", "pattern"), ({"pattern": "^.$"}, "\r", "pattern"),
        ({"pattern": "^.$"}, "\u2028", "pattern"), ({"pattern": "b{2}"}, "b", "pattern"),
        ({"minItems": 1}, [], "minItems"), ({"maxItems": 1}, [1, 2], "maxItems"),
        ({"items": {"type": "string"}}, ["a", 1], "string"), ({"items": {"type": "integer"}}, [True], "integer"),
        ({"items": {"minimum": 1}}, [2, 0], "minimum"), ({"items": {"maxLength": 1}}, ["a", "bc"], "maxLength"),
        ({"items": {"pattern": "^a"}}, ["b"], "pattern"), ({"items": {"const": 1}}, [True], "const"), ({"items": {"enum": ["a"]}}, ["b"], "enum"),
        ({"items": {"exclusiveMaximum": 3}}, [3], "exclusiveMaximum"), ({"items": {"items": {"maxItems": 0}}}, [[[1]]], "maxItems"),
    ],
)  # fmt: skip
def test_a_value_that_misses_its_declaration_is_denied_and_the_keyword_named(
    declaration: object, value: object, keyword: str
) -> None:
    """Equal in Python is not equal in JSON: `True` is not `1`, however deep."""
    why = missed(declaration, value)
    assert why.startswith("`x` ")
    assert keyword in why


@pytest.mark.parametrize("value", ["3", True, False, None, [], [3], {}, {"a": 3}])
@pytest.mark.parametrize("keyword", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
def test_a_bound_is_met_by_numbers_alone(keyword: str, value: object) -> None:
    """JSON Schema lets every other kind pass; here a restriction that says nothing about a value denies it."""
    declaration = {keyword: -1 if keyword.endswith("inimum") else 9}
    assert missed(declaration, 3) == ""
    assert keyword in missed(declaration, value)


@pytest.mark.parametrize("value", [3, True, None, ["abc"], {"abc": 1}])
@pytest.mark.parametrize("declaration", [{"minLength": 0}, {"maxLength": 9}, {"pattern": ""}])
def test_a_length_of_text_is_met_by_text_alone(declaration: dict[str, object], value: object) -> None:
    """So is a pattern."""
    assert next(iter(declaration)) in missed(declaration, value)


@pytest.mark.parametrize("value", [3, True, None, "abc", {"a": 1}])
@pytest.mark.parametrize("declaration", [{"minItems": 0}, {"maxItems": 9}, {"items": {}}])
def test_a_number_of_items_is_met_by_arrays_alone(declaration: dict[str, object], value: object) -> None:
    """Nor is an object an array."""
    assert missed(declaration, value)


@pytest.mark.parametrize("value", [NAN, -NAN, b"bytes", 1j, {1, 2}, object()])
@pytest.mark.parametrize(
    "declaration", [{}, {"type": "number"}, {"type": TYPES}, {"enum": [NAN]}, {"const": NAN}, {"minimum": 0}]
)
def test_nan_and_other_values_without_json_match_no_declaration(declaration: object, value: object) -> None:
    """Not even a declaration that asks for nothing; nor as an item, nor inside what is compared."""
    assert missed(declaration, value)
    assert missed({"items": declaration}, [value])
    assert missed({"const": [value]}, [NAN])


@pytest.mark.parametrize(("pattern", "value", "why"), [
    ("^a", "b", "must match `pattern` ^a"), ("^a", "a" * 70_000, "must match `pattern` ^a within 65,536 bytes"),
    ("a{99}b", "a" * 9_000, "must match `pattern` a{99}b within 300,000 steps"),
])  # fmt: skip
def test_a_bound_on_the_work_is_named(pattern: str, value: str, why: str) -> None:
    """What is too much work to match does not match."""
    assert missed({"pattern": pattern}, value) == f"`x` {why}"


@pytest.mark.parametrize(("bound", "text"), [
    (3, "3"), (3.0, "3"), (-0.0, "0"), (2.5, "2.5"), (1e-7, "1e-07"), (float(2**53), "9007199254740992.0"), (1e16, "1e+16"),
    (10**39, "1" + "0" * 39), (10**40, "a number that is too long to print"),
])  # fmt: skip
def test_a_bound_is_named_in_one_way_however_it_is_spelled(bound: float, text: str) -> None:
    """JSON has one number type."""
    assert missed({"minimum": bound, "maximum": bound}, "a") == f"`x` must meet `minimum` {text}"
    if bound == 3:
        assert missed({"minItems": bound}, "a") == "`x` must meet `minItems` 3"


def test_a_bound_of_any_size_can_be_named() -> None:
    """Python refuses to print the largest integers."""
    assert missed({"maximum": -(10**5_000)}, 3).endswith("`maximum` a number that is too long to print")


def test_the_values_of_one_call_share_a_bound_on_the_work() -> None:
    """An array holds any number of values, each within its own bound."""
    declaration, value = {"pattern": "a{20}b|x$"}, "a" * 9_000 + "x"  # 197,812 steps
    assert missed({"items": declaration}, [value] * 15) == ""
    why = "must match `pattern` a{20}b|x$ within 3,000,000 steps for all values of the call"
    assert missed({"items": declaration}, [value] * 17) == f"`x` (an item) {why}"
    many = {str(index): value for index in range(17)}
    assert find_first_argument_violation_text(dict.fromkeys(many, declaration), many) == f"`16` {why}"


BROKEN = [
    ("type", "text"), ("type", "String"), ("type", 3), ("type", None), ("type", []), ("type", ["string", "text"]), ("type", [["string"]]),
    ("type", {"a": 1}), ("enum", "a"), ("enum", None), ("enum", {"a": 1}), ("minimum", "3"), ("minimum", True), ("minimum", None),
    ("maximum", NAN), ("exclusiveMinimum", True), ("exclusiveMaximum", False), ("minLength", -1), ("minLength", 1.5), ("minLength", "1"),
    ("maxLength", True), ("maxLength", None), ("minItems", -0.5), ("minItems", INFINITY), ("maxItems", []), ("pattern", "("), ("pattern", 3),
    ("pattern", None), ("pattern", "[]a]"), ("pattern", r"(a)\1"), ("pattern", "[^]a]"), ("pattern", r"\p{L}"), ("pattern", "(?<=a)"), ("pattern", "*"),
    ("pattern", "a{2,1}"), ("pattern", "a{99999999999}"), ("format", "uri"), ("format", "date"), ("format", None), ("format", ["path"]),
    ("multipleOf", 2), ("uniqueItems", True), ("properties", {}), ("required", []), ("additionalProperties", False), ("$ref", "#"),
    ("anyOf", [{}]), ("not", {}), ("if", {}), ("contains", {}), ("prefixItems", []), ("minProperties", 0), ("Type", "string"),
    ("minlength", 1), ("", 1), ("requred", True),
]  # fmt: skip


@pytest.mark.parametrize(("keyword", "value"), BROKEN)
def test_a_declaration_that_cannot_be_enforced_denies_and_is_named(keyword: str, value: object) -> None:
    """Unknown, misspelled or broken: no value passes, at the top and in items, beside keywords that it meets."""
    for declaration in ({keyword: value}, {"description": "text", keyword: value}):
        for given_value in SOME:
            assert f"`{keyword}`" in missed(declaration, given_value)
            assert f"`{keyword}`" in missed({"items": declaration}, [given_value])
    assert f"`{keyword}`" in missed({"items": {"items": {keyword: value}}}, [])


@pytest.mark.parametrize("declaration", [None, True, False, "string", 3, [], ["string"], [{"type": "string"}]])
def test_a_declaration_that_is_no_object_denies(declaration: object) -> None:
    """A schema of `true` too: what it should restrict is not written there."""
    for value in SOME:
        assert "not an object" in missed(declaration, value)
        assert "not an object" in missed({"items": declaration}, [value])


def test_only_given_arguments_are_checked() -> None:
    """Undeclared ones pass, declared ones may be absent, broken declarations of absent ones deny nothing."""
    declarations = {"n": {"type": "integer"}, "bad": {"type": "text"}}
    assert find_first_argument_violation_text(declarations, {}) == ""
    assert find_first_argument_violation_text(declarations, {"other": NAN, "N": "x"}) == ""
    assert find_first_argument_violation_text(declarations, {"other": "x", "n": "x"}).startswith("`n` ")
    assert find_first_argument_violation_text({}, {"n": object()}) == ""


def test_deep_nesting_is_denied_without_a_traceback() -> None:
    """Declarations, values and compared values alike, up to the depth of a grant and far beyond it."""
    for depth, passes in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False), (100_000, False)):
        value = nested(0, lambda inner: [inner], depth)
        declaration = nested({"type": "integer"}, lambda inner: {"items": inner}, depth)
        assert (missed(declaration, value) == "") == passes
        assert (missed({"const": value}, value) == "") == passes
        members = nested(0, lambda inner: {"a": inner}, depth)
        assert (missed({"enum": [members]}, members) == "") == passes
        assert missed({"type": "array"}, value) == ""


def test_the_types_and_the_format_of_a_declaration_can_be_asked() -> None:
    """Broken ones have none."""
    declarations = {
        "a": {"type": "string"}, "b": {"type": ["null", "integer"]}, "c": {"type": "text"}, "d": "string", "e": {},
        "f": {"format": "path"}, "g": {"items": {"format": "path"}}, "h": {"format": "not-path"}, "i": {"format": "uri"},
    }  # fmt: skip
    assert [find_declared_types(declarations, name) for name in "abcde?"] == [
        ("string",),
        ("null", "integer"),
        (),
        (),
        (),
        (),
    ]
    assert [find_declared_path_or_not_path(declarations, name) for name in "adefghi?"] == [
        None,
        None,
        None,
        "path",
        "path",
        "not-path",
        None,
        None,
    ]


# A second opinion in other words: what each keyword says, and the kinds it says it about.


def canonical(value: object) -> str:
    """Spell a JSON value so that equal ones are equal texts: numbers as fractions, members sorted, kinds apart."""
    if value is None or isinstance(value, bool | str):
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"#{Fraction(value)}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    assert isinstance(value, dict)
    return "{" + ",".join(f"{json.dumps(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"


KINDS: dict[str, Callable[[str], bool]] = {
    "string": lambda text: text[0] == '"',
    "number": lambda text: text[0] == "#",
    "integer": lambda text: text[0] == "#" and "/" not in text,
    "boolean": lambda text: text in {"true", "false"},
    "array": lambda text: text[0] == "[",
    "object": lambda text: text[0] == "{",
    "null": lambda text: text == "null",
}
SAYS: dict[str, tuple[str, Callable[..., bool]]] = {
    "minimum": ("number", lambda value, bound: not value < bound),
    "maximum": ("number", lambda value, bound: not value > bound),
    "exclusiveMinimum": ("number", lambda value, bound: not value <= bound),
    "exclusiveMaximum": ("number", lambda value, bound: not value >= bound),
    "minLength": ("string", lambda value, bound: len(value) >= bound),
    "maxLength": ("string", lambda value, bound: len(value) <= bound),
    "pattern": ("string", lambda value, bound: re.search(bound, value) is not None),
    "minItems": ("array", lambda value, bound: len(value) >= bound),
    "maxItems": ("array", lambda value, bound: len(value) <= bound),
    "items": ("array", lambda value, bound: all(meets(bound, part) for part in value)),
}


def meets(declaration: dict[str, object], value: object) -> bool:
    """Whether a JSON value meets a sound declaration."""
    text = canonical(value)
    words = declaration.get("type", list(KINDS))
    if not any(KINDS[word](text) for word in ([words] if isinstance(words, str) else words)):  # type: ignore[attr-defined]
        return False
    if "enum" in declaration and text not in map(canonical, declaration["enum"]):  # type: ignore[call-overload]
        return False
    if "const" in declaration and text != canonical(declaration["const"]):
        return False
    if text == "null" and "type" in declaration:
        return True  # it got past the type, so that names null
    return all(
        KINDS[SAYS[keyword][0]](text) and SAYS[keyword][1](value, bound)
        for keyword, bound in declaration.items()
        if keyword in SAYS
    )


small = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, -2.0]) | st.text("ab1", max_size=3)
)
values = st.recursive(
    small, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner), max_leaves=5
)
bounds = st.integers(-3, 3) | st.sampled_from([0.5, 1.0])
counts = st.integers(0, 3) | st.sampled_from([1.0, 2.0])
words = st.sampled_from(sorted(KINDS))
keywords = {
    "type": words | st.lists(words, min_size=1, max_size=3),
    "enum": st.lists(values, max_size=4),
    "const": values,
    "pattern": st.sampled_from(["a", "^a", "a|b", "^[ab]+", "1", ""]),
    "title": values,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), bounds),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), counts),
}
flat = st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: keywords[name] for name in names})
)
declarations = st.recursive(
    flat, lambda inner: st.builds(lambda one, items: {**one, "items": items}, flat, inner), max_leaves=3
)


@given(declarations, values)
@example({"const": [1]}, [True])
@example({"type": "array", "items": {"const": 1}}, [1.0])
def test_argument_checks_agree_with_a_second_implementation(declaration: dict[str, object], value: object) -> None:
    """Any sound declaration and any JSON value."""
    assert (missed(declaration, value) == "") == meets(declaration, value)


@given(st.dictionaries(st.sampled_from([*keywords, "items", "format", "x"]), values), values)
def test_any_declaration_gives_an_answer(declaration: dict[str, object], value: object) -> None:
    """A broken one denies, and nothing raises."""
    why = missed(declaration, value)
    if "x" in declaration:
        assert "cannot be enforced" in why or "not an object" in why


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5, "", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(json_values, json_values)
def test_a_value_is_in_an_enum_if_it_is_one_of_its_values(value: object, listed: object) -> None:
    """One way to look for a value among many, another to compare it with one: they agree."""
    assert bool(find_first_argument_violation_text({"x": {"enum": [listed, []]}}, {"x": value})) == bool(
        find_first_argument_violation_text({"x": {"const": listed}}, {"x": value})
        and find_first_argument_violation_text({"x": {"const": []}}, {"x": value})
    )


def test_a_value_not_equal_to_itself_is_in_no_enum() -> None:
    """Not even where the very same object is listed."""
    odd = [float("nan")]
    assert find_first_argument_violation_text({"x": {"enum": [odd]}}, {"x": odd})


def test_an_array_of_any_length_is_looked_up_in_an_enum_of_any_length() -> None:
    """Where each value is compared with each other one this takes ten minutes."""
    listed = [f"v{number}" for number in range(3_000)]
    assert not find_first_argument_violation_text({"x": {"items": {"enum": listed}}}, {"x": listed[-1:] * 100_000})


def test_however_many_lists_a_grant_has_each_is_looked_through_once() -> None:
    """A call may ask for more of them than are kept of other grants."""
    declarations = {f"x{index}": {"enum": [index, *range(1_000)]} for index in range(100)}
    for _ in range(3):
        with counted(make_comparison_key) as work:
            assert not find_first_argument_violation_text(declarations, dict.fromkeys(declarations, 7))
    assert work["make_comparison_key"] == 100


def test_very_many_values_are_not_kept() -> None:
    """A service has the grants of many."""
    for number in range(4):
        assert not find_first_argument_violation_text({"x": {"enum": list(range(200_000))}}, {"x": number})
    assert sum(len(found) for _, found in _enum_cache.values()) <= 500_000


def test_a_list_of_types_has_each_once() -> None:
    """Each value is compared with each type."""
    assert not missed({"type": ["string", "number", "integer", "boolean", "array", "object", "null"]}, 1)
    assert "cannot be enforced" in missed({"type": ["string", "null"] * 4}, "a")
