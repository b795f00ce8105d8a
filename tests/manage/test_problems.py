"""Each problem of a text is told with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import decode
from cortex_policy.core.model import GrantError
from cortex_policy.manage.problems import MOST_FOUND, MOST_SHOWN, Problem, excerpt, problems

GOOD = b'{\n  "tool": "t",\n  "actions": ["a"],\n  "rate": {"perMinute": 1}\n}\n'
RATE = '`rate` must be {"perMinute": N}, N an integer of at least 1'
CASES = [
    (GOOD, []),
    (b"", [(1, 1, "expecting a value")]),
    (b"[]", [(1, 1, "a grant is a JSON object")]),
    (b"\n \n  {}", [(3, 3, f"`{key}` is missing") for key in ("tool", "actions", "rate")]),
    (GOOD.replace(b'"t",', b'"t"'), [(3, 3, "expecting `,` or `}`")]),
    (GOOD.replace(b'"a"]', b'"a",]'), [(3, 19, "expecting a value")]),
    (GOOD + b"x", [(6, 1, "text after the value")]),
    (GOOD.replace(b'"t"', b'"t'), [(2, 14, "a control character in a string")]),
    (GOOD.replace(b"1}", b"NaN}"), [(4, 25, "expecting a value")]),
    (GOOD.replace(b"1}", b"1e999}"), [(4, 25, "a number that is too large: `1e999`")]),
    (GOOD.replace(b"1}", b"0}"), [(4, 25, RATE)]),
    (GOOD.replace(b'{"perMinute": 1}', b"{}"), [(4, 11, RATE)]),
    (GOOD.replace(b'{"perMinute": 1}', b"7"), [(4, 11, RATE)]),
    (GOOD.replace(b'["a"]', b'["a", 1]'), [(3, 20, "`actions` must be an array of strings")]),
    (GOOD.replace(b'["a"]', b'"a"'), [(3, 14, "`actions` must be an array of strings")]),
    (
        GOOD.replace(b'"t"', b'""').replace(b'["a"]', b"[1]"),
        [(2, 11, "`tool` must be a string that is not empty"), (3, 15, "`actions` must be an array of strings")],
    ),
    (
        b'{"tool": "t",\n "a; b": 1,\n "a; b": 2, "tool": "u"}',
        [(3, 2, "duplicate key `a; b`"), (3, 13, "duplicate key `tool`")],
    ),
    (GOOD.replace(b'"t"', b'"\\ud800"'), [(2, 11, "a lone surrogate in a string")]),
    (GOOD.replace(b'"t"', b'1, "\\ud800": 1'), [(2, 14, "a lone surrogate in a string")]),
    ('{\n "ü": '.encode() + b"\xff}", [(2, 7, "byte 10: not UTF-8")]),
    (b"\xef\xbb\xbf" + GOOD, [(1, 1, "starts with a byte order mark")]),
    (b"[" * 70 + b"]" * 70, [(1, 65, "nested deeper than 64")]),
    (b" " * (1 << 20) + b" ", [(1, 1, "larger than 1048576 bytes")]),
]


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_a_problem_has_a_place(data: bytes, expected: list[tuple[int, int, str]]) -> None:
    """All of them, by line and column."""
    assert [(one.line, one.column, one.message) for one in problems(data)] == expected


def test_a_text_of_nothing_but_problems_is_told_in_part() -> None:
    """Else a giant would take for ever."""
    assert len(problems(b"{" + b",".join([b'"a":1'] * 150_000) + b"}")) == MOST_FOUND


@given(
    st.binary() | st.text().map(str.encode) | st.integers(0, len(GOOD)).map(lambda cut: GOOD[:cut] + GOOD[cut + 1 :])
)
def test_it_has_problems_exactly_where_it_does_not_load(data: bytes) -> None:
    """Each in the text, and with a line that can be shown."""
    try:
        decode(data)
        loads = True
    except GrantError:
        loads = False
    found = problems(data)
    assert loads == (not found)
    for one in found:
        line, index = excerpt(data, one)
        assert 0 <= index <= len(line)
        assert one.message


def test_a_line_is_shown_around_its_problem() -> None:
    """A long one in part, a short one whole, none with its end."""
    assert excerpt(b"a\r\nbcd\r\ne", Problem(2, 2, "x")) == ("bcd", 1)
    line, index = excerpt(b"a" * 500 + b"!" + b"b" * 500, Problem(1, 501, "x"))
    assert (len(line), line[index]) == (MOST_SHOWN, "!")
    assert excerpt(b"a" * 500, Problem(1, 501, "x"))[1] == MOST_SHOWN // 2
    assert excerpt(b"", Problem(1, 1, "x")) == ("", 0)
