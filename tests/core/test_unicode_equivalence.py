"""Words that read the same and are written in other bytes are denied, and named as such."""

from unicodedata import normalize

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cortex_policy.core.closest_match import find_closest_scope, find_closest_word
from cortex_policy.core.denial_hint import make_denial_hint
from cortex_policy.core.engine import decide, find_matching_scope, strip_scope_slash_or_none
from cortex_policy.core.model import Grant, Rate, Request, ResolvedPath
from cortex_policy.core.unicode_equivalence import (
    find_equivalent_word,
    find_scope_and_path_covered_in_nfc,
    format_normal_form_difference,
)

NFC, NFD = "docs/caf\u00e9", "docs/cafe\u0301"


@pytest.mark.parametrize(("scope", "path"), [(NFC, NFD), (NFD, NFC), (f"{NFC}/", f"{NFD}/x"), ("\u212a", "K/x")])
def test_the_scope_that_a_path_reads_like_is_found(scope: str, path: str) -> None:
    """It is no scope of the path, and the nearest of all."""
    there = ResolvedPath("path", path, path, path, f"/{path}")
    assert find_matching_scope((scope,), path) is None
    assert find_scope_and_path_covered_in_nfc(("docs/other", scope), there) == (scope, path)
    assert find_closest_scope(("docs/other", scope), there) == scope


def test_a_link_to_what_reads_like_a_scope_is_explained_by_where_it_leads() -> None:
    """The path as given is ASCII, and so in every normal form."""
    grant = Grant("g", "t", ("tree",), Rate(1), {}, fs_scope=("link", NFC))
    there = ResolvedPath("path", "link/x", "link/x", f"{NFD}/x", f"/r/{NFD}/x")
    decision = decide(grant, Request("tree", {"path": "link/x"}, (there,)))
    assert "NFD instead of NFC" in make_denial_hint(grant, "tree", decision, None)


def test_a_path_in_scope_has_no_equivalent_scope() -> None:
    """Nor has what is outside the root, or reads in another way."""
    scopes = (NFC, NFD)
    assert find_scope_and_path_covered_in_nfc(scopes, ResolvedPath("path", NFC, NFC, NFC)) == ("", "")
    assert find_scope_and_path_covered_in_nfc(scopes, ResolvedPath("path", "/etc", None, None)) == ("", "")
    assert find_scope_and_path_covered_in_nfc(scopes, ResolvedPath("path", "docs/cafe", "docs/cafe", "docs/cafe")) == (
        "",
        "",
    )


def test_an_action_that_reads_like_one_that_is_allowed_is_found() -> None:
    """Before what is merely spelled alike."""
    assert (
        find_equivalent_word("cafe\u0301", ["cafe", "caf\u00e9"])
        == "caf\u00e9"
        == find_closest_word("cafe\u0301", ["cafe", "caf\u00e9"])
    )
    assert find_equivalent_word("tree", ["tree"]) == ""


def test_the_forms_are_named() -> None:
    """The words themselves look the same."""
    assert format_normal_form_difference("the scope", NFD, NFC).endswith("normal form: NFD instead of NFC")
    assert format_normal_form_difference("the scope", NFD + "\u00e9", NFC).endswith(
        "normal form: neither NFC nor NFD instead of NFC"
    )


@given(st.text(max_size=6), st.text(max_size=3))
def test_a_twin_is_found_wherever_both_forms_of_a_scope_differ(scope: str, rest: str) -> None:
    """Whatever the text."""
    one, other = normalize("NFC", scope), normalize("NFD", scope)
    path = f"{other}/{rest}" if rest else other
    assume(strip_scope_slash_or_none(f"x/{rest}") or not rest)  # a path whose parts are no names is in no scope
    is_other = (
        strip_scope_slash_or_none(one) is not None
        and find_matching_scope((one,), path) is None
        and strip_scope_slash_or_none(normalize("NFC", one)) is not None
    )
    found = find_scope_and_path_covered_in_nfc((one,), ResolvedPath("path", path, path, path))
    if is_other:
        assert found == (one, path)
    else:
        assert found in (("", ""), (one, path))


def test_words_of_very_many_marks_are_not_compared() -> None:
    """To put the marks of one letter in order takes the square of their number: of 1 MiB, an hour."""
    marks = "a" + "\u0301\u0316" * 250_000
    there = ResolvedPath("path", marks, marks, marks)
    assert find_equivalent_word(marks, [marks[:-1], "a"]) == ""
    assert find_equivalent_word("caf\u00e9", [marks, "cafe\u0301"]) == "cafe\u0301"
    assert find_scope_and_path_covered_in_nfc((marks[:-1],), there) == ("", "")
