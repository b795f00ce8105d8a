"""A pattern of file names starts with a path, and may not lead out of it."""

import pytest

from cortex_policy.core.hooks.globs import find_path_before_wildcard
from cortex_policy.core.hooks.tool_inputs import InputError


@pytest.mark.parametrize(
    ("pattern", "directory"),
    [
        ("docs/*.md", "docs/"), ("docs/a*", "docs/"), ("/etc/*", "/etc/"), ("/*", "/"), ("**/*.py", ""), ("a?", "a"),
        ("../x/[ab]", "../x/"), ("docs/guide.md", "docs/guide.md"), ("a/{b,c}", "a/"), ("../{a,b}", "../"), ("src/**/*.{ts,tsx}", "src/"), ("{a,b}.{c,d}", ""), ("a/{1..3}", "a/"), ("", ""), ("*", ""),
        ("a/*...b", "a/"), ("a/*/..b", "a/"),
    ],
)  # fmt: skip
def test_the_path_ends_before_the_first_wildcard(pattern: str, directory: str) -> None:
    """At a whole component."""
    assert find_path_before_wildcard(pattern) == directory


@pytest.mark.parametrize(
    "pattern",
    [
        "*/../x",
        "*/..",
        "a/{..,b}/x",
        "{../x,y}",
        "a/*/../../..",
        "{/etc/passwd,x}",
        "{x,/etc/passwd}",
        "{~/x,y}",
        "*/@(..|x)/y",
        ".{.,x}/y",
        "{.,x}{.,y}/z",
        "a/{b,c}{.,x}./.{.,y}/z",
        "{x/.,y}./z",
        "..{,x}/y",
        "{,x}/etc/passwd",
        "{,x}~/y",
        "a/{{.,b}.,c}/x",
        "@(..)/x",
        "a/@(x|..)/y",
        "@(/etc|x)/*",
        "a}/{.,x}{.,y}/z",
        "{a,b}" * 9,
        "{a}" * 100_000,
    ],
)
def test_a_pattern_that_may_lead_out_is_refused(pattern: str) -> None:
    """A `..` behind a wildcard, or an alternative that starts elsewhere."""
    with pytest.raises(InputError):
        find_path_before_wildcard(pattern)
