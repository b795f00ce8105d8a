"""Texts that match a pattern are read off it; what is offered always matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.ecma_regex import PatternError, compile_pattern
from cortex_policy.manage.cases.regex_samples import sample_matching_texts

KNOWN = [
    "^[a-z-]+$", r"^\d{4}-\d{2}-\d{2}$", r"^v?\d+(\.\d+){2}$", "^(main|release/.*)$", r"^[^/\s]+/[^/\s]+$", "^$", "x{3,}y?",
    r"^\w+@\w+\.\w+$", "^sha256:[0-9a-f]{64}$", "^(?:a|b)c$", r"^[A-Z]{3}_\d$", "^[äöü]$", "^(?!x)[x-z]$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", KNOWN)
def test_usual_patterns_have_samples(pattern: str) -> None:
    """A digest, a date, a version, a branch."""
    assert sample_matching_texts(pattern)


@given(st.text(st.sampled_from("ab1^$.*+?{}()[]|\\-dws,2:!=<>"), max_size=12))
def test_every_sample_matches_its_pattern(pattern: str) -> None:
    """Of any pattern, broken ones included."""
    try:
        regex = compile_pattern(pattern)
    except PatternError:
        assert sample_matching_texts(pattern) == []
    else:
        assert all(regex.search(text) for text in sample_matching_texts(pattern))


@pytest.mark.parametrize(
    "pattern",
    [
        "^(((a{999}){999}){999}){999}$",
        "^a{100000}$",
        "(" * 60 + "a" + "*)" * 60 + "*",
        "^" + "(" * 500 + "a" + ")" * 500 + "$",
    ],
)
def test_samples_of_very_large_patterns_take_little_memory(pattern: str) -> None:
    """They have none."""
    assert not [text for text in sample_matching_texts(pattern) if len(text) > 1000]
