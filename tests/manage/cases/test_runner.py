"""Cases decide as `check` does, on a clock, a budget and a tree of their own."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cortex_policy.core.arguments import _find_violation
from cortex_policy.core.decode import decode_grant
from cortex_policy.core.model import REASONS, Settings
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.library.functions import load_grant
from cortex_policy.manage.cases.model import NANOSECONDS, Case, CaseFile
from cortex_policy.manage.cases.runner import (
    COMPLETENESS_CASE,
    MAX_PATHS,
    MOST_WHYS,
    CaseResult,
    FileResult,
    GrantUnderTest,
    run_case_file,
)
from cortex_policy.manage.cases.temporary_file_tree import FileTree
from cortex_policy.state.enforcement import resolve_paths_decide_and_take_hit
from cortex_policy.state.paths import resolve_path_arguments
from tests.support.roots import GIT
from tests.support.work import counted

WORDS = {str(reason): reason for reason in REASONS}
Run = Callable[..., FileResult]


def case(expect: str, action: str = "tree", after: float = 0, **members: Any) -> Case:
    """Make a case, by default of an action that is allowed."""
    name = members.pop("name", f"{action} {expect} {after} {members}")
    return Case(name, action, members.pop("args", {}), WORDS[expect], advance_ns=round(after * NANOSECONDS), **members)


def run(*cases: Case, grant: dict[str, Any] = GIT, **members: Any) -> FileResult:
    """Run cases on a grant."""
    data = json.dumps(grant, indent=2).encode()
    return run_case_file(
        CaseFile("x", "git", cases=cases, **members), GrantUnderTest(decode_grant(data, "git"), data, "git.json")
    )


def wrong(tested: FileResult) -> list[CaseResult]:
    """Return what is not as expected."""
    return list(tested.failed_cases)


def test_a_budget_is_driven_to_its_end_and_back() -> None:
    """The clock stands still until a case advances it, and a hit counts for exactly a minute."""
    assert not wrong(run(
        case("allowed", times=29, remaining=1),
        case("allowed", after=0.1, remaining=0),
        case("rate_limited", times=2),
        case("allowed", "search", remaining=29),
        case("rate_limited", after=59.8),
        case("allowed", after=0.1, remaining=28),
        case("allowed", after=0.1, remaining=28),
    ))  # fmt: skip


def test_a_cost_takes_as_many_hits() -> None:
    """More than a minute ever holds is denied, and takes none."""
    assert not wrong(run(
        case("rate_limited", cost=31), case("allowed", cost=30, remaining=0), case("rate_limited"),
        case("allowed", after=60, cost=10, times=3, remaining=0),
    ))  # fmt: skip


def test_the_first_of_several_calls_that_is_not_as_expected_is_named() -> None:
    """With the rule, its line, and how much was left."""
    (found,) = wrong(run(case("allowed", times=31)))
    assert found.failures == ("expected `allowed`, got `rate_limited` in call 31 of 31",)
    assert found.why is not None
    assert (found.why.step.rule, found.why.file) == ("rate", "git.json")
    lines = json.dumps(GIT, indent=2).split("\n")
    assert "perMinute" in lines[found.why.step.line - 1]


def test_the_closest_allowed_value_is_reported() -> None:
    """A scope one letter off."""
    (found,) = wrong(run(case("allowed", args={"path": "package/x"})))
    assert found.why is not None
    assert "packages" in found.why.nearest
    assert found.why.step.rule == "path"


def test_the_rule_that_let_a_call_pass_is_reported() -> None:
    """The rule that was expected to deny, and the scope that it went by."""
    (found,) = wrong(run(case("path_outside_scope", args={"path": "docs/x"})))
    assert found.why is not None
    assert found.why.step.rule == "path"
    assert '"docs"' in json.dumps(GIT, indent=2).split("\n")[found.why.step.line - 1]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (case("allowed", remaining=7), "expected 7 remaining, got 29"),
        (case("path_outside_scope", args={"path": "x"}, remaining=7), "expected 7 remaining, got none, as nothing was counted"),
        (case("allowed", obligations=("human_approval",)), "expected the obligations human_approval, got no obligation"),
        (case("allowed", tool="other"), "expected the budget of `other`, got that of `git-map`"),
    ],
)  # fmt: skip
def test_every_other_unexpected_value_is_reported(made: Case, said: str) -> None:
    """One by one."""
    assert [found.failures for found in wrong(run(made))] == [(said,)]


def test_paths_are_resolved_in_the_tree_of_the_file() -> None:
    """Links before `..`, from the working directory of the case, and never in the tree of the process."""
    tree = FileTree(
        ("docs/a", "elsewhere"),
        (),
        (("docs/out", "../elsewhere"), ("in", "docs"), ("docs/policy", "../.cortex/policy")),
    )
    assert not wrong(run(
        case("allowed", args={"path": "a"}, cwd="docs"),
        case("path_outside_scope", args={"path": "a"}),
        case("path_outside_scope", args={"path": "out/x"}, cwd="docs"),
        case("path_outside_scope", args={"path": "docs/out"}),
        case("path_outside_scope", args={"path": "docs/out/../x"}),
        case("path_outside_scope", args={"path": "in/a"}),
        case("path_outside_scope", args={"path": "docs/policy/tools"}),
        case("path_outside_scope", args={"path": "/etc/passwd"}),
        tree=tree,
    ))  # fmt: skip


def test_messages_do_not_name_the_temporary_directory() -> None:
    """It is another one in each run."""
    tree = FileTree(("docs",), (), (("docs/out", "../elsewhere"),))
    results = [
        run(case("allowed", args={"path": path}), tree=tree).failed_cases for path in ("docs/out/x", "docs/../../x")
    ]
    assert results == [
        run(case("allowed", args={"path": path}), tree=tree).failed_cases for path in ("docs/out/x", "docs/../../x")
    ]
    assert "cortex-policy-" not in repr([result.why for found in results for result in found])


def test_settings_are_those_of_the_file() -> None:
    """Those of the machine are not asked."""
    sensitive = GIT | {"dataClass": "sensitive"}
    duties = ("human_approval",)
    assert not wrong(run(case("allowed", obligations=duties), grant=sensitive))
    assert not wrong(run(case("approval_required", obligations=duties), grant=sensitive, settings=Settings("ask")))
    assert not wrong(run(case("approval_required", obligations=()), grant=sensitive, settings=Settings("deny")))
    assert not wrong(run(case("path_outside_scope"), settings=Settings(require_path=True)))


def test_a_complete_file_fails_where_it_shows_less_than_the_grant() -> None:
    """As one more case; but not on top of one that failed."""
    (found,) = wrong(run(case("allowed"), is_complete=True, complete_line=2))
    assert (found.case.name, found.case.line) == (COMPLETENESS_CASE, 2)
    assert "not covered: `search` is allowed" in found.failures
    assert [result.case.name for result in wrong(run(case("rate_limited", name="x"), is_complete=True))] == ["x"]


PATHS = ["docs", "docs/x", "docsx", "docs/../packages/a", "docs/link/x", "packages/../../x", "a\\b", "~", "https://x", "docs/dangling-link-to-etc-x", "docs/missing/../x", ""]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.usefixtures("root")
def test_a_case_gets_the_decision_that_a_check_gets(path: str) -> None:
    """In a tree like the root's own."""
    grant = load_grant("git")
    expected = resolve_paths_decide_and_take_hit(grant, "tree", {"path": path}, peek=True)
    tree = FileTree(
        ("docs", "packages/a"), (), (("docs/link", "/etc"), ("docs/link-to-etc", "/etc"), ("docs/dangling-link-to-etc-x", "../etc/x"))
    )  # fmt: skip
    assert not wrong(run(case(str(expected.reason), args={"path": path}), tree=tree))


