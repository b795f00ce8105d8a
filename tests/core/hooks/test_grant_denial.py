"""A model reads which rule denied its call, what is still allowed, and whether to try again."""

import pytest

from cortex_policy.core.hooks.denial_outputs import escape_reason_for_model
from cortex_policy.core.hooks.grant_denial import format_error_denial, format_grant_denial
from cortex_policy.core.hooks.ruling import GrantCheck
from cortex_policy.core.hooks.ruling_denial import format_rules_denial
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    HUMAN_APPROVAL,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    REASONS,
    Budget,
    CortexPolicyError,
    Decision,
    Grant,
    Rate,
)

GRANT = Grant("fs.write", "fs.write", ("write", "append"), Rate(30), {}, "internal", ("docs", "src"))
CHECK = GrantCheck(3, "fs.write", "delete", {}, (), ("/repo",), within_root=True, no_path=False, consumes=True)


def reason(decision: Decision, grant: Grant = GRANT) -> str:
    """Return what a model reads."""
    text = format_grant_denial(CHECK, grant, decision)
    assert text.startswith("denied by rule 3, which asks grant `fs.write` for `delete`: ")
    return text.partition(": ")[2]


def test_an_action_that_is_not_allowed_names_those_that_are() -> None:
    """Only a human can add one."""
    text = reason(Decision(ACTION_NOT_ALLOWED, "`delete`"))
    assert text.startswith("the grant allows only `write`, `append`. Do not try again")
    assert "only a human" in text


def test_a_path_names_the_scopes() -> None:
    """The call can be changed."""
    text = reason(Decision(PATH_OUTSIDE_SCOPE, "`x` is in no scope"))
    assert text == (
        "`x` is in no scope. Paths are allowed only in `docs`, `src`, below the root of the project."
        " Change the call; the same call will be denied again, now and later."
    )


def test_a_grant_without_scopes_says_only_where_the_root_is() -> None:
    """If the rule looks at that."""
    unscoped = Grant("g", "t", ("write",), Rate(1), {})
    assert "Paths are allowed only below the root of the project. Change" in reason(
        Decision(PATH_OUTSIDE_SCOPE, "x"), unscoped
    )
    anywhere = GrantCheck(1, "g", "a", {}, (), ("/repo",), within_root=False, no_path=False, consumes=True)
    assert ": x. Change the call" in format_grant_denial(anywhere, unscoped, Decision(PATH_OUTSIDE_SCOPE, "x"))


def test_an_argument_says_what_it_must_be() -> None:
    """As the grant declares it."""
    assert reason(Decision(ARGUMENT_NOT_ALLOWED, "`n` must meet `maximum` 5")).startswith(
        "`n` must meet `maximum` 5. Change"
    )


def test_a_rate_says_when_to_try_again() -> None:
    """In whole seconds, rounded up; or never."""
    text = reason(Decision(RATE_LIMITED, "", budget=Budget(30, 30, 0, 11.2, 0)))
    assert (
        text
        == "the grant allows 30 calls a minute, and all are used. Wait 12 seconds, then try the same call again, once."
    )
    assert "only a human" in reason(Decision(RATE_LIMITED, "", budget=Budget(30, 30, 0, None, 0)))


def test_an_approval_waits_for_a_human() -> None:
    """If one can give it."""
    assert "try again once it is approved" in reason(Decision(APPROVAL_REQUIRED, "", (HUMAN_APPROVAL,)))
    assert "Do not try again" in reason(
        Decision(APPROVAL_REQUIRED, "the setting `sensitive` is `deny`, so no human is asked")
    )


@pytest.mark.parametrize("why", REASONS[6:], ids=str)
def test_an_undecidable_call_refers_to_a_human(why: object) -> None:
    """Neither waiting nor another call helps."""
    error = CortexPolicyError(why, "/repo/.cortex/policy/tools/x.json", "run `cortex-policy set x --allow y`")  # type: ignore[arg-type]
    text = format_error_denial(error)
    assert "o not try again" in text
    assert ".cortex" not in text
    assert "cortex-policy" not in text


@pytest.mark.parametrize(
    "detail",
    [
        "`x` lies in `/repo/.cortex/policy`, which governs grants", "`x` lies beside `/var/log/a`, which remembers calls",
        "`y` leads to `/repo/.CORTEX/policy`", "`.cortex` is `/repo/.cortex`, which holds what governs grants",
    ],
)  # fmt: skip
def test_no_path_of_the_policy_is_named(detail: str) -> None:
    """The model gets a sentence without it."""
    for text in (reason(Decision(PATH_OUTSIDE_SCOPE, detail)), format_rules_denial("Write", detail, is_final=True)):
        assert ".cortex" not in text.casefold()
        assert "/var/log" not in text
        assert "the policy that checks this call" in text
        assert "only a human" in text


def test_a_reason_stays_short_whatever_it_is_about() -> None:
    """A grant may have thousands of words, and a call megabytes."""
    large = Grant("g", "t", tuple(f"action-{one}" for one in range(5000)), Rate(1), {}, "internal", ("a" * 3000,) * 50)
    for text in (
        reason(Decision(ACTION_NOT_ALLOWED), large), reason(Decision(PATH_OUTSIDE_SCOPE, "x" * 10**6), large),
        format_rules_denial("t" * 10**5, "y" * 10**6, is_final=False),
    ):  # fmt: skip
        shown = escape_reason_for_model(text)
        assert len(shown.encode()) <= 2000
        assert text.isascii()
        assert shown.split()[-5:] == text.split()[-5:]
