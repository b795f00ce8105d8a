"""What a shell sends is read whole or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.shell.check_request import decode_request_if_complete

text = st.text(st.characters(exclude_characters="\0\x1f", codec="utf-8"), max_size=5)
VARIABLES = "2\x1fHOME=x=/home\x1fTRACEPARENT=\x1f"


def question(variables: str, *words: str) -> bytes:
    """Return what a shell sends after the number."""
    return "".join(f"{field}\0" for field in (variables, len(words), *words, ".")).encode()


@given(st.lists(text, max_size=3), st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5)))
def test_words_and_variables_are_those_that_were_sent(variables: list[str], words: list[str]) -> None:
    """Whatever is in them; and nothing but the whole is a question."""
    data = question("\x1f".join([str(len(variables)), *variables, ""]), *words)
    parsed = decode_request_if_complete(data)
    assert parsed is not None
    assert (parsed.words, parsed.variables, parsed.is_terminal) == (words, variables, False)
    assert all(decode_request_if_complete(data[:end]) is None for end in range(len(data)))


def test_a_shell_whose_output_is_a_terminal_says_so() -> None:
    """After the variables."""
    parsed = decode_request_if_complete(question(f"{VARIABLES}terminal", "check"))
    assert parsed is not None
    assert (parsed.is_terminal, parsed.variables) == (True, ["HOME=x=/home", "TRACEPARENT="])


@pytest.mark.parametrize("value", ["a\x1fb", "\x1f", "\x1fterminal", "\x1fCORTEX_POLICY_ROOT=x=/else"])
def test_a_value_with_a_separator_is_not_taken_for_two(value: str) -> None:
    """The program answers: its variables cannot be told from each other."""
    parsed = decode_request_if_complete(question(f"1\x1fHOME=x={value}\x1f", "check"))
    assert parsed is not None
    assert parsed.variables is None


@pytest.mark.parametrize("variables", ["", "0", "terminal", "3\x1fHOME=\x1f", "-1"])
def test_a_list_of_another_length_is_none(variables: str) -> None:
    """The program answers."""
    parsed = decode_request_if_complete(question(variables, "check"))
    assert parsed is not None
    assert parsed.variables is None


def test_a_word_that_looks_like_the_end_is_a_word() -> None:
    """The number of words tells."""
    assert decode_request_if_complete(question(VARIABLES, ".", "", ".")[:-2]) is None
