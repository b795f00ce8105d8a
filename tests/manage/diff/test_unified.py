"""A diff shows all that is different."""

import pytest

from cortex_policy.manage.diff.unified import format_readable_diff_lines

HEAD = ["--- x (old)", "+++ x (new)", "@@ -1 +1 @@"]
MISSING = "\\ no newline at the end"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"a\n", b"a\n", []),
        (b"a\n", b"b\n", [*HEAD, "-a", "+b"]),
        (b"a\n", b"a", [*HEAD, "-a", "+a", MISSING]),
        (b"a", b"a\n", [*HEAD, "-a", MISSING, "+a"]),
        (b"a\n", b"a\r\n", [*HEAD, "-a", "+a\r"]),
        (b"a\n", b"\xff\n", [*HEAD, "-a", "+\\xff"]),
        (b"a\n", b"", ["--- x (old)", "+++ x (new)", "@@ -1 +0,0 @@", "-a"]),
    ],
)
def test_differing_lines_are_shown(old: bytes, new: bytes, expected: list[str]) -> None:
    """The ends of lines and of the text too."""
    assert format_readable_diff_lines("x", old, new) == expected
