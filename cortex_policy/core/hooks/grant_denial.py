"""Why a grant denies a call, as a model should read it: which rule, what is still allowed, what helps (docs/hooks.md).

INVARIANT: no sentence holds a command that changes a grant, or a path of the policy: a model with a shell would use it.
"""

from cortex_policy.core.hooks.ruling_denial import ASK, CHANGE, POLICY_SENTENCE, redact_sentence_about_policy
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    GRANT_NOT_FOUND,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    STATE_UNAVAILABLE,
    STOPPED,
)
from cortex_policy.core.text import elide_middle, join_words_that_fit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.ruling import GrantCheck
    from cortex_policy.core.model import CortexPolicyError, Decision, Grant

_MAX_WORDS_BYTES = 600  # of one list
_BROKEN = "Nothing can be allowed until a human has fixed it. Do not try again; tell the user."


def format_grant_denial(check: "GrantCheck", grant: "Grant", decision: "Decision") -> str:
    """Return why a grant denied a call."""
    return f"{_check_text(check)}: {_denial_text(check, grant, decision)}"


def _check_text(check: "GrantCheck") -> str:
    action = elide_middle(check.action, 200)
    return f"denied by rule {check.rule}, which asks grant `{check.grant}` for `{action}`"


def _denial_text(check: "GrantCheck", grant: "Grant", decision: "Decision") -> str:
    if decision.reason is ACTION_NOT_ALLOWED:
        return f"the grant allows only {_list_in_backticks(grant.actions)}. {ASK}"
    if decision.reason is ARGUMENT_NOT_ALLOWED:
        return f"{redact_sentence_about_policy(decision.detail) or 'an argument is not allowed'}. {CHANGE}"
    if decision.reason is PATH_OUTSIDE_SCOPE:
        return _call_paths_text(check, grant, decision.detail)
    if decision.reason is APPROVAL_REQUIRED:
        return _approval_text(decision)
    if decision.reason is RATE_LIMITED:
        return _rate_text(grant, decision)
    return f"{decision.reason.message}. {ASK}"


def _call_paths_text(check: "GrantCheck", grant: "Grant", detail: str) -> str:
    why = redact_sentence_about_policy(detail)
    if why == POLICY_SENTENCE:
        return f"{why}. {ASK}"
    return " ".join(filter(None, (f"{why or 'a path is not allowed'}.", _allowed_paths_text(check, grant), CHANGE)))


def _allowed_paths_text(check: "GrantCheck", grant: "Grant") -> str:
    """Return the sentence about the paths that a call may name."""
    if grant.fs_scope:
        return f"Paths are allowed only in {_list_in_backticks(grant.fs_scope)}, below the root of the project."
    return "Paths are allowed only below the root of the project." if check.within_root else ""


def _approval_text(decision: "Decision") -> str:
    if decision.obligations:
        return "a human must approve this very call first. Tell the user, and try again once it is approved."
    return f"calls for sensitive data are denied. {ASK}"


def _rate_text(grant: "Grant", decision: "Decision") -> str:
    seconds = decision.budget.retry_after_seconds if decision.budget is not None else None
    limit = f"the grant allows {grant.rate.per_minute} calls a minute, and all are used"
    if seconds is None:
        return f"{limit}. {ASK}"
    from math import ceil  # noqa: PLC0415 - an extension, which costs more than this module

    return f"{limit}. Wait {max(1, ceil(seconds))} seconds, then try the same call again, once."


def format_error_denial(error: "CortexPolicyError") -> str:
    """Return why a call is denied that could not be decided, or that an emergency stop denies."""
    if error.reason is STOPPED:
        return (
            "denied: an emergency stop is in force for every tool. Stop working, do not try again, and tell the user."
        )
    if error.reason is GRANT_NOT_FOUND:
        return f"denied: the rule asks a grant that does not exist. {_BROKEN}"
    if error.reason is STATE_UNAVAILABLE:
        return f"denied: calls cannot be counted at the moment. {_BROKEN}"
    return f"denied: the call could not be decided ({error.reason.message}). {_BROKEN}"


def _list_in_backticks(words: "tuple[str, ...]") -> str:
    return join_words_that_fit([f"`{word}`" for word in words], _MAX_WORDS_BYTES) or "nothing"
