"""The argument rule: JSON-Schema fragments, of which no restriction is ignored silently.

It is one module, though a long one: a check with arguments loads all of it.
"""

from cortex_policy.core.decode import MAX_DEPTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cortex_policy.core.ecma_regex import StepLimit

TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
ANNOTATIONS = frozenset((
    "title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly",
))  # fmt: skip
_OF_ANY_KIND = ("type", "enum", "const")  # keywords that are looked at first
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTHS = {"minLength": "string", "maxLength": "string", "minItems": "array", "maxItems": "array"}


class _Work:
    """The steps that the patterns of one call have taken, and the item that does not match, after those in it."""

    steps: "StepLimit | None" = None

    def __init__(self) -> None:
        self.items: list[object] = []


def find_declared_path_or_not_path(declarations: "Mapping[str, object]", name: str) -> str | None:
    """Return `path` or `not-path` where the declaration of an argument says so."""
    items: object = declarations.get(name)
    if not isinstance(items, dict):
        return None
    word = items.get("format")
    while isinstance(items, dict):  # items of items too: a list of lists is denied as no path
        if items.get("format") == "path":
            return "path"
        items = items.get("items")
    return "not-path" if word == "not-path" else None


def find_declared_types(declarations: "Mapping[str, object]", name: str) -> tuple[str, ...]:
    """Return the names of the types that are declared for an argument; none if there is no valid `type`."""
    declaration = declarations.get(name)
    return _declared_types_or_none(declaration.get("type")) or () if isinstance(declaration, dict) else ()


def find_first_argument_violation_text(declarations: "Mapping[str, object]", given: "Mapping[str, object]") -> str:
    """Say which argument does not match its declaration, and why; '' if all match."""
    name, why, _ = find_first_violating_argument(declarations, given)
    return f"`{name}` {why}" if why else ""


def find_first_violating_argument(
    declarations: "Mapping[str, object]", given: "Mapping[str, object]"
) -> "tuple[str, str, list[object]]":
    """Return the first argument that does not match its declaration, and why; '' if all match.

    If an item of it does not match, this item comes last of those returned, after the items inside it.
    """
    work = _Work()
    for name, value in given.items():
        if name in declarations:
            why = find_declaration_problem_text_or_empty(declarations[name], 0) or _find_violation(
                declarations[name], value, 0, work
            )
            if why:
                return name, why, work.items
    return "", "", []


def find_value_violation_text(declaration: object, value: object) -> str:
    """Say why a value does not match a declaration without a problem; '' if it does."""
    return _find_violation(declaration, value, 0, _Work())


def contains_object(value: object) -> bool:
    """Whether a value is an object, or an array that holds one."""
    return isinstance(value, dict) or (isinstance(value, list | tuple) and any(map(contains_object, value)))


def has_enum_or_const(declarations: "Mapping[str, object]", name: str) -> bool:
    """Whether the declaration of an argument lists its values, and so the members of each."""
    declaration = declarations.get(name)
    return isinstance(declaration, dict) and ("const" in declaration or "enum" in declaration)


def is_annotation_keyword(keyword: str) -> bool:
    """Whether a keyword says nothing about which values are allowed."""
    return keyword in ANNOTATIONS


def _declared_types_or_none(value: object) -> tuple[str, ...] | None:
    """Return declared types; None if the declaration is broken."""
    if isinstance(value, str):
        return (value,) if value in TYPES else None
    words = value if isinstance(value, list) else [value]
    if not 0 < len(words) <= len(TYPES) or not all(isinstance(word, str) and word in TYPES for word in words):
        return None
    return tuple(words)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN


def _is_count(value: object) -> bool:
    return _is_number(value) and value >= 0 and value == value // 1  # type: ignore[operator]


def find_declaration_problem_text_or_empty(declaration: object, depth: int) -> str:
    """Say why a declaration cannot be enforced, '' if it can."""
    if not isinstance(declaration, dict) or depth > MAX_DEPTH:
        return "has a declaration that is not an object"
    for keyword, value in declaration.items():
        if not _is_enforceable(keyword, value):
            return f"is declared with `{keyword}`, which cannot be enforced"
        if keyword == "pattern" and (why := _pattern_problem_text(str(value))):
            return f"is declared with `pattern`, which cannot be enforced: {why}"
        if keyword == "items" and (why := find_declaration_problem_text_or_empty(value, depth + 1)):
            return f"(its items) {why}"
    return ""


def _is_enforceable(keyword: str, value: object) -> bool:
    if keyword in ANNOTATIONS or keyword in ("const", "items"):
        return True
    if keyword == "type":
        return _declared_types_or_none(value) is not None
    if keyword == "enum":
        return isinstance(value, list)
    if keyword in _BOUNDS:
        return _is_number(value)
    if keyword in _LENGTHS:
        return _is_count(value)
    if keyword == "format":
        return value in ("path", "not-path")
    return keyword == "pattern" and isinstance(value, str)


def _pattern_problem_text(pattern: str) -> str:
    from cortex_policy.core.ecma_regex import PatternError, PatternLimitError, compile_pattern  # noqa: PLC0415 - heavy

    try:
        compile_pattern(pattern)
    except (PatternError, PatternLimitError) as error:
        return str(error)
    return ""


def _find_pattern_violation(pattern: str, value: object, work: _Work) -> str:
    from cortex_policy.core.ecma_regex import PatternLimitError, StepLimit, compile_pattern  # noqa: PLC0415 - as above

    work.steps, why = work.steps or StepLimit(), ""
    try:
        if isinstance(value, str) and compile_pattern(pattern).search(value, work.steps):
            return ""
    except PatternLimitError as limit:
        why = f" {limit}"
    return f"must match `pattern` {pattern}{why}"


