"""Scopes are prefixes at a `/` boundary, compared as written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.closest_match import find_closest_scope
from cortex_policy.core.engine import (
    find_matching_scope,
    find_path_syntax_problem_text_or_empty,
    find_violation_text_of_one_path,
    strip_scope_slash_or_none,
)
from cortex_policy.core.model import ResolvedPath
from cortex_policy.core.scopes import suggest_scope_prefix


@pytest.mark.parametrize(
    "text", ["", "a\0b", "a\nb", "a\x85b", "~/x", "~", "file:x", "https://e", "a\\b", " a", "a ", "a\u3000"]
)
def test_some_spellings_of_paths_are_denied(text: str) -> None:
    """What another program may read differently is no path of a scoped grant."""
    assert find_path_syntax_problem_text_or_empty(text)


@pytest.mark.parametrize("text", ["a", "a:b", "c:x", "a~", "./a", "/a b/c", "ä", "1ab:x"])
def test_ordinary_spellings_of_paths_pass(text: str) -> None:
    """One letter before a colon, a blank inside, a tilde elsewhere: fine."""
    assert not find_path_syntax_problem_text_or_empty(text)


@pytest.mark.parametrize(
    "scope",
    ["", "/", "/a", "a//b", "a//", ".", "./a", "..", "a/..", "a\\b", " a", "a ", "a*", "a?", "[a]", "{a}", "a/**"],
)
def test_some_scopes_never_match(scope: str) -> None:
    """A scope that is no plain prefix covers nothing, not even itself."""
    assert strip_scope_slash_or_none(scope) is None
    assert find_matching_scope((scope,), scope) is None


def test_a_scope_covers_itself_and_what_lies_below() -> None:
    """At a `/` boundary, with one trailing `/` dropped, with regard to case."""
    assert find_matching_scope(("docs/",), "docs") == "docs/"
    assert find_matching_scope(("docs",), "docs/a/b") == "docs"
    assert find_matching_scope(("docs",), "docs-evil/x") is None
    assert find_matching_scope(("docs",), "Docs/x") is None
    assert find_matching_scope(("docs",), "") is None
    assert find_matching_scope(("docs",), None) is None


def test_both_spellings_must_be_in_scope() -> None:
    """A link out of scope is denied, and so is a link into it from outside."""
    assert not find_violation_text_of_one_path(
        ("docs",), ResolvedPath("path", "docs/x", "docs/x", "docs/x", "/r/docs/x")
    )
    assert find_violation_text_of_one_path(
        ("docs",), ResolvedPath("path", "docs/x", "docs/x", "content/x", "/r/content/x")
    )
    assert find_violation_text_of_one_path(("docs",), ResolvedPath("path", "link/x", "link/x", "docs/x", "/r/docs/x"))
    assert not find_violation_text_of_one_path(
        ("docs", "content"), ResolvedPath("path", "docs/x", "docs/x", "content/x", "/r/content/x")
    )


def test_a_guarded_place_is_denied_whatever_the_scope() -> None:
    """No grant lets its tool change what governs it."""
    guarded = ResolvedPath("path", "docs/x", "docs/x", "docs/x", "/r/docs/x", protected_reason="governs")
    assert find_violation_text_of_one_path((), guarded)
    assert find_violation_text_of_one_path(("docs",), guarded)


@pytest.mark.parametrize(
    ("scope", "prefix"),
    [
        ("/a", "a"), ("./a", "a"), ("a//b/", "a/b"), ("a\\b", "a/b"), (" a ", "a"), ("a/../b", "b"), ("a/**", "a"),
        ("apps/site/**/tmp/**", "apps/site"), ("docs/*.md", "docs"), ("a /b", "a/b"),
        ("", None), ("/", None), (".", None), ("..", None), ("../a", None), ("a/..", None), ("*.md", None), ("**", None),
    ],
)  # fmt: skip
def test_a_scope_that_never_matches_has_a_nearest_prefix(scope: str, prefix: str | None) -> None:
    """What it was meant to say, as far as a prefix can; none where that would be the root or leave it."""
    assert suggest_scope_prefix(scope) == prefix


def test_a_scope_that_matches_is_its_own_proposal() -> None:
    """Without the one `/` that is dropped anyway."""
    assert suggest_scope_prefix("docs/") == "docs"


parts = st.sampled_from(["a", "b", "ab", "", "..", "a*", "é", " a"])
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)


@given(st.lists(paths, min_size=1, max_size=16), paths)
def test_of_many_scopes_the_first_that_covers_is_found_as_of_few(scopes: list[str], path: str) -> None:
    """Many are looked up, few are tried one after the other."""
    few = tuple(scopes)
    many = (*few, *("nowhere/else",) * 16)
    for place in (path, f"{few[0]}/x", few[0]):
        assert find_matching_scope(many, place) == find_matching_scope(few, place)


def test_any_number_of_paths_meets_any_number_of_scopes() -> None:
    """Where each path is compared with each scope this takes minutes."""
    scopes = tuple(f"v{number}" for number in range(5_000))
    assert all(find_matching_scope(scopes, f"v4999/{number}") for number in range(100_000))


def test_a_path_of_very_many_parts_is_looked_up() -> None:
    """Each of half a million prefixes would be a copy of half a mebibyte."""
    deep = "a/" * 500_000 + "a"
    scopes = (*(f"docs/{number}" for number in range(20)), deep)
    assert find_matching_scope(scopes, f"{deep}/b") == deep
    assert find_matching_scope(scopes, deep[:-2]) is None
    there = ResolvedPath("path", deep, deep[:-2], deep[:-2])
    assert find_closest_scope(tuple(f"a/{number}" for number in range(500)), there) == "a/0"


@pytest.mark.parametrize("others", [[], [f"other{number}" for number in range(20)]], ids=["of few", "of many"])
@pytest.mark.parametrize("told", ["docs/../secret", "docs/..", "docs//x", "docs/./x", "docs/x/"])
def test_a_path_that_nobody_normalized_is_in_no_scope(told: str, others: list[str]) -> None:
    """Whoever makes a request without our resolver gets no permission by `..`."""
    scopes = ("docs", *others)
    assert find_matching_scope(scopes, "docs/x") == "docs"
    assert find_matching_scope(scopes, told) is None
    assert find_violation_text_of_one_path(scopes, ResolvedPath("path", "docs/x", "docs/x", told, "/r/docs/x"))
