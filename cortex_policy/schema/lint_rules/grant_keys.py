"""Rules about the keys of a grant: those that nothing enforces."""

import re
from collections import Counter
from difflib import get_close_matches
from functools import cache
from itertools import chain

from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.text import format_guess_hint
from cortex_policy.schema.fixes import Fix
from cortex_policy.schema.problems import UnlocatedProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from cortex_policy.schema.lint_rules.lint_subject import LintSubject

GRANT_KEYS = ("tool", "actions", "args", "dataClass", "rate", "fsScope")
PER_MINUTE = "perMinute"
_GRANT_KEY_SET = frozenset(GRANT_KEYS)
ENFORCED_HINT = "only tool, actions, args, dataClass, rate.perMinute and fsScope are enforced"
_LIST_HINT = "list what is allowed in `actions` and `fsScope` instead"
_REMOVE_HINT = "remove the grant instead, with `cortex-policy remove {called}`"
_RATE_HINT = 'the only rate is "perMinute"'
# what reads like a restriction, without case, `_` and `-`, and what to do instead
UNENFORCED_KEYS = {
    **dict.fromkeys(("enabled", "disabled", "disable", "active", "inactive", "paused", "revoked"), _REMOVE_HINT),
    **dict.fromkeys(("expires", "expiry", "expiresat", "notafter", "notbefore", "validuntil", "until"), _REMOVE_HINT),
    **dict.fromkeys(("deny", "denied", "denylist", "denyactions", "block", "blocked", "blocklist"), _LIST_HINT),
    **dict.fromkeys(("except", "exceptions", "exclude", "excludes", "excluded"), _LIST_HINT),
    **dict.fromkeys(("forbid", "forbidden", "not"), _LIST_HINT),
    **dict.fromkeys(("readonly", "users", "roles", "groups", "hosts", "requires", "when", "condition"), ENFORCED_HINT),
    **dict.fromkeys(("approval", "requireapproval", "requiresapproval"), 'class "sensitive" asks for approval'),
    **dict.fromkeys(("limit", "limits", "quota", "quotas", "maxcalls", "burst"), _RATE_HINT),
    **dict.fromkeys(("persecond", "perhour", "perday", "ratelimit", "ratelimits"), _RATE_HINT),
}  # fmt: skip
# and what begins like one: `denyPaths`, `max_bytes`
_UNENFORCED_PREFIXES = {
    **dict.fromkeys(
        ("deny", "denied", "disallow", "disallowed", "block", "blocked", "exclude", "excluded"), _LIST_HINT
    ),
    **dict.fromkeys(("forbid", "forbidden", "except", "allow", "allowed", "only"), _LIST_HINT),
    **dict.fromkeys(("max", "min", "limit"), ENFORCED_HINT),
}
_FIRST_WORD = re.compile("[A-Za-z][a-z]*")
_ALIASES = {"scope": "fsScope", "scopes": "fsScope", "paths": "fsScope", "class": "dataClass", "arguments": "args"}
KEY_BY_NORMAL_FORM = {known.lower(): known for known in GRANT_KEYS} | _ALIASES
_MIN_LIKENESS = 0.85  # `agents` is no `args`


def find_misspelled_keys(document: "Mapping[str, Any]") -> "Iterator[UnlocatedProblem]":
    """Find keys that look like one of a grant's."""
    similar_keys = {key: find_similar_grant_key(key) for key in _find_unrecognized_keys(document)}
    key_counts = Counter([*similar_keys.values(), *document])
    for key, known in similar_keys.items():
        if known:
            fix = Fix(format_json_pointer(key), known) if key_counts[known] == 1 else None
            yield _unknown_key_problem((key,), known, fix)
    rate = document.get("rate")
    for key in rate if isinstance(rate, dict) else ():
        if key != PER_MINUTE and looks_like_per_minute_key(key):
            yield _unknown_key_problem(("rate", key), PER_MINUTE, None)


def _unknown_key_problem(steps: tuple[str, ...], known: str, fix: Fix | None) -> UnlocatedProblem:
    message = f"`{steps[-1]}` has no effect: a {'rate' if len(steps) > 1 else 'grant'} has no such key"
    return UnlocatedProblem(
        "key-unknown", message, format_guess_hint(known), format_json_pointer(*steps), at_key=True, fix=fix
    )


def find_unknown_keys_that_look_restrictive(document: "Mapping[str, Any]", called: str) -> "Iterator[UnlocatedProblem]":
    """Find keys that look like a restriction, and that no check knows; commands call the grant as `called` says."""
    rate = document.get("rate")
    below = (("rate", key) for key in rate if key != PER_MINUTE) if isinstance(rate, dict) else ()
    for steps in chain(((key,) for key in _find_unrecognized_keys(document)), below):
        hint = _restriction_hint(steps[-1])
        if hint is not None:
            message = f"`{steps[-1]}` restricts nothing: no check knows it"
            yield UnlocatedProblem(
                "key-idle", message, hint.format(called=called), format_json_pointer(*steps), at_key=True
            )


def _restriction_hint(key: str) -> str | None:
    """Return what to do instead of a key that reads like a restriction."""
    first = _FIRST_WORD.match(key)
    return UNENFORCED_KEYS.get(_normalize_key(key)) or (
        _UNENFORCED_PREFIXES.get(first[0].lower()) if first is not None else None
    )


def find_tool_id_mismatch(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find a tool whose name differs from the id of its file."""
    grant = subject.grant
    if grant.id and grant.id != grant.tool:
        hint = f"calls say `{grant.id}`; budgets and the audit log say `{grant.tool}`"
        yield UnlocatedProblem("tool-id", f"the id `{grant.id}` is not the tool `{grant.tool}`", hint, "/tool")


def _find_unrecognized_keys(document: "Mapping[str, Any]") -> "Iterator[str]":
    """Yield the keys that no grant has, in the order of the file: that of a set is another in each process."""
    return (key for key in document if key not in _GRANT_KEY_SET)


@cache  # the same few keys are in every file
def find_similar_grant_key(key: str) -> str:
    """Return the key of a grant that another one looks like, '' for none."""
    if key in _GRANT_KEY_SET:
        return key
    matches = get_close_matches(_normalize_key(key), KEY_BY_NORMAL_FORM, 1, _MIN_LIKENESS)
    return KEY_BY_NORMAL_FORM[matches[0]] if matches and _normalize_key(key) not in UNENFORCED_KEYS else ""


@cache
def looks_like_per_minute_key(key: str) -> bool:
    """Whether the key of a rate is, or looks like, the one there is."""
    return bool(get_close_matches(_normalize_key(key), [PER_MINUTE.lower()], 1, _MIN_LIKENESS))


def _normalize_key(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")
