"""Two readers of TOML that never disagree."""

import tomllib
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.toml import decode_toml, parse_simple_toml_or_none
from tests.support.chance import chance

words = st.sampled_from([
    "a", "b", "a-b", "1", '"a"', "'a'", '"a.b"', ".", " ", "\t", "=", " = ", "\n", "\n\n", "[", "]", "[a]\n", "[a.b]\n", "[b]\n", "[[a]]\n",
    "a.b = 1\n", "a.c = 2\n", "b = 1\n", "c = true\n", "true", "false", "0", "12", "007", "1_0", "1.5", "-1", "1e3", "9" * 20, '"x"', '"\\n"',
    "'''", '"""', "#", "# c\n", "# \x01\n", ",", "[]", '["a", "b"]', '[\n"a",\n# c\n]', "{}", "{a = 1}", "2020-01-01", "\r\n", "\x7f", "\u2028", "é",
    "\ufeff", '"', "'",
])  # fmt: skip


@chance(1500)
@given(st.lists(words, max_size=14).map("".join) | st.text(max_size=20))
@example("a.b = 1\n[a.c]\n")
@example("[a]\nb.c = 1\n[a.b]\n")
@example("[a.b]\n[a]\n")
@example("a = [\n")
def test_the_simple_toml_reader_agrees_with_tomllib(text: str) -> None:
    """It may decline; it never reads something else."""
    read = parse_simple_toml_or_none(text)
    if read is not None:
        assert read == tomllib.loads(text)
    else:
        with suppress(MalformedError, UnicodeEncodeError):
            assert decode_toml(text.encode()) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "# only a comment\n", "sensitive = 'ask'  # who asks\n\n[history]\nkeep = 30\n", 'history.keep = 30\naudit.args = "full"\n',
        'locked = ["stamp", "sensitive"]\nstamp = "require"\nsensitive = "deny"\n',
        '[validate]\nignore = [\n    "scope-absent",  # made later\n    "key",\n]\n\n[validate.suppress]\n"tools/*.json" = ["tool-id"]\n',
    ],
)  # fmt: skip
def test_usual_settings_need_no_tomllib(text: str) -> None:
    """It takes longer than the whole check."""
    assert parse_simple_toml_or_none(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\xff", "not UTF-8"), (b"a = ", "not TOML: invalid value"), (b"a = " + b"[" * 5000, "nested too deep")],
)
def test_invalid_toml_is_reported_in_the_words_of_tomllib(data: bytes, why: str) -> None:
    """In the words of `tomllib`."""
    with pytest.raises(MalformedError, match=why):
        decode_toml(data)


@pytest.mark.parametrize(
    ("text", "value"),
    [("a = [" + '"",' * 50_000 + "]\n", [""] * 50_000), ('a = "' + "x" * 5_000 + '"\n', "x" * 5_000)],
)
def test_a_long_line_is_left_to_tomllib(text: str, value: object) -> None:
    """The plain reader copies the rest of it for each word."""
    assert parse_simple_toml_or_none(text) is None
    assert decode_toml(text.encode()) == {"a": value}
