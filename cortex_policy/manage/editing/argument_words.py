r"""Read the declaration of an argument from one word: NAME=TYPE[,KEYWORD=VALUE]..., or NAME={JSON}.

A comma ends a value; `\,` is a comma in it. A `\` before anything else stays, as patterns are full of them.
"""

import re

from cortex_policy.core.arguments import TYPES, find_declaration_problem_text_or_empty
from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.compare.declarations import accepts_nothing
from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import format_guess_hint
from cortex_policy.schema.declaration_keywords import (
    COUNT,
    DECLARATION,
    KEYWORD_BY_NAME,
    NUMBER,
    TYPE,
    VALUE,
    VALUES,
    Keyword,
    find_keyword_hint,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Declaration = dict[str, Any]

_TOKEN = re.compile(r"\\.|.", re.DOTALL)  # a character, with the `\` before it
_FORM = "it is NAME=TYPE[,KEYWORD=VALUE]..., such as `lines=integer,minimum=1,maximum=80`, or NAME={JSON}"
_OTHER_TYPES = {"path": "string,format=path", "list": "array", "dict": "object", "float": "number", "int": "integer"}


def parse_argument_declaration(word: str) -> "tuple[str, Declaration]":
    """Return the name and the declaration of an argument; raise UsageError for one that cannot be enforced."""
    name, equals, text = word.partition("=")
    if not name or not text or not equals:
        raise UsageError(f"`--arg {word}` declares nothing", _FORM)
    declaration = _parse_json(name, text) if text.startswith("{") else _parse_words(name, text)
    problem = find_declaration_problem_text_or_empty(declaration, 0)
    if problem:
        raise UsageError(f"`{name}` {problem}", _hint_for(declaration))
    if accepts_nothing({name: declaration}, name) and declaration.get("enum") != []:
        raise UsageError(f"no value meets the declaration of `{name}`", _mismatch_hint(declaration))
    return name, declaration


def _parse_json(name: str, text: str) -> "Declaration":
    try:
        declaration: Declaration = decode_json(text.encode())
    except (MalformedError, UnicodeEncodeError) as error:
        raise UsageError(f"the declaration of `{name}` is not JSON: {error}", _FORM) from None
    return declaration


def _parse_words(name: str, text: str) -> "Declaration":
    first, *pieces = _split_at_commas(text)
    declaration: Declaration = {"type": _parse_type(first)}
    seen = {"type"}
    for piece in pieces:
        keyword, equals, value = piece.partition("=")
        if not equals:
            raise UsageError(f"`{piece}` in the declaration of `{name}` is not KEYWORD=VALUE", _comma_hint())
        if keyword in seen:
            raise UsageError(f"`{keyword}` is given twice in the declaration of `{name}`")
        seen.add(keyword)
        *outer, last = keyword.split(".")
        if last not in KEYWORD_BY_NAME or outer != ["items"] * len(outer):
            raise UsageError(f"unknown keyword `{keyword}` in the declaration of `{name}`", find_keyword_hint(last))
        _add_keyword(_innermost_declaration(declaration, len(outer)), KEYWORD_BY_NAME[last], value)
    return declaration


def _split_at_commas(text: str) -> list[str]:
    r"""Split a text at its commas, except at each `\,`, which is a comma in a value."""
    pieces = [""]
    for part in _TOKEN.findall(text):
        if part == ",":
            pieces.append("")
        else:
            pieces[-1] += "," if part == r"\," else part
    return pieces


def _innermost_declaration(declaration: "Declaration", depth: int) -> "Declaration":
    for _ in range(depth):
        declaration = declaration.setdefault("items", {})
    return declaration


def _add_keyword(declaration: "Declaration", keyword: Keyword, text: str) -> None:
    if keyword.kind == DECLARATION:
        _innermost_declaration(declaration, 1)["type"] = _parse_type(text)
    elif keyword.kind == TYPE:
        declaration[keyword.name] = _parse_type(text)
    elif keyword.kind == VALUES:
        declaration[keyword.name] = [_parse_value(declaration, keyword, part) for part in text.split("|")]
    elif keyword.kind == VALUE:
        declaration[keyword.name] = _parse_value(declaration, keyword, text)
    else:
        declaration[keyword.name] = _parse_literal(keyword, text) if keyword.kind in (NUMBER, COUNT) else text


def _parse_type(text: str) -> str | list[str]:
    words = text.split("|")
    for word in words:
        if word not in TYPES:
            closest = _OTHER_TYPES.get(word) or find_closest_word(word, TYPES)
            raise UsageError(
                f"unknown type `{word}`", f"{format_guess_hint(closest)} {find_keyword_hint('type')}".strip()
            )
    return words if len(words) > 1 else words[0]


def _parse_value(declaration: "Declaration", keyword: Keyword, text: str) -> object:
    """Return a value of the declared type: a string is the text itself, everything else is JSON."""
    types = declaration.get("type")
    return text if "string" in (types if isinstance(types, list) else [types]) else _parse_literal(keyword, text)


def _parse_literal(keyword: Keyword, text: str) -> object:
    try:
        return decode_json(text.encode())
    except (MalformedError, UnicodeEncodeError):
        raise UsageError(f"`{keyword.name}` is `{text}`, which is not JSON", find_keyword_hint(keyword.name)) from None


def _hint_for(declaration: "Declaration") -> str:
    """Return the hint for the first keyword that cannot be enforced, also of the items."""
    for keyword, value in declaration.items():
        if find_declaration_problem_text_or_empty({keyword: value}, 0):
            return _hint_for(value) if keyword == "items" and isinstance(value, dict) else find_keyword_hint(keyword)
    return ""


def _mismatch_hint(declaration: "Declaration") -> str:
    """Name the keyword that denies each value of the type."""
    kept = {"type": declaration["type"]} if "type" in declaration else {}
    impossible = [
        keyword for keyword in declaration if accepts_nothing({"": {**kept, keyword: declaration[keyword]}}, "")
    ]
    if not impossible:
        return "two of its keywords contradict each other"
    types = declaration.get("type", [])
    of_type = f" of type {' or '.join([types] if isinstance(types, str) else types)}" if types else ""
    return f"`{impossible[0]}` allows no value{of_type}"


def _comma_hint() -> str:
    return r"a comma inside of a value is `\,`; a declaration may also be JSON, as NAME={...}"
