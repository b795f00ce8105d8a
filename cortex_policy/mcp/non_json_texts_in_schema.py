"""How a tool reads the texts in its arguments, by the schema of its input (docs/mcp.md#texts-that-are-json)."""

from cortex_policy.core import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTENT = frozenset(("contentMediaType", "contentEncoding", "contentSchema"))
_OTHER_SCHEMAS = frozenset((
    "$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "extends",
    "dependentSchemas", "dependencies", "patternProperties",
))  # fmt: skip
_MAX_PARTS = 100_000  # of a schema


class TextArguments(Value):
    """Which arguments are texts and nothing else, and whether the tool may read texts inside of others as JSON."""

    plain: frozenset[str]
    has_nested_json: bool


UNKNOWN_TEXTS = TextArguments(frozenset(), has_nested_json=True)


def find_non_json_texts_in_schema(schema: object) -> TextArguments:
    """Return how a tool reads the texts in its arguments, from the schema of its input; what is in doubt is JSON.

    References are not followed: a tool reads all texts as JSON, but plain ones, if its schema declares one of them so.
    """
    if not isinstance(schema, dict):
        return UNKNOWN_TEXTS
    declares_json = _may_declare_json(schema)
    properties = schema.get("properties")
    members = properties.items() if isinstance(properties, dict) else ()
    texts = {name: member for name, member in members if isinstance(member, dict) and member.get("type") == "string"}
    if declares_json:
        is_all = _OTHER_SCHEMAS.isdisjoint(schema)  # and no other schema says more of an argument
        texts = {name: member for name, member in texts.items() if is_all and _is_plain(member)}
    return TextArguments(frozenset(texts), declares_json)


def _is_plain(schema: "Mapping[str, object]") -> bool:
    return _OTHER_SCHEMAS.isdisjoint(schema) and not _has_json_keyword(schema)


def _may_declare_json(schema: "Mapping[str, object]") -> bool:
    """Whether a keyword for JSON in a text is anywhere in a schema, or the schema is too large to tell."""
    left: list[object] = [schema]
    seen: set[int] = set()  # a schema without references may hold one part at many places, even inside of itself
    while left:
        part = left.pop()
        if not isinstance(part, dict | list) or id(part) in seen:
            continue
        if len(seen) == _MAX_PARTS or (isinstance(part, dict) and _has_json_keyword(part)):
            return True
        seen.add(id(part))
        left += part.values() if isinstance(part, dict) else part
    return False


def _has_json_keyword(schema: "Mapping[str, object]") -> bool:
    reference, form = schema.get("$ref"), schema.get("format")
    is_elsewhere = isinstance(reference, str) and not reference.startswith("#")
    return is_elsewhere or not _CONTENT.isdisjoint(schema) or (isinstance(form, str) and "json" in form.lower())
