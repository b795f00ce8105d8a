"""Whether one declaration of an argument allows only values that another one allows: proven, never guessed."""

from math import inf

from cortex_policy.core.arguments import (
    contains_object,
    find_declaration_problem_text_or_empty,
    find_declared_types,
    find_value_violation_text,
    make_comparison_key,
    map_enum_values_by_comparison_key,
)
from cortex_policy.core.ecma_regex import spend_steps_of_shared_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    Declarations = Mapping[str, object]
    Interval = tuple[tuple[float, int], tuple[float, int]]

# each type as a set of disjoint kinds, so that comparing subsets is exact
_KINDS = {
    "string": {"string"}, "number": {"whole", "fraction"}, "integer": {"whole"}, "boolean": {"boolean"},
    "array": {"array"}, "object": {"object"}, "null": {"null"},
}  # fmt: skip
_ANY_KIND = frozenset[str]().union(*_KINDS.values())
_KINDS_OF_KEYWORD = (
    dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _KINDS["number"])
    | dict.fromkeys(("minLength", "maxLength", "pattern"), _KINDS["string"])
    | dict.fromkeys(("minItems", "maxItems", "items"), _KINDS["array"])
)
_STEPS_OF_A_VALUE = 5  # steps in patterns that take about as long as to look at a value
KEYWORDS = frozenset(("type", "enum", "const", "format")) | _KINDS_OF_KEYWORD.keys()


def accepts_nothing(declarations: "Declarations", name: str) -> bool:
    """Whether every value of this argument is proven to be denied."""
    return name in declarations and (_is_broken(declarations[name]) or _is_empty(declarations[name]))


def is_subset(new: "Declarations", old: "Declarations", name: str) -> bool:
    """Whether every value that `new` allows for this argument is proven to be allowed by `old` too."""
    if name in new and _is_broken(new[name]):
        return True
    if name in old and _is_broken(old[name]):
        return name in new and _is_empty(new[name])
    return _is_subset(new, old, name)


def _is_broken(declaration: object) -> bool:
    return not isinstance(declaration, dict) or bool(find_declaration_problem_text_or_empty(declaration, 0))


# INVARIANT: what is below is asked of declarations that are not broken: to find that out takes a look at all `items`
def _is_empty(declaration: "Any") -> bool:
    """Whether every value is proven to be denied."""
    if not _possible_kinds(declaration):
        return True
    values, rest = _distinct_listed_values(declaration), _without_listed_values(declaration)
    if values is None:
        return False
    for value in values:
        if not find_value_violation_text(rest, value):
            return False
        spend_steps_of_shared_limit(_STEPS_OF_A_VALUE)
    return True


def _is_subset(new: "Declarations", old: "Declarations", name: str) -> bool:
    new_declaration: Any = new.get(name)
    old_declaration: Any = old.get(name)
    if name not in old or (name in new and _is_empty(new_declaration)):
        return True
    if name not in new or _is_empty(old_declaration):
        return False
    values, known = _distinct_listed_values(new_declaration), _distinct_listed_values(old_declaration)
    if values is None:
        return known is None and _is_within(new_declaration, old_declaration)
    keys = None if known is None else set(map(make_comparison_key, known))
    rest, old_rest = _without_listed_values(new_declaration), _without_listed_values(old_declaration)
    return all(
        find_value_violation_text(rest, value)
        or not (
            (keys is not None and make_comparison_key(value) not in keys) or find_value_violation_text(old_rest, value)
        )
        for value in values
    )


def allows_strings_at_any_depth(declarations: "Declarations", name: str) -> bool:
    """Whether a declaration allows a value that is a string, or holds one."""
    declaration = declarations.get(name, {})
    if not isinstance(declaration, dict):
        return False
    values = _listed_values(declaration)
    if values is not None:
        return any(isinstance(value, str | list | dict) for value in values)
    return bool(_possible_kinds(declaration) & {"string", "array", "object"})


def enumerates_objects(declarations: "Declarations", name: str) -> bool:
    """Whether some of the values that a declaration lists hold objects."""
    declaration = declarations.get(name)
    values = _listed_values(declaration) if isinstance(declaration, dict) else None
    return values is not None and any(map(contains_object, values))


