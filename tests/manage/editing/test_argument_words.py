"""One word declares an argument, or a message says what does not fit."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.arguments import TYPES, find_declaration_problem_text_or_empty
from cortex_policy.core.model import UsageError
from cortex_policy.manage.editing.argument_words import parse_argument_declaration


@pytest.mark.parametrize(("word", "declaration"), [
    ("lines=integer,minimum=1,maximum=80", {"type": "integer", "minimum": 1, "maximum": 80}),
    ("n=number,exclusiveMinimum=0.5,exclusiveMaximum=2e3", {"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 2000.0}),
    ("ref=string,minLength=1,maxLength=40", {"type": "string", "minLength": 1, "maxLength": 40}),
    (r"ref=string,pattern=^a{1\,3}=\d$,maxLength=4", {"type": "string", "pattern": r"^a{1,3}=\d$", "maxLength": 4}),
    (r"ref=string,pattern=^\\,maxLength=4", {"type": "string", "pattern": r"^\\", "maxLength": 4}),
    (r"ref=string,const=a\\\,b", {"type": "string", "const": r"a\\,b"}),
    ("ref=string,const=a\\", {"type": "string", "const": "a\\"}),
    ("target=string,format=path", {"type": "string", "format": "path"}),
    ("mode=string,enum=fast|slow|", {"type": "string", "enum": ["fast", "slow", ""]}),
    ("level=integer,enum=1|2", {"type": "integer", "enum": [1, 2]}),
    ("dry=boolean,const=true", {"type": "boolean", "const": True}),
    ("note=string|null", {"type": ["string", "null"]}),
    ("pair=array,minItems=2,maxItems=2,items=integer,items.minimum=0", {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer", "minimum": 0}}),
    ("files=array,items.format=path,items=string", {"type": "array", "items": {"format": "path", "type": "string"}}),
    ("grid=array,items=array,items.items=number", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
    ('ref={"type": "string", "enum": ["a,b", "c|d"], "title": "Ref"}', {"type": "string", "enum": ["a,b", "c|d"], "title": "Ref"}),
    ('never={"enum": []}', {"enum": []}),
    ("any={}", {}),
])  # fmt: skip
def test_a_word_declares_an_argument(word: str, declaration: dict[str, Any]) -> None:
    """With a type and keywords, or as JSON, which can say everything."""
    assert parse_argument_declaration(word) == (word.partition("=")[0], declaration)


@pytest.mark.parametrize(("word", "why", "hint"), [
    ("lines", "`--arg lines` declares nothing", "such as `lines=integer,minimum=1,maximum=80`"),
    ("=string", "declares nothing", "NAME=TYPE"),
    ("x=", "declares nothing", "NAME=TYPE"),
    ("x=strng", "unknown type `strng`", "did you mean `string`? the types are string, number"),
    ("x=list", "unknown type `list`", "did you mean `array`?"),
    ("x=path", "unknown type `path`", "did you mean `string,format=path`?"),
    ("x=,minimum=3", "unknown type ``", "the types are"),
    ("x=string,minlen=3", "unknown keyword `minlen`", "did you mean `minLength`?"),
    ("x=array,items.formt=path", "unknown keyword `items.formt`", "did you mean `format`?"),
    ("x=array,item.format=path", "unknown keyword `item.format`", "format"),
    ("x=string,title=X", "unknown keyword `title`", "what can be enforced: const, enum"),
    ("x=string,pattern=^a{1,3}$", "`3}$` in the declaration of `x` is not KEYWORD=VALUE", r"a comma inside of a value is `\,`"),
    ("x=integer,minimum=1,minimum=2", "`minimum` is given twice", ""),
    ("x=integer,type=string", "`type` is given twice", ""),
    ("x=integer,minimum=one", "`minimum` is `one`, which is not JSON", "`minimum` takes a number"),
    ("x=integer,enum=1|b", "`enum` is `b`, which is not JSON", "`enum` takes an array of values"),
    ("x=string,minLength=-1", "`x` is declared with `minLength`, which cannot be enforced", "takes a whole number"),
    ("x=string,format=uri", "`x` is declared with `format`", 'the formats are "path" and "not-path"'),
    ("x=string,pattern=(", "a group that is not closed", "flag `u`"),
    ("x=integer,minLength=3", "no value meets the declaration of `x`", "`minLength` allows no value of type integer"),
    ("x=integer|boolean,minLength=3", "no value meets the declaration of `x`", "allows no value of type integer or boolean"),
    ('x={"minLength": 1, "minimum": 1}', "no value meets the declaration of `x`", "contradict"),
    ('x={"type": "string"', "the declaration of `x` is not JSON", "NAME={JSON}"),
    ('x={"typ": "string"}', "`x` is declared with `typ`", "did you mean `type`?"),
    ('x={"items": {"formt": 1}}', "`x` (its items) is declared with `formt`", "did you mean `format`?"),
    ('x={"items": 1}', "`x` (its items) has a declaration that is not an object", ""),
    ('x={"a": "\udcff"}', "is not JSON", ""),
])  # fmt: skip
def test_words_that_do_not_fit_are_refused(word: str, why: str, hint: str) -> None:
    """With what was meant, where that can be guessed."""
    with pytest.raises(UsageError) as caught:
        parse_argument_declaration(word)
    assert why in caught.value.detail
    assert hint in caught.value.hint


@given(st.text(st.sampled_from("a,=|.{}\n"), max_size=50), st.sampled_from(["string", "string|null"]))
def test_any_text_can_be_a_value(text: str, types: str) -> None:
    r"""Its commas are written `\,`; in JSON nothing is special."""
    escaped = text.replace(",", r"\,")
    assert parse_argument_declaration(f"x={types},const={escaped},maxLength=50")[1]["const"] == text
    declaration = {"type": types.split("|"), "const": text}
    assert parse_argument_declaration(f"x={json.dumps(declaration)}") == ("x", declaration)


@given(st.text(st.sampled_from('abcfimnsty=,.|\\{}[]"1')), st.sampled_from(TYPES))
def test_no_word_declares_what_cannot_be_enforced(text: str, word: str) -> None:
    """It is refused, and nothing else is ever raised."""
    try:
        _, declaration = parse_argument_declaration(f"x={word},{text}")
    except UsageError:
        return
    assert not find_declaration_problem_text_or_empty(declaration, 0)
