"""The rules run in their order, and the first that fails decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.denial_hint import make_denial_hint
from cortex_policy.core.engine import decide, find_denial_before_rate
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    Grant,
    Rate,
    Reason,
    Request,
    ResolvedPath,
    Settings,
    UsageError,
)

GRANT = Grant(
    "git", "git-map", ("tree",), Rate(2), {"n": {"type": "integer"}}, data_class="sensitive", fs_scope=("docs",)
)
GOOD = ResolvedPath("path", "docs/x", "docs/x", "docs/x", "/r/docs/x")
BAD = ResolvedPath("path", "etc/x", "etc/x", "etc/x", "/r/etc/x")


@given(*[st.booleans()] * 5)
def test_the_first_rule_that_fails_decides(
    action: bool, argument: bool, path: bool, approval: bool, rate: bool
) -> None:
    """Action, arguments, path, approval, rate: whatever else is wrong too."""
    place = GOOD if path else BAD
    request = Request(
        "tree" if action else "push", {"n": 1 if argument else "x", "path": place.given}, (place,), approved=approval
    )
    expected: Reason = next(
        (reason for holds, reason in [
            (action, ACTION_NOT_ALLOWED), (argument, ARGUMENT_NOT_ALLOWED), (path, PATH_OUTSIDE_SCOPE),
            (approval, APPROVAL_REQUIRED), (rate, RATE_LIMITED),
        ] if not holds),
        ALLOWED,
    )  # fmt: skip
    hits = () if rate else (0.0, 0.0)
    assert decide(GRANT, request, hits, 1.0, Settings(sensitive="ask")).reason is expected


def test_a_decision_is_true_only_if_it_allows() -> None:
    """`if decide(...)` cannot be read the wrong way."""
    request = Request("tree", {})
    assert decide(GRANT, request)
    assert not decide(GRANT, request, (0.0, 0.0), 59.9)
    assert decide(GRANT, request, (0.0, 0.0), 60.0)


def test_a_path_that_comes_without_its_place_is_denied() -> None:
    """The pure core never believes that somebody else looked."""
    assert decide(GRANT, Request("tree", {"path": "docs/x"})).reason is PATH_OUTSIDE_SCOPE
    assert decide(GRANT, Request("tree", {"a": [{"File_Name": "docs/x"}]})).reason is PATH_OUTSIDE_SCOPE


@pytest.mark.parametrize("value", [3, {"a": "docs"}, ["docs", 3], [None], True])
def test_a_path_that_is_not_text_is_denied_in_a_scoped_grant(value: object) -> None:
    """Only a string or an array of strings is a path; null counts as absent."""
    assert decide(GRANT, Request("tree", {"path": value})).reason is PATH_OUTSIDE_SCOPE
    assert decide(GRANT, Request("tree", {"path": None}))


def test_sensitive_data_carries_the_obligation() -> None:
    """Allowed by default, with a human's approval owed; denied where the settings say so."""
    request = Request("tree", {})
    assert decide(GRANT, request).obligations == ("human_approval",)
    asked = find_denial_before_rate(GRANT, request, Settings(sensitive="ask"))
    assert asked is not None
    assert (asked.reason, asked.obligations) == (APPROVAL_REQUIRED, ("human_approval",))
    denied = find_denial_before_rate(GRANT, request, Settings(sensitive="deny"))
    assert denied is not None
    assert (denied.reason, denied.obligations) == (APPROVAL_REQUIRED, ())


def test_a_required_path_must_be_there() -> None:
    """No path argument passes unless one is required."""
    assert decide(GRANT, Request("tree", {}))
    assert not decide(GRANT, Request("tree", {}), settings=Settings(require_path=True))
    assert not decide(GRANT, Request("tree", {"path": None}), settings=Settings(require_path=True))


def test_a_cost_that_never_fits_is_not_retryable() -> None:
    """Waiting cures a full budget, not a cost above the limit."""
    never = decide(GRANT, Request("tree", {}, cost=3))
    assert (never.reason, never.retryable) == (RATE_LIMITED, False)
    later = decide(GRANT, Request("tree", {}, cost=2), (10.0,), 30.0)
    assert (later.reason, later.retryable) == (RATE_LIMITED, True)
    assert later.budget is not None
    assert later.budget.retry_after_seconds == 40.0


def test_a_limit_of_any_size_can_be_named() -> None:
    """Python refuses to print the largest integers."""
    grant = Grant("g", "t", ("tree",), Rate(10**5_000), {})
    never = decide(grant, Request("tree", {}, cost=10**5_001))
    assert never.message.endswith("a cost above a number that is too long to print never fits into a minute")
    assert "too long to print" in never.explain()
    assert (
        make_denial_hint(grant, "tree", never, None) == "ask for a cost of at most a number that is too long to print"
    )


@pytest.mark.parametrize("cost", [0, -5])
def test_a_cost_below_one_is_refused(cost: int) -> None:
    """It would be a yes on a full budget."""
    with pytest.raises(UsageError):
        decide(GRANT, Request("tree", {}, cost=cost), (0.0, 0.0), 1.0)


def test_a_denied_path_shows_no_scope() -> None:
    """A scope beside a path says that it allowed it."""
    place = ResolvedPath("path", "link/x", "link/x", "docs/x", "/r/docs/x")
    assert decide(GRANT, Request("tree", {"path": "link/x"}, (place,))).paths == ((place, None),)


def test_a_path_format_counts_at_any_depth_of_items() -> None:
    """A list of lists of paths is no array of strings, and so denied in a scoped grant."""
    args = {"x": {"type": "array", "items": {"type": "array", "items": {"type": "string", "format": "path"}}}}
    grant = Grant("g", "t", ("tree",), Rate(2), args, fs_scope=("docs",))
    assert decide(grant, Request("tree", {"x": [["/etc/passwd"]]})).reason is PATH_OUTSIDE_SCOPE
