"""What keeps bytes from being JSON is said in the words of its cause: all causes at once, and each of them once."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.decode import MAX_BYTES, MalformedError, decode_json
from cortex_policy.core.json_tree import JsonSyntaxError, find_line_and_column, parse_tree
from cortex_policy.schema.problems import locate_problems
from cortex_policy.schema.rule_catalog import RULES
from cortex_policy.schema.syntax.diagnose import find_syntax_problems
from cortex_policy.schema.syntax.parser import TolerantParser
from cortex_policy.schema.syntax.problem_list import MAX_PROBLEMS, ProblemList
from tests.support.json_documents import MANY, documents, grant_texts

Expected = list[tuple[str, int, int, str]]

WHOLE: dict[str, Expected] = {
    "": [("json", 1, 1, "it is empty")],
    " \n\n": [("json", 1, 1, "it is empty")],
    "\0\0": [("json", 1, 1, "it holds nothing but NUL bytes")],
    "version https://git-lfs.github.com/spec/v1\noid sha256:1": [("json", 1, 1, "it is a pointer of git-lfs")],
    "\n<!DOCTYPE html>\n<html>": [("json", 2, 1, "it is HTML, not JSON")],
    '<?xml version="1.0"?>': [("json", 1, 1, "it is XML, not JSON")],
    "# ours\ntool: git\nactions:\n  - tree\n": [("json", 2, 1, "it looks like YAML, not JSON")],
    "---\ntool: git": [("json", 1, 1, "it looks like YAML, not JSON")],
    'tool = "git"\n': [("json", 1, 1, "it looks like TOML")],
    "[tool]\nname = 1\n": [("json", 1, 1, "it looks like TOML")],
    "../shared/git.json": [("json", 1, 1, "it holds the path of a file and nothing else")],
    "git.json\n": [("json", 1, 1, "it holds the path of a file and nothing else")],
    "/etc/git": [("json", 1, 1, "it holds the path of a file and nothing else")],
}
AROUND: dict[str, Expected] = {
    'policy=\'{\n  "tool": "git"\n}\'\n\nmerge "$policy" "tool policy"\n': [
        ("shell", 1, 1, "a shell assignment surrounds the JSON, which begins at line 1 column 9")
    ],
    'export X=\'{"tool": "git"}\'': [("shell", 1, 1, "a shell assignment surrounds the JSON, which begins")],
    'cat > x.json <<\'EOF\'\n{"tool": "git",}\nEOF\n': [
        ("shell", 1, 1, "a heredoc of a shell surrounds the JSON, which begins at line 2 column 1"),
        ("comma", 2, 15, "a comma before `}`"),
    ],
    '#!/bin/sh\n# makes it\nmake() {\n  cat <<EOF\n{"tool": "git"}\nEOF\n}': [
        ("shell", 1, 1, "a shell script surrounds the JSON, which begins at line 5 column 1")
    ],
    "#!/bin/sh\necho hi\n": [("shell", 1, 1, "it is a shell script, and no JSON is in it")],
    "$(cat git.json)": [("shell", 1, 1, "it is a command substitution of a shell, and no JSON is in it")],
    'x="{\\"tool\\": 1}"': [("shell", 1, 1, "a shell assignment surrounds the JSON")],
    '$ cat git.json\n{"tool": "git"}\n$ ': [("shell", 1, 1, "a shell command surrounds the JSON")],
    '{"tool": "git"}\nEOF\n': [("shell", 2, 1, "`EOF` of a shell is left after the JSON")],
    '{"tool": "git"}\'\n\nmerge "$policy"\n': [("shell", 1, 16, "`'` of a shell is left after the JSON")],
    'const grant = {"tool": "git"};': [("json", 1, 1, "a program surrounds the JSON, which begins at line 1")],
    '```json\n{"tool": "git"}\n```\n': [("json", 1, 1, "a fence of Markdown surrounds the JSON")],
    '{"tool": "git"}\n```\n': [("json", 2, 1, "````` of Markdown is left after the JSON")],
    'Here is the grant:\n{"tool": "git"}': [("json", 1, 1, "prose surrounds the JSON, which begins at line 2")],
    '{"tool": "git"}\n{"tool": "hg"}\n': [("json", 2, 1, "JSON Lines, an object a line")],
    '{\n"tool": "git"}\n{"tool": "hg"}\n': [("json", 3, 1, "a second value after the first")],
    '{"tool": "git"},\n{"tool": "hg"}\n': [("json", 1, 16, "a second value after the first")],
    '{"tool": "git"};': [("comma", 1, 16, "`;` after the value")],
    '{"tool": "git"}}': [("json", 1, 16, "`}` closes nothing")],
    "true false": [("json", 1, 6, "text after the value: `false`")],
    '"tool": "git",\n"actions": []': [("json", 1, 1, "the `{` before the first key is missing")],
}
CONFLICTS: dict[str, Expected] = {
    '<<<<<<< HEAD\n{"tool": "git"}\n||||||| base\n{}\n=======\n{"tool": "hg"}\n>>>>>>> feature/x\n': [
        ("conflict", 1, 1, "a merge conflict between `HEAD` and `feature/x`")
    ],
    '{\n<<<<<<< a\n"b": 1\n=======\n"b": 2\n>>>>>>> b\n,\r\n<<<<<<< a\r\n"c": [1,]\r\n=======\r\n>>>>>>> c\r\n}': [
        ("conflict", 2, 1, "a merge conflict between `a` and `b`"),
        ("conflict", 8, 1, "a merge conflict between `a` and `c`"),
        ("comma", 9, 8, "a comma before `]`"),
    ],
    '{"a": 1\n=======\n}\n>>>>>>> x\n': [("conflict", 2, 1, "`=======` is left of a merge conflict")],
    "<<<<<<<\n{}\n=======\n{}\n>>>>>>>": [("conflict", 1, 1, "a merge conflict between two sides without names")],
}
MARKS: dict[str, Expected] = {
    '// a\n{"a": 1, # b\n "b": 2, /* c\n */ "c": 3}': [
        ("comment", 1, 1, "`// a` is a comment"), ("comment", 2, 10, "`# b` is a comment"),
        ("comment", 3, 10, "`/* c…` is a comment"),
    ],
    '{"a": 1 /* x': [("comment", 1, 9, "`/* x` is a comment that does not end")],
    "[1,, /* x": [("comma", 1, 4, "a comma too many"), ("comment", 1, 6, "`/* x` is a comment that does not end")],
    "// only": [("comment", 1, 1, "`// only` is a comment")],
    "[1,,2,]": [("comma", 1, 4, "a comma too many"), ("comma", 1, 6, "a comma before `]`")],
    "[,1]": [("comma", 1, 2, "a comma too many")],
    '{"a":1,,}': [("comma", 1, 7, "a comma before `}`")],
    '{"a": 1; "b": 2; "c": 3}': [("comma", 1, 8, "`;` is used where JSON has a comma, and in 1 more place")],
    '{"a": 1\n "b": 2}': [("json", 1, 8, "a comma is missing")],
    '["a" "b"]': [("json", 1, 5, "a comma is missing")],
    '{"a" "b"}': [("json", 1, 5, "a colon is missing after the key `a`")],
    '{"a":: 1}': [("json", 1, 6, "a colon too many")],
    '{"a" = 1, "b" => 2}': [("json", 1, 6, "`=` is used where JSON has a colon, and in 1 more place")],
    '{"a"}': [("json", 1, 2, "the key `a` has no value")],
    '{"a", "b": }': [("json", 1, 2, "the key `a` has no value"), ("json", 1, 7, "the key `b` has no value")],
    '["a": 1]': [("json", 1, 5, "expecting `,` or `]`, not `:`")],
    '{"a": 1 2}': [("json", 1, 9, "expecting `,` or `}`, not `2`")],
    '{"a": ..., "b": 1}': [("json", 1, 7, "expecting a value, not `...`")],
    '{"a" * 1}': [("json", 1, 6, "expecting `:`, not `*`")],
    '{\\"a\\": 1}': [("json", 1, 2, 'expecting a key in double quotes, not `\\"a\\":`')],
    '\xa0{\xa0"a": 1}': [("json", 1, 1, "U+00A0 is not whitespace in JSON, and in 1 more place")],
    '{"a": {{"b": 1}}}': [("json", 1, 8, "this `{` is one too many")],
    '{"a": "b": 1}}': [("json", 1, 7, "the `{` before the key `b` is missing")],
    '{"a": [1,2}': [("json", 1, 7, "`[` is never closed")],
    '{"a": [1, 2}, "b": 3}': [("json", 1, 12, "`}` closes the `[` of line 1 column 7")],
    '{"a": [1]]}': [("json", 1, 10, "`]` closes nothing")],
    '{"a": {"b": [1, {"c": 2}': [("json", 1, 1, "`{` is never closed, and 2 more inside")],
    '{\n  "rate": {\n    "perMinute": 30,\n  "a": []\n}\n': [("json", 2, 11, "`{` is never closed")],
    '{"a": {, [': [
        ("comma", 1, 8, "a comma too many"), ("json", 1, 10, "expecting a key in double quotes, not `[`")
    ],
    '{"a":\n': [("json", 1, 1, "`{` is never closed")],
}  # fmt: skip
TEXTS: dict[str, Expected] = {
    "{'a': 'b', 'c': 'it\\'s \"x\"'}": [("quotes", 1, 2, "single quotes around `a`, and in 3 more places")],
    "{“a”: “b”}": [("quotes", 1, 2, "typographic quotes around `a`, and in 1 more place")],
    "[‘a’]": [("quotes", 1, 2, "typographic quotes around `a`")],  # noqa: RUF001 - it is what is tried
    "[`a`]": [("quotes", 1, 2, "backticks around `a`")],
    "{a: 1, b-c: 2, 3: 3}": [("quotes", 1, 2, "the key `a` has no quotes, and in 2 more places")],
    '{"tool": git map, "b": ${X}}': [
        ("quotes", 1, 10, "`git map` has no quotes"), ("quotes", 1, 24, "`${X}` has no quotes"),
    ],
    '{"a": True, "b": None, "c": True}': [
        ("json", 1, 7, "`True` is not JSON, and in 1 more place"), ("json", 1, 18, "`None` is not JSON")
    ],
    '["say "hi" to", 1]': [("quotes", 1, 7, "a quote within a string is not escaped")],
    '{tool": "git"}': [("quotes", 1, 2, "the quote before `tool` is missing")],
    '{"tool": git"}': [("quotes", 1, 10, "the quote before `git` is missing")],
    '{"a": "git, "b": ["tree"]}': [("json", 1, 7, "the string `git` does not end")],
    '{"a": "git,\n "b": ["tree"]}': [("json", 1, 7, "the string `git` does not end")],
    '{"a: {\n "b": 1}}': [("json", 1, 2, "the string `a` does not end")],
    '{"a": "git': [("json", 1, 7, "the string `git` does not end")],
    '{"a": "a long\ntext", "b": []}': [("json", 1, 7, "a line break in a string")],
    '{"a": "a\tb\tc"}': [("json", 1, 9, "a tab in a string")],
    '{"a": "\x01"}': [("json", 1, 8, "the control character U+0001 in a string")],
    '{"a": "C:\\Users\\me"}': [("json", 1, 10, "`\\U` is not an escape of JSON")],
    '["\\ud800", "\\ud83d\\ude00 \\\\ud800", "\\udc00"]': [
        ("string", 1, 3, "`\\ud800` is half of a character"), ("string", 1, 37, "`\\udc00` is half of a character")
    ],
    '{"to\\u006fl": 1,\n "tool": {"tool": 2}, "tool": 3}': [
        ("key", 2, 2, "the key `tool` appears twice, first at line 1 column 2"),
        ("key", 2, 23, "the key `tool` appears twice, first at line 1 column 2"),
    ],
    "[NaN, -Infinity, 1e999]": [
        ("number", 1, 2, "`NaN` is not a number of JSON"), ("number", 1, 7, "`-Infinity` is not a number of JSON"),
        ("number", 1, 18, "`1e999` is too large for a number"),
    ],
    "[007, +5, .5, 5., 0x1F, 1_0, 2025-08-27]": [
        ("number", 1, column, f"`{digits}` is not a number of JSON")
        for column, digits in ((2, "007"), (7, "+5"), (11, ".5"), (15, "5."), (19, "0x1F"), (25, "1_0"), (30, "2025-08-27"))
    ],
    f"[-1{'0' * 4300}]": [("number", 1, 2, "an integer of 4,301 digits, more than 4,300")],
    "[" * 65 + "]" * 65: [("limit", 1, 65, "nested deeper than 64")],
    '\ufeff{"a": 1,}': [("bom", 1, 1, "it starts with a byte order mark"), ("comma", 1, 9, "a comma before `}`")],
    '{"a": 1, // one\n "b": [2,], /* two */\n "a": NaN, \'c\': 3}': [
        ("comment", 1, 10, "`// one`"), ("comma", 2, 9, "a comma before `]`"), ("comment", 2, 13, "`/* two */`"),
        ("key", 3, 2, "the key `a` appears twice"), ("number", 3, 7, "`NaN`"), ("quotes", 3, 12, "single quotes around `c`"),
    ],
}  # fmt: skip
BYTES: dict[bytes, Expected] = {
    '{"a": "gité", "b": [1,]}'.encode("latin-1"): [
        ("encoding", 1, 11, "byte 11 is not UTF-8, it would be `é` in Latin-1"), ("comma", 1, 22, "a comma before `]`")
    ],
    '{"ä": "'.encode() + b'\x94"}': [("encoding", 1, 8, "byte 9 is not UTF-8, it would be `”` in Windows-1252")],
    '{"a": "é"}'.encode("utf-16"): [("encoding", 1, 1, "it is UTF-16, not UTF-8")],
    '{"a": "b"}'.encode("utf-16-le"): [("encoding", 1, 1, "it is UTF-16, not UTF-8")],
    '{"a": "b"}'.encode("utf-16-be"): [("encoding", 1, 1, "it is UTF-16, not UTF-8")],
    '{"a": 1}'.encode("utf-32"): [("encoding", 1, 1, "it is UTF-32, not UTF-8")],
    b"\x1f\x8b\x08\0abc": [("encoding", 1, 1, "it is not text")],
    b'{"a": 1}'.ljust(MAX_BYTES + 1): [("limit", 1, 1, "1,048,577 bytes are more than a grant may have")],
}  # fmt: skip
CASES = {
    text.encode(): expected for part in (WHOLE, AROUND, CONFLICTS, MARKS, TEXTS) for text, expected in part.items()
}
CASES.update(BYTES)

PIECES = st.text(max_size=2) | st.sampled_from(
    ['"', "{", "}", "[", "]", ",", ":", ";", "=", "\\", "\\ud800", "-", "01", "1.", ".5", "1e", "+1", "NaN", "-Infinity",
     "\0", "\x0b", "\xa0", "\ufeff", "//", "/*", "*/", "#", "\n", "'", "`", "“", "\u2018", "true", "nul", "True", "a", "\\x",
     "x=", "EOF\n", "<<<<<<< a\n", "\n=======\n", "\n>>>>>>> b\n", "```", "$(", "[" * 70, '"a":', '{"tool": "git"}']
)  # fmt: skip
MUTATED = st.builds(
    lambda text, at, length, piece: text[: at % (len(text) + 1)] + piece + text[at % (len(text) + 1) + length :],
    grant_texts | documents,
    st.integers(0, 1 << 16),
    st.integers(0, 3),
    PIECES,
)
ABOUT_ALL = ("syntax-conflict", "syntax-shell", "syntax-encoding")  # they may stand below what a strict reader stops at
HOSTILE = (
    ",", '"', "'", "/*", "[", "]", '{"a":', "[{", '""x', '""x"" ', "\\", '"\\\n', "“\n", '"a\n', "# \n", "\0x", "\xa0",
    '"a":1,', "a:1,", "a ", 'a"', "<<<<<<< a\n", "=======\n", "<<", ".json", "a/", "1.", "x={ ", '{"a":1}\n', "$(", "\r",
)  # fmt: skip
PLAIN = {
    "tool": "git-map", "actions": ["tree", "snippet"], "args": {"repo": {"type": "string"}}, "rate": {"perMinute": 30},
    "fsScope": ["apps/x", "docs"], "on": True,
}  # fmt: skip


def is_refused(data: bytes) -> bool:
    """Whether the decoder refuses bytes."""
    try:
        decode_json(data)
    except MalformedError:
        return True
    return False


def stop_of(text: str) -> int:
    """Return where a strict reader stops."""
    try:
        return parse_tree(text).end
    except JsonSyntaxError as stop:
        return stop.offset


def check(data: bytes) -> None:
    """Check what holds of the problems of any bytes."""
    text = data.decode("utf-8", "replace")
    problems = find_syntax_problems(data)
    assert bool(problems) == is_refused(data)
    spans = [problem.span or (-1, -1) for problem in problems]
    assert spans == sorted(spans, key=lambda span: span[0])
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert all(problem.code.startswith("syntax-") and problem.message for problem in problems)
    assert len(problems) <= MAX_PROBLEMS
    assert len(locate_problems("x", data, problems)) == len(problems)
    is_other = any(problem.code in ABOUT_ALL or problem.message.startswith("it ") for problem in problems)
    assert is_other or not problems or spans[0][0] <= stop_of(text), "the first mistake is among those that were found"


@pytest.mark.parametrize("data", CASES, ids=lambda data: repr(data[:40]))
def test_a_cause_is_named_and_placed(data: bytes) -> None:
    """Each at its line and column, nothing beside."""
    text = data.decode("utf-8", "replace")
    found = [
        (one.code, *find_line_and_column(text, (one.span or (0, 0))[0]), one.message)
        for one in find_syntax_problems(data)
    ]
    expected = CASES[data]
    assert len(found) == len(expected), found
    for (code, line, column, message), (name, *place_of, start) in zip(found, expected, strict=True):
        assert [code, line, column] == [f"syntax-{name}", *place_of], found
        assert message.startswith(start)


@pytest.mark.parametrize("data", CASES, ids=lambda data: repr(data[:40]))
def test_a_case_keeps_what_holds_for_all(data: bytes) -> None:
    """Places inside of the text, in its order."""
    check(data)
    assert all(problem.hint for problem in find_syntax_problems(data))


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.code.startswith("syntax-") and rule.example])
def test_a_rule_finds_its_own_example(rule: object) -> None:
    """And nothing in the fixed one."""
    example, corrected, code = (getattr(rule, name) for name in ("example", "fixed_example", "code"))
    assert [problem.code for problem in find_syntax_problems(example.encode())] == [code]
    assert not find_syntax_problems(corrected.encode())


def slips() -> Iterator[str]:
    """Yield a plain grant with one character missing or doubled."""
    for indent in (None, 2):
        text = json.dumps(PLAIN, indent=indent)
        for at in range(len(text)):
            yield text[:at] + text[at + 1 :]
            yield text[:at] + text[at] + text[at:]


def test_one_slip_is_one_problem() -> None:
    """Whichever character of a grant is missing or appears twice, no problem follows from another."""
    wrong = [text for text in slips() if is_refused(text.encode())]
    assert len(wrong) > 200
    assert [text for text in wrong if len(find_syntax_problems(text.encode())) != 1] == []


def test_a_missing_bracket_is_reported_with_its_fix() -> None:
    """The hint can be typed."""
    assert find_syntax_problems(b'{"a": [1, {"b": 2')[0].hint.startswith("write `}]}` at the end")
    suspect = find_syntax_problems(b'{\n  "rate": {\n    "perMinute": 30,\n  "a": []\n}\n')[0]
    assert suspect.hint == "write `}` before the `}` at line 5 column 1"


@pytest.mark.parametrize(
    ("text", "hint"),
    [("[007]", "write `7`"), ("[-.5]", "write `-0.5`"), ("[0x1F]", "write `31`"), ("[5.]", "write `5`"),
     ("[1e]", 'write `"1e"` if it is a text'), ("[+0]", "write `0`"), ("[True]", "JSON writes `true`"),
     ("['a']", 'write `"a"`: JSON has double quotes only'), ('["\\\'"]', "write `'` without the backslash"),
     ('["\t"]', "write `\\t`"), ("export A='{}'\n", "delete `export A='` before it, and all that follows the `}` at")],
)  # fmt: skip
def test_a_hint_says_what_to_write(text: str, hint: str) -> None:
    """As JSON writes it."""
    assert find_syntax_problems(text.encode())[0].hint.startswith(hint)


def test_a_long_part_is_shortened() -> None:
    """To 40 characters in a message."""
    assert find_syntax_problems(b"[" + b"a" * 99 + b"]")[0].message == f"`{'a' * 39}…` has no quotes"


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize(
    ("before", "size"),
    [("", MAX_BYTES // 8), *(pytest.param(before, MAX_BYTES, marks=pytest.mark.storm) for before in ("", "[", "{"))],
)
def test_hostile_text_is_explained(piece: str, before: str, size: int) -> None:
    """128 KiB of anything, a mebibyte in a storm, end with problems, not in recursion."""
    data = (before + piece * ((size - 4) // len(piece.encode()))).encode()
    assert 1 <= len(find_syntax_problems(data)) <= MAX_PROBLEMS


def test_many_brackets_that_do_not_pair_are_explained() -> None:
    """Each kind left open within the other."""
    third = MAX_BYTES // 3
    assert find_syntax_problems(b"[" * third + b"{" * third + b"]" * third)
    assert find_syntax_problems(b"{" + b"[" * third + b"}" * third)


@MANY
@given(documents)
def test_valid_json_has_no_syntax_problems(text: str) -> None:
    """The tolerant reader repairs nothing there, and reads to the end of the value."""
    notes = ProblemList()
    reader = TolerantParser(text, notes).parse()
    assert not notes
    assert reader.end == len(text.rstrip(" \t\r\n"))


@MANY
@given(MUTATED | st.lists(PIECES, max_size=12).map("".join))
@example('x = "')
def test_problems_exist_where_text_is_refused(text: str) -> None:
    """Exactly there, whatever stands in it."""
    check(text.encode("utf-8", "surrogatepass"))


@MANY
@given(st.binary(max_size=64) | st.builds(lambda text, cut: text.encode("utf-16")[cut:], documents, st.integers(0, 3)))
def test_problems_exist_where_bytes_are_refused(data: bytes) -> None:
    """Whatever their encoding is."""
    check(data)
