"""The keywords of a declared argument, in one table: `set --arg`, the schema for editors, man pages and docs use it."""

from cortex_policy.core import Value
from cortex_policy.core.arguments import TYPES
from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.text import format_guess_hint

TEXT, NUMBER, COUNT, TYPE, VALUE, VALUES, DECLARATION = range(7)  # what a keyword takes


class Keyword(Value):
    """A keyword: what it takes, in words too, and what it asks of a value."""

    name: str
    kind: int
    takes: str
    sentence: str


DECLARATION_KEYWORDS = (
    Keyword("type", TYPE, "a type, or an array of types", "The value is of this type, or of one of them."),
    Keyword("enum", VALUES, "an array of values", "The value is one of these."),
    Keyword("const", VALUE, "a value", "The value is this one."),
    Keyword("minimum", NUMBER, "a number", "The number is at least this."),
    Keyword("maximum", NUMBER, "a number", "The number is at most this."),
    Keyword("exclusiveMinimum", NUMBER, "a number", "The number is greater than this."),
    Keyword("exclusiveMaximum", NUMBER, "a number", "The number is less than this."),
    Keyword("minLength", COUNT, "a whole number", "The string has at least this number of characters."),
    Keyword("maxLength", COUNT, "a whole number", "The string has at most this number of characters."),
    Keyword("pattern", TEXT, "an ECMAScript regular expression", "The string matches; `^` is its start, `$` its end."),
    Keyword("minItems", COUNT, "a whole number", "The array has at least this number of items."),
    Keyword("maxItems", COUNT, "a whole number", "The array has at most this number of items."),
    Keyword("items", DECLARATION, "a declaration", "Each item of the array meets this declaration."),
    Keyword(
        "format", TEXT, "`path` or `not-path`",
        "`path`: the value is a path, whatever the argument is called. `not-path`: it is not a path.",
    ),
)  # fmt: skip
KEYWORD_BY_NAME = {keyword.name: keyword for keyword in DECLARATION_KEYWORDS}
_HINTS = {
    "format": 'the formats are "path" and "not-path"',
    "pattern": "write ECMA with the flag `u`: no needless backslashes, and lookahead only at the very start",
    "type": f"the types are {', '.join(TYPES[:-1])} and {TYPES[-1]}",
}


def find_keyword_hint(keyword: str) -> str:
    """Return what to write in place of a keyword, or of a value, that cannot be enforced."""
    if keyword in _HINTS:
        return _HINTS[keyword]
    if keyword in KEYWORD_BY_NAME:
        return f"`{keyword}` takes {KEYWORD_BY_NAME[keyword].takes}"
    known = f"what can be enforced: {', '.join(sorted(KEYWORD_BY_NAME))}"
    meant = format_guess_hint(find_closest_word(keyword, tuple(KEYWORD_BY_NAME)))
    return f"{meant} {known}".strip()