def _without_listed_values(declaration: "dict[str, Any]") -> "dict[str, Any]":
    """Return a declaration without its `const` or `enum`: a listed value is looked up, not compared."""
    listed = "const" if "const" in declaration else "enum"
    return {keyword: value for keyword, value in declaration.items() if keyword != listed}


def is_subset_ignoring_patterns(new: "Declarations", old: "Declarations", name: str) -> bool:
    """Whether `is_subset` holds, or would without patterns and NaN, which only undeclared arguments take."""
    return is_subset(new, old, name) or is_subset(_without_patterns(new, name), _without_patterns(old, name), name)


def _without_patterns(declarations: "Declarations", name: str) -> "Declarations":
    declaration = declarations.get(name, {})
    if not isinstance(declaration, dict):
        return declarations
    return {name: {keyword: value for keyword, value in declaration.items() if keyword != "pattern"}}


def _listed_values(declaration: "dict[str, Any]") -> "list[Any] | None":
    """Return the only values that a declaration can allow, None if it lists none."""
    if "const" in declaration:
        return [declaration["const"]]
    return declaration.get("enum")


def _distinct_listed_values(declaration: "dict[str, Any]") -> "Collection[Any] | None":
    """Return the values that a declaration lists, each once; None if it lists none."""
    if "const" in declaration:
        return [declaration["const"]]
    return map_enum_values_by_comparison_key(declaration["enum"]).values() if "enum" in declaration else None


def _possible_kinds(declaration: "dict[str, Any]") -> set[str]:
    """Return the kinds of values that a declaration can allow: each keyword denies all kinds that it is not about."""
    words = find_declared_types({"": declaration}, "")
    kinds = set[str]().union(*(_KINDS[word] for word in words)) if words else set(_ANY_KIND)
    null = kinds & {"null"} if words else set()  # null that the type lists passes every other keyword
    for keyword in declaration.keys() & _KINDS_OF_KEYWORD.keys():
        kinds &= _KINDS_OF_KEYWORD[keyword] | null
    return kinds


def _is_within(new: "dict[str, Any]", old: "dict[str, Any]") -> bool:
    kinds = _possible_kinds(new)
    return (
        kinds <= _possible_kinds(old)
        and ("string" not in kinds or _are_strings_within(new, old))
        and ("array" not in kinds or _are_arrays_within(new, old))
        and (not kinds & _KINDS["number"] or _is_narrower(_number_bounds(new), _number_bounds(old)))
    )


def _are_strings_within(new: "dict[str, Any]", old: "dict[str, Any]") -> bool:
    is_matched = "pattern" not in old or old["pattern"] == new.get("pattern")
    return is_matched and _is_narrower(_size_bounds(new, "Length"), _size_bounds(old, "Length"))


def _are_arrays_within(new: "dict[str, Any]", old: "dict[str, Any]") -> bool:
    is_empty = new.get("maxItems") == 0
    return (is_empty or _is_subset(_items_declaration(new), _items_declaration(old), "items")) and _is_narrower(
        _size_bounds(new, "Items"), _size_bounds(old, "Items")
    )


def _items_declaration(declaration: "dict[str, Any]") -> "Declarations":
    return {"items": declaration["items"]} if "items" in declaration else {}


def _number_bounds(declaration: "dict[str, Any]") -> "Interval":
    """Return the lowest and highest number, each with a 1 or -1 if it is itself excluded."""
    return (
        max((declaration.get("minimum", -inf), 0), (declaration.get("exclusiveMinimum", -inf), 1)),
        min((declaration.get("maximum", inf), 0), (declaration.get("exclusiveMaximum", inf), -1)),
    )


def _size_bounds(declaration: "dict[str, Any]", what: str) -> "Interval":
    return (declaration.get(f"min{what}", 0), 0), (declaration.get(f"max{what}", inf), 0)


def _is_narrower(new: "Interval", old: "Interval") -> bool:
    return new[0] >= old[0] and new[1] <= old[1]
