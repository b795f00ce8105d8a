"""What a change of the rules of hooks means: `same` and `narrowed` are proofs, all else is widened."""

import pytest

from cortex_policy.core.compare.hooks import compare_hook_rules
from cortex_policy.core.compare.verdicts import NARROWED, SAME, WIDENED, widens
from cortex_policy.core.hooks.rules_text import decode_rules_text

READ = '[[rule]]\ntools = ["Read", "Grep"]\ngrant = "fs.read"\naction = "read"\n'
WRITE = '[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"\n'
PASSES = '[[rule]]\ntools = ["TodoWrite", "Task"]\ndecide = "pass"\n'
DENIES = '[[rule]]\ntools = ["WebFetch", "WebSearch"]\ndecide = "deny"\n'
ALL = DENIES + READ + WRITE + PASSES
MCP = '[[rule]]\nmcp = ["files/*"]\ndecide = "pass"\n'


def verdict(old: str | None, new: str | None, head: str = "", new_head: str | None = None) -> str:
    """Compare two texts, each below its head; what narrows too is widened all the same."""
    heads = (head, head if new_head is None else new_head)
    sides = [
        None if text is None else decode_rules_text(f"format = 1\n{above}\n{text}".encode())
        for above, text in zip(heads, (old, new), strict=True)
    ]
    found = compare_hook_rules(*sides).verdict
    return WIDENED if widens(found) else found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, None, SAME),
        (None, "", WIDENED),
        (ALL, None, NARROWED),
        (ALL, f"# a comment\n{ALL}", SAME),
        # rules that only deny
        (ALL, DENIES.replace("Web", "Net") + ALL, NARROWED),
        (ALL, READ + WRITE + PASSES, WIDENED),
        (READ + DENIES, READ, NARROWED),  # it is denied without it,
        (ALL, ALL.replace('"WebFetch", ', ""), WIDENED),
        (ALL, ALL.replace('"WebFetch"', '"WebFetch", "Fetch"'), NARROWED),
        # rules that pass
        (READ, READ + PASSES, WIDENED),
        (ALL, DENIES + READ + WRITE, NARROWED),
        (ALL, ALL.replace('"TodoWrite", ', ""), NARROWED),
        (ALL, ALL.replace('"Task"', '"Task", "Bash"'), WIDENED),
        (ALL, ALL.replace('"pass"', '"deny"'), NARROWED),
        (ALL, ALL.replace('decide = "pass"', 'grant = "x"\naction = "y"'), NARROWED),
        (ALL, ALL.replace('decide = "deny"', 'grant = "x"\naction = "y"'), WIDENED),
        # rules with a grant: the one that decides next may allow more
        (READ, READ + WRITE, WIDENED),
        (ALL, DENIES + WRITE + PASSES, WIDENED),
        (READ + WRITE, READ, NARROWED),
        (READ + WRITE + DENIES, READ + DENIES, NARROWED),
        (READ + WRITE, WRITE + READ, WIDENED),
        (READ, READ.replace('"Read", ', ""), NARROWED),
        (READ + WRITE, (READ + WRITE).replace('"Read", ', ""), WIDENED),
        (READ, READ.replace("fs.read", "other"), WIDENED),
        (READ, READ.replace('"read"', '"list"'), WIDENED),
        (READ, READ.replace('grant = "fs.read"\naction = "read"', 'decide = "pass"'), WIDENED),
        (READ, READ.replace('grant = "fs.read"\naction = "read"', 'decide = "deny"'), NARROWED),
        (READ, READ + 'within = "root"\n', NARROWED),
        (READ + 'within = "root"\n', READ, WIDENED),
        (READ, READ + "no_path = true\n", WIDENED),
        (READ + "no_path = true\n", READ, NARROWED),
        (READ, READ + 'ignore = ["content"]\n', WIDENED),
        (READ + 'ignore = ["content"]\n', READ, WIDENED),  # it may be the path that a scoped grant wants
        (READ, READ + 'paths = ["target"]\n', WIDENED),
        (READ + 'paths = ["a", "b"]\n', READ + 'paths = ["b", "a"]\n', SAME),
        (READ, READ + 'agents = ["claude"]\n', NARROWED),
        (READ + 'agents = ["claude"]\n', READ, WIDENED),
        (ALL, ALL + 'agents = ["claude"]\n', NARROWED),
        (DENIES + READ, DENIES + 'agents = ["claude"]\n' + READ, WIDENED),
        # another budget counts the calls of sub-agents then
        (READ, '[[rule]]\ntools = ["Read"]\nsubagents = []\ngrant = "x"\naction = "y"\n' + READ, WIDENED),
        (READ, '[[rule]]\ntools = ["Read"]\nsubagents = []\ndecide = "deny"\n' + READ, NARROWED),
        # two readings of a name that fit two rules are denied
        (MCP + READ, READ, WIDENED),
        (READ + MCP, READ, NARROWED),
        (READ, MCP + READ, WIDENED),
    ],
)  # fmt: skip
def test_rules_are_compared_by_the_calls_that_they_let_pass(old: str | None, new: str | None, expected: str) -> None:
    """Without a rule a call is denied."""
    assert verdict(old, new) == expected


def test_the_default_for_unmatched_calls_counts() -> None:
    """Passing it widens; where it passes, a rule takes away, and a rule that goes may let calls pass."""
    passes, denies = 'unmapped = "pass"', 'unmapped = "deny"'
    assert verdict(READ, READ, passes, denies) == NARROWED
    assert verdict(READ, READ, denies, passes) == WIDENED
    assert verdict("", READ, passes) == NARROWED
    assert verdict(READ + WRITE, READ, passes) == WIDENED
    assert verdict(READ, READ.replace('"Read", ', ""), passes) == WIDENED


def test_a_rule_replaced_by_a_stricter_one_may_still_widen() -> None:
    """Whatever was denied before, or is passed now, counts in the old order and in the new one."""
    denies = DENIES + DENIES.replace("Web", "Net")
    assert verdict(denies + PASSES, READ + PASSES) == WIDENED
    assert verdict(DENIES, READ) == WIDENED
    assert verdict(READ, WRITE, 'unmapped = "pass"', 'unmapped = "deny"') == WIDENED
    assert verdict(PASSES, DENIES) == NARROWED


def test_more_guarded_files_are_less() -> None:
    """And fewer are more."""
    two, one = 'guard = ["/a", "/b"]', 'guard = ["/b"]'
    assert verdict(READ, READ, one, two) == NARROWED
    assert verdict(READ, READ, two, one) == WIDENED
    assert verdict(READ, READ, two, 'guard = ["/b", "/a"]') == SAME
