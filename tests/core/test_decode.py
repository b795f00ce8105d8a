"""Grants are decoded strictly: what the rules refuse never becomes a Grant."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import decode_grant, parse_grant_file_name, to_whole_number
from cortex_policy.core.model import GRANT_INVALID, GrantError

MINIMAL = '{"tool": "t", "actions": ["a"], "rate": {"perMinute": 30}}'


def wearing(extra: str) -> bytes:
    """Return the minimal grant with one more member."""
    return f'{{"tool": "t", "actions": ["a"], "rate": {{"perMinute": 30}}, {extra}}}'.encode()


def test_a_minimal_grant_gets_its_defaults() -> None:
    """Only tool, actions and rate are needed."""
    grant = decode_grant(MINIMAL.encode(), "x")
    assert (grant.id, grant.tool, grant.actions, grant.rate.per_minute) == ("x", "t", ("a",), 30)
    assert (grant.args, grant.data_class, grant.fs_scope) == ({}, "internal", ())


@pytest.mark.parametrize("number", ["30", "30.0", "3e1", "300e-1"])
def test_json_has_one_number_type(number: str) -> None:
    """Every spelling of a whole number is that integer."""
    assert decode_grant(MINIMAL.replace("30", number).encode()).rate.per_minute == 30


@pytest.mark.parametrize("number", ["0", "-1", "true", "null", '"30"', "30.5", "NaN", "Infinity", "1e999", "[30]"])
def test_a_rate_is_an_integer_of_at_least_one(number: str) -> None:
    """Everything else is refused."""
    with pytest.raises(GrantError):
        decode_grant(MINIMAL.replace("30", number).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b"\xef\xbb\xbf" + MINIMAL.encode(), MINIMAL.encode() + b" x", b"\xff" + MINIMAL.encode(),
        wearing('"tool": "u"'), wearing('"x": {"a": 1, "a": 2}'), wearing('"x": NaN'), wearing('"x": -Infinity'),
        wearing('"x": "\\ud800"'), wearing('"\\udc00": 1'), wearing('"x": ' + "9" * 4301), wearing('"x": "\n"'),
        wearing('"x": ' + "[" * 64 + "]" * 64), wearing('"x": ' + "[" * 100_000), wearing('"x": "' + "y" * (1 << 20) + '"'),
        wearing('"dataClass": "secret"'), wearing('"dataClass": null'), wearing('"args": []'), wearing('"args": null'),
        wearing('"fsScope": "docs"'), wearing('"fsScope": [1]'), wearing('"fsScope": null'),
        MINIMAL.replace('"t"', '""').encode(), MINIMAL.replace('["a"]', '"a"').encode(), MINIMAL.replace('["a"]', "[1]").encode(),
        b"{'tool': 't'}", MINIMAL.encode("utf-16"),
    ],
)  # fmt: skip
def test_documents_that_the_rules_refuse_are_invalid(data: bytes) -> None:
    """Each broken document is refused with our own error and a cause."""
    with pytest.raises(GrantError) as caught:
        decode_grant(data)
    assert caught.value.reason is GRANT_INVALID
    assert caught.value.detail


def test_nesting_of_exactly_64_is_accepted() -> None:
    """The grant itself is the first level."""
    assert decode_grant(wearing('"x": ' + "[" * 63 + "]" * 63)).tool == "t"


def test_unknown_keys_are_allowed() -> None:
    """Grants of others carry keys that are none of ours."""
    assert decode_grant(wearing('"$schema": "s", "rules": {"a": [1.5, null]}, "smile": "\\ud83d\\ude00"')).tool == "t"


def test_all_missing_keys_are_named_at_once() -> None:
    """One run shows everything that is missing."""
    with pytest.raises(GrantError) as caught:
        decode_grant(b"{}")
    assert all(f"`{key}` is missing" in caught.value.detail for key in ("tool", "actions", "rate"))


def test_a_syntax_error_names_its_place() -> None:
    """Line and column start at 1."""
    with pytest.raises(GrantError, match="line 2 column 9"):
        decode_grant(b'{\n"tool": x}')


GOOD = wearing(
    '"args": {"n": {"type": "integer"}}, "fsScope": ["docs"], "dataClass": "public", "x": [1.5e3, "\\u00e4"]'
)
pieces = st.binary(max_size=3) | st.sampled_from(
    [b'"', b"{", b"[", b"]", b"}", b",", b":", b"\\", b"\\ud800", b"-", b"1e999", b"NaN", b"\xed\xa0\x80", b"\0", b"[" * 70, b"9" * 4301]
)  # fmt: skip
mutated = st.builds(
    lambda start, length, piece: GOOD[:start] + piece + GOOD[start + length :],
    st.integers(0, len(GOOD)),
    st.integers(0, 9),
    pieces,
)


@given(st.binary(max_size=200) | st.lists(pieces, max_size=9).map(b"".join) | mutated)
def test_any_bytes_decode_or_raise_a_grant_error(data: bytes) -> None:
    """Whatever stands in the file, the answer is a Grant or a GrantError."""
    try:
        decode_grant(data)
    except GrantError as error:
        assert error.reason is GRANT_INVALID  # noqa: PT017 - no error at all is fine too


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("tool", "actions", "rate", "args", "dataClass", "fsScope"), _json)
    )
)
def test_decode_never_accepts_what_the_rules_refuse(document: dict[str, object]) -> None:
    """A grant that decodes meets each rule of the format, checked here in other words."""
    try:
        grant = decode_grant(json.dumps(document).encode())
    except GrantError:
        return
    assert isinstance(document["tool"], str)
    assert document["tool"]
    assert all(isinstance(action, str) for action in document["actions"])  # type: ignore[attr-defined]
    assert to_whole_number(document["rate"]["perMinute"]) == grant.rate.per_minute >= 1  # type: ignore[index]
    assert grant.data_class in {"public", "internal", "sensitive"}


@pytest.mark.parametrize(
    ("name", "grant_id"),
    [("git.json", "git"), ("git.json.json", "git.json"), ("git", ""), (".json", ""), ("-x.json", ""), ("git.JSON", "")],
)
def test_a_file_name_has_the_id_of_its_grant(name: str, grant_id: str) -> None:
    """Only `ID.json` has one."""
    assert parse_grant_file_name(name) == grant_id
