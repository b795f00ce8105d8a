"""A text that is no JSON is told for what it likely is, each cause once and at its place."""

import json

import pytest
from documents import grant_texts
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.decode import Malformed, decode_json
from cortex_policy.core.spans import place
from cortex_policy.schema.syntax import faults

G = '{"tool": "t",\n "actions": ["a"],\n "rate": {"perMinute": 1}}\n'
CASES: list[tuple[bytes | str, list[tuple[str, int, int, str]]]] = [
    (G, []),
    ("", [("json", 1, 1, "it is empty")]),
    (" \n\t", [("json", 1, 1, "it is empty")]),
    ("\ufeff" + G, [("bom", 1, 1, "byte order mark")]),
    ('{"tool": "é"}'.encode("latin-1"), [("encoding", 1, 11, "byte 11 is not UTF-8")]),
    (G.encode("utf-16"), [("encoding", 1, 1, "byte 1 is not UTF-8")]),
    (" " * (1 << 20) + "1", [("limit", 1, 1, "larger than 1048576 bytes")]),
    ("[" * 70 + "]" * 70, [("limit", 1, 65, "nested deeper than 64")]),
    (G.encode("utf-16-le"), [("encoding", 1, 1, "UTF-16LE")]),
    (G.encode("utf-16-be"), [("encoding", 1, 1, "UTF-16BE")]),
    ("\0" * 200, [("json", 1, column, "U+0000") for column in range(1, 101)]),
    # other files
    ("```json\n{}\n```\n", [("json", 1, 1, "Markdown around JSON")]),
    ("module.exports = {\n", [("json", 1, 1, "JavaScript")]),
    ("const grant = {\n", [("json", 1, 1, "JavaScript")]),
    ('tool = "x"\n', [("json", 1, 1, "looks like TOML")]),
    ("[rate]\nperMinute = 6\n", [("json", 1, 1, "looks like TOML")]),
    # what a template left, and other marks in place of ours
    ('{"a": ${RATE}, "b": {{ b }}, "c": [<% c %>]}', [("json", 1, 7, "`${RATE}` is a placeholder"), ("json", 1, 21, "`{{ b }}`"), ("json", 1, 36, "`<% c %>`")]),
    ('{"a" = "x", "b" => [1]}', [("json", 1, 6, "`=` stands where `:` must"), ("json", 1, 17, "`=>` stands where `:` must")]),
    ('{"a": "x";\n"b": 6;\n"c": [1; 2]}', [("json", 1, 10, "`;` stands where `,` must"), ("json", 2, 7, "`;`"), ("json", 3, 8, "`;`")]),
    # shell
    ("agents='{\n\"a\": 1}'\n", [("shell", 1, 1, "shell around JSON, which begins at line 1")]),
    ("#!/bin/sh\ncat > x <<'EOF'\n{}\nEOF\n", [("shell", 1, 1, "which begins at line 3")]),
    ("cat > x.json <<EOF\n" + G + "EOF\n", [("shell", 1, 1, "shell around JSON")]),
    ("export GRANT=x", [("shell", 1, 1, "shell around JSON")]),
    (G + "EOF\n", [("shell", 4, 1, "left of a shell script: `EOF`")]),
    (G.rstrip() + "'\n", [("shell", 3, 27, "left of a shell script")]),
    # merges
    ("<<<<<<< HEAD\n{}\n=======\n[]\n>>>>>>> topic\n", [("conflict", 1, 1, "of a merge: `HEAD` and `topic`")]),
    ('{"tool": "t",\n<<<<<<< ours\n"a": 1\n||||||| base\n=======\n"a": 2\n>>>>>>> x\n}', [("conflict", 2, 1, "`ours` and `x`")]),
    # other files
    ("tool: git\nactions:\n  - tree\n", [("json", 1, 1, "looks like YAML")]),
    ("---\na: 1\n", [("json", 1, 1, "looks like YAML")]),
    ("<!DOCTYPE html>\n<html>", [("json", 1, 1, "it is HTML")]),
    ("version https://git-lfs.github.com/spec/v1\noid x\n", [("json", 1, 1, "git-lfs")]),
    ('{"a": 1}\n{"b": 2}\n', [("json", 2, 1, "text after the value")]),
    ("{} x", [("json", 1, 4, "text after the value")]),
    # comments
    ('{ // one\n"a": 1, /* two\n */ # three\n"b": 2 }', [("comment", 1, 3, ""), ("comment", 2, 9, ""), ("comment", 3, 5, "")]),
    ("{} /* no end", [("comment", 1, 4, "no comments")]),
    # commas
    ('{"a": [1, 2,], "b": 1,\n}', [("comma", 1, 12, "too many"), ("comma", 1, 22, "too many")]),
    ('{"a": [1,, 2]}', [("comma", 1, 10, "too many")]),
    ("[, 1]", [("comma", 1, 2, "too many")]),
    ('{"a": 1\n"b": 2}', [("json", 1, 7, "a comma is missing")]),
    ('{"a": ["x" "y"], "b": 1}', [("json", 1, 10, "a comma is missing")]),
    # quotes
    ("{'a': 'b'}", [("quotes", 1, 2, "`'` is no quote"), ("quotes", 1, 7, "`'` is no quote")]),
    ("{\u201ca\u201d: 1}", [("quotes", 1, 2, "`\u201c` is no quote")]),
    ("{tool: 1}", [("quotes", 1, 2, "the key `tool` has no quotes")]),
    ('{"a": tree}', [("quotes", 1, 7, "`tree` has no quotes")]),
    ("{'a: 1}", [("quotes", 1, 2, "`'` is no quote")]),
    # words and numbers
    ('{"a": True, "b": None}', [("json", 1, 7, "`True` is not JSON"), ("json", 1, 18, "`None` is not JSON")]),
    ('{"a": NaN, "b": -Infinity}', [("number", 1, 7, "`NaN` is no JSON number"), ("number", 1, 17, "`-Infinity`")]),
    ('{"a": 1e999}', [("number", 1, 7, "too large: `1e999`")]),
    ('{"a": ' + "9" * 4301 + "}", [("number", 1, 7, "more than 4300 digits")]),
    *(('{"a": ' + word + "}", [("number", 1, 7, f"`{word}` is no JSON number")]) for word in ("01", "+1", ".5", "1.", "0x1F", "1_0")),
    # strings
    ('{"a": "b\n}', [("json", 1, 7, "a string has no end")]),
    ('{"a": "b', [("json", 1, 7, "a string has no end")]),
    ('{"a": "b\tc"}', [("json", 1, 9, "a control character in a string: U+0009")]),
    ('{"a": "\\x \\u12"}', [("json", 1, 8, "`\\x` is no escape"), ("json", 1, 11, "`\\u` is no escape")]),
    ('{"a": "\\ud800"}', [("string", 1, 7, "lone surrogate")]),
    # structure
    ('{"a": 1', [("json", 1, 1, "`{` is never closed")]),
    ('{"a": {"b": [1', [("json", 1, 1, "`{` is never closed, and 2 in it")]),
    ('{"a": [1, "b": 2}', [("json", 1, 7, "`[` is never closed")]),
    ('{"a": 1]}', [("json", 1, 8, "`]` closes nothing")]),
    ('{"a" 1}', [("json", 1, 4, "`:` is missing")]),
    ('{"a": }', [("json", 1, 5, "a value is missing")]),
    ('{"a": , "b": 1}', [("json", 1, 7, "a value is missing")]),
    ('{"a"}', [("json", 1, 4, "a value is missing")]),
    ('{{"a": 1}}', [("json", 1, 2, "a key is missing")]),
    (": 1", [("json", 1, 1, "`:` stands where a value should")]),
    ("}", [("json", 1, 1, "`}` closes nothing")]),
    ('{"a":\u00a01}', [("json", 1, 6, "a blank that JSON does not know: U+00A0")]),
    ("\0", [("json", 1, 1, "a character that JSON does not know: U+0000")]),
    # keys
    ('{"tool": 1,\n "to\\u006fl": 2}', [("key", 2, 2, "the key `tool` stands twice, first at line 1 column 2")]),
    ('{"a": {"b": 1, "b": 2}, "a": 3}', [("key", 1, 16, "`b`"), ("key", 1, 25, "`a`")]),
    # all at once
    (
        "{ // mine\n 'tool': \"t\",\n \"actions\": [\"a\",],\n \"rate\": {\"perMinute\": NaN},\n \"tool\": 1,\n}",
        [("comment", 1, 3, ""), ("quotes", 2, 2, ""), ("comma", 3, 17, ""), ("number", 4, 24, ""), ("key", 5, 2, "line 2 column 2"),
         ("comma", 5, 11, "")],
    ),
]  # fmt: skip


