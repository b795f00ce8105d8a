"""JSON as agents' settings have it: with comments, a comma before a closing bracket, and a byte order mark.

Each is blanked by as many spaces, so that the strict parser gives the spans of the text as it is.
"""

import json
import re

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_DIGITS
from cortex_policy.core.json_tree import JsonNode, parse_tree

COMMENT, TRAILING_COMMA, BYTE_ORDER_MARK = ("a comment", "a comma before a closing bracket", "a byte order mark")
BOM = "\ufeff"
# INVARIANT: a string or comment without an end goes on to the end of the text: else each start in it would be tried
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_COMMENTS = re.compile(rf"({_STRING})|//[^\r\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
_TRAILING_COMMAS = re.compile(rf"({_STRING})|,(?=\s*[\]}}])", re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\r\n]")


class JsonText(Value):
    """A text, the same without comments, its tree, and what strict JSON lacks of it, with the offset.

    All offsets are those of the text: `uncommented` has spaces for comments.
    """

    text: str
    uncommented: str
    tree: JsonNode
    non_json_parts: "tuple[tuple[str, int], ...]"

    def to_python(self, node: JsonNode) -> object:
        """Return what a node means to Python; comments and trailing commas in it are left out."""
        return json.loads(
            _blank_trailing_commas(self.uncommented[node.start : node.end], []), parse_int=_integer_or_float
        )


def parse_jsonc(text: str) -> JsonText:
    """Parse a text; raise MalformedError, which says where, if more than this parts it from JSON."""
    non_json_parts = list[tuple[str, int]]()
    without_bom = text
    if text.startswith(BOM):
        non_json_parts.append((BYTE_ORDER_MARK, 0))
        without_bom = f" {text[1:]}"
    uncommented = _COMMENTS.sub(lambda match: match[1] or _blank_and_note(match, COMMENT, non_json_parts), without_bom)
    return JsonText(
        text, uncommented, parse_tree(_blank_trailing_commas(uncommented, non_json_parts)), tuple(non_json_parts)
    )


def _integer_or_float(digits: str) -> float:
    """Return an integer; one of more digits than Python reads is a float, which no setting is equal to."""
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _blank_trailing_commas(uncommented: str, non_json_parts: "list[tuple[str, int]]") -> str:
    return _TRAILING_COMMAS.sub(
        lambda match: match[1] or _blank_and_note(match, TRAILING_COMMA, non_json_parts), uncommented
    )


def _blank_and_note(match: re.Match[str], kind: str, non_json_parts: "list[tuple[str, int]]") -> str:
    non_json_parts.append((kind, match.start()))
    return _NOT_NEWLINE.sub(" ", match[0])
