"""What would have allowed denied calls is named as narrowly as can be, and nothing else is."""

import json
from pathlib import Path

import pytest

from cortex_policy.core.arguments import make_comparison_key
from cortex_policy.core.ecma_regex import SharedSteps
from cortex_policy.core.engine import strip_scope_slash_or_none
from cortex_policy.core.json_tree import parse_tree
from cortex_policy.manage.audit.reader import ReadCounts
from cortex_policy.manage.replay.denials_by_missing_permissions import UNTYPABLE
from cortex_policy.manage.replay.replay import replay_logged_calls
from cortex_policy.manage.suggest import TOO_WIDE, Suggestions, suggest_grant_changes
from cortex_policy.state import Root
from tests.support.logs import event, on_path, place
from tests.support.work import counted, peak_memory

GRANT = {
    "tool": "git",
    "actions": ["tree"],
    "args": {"mode": {"enum": ["fast"]}, "depth": {"maximum": 3, "minimum": 1}, "name": {"pattern": "^a"}},
    "rate": {"perMinute": 3},
    "fsScope": ["docs"],
}
DENIED = "action_not_allowed", "argument_not_allowed", "path_outside_scope"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a root of one grant."""
    tools = tmp_path / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (tools / "git.json").write_text(json.dumps(GRANT, indent=2))
    return tmp_path


def suggested(tree: Path, lines: list[str], only: str | None = None) -> Suggestions:
    """Look for what would have allowed the calls of a log."""
    return suggest_grant_changes(
        Root(str(tree), trusts_owner=False), [line.encode() for line in lines], ReadCounts(), only=only
    )


def commands(done: Suggestions) -> list[tuple[str, int]]:
    """Return what an operator would type, and how many calls it is for."""
    return [(one.command.removeprefix("cortex-policy "), one.call_count) for one in done.suggestions]


def on_paths(*paths: str) -> list[str]:
    """Return a denied call for each path."""
    return [on_path(n, "tree", path, "path_outside_scope") for n, path in enumerate(paths)]


CASES = [
    ("an action", [on_path(0, "push", "docs/x", "action_not_allowed")], [("set git --allow push", 1)]),
    ("an odd action", [event(0, "-x y", "action_not_allowed")], [("set git --allow='-x y'", 1)]),
    ("a directory", on_paths("src/a/x", "src/a/y"), [("set git --add-scope src/a", 2)]),
    ("two directories", on_paths("src/a/x", "lib/y"), [("set git --add-scope src/a --add-scope lib", 2)]),
    ("one in another", on_paths("src/a/x", "src/y"), [("set git --add-scope src", 2)]),
    ("many directories", on_paths(*(f"src/{n}/x" for n in "abcdefg")), [("set git --add-scope src", 3)]),
    ("a file at the top", on_paths("README.md"), [("set git --add-scope README.md", 1)]),
    ("both", [on_path(0, "push", "src/x", "action_not_allowed")], [("set git --allow push --add-scope src", 1)]),
    ("two rules", [*on_paths("src/x"), on_path(1, "push", "docs/x", "action_not_allowed")],
     [("set git --add-scope src", 1), ("set git --allow push", 1)]),
    ("a rate", [event(n, "tree", "allowed" if n < 3 else "rate_limited") for n in range(5)], [("set git --rate 5", 2)]),
    ("a new grant", [event(n, "chat", "grant_not_found", grant="llm") for n in range(2)],
     [("new llm --allow chat --rate 2", 2)]),
    ("an enum", [event(0, "tree", "argument_not_allowed", args={"mode": "slow"})], [("edit git", 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_smallest_change_is_named(tree: Path, lines: list[str], expected: list[tuple[str, int]]) -> None:
    """By the command that makes it."""
    done = suggested(tree, lines)
    assert commands(done) == expected
    assert done.unfixable == ()


@pytest.mark.parametrize(("lines", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_suggestion_would_have_allowed_its_calls(tree: Path, lines: list[str], expected: object) -> None:
    """Replayed on the texts of its diffs, every call passes; none is applied."""
    before = (tree / ".cortex" / "policy" / "tools" / "git.json").read_bytes()
    assert expected
    for one in suggested(tree, lines).suggestions:
        policy = {one.change.name: one.change.new.grant}
        early = [event(-100, "nothing", "action_not_allowed"), *lines]  # so that the log knows of all hits
        done = replay_logged_calls(
            Root("/r", trusts_owner=True), [line.encode() for line in early], ReadCounts(), policy
        )  # type: ignore[arg-type]
        assert done.newly_allowed_count == one.call_count
        assert not done.newly_denied_count
        assert one.diff
    assert (tree / ".cortex" / "policy" / "tools" / "git.json").read_bytes() == before


HELPLESS = [
    ("a guard", event(0, "tree", "path_outside_scope", args={"path": ".cortex/policy/x"},
                      paths=[place(".cortex/policy/x", guard="lies in it")])),
    ("what holds the policy", on_path(0, "tree", ".cortex/x", "path_outside_scope")),
    ("the root itself", event(0, "tree", "path_outside_scope", args={"path": "."},
                              paths=[{"argument": "path", "given": ".", "resolved": "/r"}])),
    ("outside of the root", event(0, "tree", "path_outside_scope", args={"path": "/etc/x"},
                                  paths=[{"argument": "path", "given": "/etc/x", "resolved": "/etc/x"}])),
    ("a URL", on_path(0, "tree", "https://a/b", "path_outside_scope")),
    ("fingerprints", event(0, "push", "action_not_allowed", args={"path": "sha256:0"}, full=False)),
    ("a pattern", event(0, "tree", "argument_not_allowed", args={"name": "b"})),
    ("a stop", event(0, "tree", "stopped")),
    ("no id", event(0, "tree", "grant_not_found", grant="../x")),
    ("paths of a new grant", event(0, "tree", "grant_not_found", grant="x", args=["path"], full=False)),
    ("a rate that nobody saw filled", event(0, "tree", "rate_limited")),
]  # fmt: skip


@pytest.mark.parametrize("line", [case[1] for case in HELPLESS], ids=[case[0] for case in HELPLESS])
def test_calls_that_no_change_should_allow_are_reported(tree: Path, line: str) -> None:
    """Never a scope that is wider than its paths need, and never a guess."""
    done = suggested(tree, [line])
    assert done.suggestions == ()
    assert [one.count for one in done.unfixable] == [1]
    assert done.denied == 1


def test_directories_without_a_common_one_are_too_wide(tree: Path) -> None:
    """The root is no scope."""
    done = suggested(tree, on_paths(*(f"{top}/x" for top in "abcdefgh")))
    assert (done.suggestions, [one.why for one in done.unfixable]) == ((), [TOO_WIDE])


def test_a_bound_moves_as_far_as_the_furthest_call(tree: Path) -> None:
    """And an `enum` takes each value once."""
    lines = [event(n, "tree", "argument_not_allowed", args={"depth": depth}) for n, depth in enumerate((5, 9, 7))]
    lines += [event(n, "tree", "argument_not_allowed", args={"mode": mode}) for n, mode in enumerate("xyx")]
    depth, mode = suggested(tree, lines).suggestions
    assert '+      "maximum": 9' in depth.diff
    assert mode.change.new.grant is not None
    assert mode.change.new.grant.args["mode"] == {"enum": ["fast", "x", "y"]}


def test_a_scope_that_others_run_is_a_warning(tree: Path) -> None:
    """As `diff` says it; what the grant covers already is not told again."""
    done = suggested(tree, on_paths(".github/workflows/ci.yml"))
    assert [one.path for one in done.suggestions[0].escalations] == [".github/workflows"]


def test_calls_above_the_rate_are_counted_separately(tree: Path) -> None:
    """A change allows no more of them than the rate does."""
    lines = [on_path(n, "push", "docs/x", "action_not_allowed") for n in range(5)]
    only = suggested(tree, lines).suggestions[0]
    assert (only.call_count, only.above_rate) == (3, 2)


def test_calls_that_pass_now_need_no_change(tree: Path) -> None:
    """Other grants are left out where one is named."""
    lines = [on_path(0, "tree", "docs/x", "path_outside_scope"), event(0, "x", "grant_not_found", grant="other")]
    done = suggested(tree, lines, "git")
    assert (done.suggestions, done.denied, done.allowed_now) == ((), 1, 1)


def test_a_likely_typo_is_questioned(tree: Path) -> None:
    """A grant or an action that reads like one that is there: then nothing need be allowed."""
    lines = [event(0, "tre", "action_not_allowed"), event(1, "tree", "grant_not_found", grant="gti")]
    assert [one.nearest for one in suggested(tree, lines).suggestions] == ["tree", "git"]
    lines = [event(0, "push", "action_not_allowed"), event(1, "tree", "grant_not_found", grant="llm")]
    assert [one.nearest for one in suggested(tree, lines).suggestions] == ["", ""]


@pytest.mark.parametrize(
    "line",
    [event(0, "\x1b[31mx\x9b", "action_not_allowed"), *on_paths("src/a\n--allow push/x"),
     event(0, "\x9b", "grant_not_found", grant="llm")],
)  # fmt: skip
def test_words_that_cannot_be_typed_are_not_suggested(tree: Path, line: str) -> None:
    """Whoever wrote it into the log meant a terminal, or the shell of whoever copies the command."""
    done = suggested(tree, [line])
    assert (done.suggestions, [one.count for one in done.unfixable]) == ((), [1])


def test_patterns_that_take_too_many_steps_lead_to_no_suggestion(tree: Path) -> None:
    """Nobody knows then which declaration is missed."""
    lines = [event(n, "tree", DENIED[1], args={"mode": "slow", "name": "b" * (n + 99)}) for n in range(3)]
    with SharedSteps(0):
        done = suggested(tree, lines)
    assert done.suggestions == ()
    assert {"steps to match patterns" in one.why for one in done.unfixable} == {True}


def test_a_value_that_a_long_list_lacks_is_not_looked_up_in_a_copy_of_it(tree: Path) -> None:
    """Of each call that was denied for one."""
    values = [f"v{number}" for number in range(5_000)]
    (tree / ".cortex/policy/tools/git.json").write_text(json.dumps({**GRANT, "args": {"mode": {"enum": values}}}))
    lines = [event(n, "tree", DENIED[1], args={"mode": f"w{n}"}) for n in range(8)]
    with counted(make_comparison_key) as work:
        done = suggested(tree, lines)
    assert [one.call_count + one.above_rate for one in done.suggestions] == [8]
    assert work["make_comparison_key"] < len(values) * 10


def test_of_a_large_grant_one_change_is_suggested(tree: Path) -> None:
    """That for the most calls: each takes seconds."""
    many = {f"x{number}": {} for number in range(48_000)}
    (tree / ".cortex/policy/tools/git.json").write_text(json.dumps({**GRANT, "args": many}, separators=(",", ":")))
    lines = [event(n, f"push{n % 3}", DENIED[0]) for n in range(7)]
    with counted(parse_tree) as work:
        done = suggested(tree, lines)
    assert [one.command for one in done.suggestions] == ["cortex-policy set git --allow push0"]
    assert sum(one.count for one in done.unfixable) == 4
    assert work["parse_tree"] == 1


def test_arguments_of_any_length_are_not_kept_for_suggestions(tree: Path) -> None:
    """There may be a mebibyte for each of 200 groups."""
    values = [f"v{number}" for number in range(10_000)]
    lines = (event(n, f"push{n}", DENIED[0], args={"x": values}).encode() for n in range(12))
    with peak_memory(5 << 20):
        done = suggest_grant_changes(Root(str(tree), trusts_owner=False), lines, ReadCounts())
    assert len(done.suggestions) == 12
    assert done.suggestions[0].example.args == ["x"]


def test_an_action_that_cannot_be_typed_is_not_kept(tree: Path) -> None:
    """Neither of a grant nor of a grant that does not exist."""
    lines = [event(n, "x" * 100_000, "action_not_allowed", grant=grant) for n, grant in enumerate(("git", "other"))]
    done = suggested(tree, lines)
    assert (done.suggestions, [one.why for one in done.unfixable]) == ((), [UNTYPABLE, UNTYPABLE])


@pytest.mark.parametrize(
    ("directory", "scopes"),
    [("d{}/e", None), ("src/{}/e", ("src",)), ("src/b/{}", ("src/b",)), ("src", ("src",))],
    ids=["in many directories", "in one", "in one below it", "in the same"],
)
def test_paths_of_any_number_are_looked_up_and_not_compared(
    tree: Path, directory: str, scopes: tuple[str, ...] | None
) -> None:
    """Each with each takes minutes for a log of 1 MiB."""
    lines = [on_path(n, "tree", f"{directory.format(n)}/x", DENIED[2]) for n in range(2_500)]
    with counted(strip_scope_slash_or_none) as work:
        done = suggested(tree, lines)
    if scopes is None:
        assert (done.suggestions, [one.why for one in done.unfixable]) == ((), [TOO_WIDE])
    else:
        assert [one.command for one in done.suggestions] == [f"cortex-policy set git --add-scope {scopes[0]}"]
    assert work["strip_scope_slash_or_none"] < len(lines) * 40
