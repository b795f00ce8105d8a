"""The JSON Schema that editors use: what loads, and also what `validate` reports of keys and declarations.

`scripts/generate.py` writes it to `grant.schema.json`, which is what is installed: no command waits for pydantic.
"""

from typing import Any

from cortex_policy.core.arguments import ANNOTATIONS, TYPES
from cortex_policy.schema.declaration_keywords import (
    COUNT,
    DECLARATION,
    DECLARATION_KEYWORDS,
    NUMBER,
    TEXT,
    TYPE,
    VALUE,
    VALUES,
    Keyword,
)
from cortex_policy.schema.grant_document import make_grant_json_schema
from cortex_policy.schema.lint_rules.grant_keys import GRANT_KEYS, KEY_BY_NORMAL_FORM, PER_MINUTE, UNENFORCED_KEYS

_DECLARATION = {"$ref": "#/$defs/Declaration"}
_TYPE = {"enum": list(TYPES)}
_VALUES: dict[int, dict[str, Any]] = {
    TEXT: {"type": "string"},
    NUMBER: {"type": "number"},
    COUNT: {"type": "integer", "minimum": 0},
    TYPE: {"anyOf": [_TYPE, {"type": "array", "items": _TYPE, "minItems": 1}]},
    VALUE: {},
    VALUES: {"type": "array"},
    DECLARATION: _DECLARATION,
}


def make_editor_schema() -> dict[str, Any]:
    """Return the schema of a grant for editors."""
    schema = make_grant_json_schema()
    link = {"type": "string", "description": "The schema that editors check this file against."}
    schema["properties"] = {"$schema": link, **schema["properties"]}
    schema["properties"]["args"]["additionalProperties"] = _DECLARATION
    schema["patternProperties"] = {_wrong_keys_pattern(GRANT_KEYS, {*KEY_BY_NORMAL_FORM, *UNENFORCED_KEYS}): False}
    rate = schema["$defs"]["RateDocument"]
    rate["patternProperties"] = {_wrong_keys_pattern((PER_MINUTE,), {PER_MINUTE.lower(), *UNENFORCED_KEYS}): False}
    schema["$defs"]["Declaration"] = _declaration_schema()
    return schema


def _declaration_schema() -> dict[str, Any]:
    known = {keyword.name: _keyword_schema(keyword) for keyword in DECLARATION_KEYWORDS}
    ignored = {name: {"description": "An annotation, which a check ignores."} for name in sorted(ANNOTATIONS)}
    return {
        "type": "object",
        "description": "What an argument must look like.",
        "properties": known | ignored,
        "additionalProperties": False,
    }


def _keyword_schema(keyword: Keyword) -> dict[str, Any]:
    values = {"enum": ["path", "not-path"]} if keyword.name == "format" else _VALUES[keyword.kind]
    return {"description": keyword.sentence, **values}


def _wrong_keys_pattern(right: tuple[str, ...], words: set[str]) -> str:
    """Return a pattern of keys that `validate` warns of: misspelled ones, and restrictions that nothing enforces.

    The words are in lower case, without `_` and `-`.
    """
    spelled = "|".join("[_-]*".join(map(_either_case, word)) for word in sorted(words))
    return f"^(?!(?:{'|'.join(right)})$)(?:{spelled})$"


def _either_case(letter: str) -> str:
    return f"[{letter}{letter.upper()}]"
