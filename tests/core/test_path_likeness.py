"""What people would take for a path, by its text or by its name."""

import pytest

from cortex_policy.core.path_likeness import is_pathlike_name, looks_like_path


@pytest.mark.parametrize("text", [
    "/etc/passwd", "/", "a/b", "docs/", "~", "~/x", "~user/x", ".", "..", "../x", "./a b/c", "/a b", "file:///etc/passwd", "FILE:x", "C:\\x",
])  # fmt: skip
def test_a_text_that_is_spelled_like_a_path_looks_like_one(text: str) -> None:
    """Absolute, relative, below home, or with a `/` in it."""
    assert looks_like_path(text)


@pytest.mark.parametrize(
    "text", ["", "x", "readme.md", "https://example.org/x", "either / or", "a b/c", "...", "x" * 5000 + "/y", "1.5"]
)
def test_other_texts_do_not_look_like_paths(text: str) -> None:
    """A bare name may be one of a file, but most are not."""
    assert not looks_like_path(text)


@pytest.mark.parametrize("name", [
    "target", "targets", "output", "OUT", "baseUri", "repo_root", "work-tree", "logfile", "basedir", "homedirs", "outFolder2", "dst",
])  # fmt: skip
def test_a_name_whose_last_word_is_of_a_place_looks_like_a_path(name: str) -> None:
    """Also where words are written together, which no rule takes apart."""
    assert is_pathlike_name(name)


@pytest.mark.parametrize(
    "name", ["profile", "profiles", "xpath", "target_name", "query", "q", "", "42", "filter", "message", "repo"]
)
def test_other_names_do_not_look_like_paths(name: str) -> None:
    """`target_name` is a name."""
    assert not is_pathlike_name(name)
