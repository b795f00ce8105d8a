"""The chain through an audit log: what is hashed, and that no argument passes for a digest."""

import json

from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.audit_chain import (
    LENGTH,
    chain_first_line,
    chain_line,
    find_last_digest,
    may_be_prefix_of_event,
    parse_chain_digest_or_empty,
    parse_followed_digest_or_none,
    select_hashed_bytes,
)
from cortex_policy.core.audit_event import FULL, Event, event_to_cloudevent_line
from tests.support.logs import digest

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from([', "chain":"sha256:' + "a" * 64, ", ", "chain"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["chain", "follows"]), inner),
    max_leaves=6,
)
HOSTILE = {"a": {"b": 1, "chain": f"sha256:{'0' * 64}"}}


def text_of(args: dict[str, object], action: str = "tree") -> bytes:
    """Return the line of a call, before it is chained."""
    return event_to_cloudevent_line(
        Event("00" * 16, 0, "git", "git", action, args, is_allowed=True, reason="allowed"), FULL, digest
    )


def test_a_line_is_chained_by_what_a_shell_can_hash() -> None:
    """The digits of the one before, what stands between, and the line up to the member; and it stays one JSON object."""
    first = chain_first_line(text_of({}), None, digest)
    before = parse_chain_digest_or_empty(first[:-1])
    second = chain_line(text_of({"n": 1}), before, b"{torn\n", digest)
    data = json.loads(second)["data"]
    body = second.split(b', "chain"')[0]
    assert data["chain"] == "sha256:" + digest(before.encode() + b"{torn\n" + body)
    assert "follows" not in data
    assert (
        parse_followed_digest_or_none(select_hashed_bytes(first[:-1])),
        parse_followed_digest_or_none(select_hashed_bytes(second[:-1])),
    ) == (
        "",
        None,
    )
    assert list(json.loads(first)["data"])[-2:] == ["follows", "chain"]


def test_a_line_that_begins_a_file_names_the_end_of_the_one_before() -> None:
    """It is hashed by itself, so that it can be verified where the other file is gone."""
    text = chain_first_line(text_of({}), "ab" * 32, digest)[:-1]
    assert json.loads(text)["data"]["follows"] == f"sha256:{'ab' * 32}"
    assert parse_followed_digest_or_none(select_hashed_bytes(text)) == "ab" * 32
    assert parse_chain_digest_or_empty(text) == digest(select_hashed_bytes(text))


@given(st.dictionaries(st.text(), values), st.text())
def test_no_argument_passes_for_a_digest(args: dict[str, object], action: str) -> None:
    """Wherever a line is torn, only one that is whole has a digest at its end."""
    text = chain_line(text_of(args, action), "00" * 32, b"", digest)[:-1]
    assert text.count(b', "c') == 1
    for end in range(len(text)):
        assert not parse_chain_digest_or_empty(text[:end])
        assert may_be_prefix_of_event(text[:end])
        assert find_last_digest(text[:end]) == ("", 0)
    assert parse_chain_digest_or_empty(text) == json.loads(text)["data"]["chain"].removeprefix("sha256:")


def test_an_argument_named_chain_is_not_the_chain_member() -> None:
    """What a caller gives has no blank before its names."""
    assert find_last_digest(text_of(HOSTILE)) == ("", 0)


@given(st.dictionaries(st.text(), values), st.integers(0, 400))
def test_the_last_digest_is_found_over_torn_lines(args: dict[str, object], cut: int) -> None:
    """With where its line ends, whatever came after."""
    first = chain_first_line(text_of(args), None, digest)
    torn = chain_line(text_of(HOSTILE), "11" * 32, b"", digest)[: cut - 1]
    torn = torn[:-1] if parse_chain_digest_or_empty(torn[:-1]) or parse_chain_digest_or_empty(torn) else torn
    torn = b"" if parse_chain_digest_or_empty(torn) else torn
    expected = parse_chain_digest_or_empty(first[:-1]), len(first) - 1
    for data in (first, first[:-1], first + torn, first + torn + b"\n" + torn):
        assert find_last_digest(data) == expected
        assert find_last_digest(data[-LENGTH - 2 * len(torn) - 3 :])[0] == expected[0]


def test_text_after_a_digest_differs_from_a_torn_line() -> None:
    """The end of a line that was changed is told from one that is missing."""
    text = chain_first_line(text_of({}), None, digest)[:-1]
    assert not may_be_prefix_of_event(text[:-1] + b"x")
    assert not may_be_prefix_of_event(text + b" ")
    assert not may_be_prefix_of_event(text[:-10] + b"X")
    assert may_be_prefix_of_event(text[:-10])