def _json_kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list | tuple):
        return "array"
    return "object" if isinstance(value, dict) else ""


def _is_of_type(value: object, word: str) -> bool:
    kind = _json_kind(value)
    if word == "integer":
        return kind == "number" and (isinstance(value, int) or value.is_integer())  # type: ignore[attr-defined]
    return kind == word


def _is_same_value(left: object, right: object, depth: int = 0) -> bool:
    if _json_kind(left) != _json_kind(right) or depth > MAX_DEPTH:
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_is_same_value(left[key], right[key], depth + 1) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_is_same_value, left, right, [depth + 1] * len(left)))
    return left == right


class _EnumCache(dict[int, "tuple[list[object], dict[object, object]]"]):
    """The different values of each `enum`, by their keys: all those of a grant fit, however many lists it has."""

    size = 0  # keys, and lists
    max_size = 1 << 18


_enum_cache = _EnumCache()


def map_enum_values_by_comparison_key(listed: "list[object]") -> "dict[object, object]":
    """Return the different values of an `enum` by their keys, kept for a while: an array may have any length."""
    cached = _enum_cache.get(id(listed))
    if cached is None or cached[0] is not listed:
        if _enum_cache.size >= _enum_cache.max_size:
            _enum_cache.clear()
            _enum_cache.size = 0
        cached = _enum_cache[id(listed)] = listed, {make_comparison_key(value): value for value in listed}
        _enum_cache.size += len(cached[1]) + 1
    return cached[1]


def make_comparison_key(value: object, depth: int = 0) -> object:
    """Return what two values share if they are the same, and no others do; NaN is none, itself included."""
    if depth > MAX_DEPTH or value != value:  # noqa: PLR0124 - NaN
        return object()
    if isinstance(value, dict):
        return "object", frozenset([(name, make_comparison_key(part, depth + 1)) for name, part in value.items()])
    if isinstance(value, list | tuple):
        return "array", tuple([make_comparison_key(part, depth + 1) for part in value])
    return ("boolean", value) if isinstance(value, bool) else value  # to Python `true` equals 1


def _find_violation(declaration: object, value: object, depth: int, work: _Work) -> str:
    if not isinstance(declaration, dict) or depth > MAX_DEPTH:
        return "is nested too deep"
    if not _json_kind(value) or (_json_kind(value) == "number" and not _is_number(value)):
        return "is not a JSON value, so it cannot meet its declaration"
    types = _declared_types_or_none(declaration["type"]) or () if "type" in declaration else ()
    why = _find_value_violation(declaration, types, value)
    if why or (value is None and "null" in types):
        return why  # null that the type names: the other keywords speak of other kinds
    for keyword, bound in declaration.items():
        if keyword not in _OF_ANY_KIND and (why := _find_keyword_violation(keyword, bound, value, depth, work)):
            return why
    return ""


def _find_value_violation(declaration: "dict[str, Any]", types: tuple[str, ...], value: object) -> str:
    if types and not any(_is_of_type(value, word) for word in types):
        return f"must be of type {' or '.join(types)}, not {_json_kind(value)}"
    if "enum" in declaration and make_comparison_key(value) not in map_enum_values_by_comparison_key(
        declaration["enum"]
    ):
        from cortex_policy.core.value_text import format_first_values  # noqa: PLC0415 - only a denial needs it

        return f"must be one of `enum`: {format_first_values(declaration['enum'])}"
    if "const" in declaration and not _is_same_value(value, declaration["const"]):
        from cortex_policy.core.value_text import format_value  # noqa: PLC0415 - only a denial needs it

        return f"must be the `const` {format_value(declaration['const'])}"
    return ""


def _find_keyword_violation(keyword: str, bound: "object", value: "object", depth: int, work: _Work) -> str:
    kind = _json_kind(value)
    if keyword in _BOUNDS:
        is_met = kind == "number" and _is_within_bound(keyword, value, bound)
        return "" if is_met else _unmet_bound_text(keyword, bound)
    if keyword in _LENGTHS:
        size = len(value) if kind == _LENGTHS[keyword] else -1  # type: ignore[arg-type]
        fits = size >= 0 and (size >= bound if keyword.startswith("min") else size <= bound)  # type: ignore[operator]
        return "" if fits else _unmet_bound_text(keyword, bound)
    if keyword == "pattern":
        return _find_pattern_violation(str(bound), value, work)
    if keyword == "items":
        if kind != "array":
            return "must be an array"
        for part in value:  # type: ignore[attr-defined]
            if why := _find_violation(bound, part, depth + 1, work):
                work.items.append(part)
                return f"(an item) {why}"
    return ""


def _unmet_bound_text(keyword: str, bound: "object") -> str:
    from cortex_policy.core.value_text import format_value  # noqa: PLC0415 - only a denial needs it

    return f"must meet `{keyword}` {format_value(bound)}"


def _is_within_bound(keyword: str, value: "object", bound: "object") -> bool:
    if keyword == "minimum":
        return value >= bound  # type: ignore[operator, no-any-return]
    if keyword == "maximum":
        return value <= bound  # type: ignore[operator, no-any-return]
    if keyword == "exclusiveMinimum":
        return value > bound  # type: ignore[operator, no-any-return]
    return value < bound  # type: ignore[operator, no-any-return]
