"""Errors of a decoded value that is not a grant, in our words."""

import re

from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.decode import DATA_CLASSES
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.text import format_guess_hint
from cortex_policy.schema.lint_rules.grant_keys import GRANT_KEYS, find_similar_grant_key, looks_like_per_minute_key
from cortex_policy.schema.problems import UnlocatedProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SHOWN = 40
_EXAMPLE_MEMBERS = {
    "tool": '"tool": "NAME"',
    "actions": '"actions": ["ACTION"]',
    "rate": '"rate": {"perMinute": 30}',
    "perMinute": '"perMinute": 30',
}
_EXPECTED = {
    ("tool",): "a string that is not empty",
    ("actions",): "an array of strings",
    ("fsScope",): "an array of strings",
    ("args",): "an object",
    ("dataClass",): "public, internal or sensitive",
    ("rate",): 'an object like {"perMinute": 30}',
    ("rate", "perMinute"): "an integer of at least 1",
}
_TYPE_NAMES: "dict[type, str]" = {dict: "an object", list: "an array", bool: "a boolean", str: "a string"}
_DISTINCTIVE_KEYS = frozenset(GRANT_KEYS) - {"args"}  # which other files have too
_VALUE_ERRORS = ("string_too_short", "greater_than_equal", "literal_error")
_GRANT_SCHEMA = re.compile("tool|grant", re.IGNORECASE)
_SCHEMA_HINT = "see what a grant looks like with `cortex-policy schema`"


def find_non_grant_problem_or_none(document: object) -> UnlocatedProblem | None:
    """Return the one problem for a value that was never meant as a grant, None for one that may have been."""
    if not isinstance(document, dict):
        type_name = _TYPE_NAMES.get(type(document), "null" if document is None else "a number")
        return UnlocatedProblem("shape-other", f"a grant is a JSON object, and this is {type_name}", _SCHEMA_HINT)
    link = document.get("$schema")
    if not document or any(find_similar_grant_key(key) in _DISTINCTIVE_KEYS for key in document):
        return None
    if (isinstance(link, str) and "json-schema.org" in link) or {
        "properties",
        "$defs",
        "definitions",
    } & document.keys():
        hint = "a schema describes grants, and belongs elsewhere; make a grant with `cortex-policy new ID`"
        return UnlocatedProblem("shape-schema", "it is a JSON Schema, not a grant", hint)
    if isinstance(link, str) and _GRANT_SCHEMA.search(link):
        return None  # it says what it means to be
    hint = "a grant has `tool`, `actions` and `rate`; make one with `cortex-policy new ID`, or move this file away"
    return UnlocatedProblem("shape-other", f"it is JSON, but not a tool grant: it has {_list_keys(document)}", hint)


def make_problem_of_model_error(document: "Mapping[str, object]", error: "Mapping[str, object]") -> UnlocatedProblem:
    """Return the problem for an error of the model: a key that is missing, or a value that is wrong."""
    steps = error["loc"]
    if not isinstance(steps, tuple):
        message = "an error without a place"
        raise AssertionError(message)  # noqa: TRY004 - a bug in this program
    if error["type"] == "missing":
        return _missing_key_problem(document, steps)
    value = error["input"]
    code = "shape-value" if error["type"] in _VALUE_ERRORS or isinstance(value, float) else "shape-type"
    must_be = _EXPECTED.get(steps, "a string")
    kind = "the string " if isinstance(value, str) and code == "shape-type" else ""
    message = f"`{_place_label(steps)}` is {kind}{_describe_value(value)}, and must be {must_be}"
    return UnlocatedProblem(code, message, _suggest_value(steps, value), format_json_pointer(*steps))


def _missing_key_problem(document: "Mapping[str, object]", steps: tuple[object, ...]) -> UnlocatedProblem:
    key = str(steps[-1])
    if len(steps) == 1:
        similar = [one for one in document if one not in GRANT_KEYS and find_similar_grant_key(one) == key]
    else:
        rate = document["rate"]
        similar = [one for one in rate if looks_like_per_minute_key(one)] if isinstance(rate, dict) else []
    hint = f"add {_EXAMPLE_MEMBERS[key]}"
    if similar:
        hint = f"`{similar[0]}` is another key: {format_guess_hint(key)}"
    return UnlocatedProblem(
        "shape-missing", f"`{_place_label(steps)}` is missing", hint, format_json_pointer(*steps[:-1])
    )


def _place_label(steps: tuple[object, ...]) -> str:
    """Return the name of a place as people write it: `rate.perMinute`, `actions[1]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _describe_value(value: object) -> str:
    """Describe a value: a word or number as it is, a container by its type."""
    if value == "":
        return "empty"
    if isinstance(value, str):
        return f"`{value[:MAX_SHOWN]}{'...' if len(value) > MAX_SHOWN else ''}`"
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, int | float):
        return f"{value:.15g}" if isinstance(value, float) or abs(value) < 1 << 53 else "a giant number"
    return _TYPE_NAMES[type(value)]


def _suggest_value(steps: tuple[object, ...], value: object) -> str:
    """Suggest what was meant, if that can be guessed."""
    if isinstance(value, str):
        if steps == ("dataClass",):
            return format_guess_hint(find_closest_word(value, DATA_CLASSES)) or _SCHEMA_HINT
        if steps == ("rate", "perMinute") and value.isdecimal():
            return f"write {value[:MAX_SHOWN]} without quotes"
        if steps in {("actions",), ("fsScope",)}:
            return f'write ["{value[:MAX_SHOWN]}"]'
    if steps == ("rate",) and isinstance(value, int) and not isinstance(value, bool):
        return f'write {{"perMinute": {_describe_value(value)}}}'
    return _SCHEMA_HINT


def _list_keys(document: "Mapping[str, object]") -> str:
    keys = [f"`{key[:MAX_SHOWN]}`" for key in document]
    return ", ".join(keys[:3]) + (" and more" if len(keys) > 3 else "")  # noqa: PLR2004 - enough to recognise it
