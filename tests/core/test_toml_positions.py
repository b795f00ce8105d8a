"""The place of each key and value of a TOML text is found, as `tomllib` reads it."""

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.toml_positions import Keys, find_error_offset, find_key_spans
from tests.support.hook_calls import RULES


def shown(text: str) -> dict[Keys, tuple[str, str]]:
    """Return the text of each key and value."""
    return {
        keys: (text[one.key_start : one.key_end], text[one.start : one.end])
        for keys, one in find_key_spans(text).items()
    }


def leaves(value: object, keys: Keys = ()) -> dict[Keys, object]:
    """Return each value of a document that holds no others, by its keys."""
    parts: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        return {keys: value}
    return {inner: leaf for key, part in parts for inner, leaf in leaves(part, (*keys, key)).items()}


def test_rules_are_found_with_their_index() -> None:
    """Each `[[rule]]` begins another table."""
    text = 'format = 1\n# x\n[[rule]]\ntools = ["a",\n  "b", # c\n]\n[[rule]]\ngrant="g" # d\n[rule.more]\nx.y = {z = 1, "q q" = [[2]]}\n'
    assert shown(text) == {
        ("format",): ("format", "1"), ("rule",): ("[[rule]]", "[[rule]]"), ("rule", 0): ("[[rule]]", "[[rule]]"),
        ("rule", 0, "tools"): ("tools", '["a",\n  "b", # c\n]'), ("rule", 0, "tools", 0): ('"a"', '"a"'),
        ("rule", 0, "tools", 1): ('"b"', '"b"'), ("rule", 1): ("[[rule]]", "[[rule]]"), ("rule", 1, "grant"): ("grant", '"g"'),
        ("rule", 1, "more"): ("[rule.more]", "[rule.more]"),
        ("rule", 1, "more", "x", "y"): ("x.y", '{z = 1, "q q" = [[2]]}'), ("rule", 1, "more", "x", "y", "z"): ("z", "1"),
        ("rule", 1, "more", "x", "y", "q q"): ('"q q"', "[[2]]"), ("rule", 1, "more", "x", "y", "q q", 0): ("[2]", "[2]"),
        ("rule", 1, "more", "x", "y", "q q", 0, 0): ("2", "2"),
    }  # fmt: skip
    assert find_key_spans(text)["rule", 1].start == text.index("[[rule]]", 20)


@pytest.mark.parametrize(
    "text",
    [
        RULES, "", "\n", "a = '''x\n] '' '''\nb = 1", 'a = """x \\""" " y"""\nb = [1, 2,]', "a = 1979-05-27 07:32:00\nb = inf",
        'a."b.c".d = "x]"\n[t.u]\nc = [{d = 1}, {d = 2}]', "[[a.b]]\nx = 1\n[[a.b]]\nx = 2\n[a.b.c]\ny = 3\n[[a.b.d]]\nz = 4",
        "a = [ # ]\n 1, # ,\n\n 2 ]\r\nb = 'x' # y", "a = []\nb = {}\nc = [[], [1]]", "a = '''''''\nb = \"\"\"\"a\"\"\"\"",
    ],
)  # fmt: skip
def test_every_value_is_found(text: str) -> None:
    """What is found decodes as what `tomllib` has there."""
    found = shown(text)
    for keys, value in leaves(tomllib.loads(text)).items():
        assert tomllib.loads(f"x = {found[keys][1]}")["x"] == value


TEXTS = st.text(max_size=8)
DOCUMENTS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.integers(-9, 9) | TEXTS | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=12,
    ),
    max_size=4,
)


@given(DOCUMENTS)
def test_every_value_of_any_document_is_found(document: dict[str, Any]) -> None:
    """As another program writes it."""
    text = tomli_w.dumps(document)
    found = shown(text)
    for keys, value in leaves(document).items():
        assert tomllib.loads(f"x = {found[keys][1]}")["x"] == value


@example('"\\1" = 1')
@given(st.text("[]{}=.,'\"#\n a1\\", max_size=40))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Up to where it is no TOML."""
    find_key_spans(text)


def test_the_place_of_a_syntax_error_is_in_its_message() -> None:
    """By line and column, or the end."""
    text = "a = 1\nb = ]\n"
    assert find_error_offset(text, "invalid value (at line 2, column 5)") == text.index("]")
    assert find_error_offset(text, "expected `]` (at end of document)") == len(text)
    assert find_error_offset(text, "something") == 0
    assert find_error_offset(text, "x (at line 99, column 9)") == len(text)