def bytes_of(text: bytes | str) -> bytes:
    """Return the bytes of a case."""
    return text if isinstance(text, bytes) else text.encode()


def named(case: object) -> str | None:
    """Name a case by its text."""
    return repr(case)[:30] if isinstance(case, str | bytes) else None


@pytest.mark.parametrize(("text", "expected"), CASES, ids=named)
def test_the_cause_is_told_at_its_place(text: bytes | str, expected: list[tuple[str, int, int, str]]) -> None:
    """And nothing that only follows from it."""
    data = bytes_of(text)
    found = faults(data)
    seen = data.decode("utf-8", "replace")
    places = [place(seen, one.span[0]) for one in found if one.span is not None]
    assert [(one.code, *at) for one, at in zip(found, places, strict=True)] == [
        (f"syntax-{code}", line, column) for code, line, column, _ in expected
    ]
    for one, (_, _, _, message) in zip(found, expected, strict=True):
        assert message in one.message
        assert one.hint


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Return a grant with a few characters that are others, more or gone."""
    text = draw(grant_texts)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        with_ = draw(
            st.sampled_from([*"{}[],:\"'\\/#*-+.0aN\n\t\0", "//", "/*", "\\u", "\ufeff", "“", "True", "\u2028"])
        )
        text = text[:at] + draw(st.sampled_from(["", with_])) + text[at + draw(st.integers(0, 1)) :]
    return text.encode("utf-8", "surrogatepass")


@given(st.binary() | st.text().map(str.encode) | broken())
@example(b"\xed\xa0\x80")
@example(b"\r")
def test_something_is_found_exactly_where_the_decoder_refuses(data: bytes) -> None:
    """With a place in the text, and without an error of its own."""
    try:
        decode_json(data)
        is_refused = False
    except Malformed:
        is_refused = True
    found = faults(data)
    assert bool(found) == is_refused
    length = len(data.decode("utf-8", "replace"))
    for one in found:
        assert one.span is not None
        assert 0 <= one.span[0] <= one.span[1] <= length
        assert one.message


@pytest.mark.parametrize(
    "part",
    [
        ",",
        "[",
        "{",
        '"',
        "'",
        "/*",
        "//",
        "#\n",
        "{}",
        '{"a":',
        "[,",
        "\\",
        "\0",
        " ",
        "\n",
        "a",
        "9",
        "-",
        ":",
        "\u201c",
        "/**/,",
        "x='",
        '"\\"',
    ],
)
def test_a_giant_of_one_thing_is_told_in_part(part: str) -> None:
    """Whatever it is, and without a recursion that ends the program."""
    for head in ("", "[", '{"a": '):
        found = faults((head + part * ((1 << 20) // len(part.encode())))[: (1 << 20) - 10].encode()[: 1 << 20])
        assert 1 <= len(found) <= 100


def test_the_first_key_is_named_however_many_there_are() -> None:
    """And no more is told than can be read."""
    assert len(faults(b"{" + b",".join([b'"a":1'] * 150_000) + b"}")) == 100
    assert json.loads(G)["tool"] == "t"
