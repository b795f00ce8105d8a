"""A pattern means here what it means to ECMA, or it is refused."""

import pytest

from cortex_policy.core.patterns import compiled


@pytest.mark.parametrize(("pattern", "text", "matches"), [
    (r"^\S+$", "a\xa0b", False), (r"^\S+$", "a\u2028b", False), (r"^\S+$", "ab", True), (r"^\s$", "\ufeff", True),
    (r"^\s$", "\x1c", False), (r"^[^\s]+$", "a\xa0", False), (r"^[\s,]+$", ", \u3000", True), (r"^[\s\S]*$", "a\nb", True),
    (r"^[\S\s]{3}$", "a\nb", True), (r"^[\w.-]+$", "a.b-c", True), (r"^[\w.-]+$", "ä", False), (r"^\x41\u0042$", "AB", True),
    (r"^(a)\1$", "aa", True), ("^(?:a|b)+?$", "abab", True), ("(?=a)a(?!b)", "ab", False), ("(?<=a)b", "ab", True), ("(?<!a)b", "ab", False),
    (r"^[\]\[]+$", "[]", True), ("^[[a]$", "[", True), (r"^\.\/\-$", "./-", True), ("^a{2}$", "aa", True), ("^a{2,}$", "aaa", True),
    ("^.$", "\n", False), ("^[$]$", "$", True), (r"^\B.$", "a", False), (r"\bis\b", "this is", True), ("^a??b$", "b", True),
])  # fmt: skip
def test_a_pattern_is_read_as_ecma_reads_it(pattern: str, text: str, matches: bool) -> None:
    """Blanks, ends of lines, sets and groups."""
    found = compiled(pattern)
    assert found is not None
    assert bool(found.search(text)) == matches


@pytest.mark.parametrize("pattern", [
    "^a{,5}$", r"^ab\Z", r"\Aab", "(?m)^a$", "(?i)ABC", "(?x)a b", "(?u)abc", "(?P<n>a)", "(?P=n)", "(?#x)a", "(?>a)", "a++", "a*+", "a?+",
    "a{1,2}+", r"\p{L}", "[]a]", "[^]", "[]", "[a", r"[\S]", r"[\B]", r"[\1]", "\\", r"\a", r"\e", r"\0", r"\cA", "(", ")", "*", r"\x4", r"\u12",
    "(?", "(?<", "(?<name>a)", "(?<=a+)b",
])  # fmt: skip
def test_what_would_be_read_otherwise_is_refused(pattern: str) -> None:
    """Python's own syntax, what ECMA has and Python has not, and what is broken."""
    assert compiled(pattern) is None