def test_calls_in_a_row_are_decided_as_one_after_the_other() -> None:
    """Though only the first and the last of them are."""
    for times, cost, expect in ((3, 4, "allowed"), (7, 4, "allowed"), (8, 4, "allowed"), (9, 31, "rate_limited")):
        alone = [case(expect, name=str(index), cost=cost) for index in range(times)]
        row, others = run(case(expect, cost=cost, times=times)), run(*alone)
        assert bool(row.failed_cases) == bool(others.failed_cases)
        if row.passed_cases:
            assert row.passed_cases[0].decision == others.passed_cases[-1].decision
        if row.failed_cases:
            assert f"in call {int(others.failed_cases[0].case.name) + 1} of {times}" in row.failed_cases[0].failures[0]


def test_of_very_many_arguments_the_first_are_named() -> None:
    """And how many more there are."""
    (found,) = wrong(run(case("argument_not_allowed", args={f"y{index}": 1 for index in range(5_000)})))
    assert found.why is not None
    assert len(found.why.step.message) < 4_000


def test_of_a_large_grant_fewer_failures_are_explained() -> None:
    """Each explanation reads all of its text."""
    grant = GIT | {"actions": [f"a{index}" for index in range(60_000)]}
    tested = run(*(case("allowed", "push", name=str(index)) for index in range(9)), grant=grant)
    assert len(wrong(tested)) == 9
    assert 1 <= sum(result.why is not None for result in tested.results) < 9


def test_of_very_many_failures_the_first_are_explained() -> None:
    """To say why takes a look at all of the grant; that they fail is said of each."""
    tested = run(*(case("allowed", "push") for _ in range(MOST_WHYS + 5)))
    assert len(wrong(tested)) == MOST_WHYS + 5
    assert sum(result.why is not None for result in tested.results) == MOST_WHYS


def test_cases_of_very_many_paths_are_refused() -> None:
    """Before the disk is asked for each."""
    many = {"paths": [f"docs/{number}" for number in range(MAX_PATHS)]}
    with (
        counted(resolve_path_arguments) as work,
        pytest.raises(NotDoneError, match="the cases up to `two` have more than 50,000"),
    ):
        run(case("allowed", args={"path": "docs"}, name="one"), case("allowed", args=many, name="two"))
    assert work["resolve_path_arguments"] == 1


def test_why_a_long_array_is_denied_takes_one_more_look_at_it() -> None:
    """One to decide, one to explain."""
    grant = {**GIT, "args": {"x": {"items": {"items": {"maxLength": 3}}}}}
    values = [["a"] * 100] * 10 + [["a"] * 99 + ["long"]]
    with counted(_find_violation) as work:
        found = run(case("allowed", args={"x": values}), grant=grant)
    assert found.results[0].why is not None
    assert "(an item) (an item) must meet `maxLength` 3" in found.results[0].why.step.message
    assert work["_find_violation"] < 1_111 * 2 + 20


def test_messages_of_a_failed_case_are_cut() -> None:
    """Whatever the case expects, and however long it is."""
    long = "x" * 20_000
    made = case("allowed", tool=long, obligations=(long,))
    assert max(map(len, run(made).results[0].failures)) <= 4_100
