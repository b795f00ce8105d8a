"""Text of others: nothing acts on it, and it is never longer than somebody would read."""

import json
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.text import (
    MAX_MESSAGE_BYTES,
    elide_middle,
    escape_job_commands_in_ascii_json,
    escape_message_to_one_line,
    escape_output,
    escape_unprintable,
    escape_xml_output,
    format_count_with_noun,
    format_guess_hint,
    format_os_error_cause,
    join_words_that_fit,
)

PARTS = st.text(st.sampled_from("#[]:vsoVSO \t\n\r\x1b\x7f\x85\u2028\u202e\ufeff\udcffaé日")) | st.text()
COMMAND = re.compile(r"##[a-z0-9_.-]*\[|^\s*::", re.IGNORECASE | re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", "a"), ("a\nb", "a\\nb"), ("\x1b[1m", "\\x1b[1m"), ("##[x]", "##\\x5bx]"), ("###vso[x", "###vso\\x5bx"),
        ("a ##VSO[x", "a ##VSO\\x5bx"), ("##teamcity[x", "##teamcity\\x5bx"), ("# #[", "# #["), ("::x", ":\\x3ax"),
        ("a::b", "a::b"), (":", ":"), ("\u2028\u202e\x7f\x85", "\\u2028\\u202e\\x7f\\x85"), ("\udcff", "\\udcff"),
    ],
)  # fmt: skip
def test_a_value_is_shown(text: str, shown: str) -> None:
    """In its line, with what acts on a terminal or a job escaped."""
    assert escape_unprintable(text) == shown


@given(st.lists(PARTS))
@example(["##", "[x]"])
@example([":", ":x"])
@example([" \t", "::x"])
@example(["##v", "so[", "\n"])
def test_escaping_in_parts_equals_escaping_at_once(parts: list[str]) -> None:
    """Nothing is put together of harmless parts."""
    before, left = "", ""
    for part in parts:
        shown = escape_output(part, before)
        left += shown
        before = left.rpartition("\n")[2]
    assert left == escape_output("".join(parts)) == escape_output(left)
    assert not COMMAND.search(left)
    assert all(one.isprintable() or one in "\n\t" for one in left)


@given(st.recursive(PARTS, lambda inner: st.lists(inner) | st.dictionaries(PARTS, inner)))
@example({"##": ["##vso[x]", "\\##[", "\x7f"]})
def test_a_reader_of_json_gets_the_same_values(value: object) -> None:
    """By JSON's own rules."""
    text = escape_job_commands_in_ascii_json(json.dumps(value))
    assert json.loads(text) == value
    assert escape_output(text) == text


@given(PARTS)
def test_a_reader_of_xml_gets_the_same_text(text: str) -> None:
    """By XML's own rules, as far as it can write a character at all."""
    text = "".join(
        one for one in text if one in "\n\t" or (one >= " " and not "\ud800" <= one <= "\udfff" and one < "\ufffe")
    )
    element = ET.Element("a", {"b": text})
    element.text = text
    written = escape_xml_output(ET.tostring(element, "unicode"))
    read = ET.fromstring(written)  # noqa: S314 - our own
    assert (read.get("b"), read.text or "") == (text, text)
    assert escape_output(written) == written


@given(st.text(min_size=1).map(lambda text: text * 300))
def test_no_message_is_longer_than_its_bound(text: str) -> None:
    """Its start and its end remain, and how much there was between."""
    shown = elide_middle(text)
    assert len(shown.encode("utf-8", "surrogatepass")) <= MAX_MESSAGE_BYTES
    assert shown == text or "bytes more" in shown


def test_a_list_says_how_much_is_missing() -> None:
    """A long word is cut, too."""
    words = tuple(f"a{index}" for index in range(20_000))
    shown = join_words_that_fit(words)
    count = shown.count(",") - 1 + 1  # one comma is the number's
    assert shown.endswith(f" ... and {20_000 - count:,} more")
    assert len(shown) < MAX_MESSAGE_BYTES
    assert join_words_that_fit(("a", "b")) == "a, b"
    assert len(join_words_that_fit(("x" * 10**6, "y"))) < MAX_MESSAGE_BYTES


@pytest.mark.parametrize("letter", ["x", "\x01", "\U000e0001", "\udcff", "[", "日"])
def test_a_message_is_bounded_as_it_is_printed(letter: str) -> None:
    """An escaped character is up to ten times as long."""
    shown = escape_message_to_one_line(f"##{letter * 9000}")
    assert len(shown.encode()) < MAX_MESSAGE_BYTES + 100
    assert escape_unprintable(shown) == shown


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (PermissionError(13, "Permission denied", "f"), "permission denied"), (OSError("Odd"), "odd"),
        (ValueError("embedded null byte"), "embedded null byte"),
    ],
)  # fmt: skip
def test_errors_of_the_system_are_printed_in_lower_case(error: Exception, shown: str) -> None:
    """An error without a number says what it holds."""
    assert format_os_error_cause(error) == shown


def test_without_a_close_name_there_is_no_suggestion() -> None:
    """Without a close name there is no hint."""
    assert (format_guess_hint("git"), format_guess_hint("")) == ("did you mean `git`?", "")


def test_a_count_is_plural_unless_it_is_one() -> None:
    """None are many."""
    assert [format_count_with_noun(number, "call") for number in (0, 1, 2)] == ["0 calls", "1 call", "2 calls"]
