"""Coverage says what no case shows, and counts only what a case that passed has shown."""

import json
from typing import Any

import pytest

from cortex_policy.core.arguments import find_value_violation_text
from cortex_policy.core.decode import decode_grant
from cortex_policy.core.model import REASONS
from cortex_policy.manage.cases.coverage import Coverage, measure_coverage
from cortex_policy.manage.cases.model import NANOSECONDS, Case, CaseFile
from cortex_policy.manage.cases.runner import GrantUnderTest, run_case_file
from cortex_policy.manage.cases.suite import compute_coverage_percent
from tests.support.roots import GIT
from tests.support.work import counted

WORDS = {str(reason): reason for reason in REASONS}
ONE = {"tool": "t", "actions": ["a"], "rate": {"perMinute": 2}}
A_RATE = ["2 calls a minute are allowed, and no more", "a used up budget comes back"]


def case(expect: str, action: str = "a", **members: Any) -> Case:
    """Make a case."""
    return Case("x", action, members.pop("args", {}), WORDS[expect], **members)


def cover(grant: dict[str, Any], *files: list[Case]) -> Coverage:
    """Say what the cases of some files show of a grant."""
    data = json.dumps(grant).encode()
    subject = GrantUnderTest(decode_grant(data, "git"), data, "git.json")
    runs = [run_case_file(CaseFile("x", "git", cases=tuple(cases)), subject).passed_cases for cases in files]
    return measure_coverage(subject.grant, "git.json", runs)


def test_a_grant_without_cases_is_untested() -> None:
    """All of it."""
    found = cover(GIT)
    assert (found.is_tested, found.met, compute_coverage_percent([found])) == (False, (), 0)


def test_only_cases_that_pass_count() -> None:
    """A wrong expectation shows nothing."""
    assert "`a` is allowed" in cover(ONE, [case("allowed")]).met
    assert not cover(ONE, [case("rate_limited")]).met


def test_a_budget_must_be_used_up_and_come_back_in_one_file() -> None:
    """Each file has a clock of its own."""
    end = [case("allowed", times=2, remaining=0), case("rate_limited")]
    back = case("allowed", advance_ns=60 * NANOSECONDS)
    assert cover(ONE, [*end, back]).unmet == ("another action is denied", "any path is allowed")
    assert A_RATE[1] in cover(ONE, end, [back]).unmet
    assert A_RATE[0] in cover(ONE, [case("allowed", times=2), case("rate_limited")]).unmet  # how many, no case says
    assert set(A_RATE) <= set(cover(ONE, [case("rate_limited", cost=3), back]).unmet)


@pytest.mark.parametrize(
    ("denied", "is_shown"),
    [
        ("apps/cortex-osx", True),
        ("apps/x/y", True),
        ("apps", False),
        ("elsewhere", False),
        ("apps/cortex-os/../x", True),
    ],
)
def test_a_scope_is_covered_by_a_denied_path_beside_it(denied: str, is_shown: bool) -> None:
    """Not by any path that is denied."""
    found = cover(GIT, [case("path_outside_scope", "tree", args={"path": denied})])
    assert ("a path beside `apps/cortex-os` is denied" in found.met) == is_shown


def test_a_scope_without_a_path_beside_it_is_not_required() -> None:
    """One that never matches, and one that lies in another."""
    found = cover(ONE | {"fsScope": ["docs/a", "docs", "/x", "docs/*"]})
    assert [said for said in found.unmet if "path" in said] == [
        "a path in `docs` is allowed",
        "a path beside `docs` is denied",
    ]
    assert "no path is allowed" in cover(ONE | {"fsScope": ["/x"]}).unmet


def test_each_keyword_must_be_satisfied_and_violated() -> None:
    """A number that is too large shows nothing of the smallest; equal numbers are one value."""
    grant = ONE | {"args": {"n": {"minimum": 1, "maximum": 5}, "e": {"enum": [1, "x"]}}}
    cases = [case("argument_not_allowed", args={"n": 9}), case("allowed", args={"n": 1, "e": 1.0})]
    unmet = [said for said in cover(grant, cases).unmet if "`n`" in said or "`e`" in said]
    assert unmet == ["a `n` that violates its `minimum`", "a `e` that violates its `enum`", "`e` may be 'x'"]


def test_a_keyword_that_nothing_can_violate_is_not_required() -> None:
    """Else no grant that has one could be covered; one that is far away is."""
    grant = ONE | {"args": {"n": {"minLength": 0, "maxLength": 10**6}}}
    assert [said for said in cover(grant).unmet if "`n`" in said] == [
        "a `n` that meets its `minLength`", "a `n` that meets its `maxLength`", "a `n` that violates its `maxLength`",
    ]  # fmt: skip


def test_sensitive_data_requires_a_case_with_its_obligation() -> None:
    """By a case that names it."""
    grant = ONE | {"dataClass": "sensitive"}
    said = "an allowed call has its obligations"
    assert said in cover(grant, [case("allowed")]).unmet
    assert said in cover(grant, [case("allowed", obligations=("human_approval",))]).met
    assert said not in cover(ONE).unmet


def test_coverage_without_requirements_is_complete() -> None:
    """As for a root without grants."""
    assert compute_coverage_percent([]) == 100


def nested(declaration: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return the declaration of arrays in arrays, around another one."""
    for _ in range(depth):
        declaration = {"type": "array", "items": declaration, "minItems": 1, "maxItems": 9}
    return declaration


@pytest.mark.parametrize(
    "declaration",
    [nested({"type": "string", "pattern": "^a+$", "enum": ["a", "b"]}, 55), nested({"enum": [*range(20_000)]}, 55)],
)
def test_requirements_that_take_too_many_steps_are_skipped(declaration: dict[str, Any]) -> None:
    """Values of arrays in arrays are arrays in arrays, and each is tried against each keyword."""
    with counted(find_value_violation_text) as work:
        found = cover({**ONE, "args": {"x": declaration}})
    assert "its values take more than" in found.unmet[-1]
    assert work["find_value_violation_text"] < 300_000


@pytest.mark.parametrize(
    "declaration",
    [
        {"minimum": -(10**4_299), "maximum": 10**4_299},
        {"exclusiveMinimum": 10**4_299, "enum": [10**4_299, 10**4_300 - 1]},
        {"items": {"const": 10**4_300 - 1}},
        {"minLength": 10**4_299, "maxItems": 10**4_299},
    ],
)
def test_numbers_too_long_to_print_are_not_tried(declaration: dict[str, Any]) -> None:
    """What is next to them cannot even be printed; the declaration counts all the same."""
    found = cover({**ONE, "args": {"x": declaration}})
    assert found.unmet
    assert all("999" not in said for said in found.unmet)
