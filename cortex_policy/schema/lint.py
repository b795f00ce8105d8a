"""Lint the bytes of one grant: everything that can be found without looking at other files."""

from collections import Counter
from itertools import chain

from cortex_policy.core.decode import MalformedError, decode_grant_document, decode_json
from cortex_policy.core.engine import DEFAULTS
from cortex_policy.core.model import GrantError, Settings
from cortex_policy.core.scopes import normalize_scope_cached
from cortex_policy.schema.fixes import Fix, apply_fix_or_none_if_it_widens, compute_max_fixes_for_file
from cortex_policy.schema.lint_rules.actions_and_scopes import (
    find_escalating_scopes,
    find_redundant_scopes,
    find_risky_lack_of_scopes,
    find_suspicious_actions,
    find_unmatchable_scopes,
)
from cortex_policy.schema.lint_rules.arguments import find_always_denied_arguments, find_slow_or_unmatchable_patterns
from cortex_policy.schema.lint_rules.grant_keys import (
    find_misspelled_keys,
    find_tool_id_mismatch,
    find_unknown_keys_that_look_restrictive,
)
from cortex_policy.schema.lint_rules.lint_subject import LintSubject
from cortex_policy.schema.lint_rules.pathlike_arguments import find_pathlike_arguments
from cortex_policy.schema.problems import MAX_PROBLEMS, UnlocatedProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

NON_GRANT_CODES = ("shape-other", "shape-schema")
_LONG_POINTER = 1_000  # characters that count as one more problem: all below one long name have it
MAX_ROUNDS = 5  # a key that is spelled right now may hold what is to be repaired
GRANT_RULES = (
    find_tool_id_mismatch, find_suspicious_actions,
    find_unmatchable_scopes, find_redundant_scopes, find_risky_lack_of_scopes, find_escalating_scopes,
    find_always_denied_arguments, find_slow_or_unmatchable_patterns, find_pathlike_arguments,
)  # fmt: skip


def decode_and_lint_grant(
    data: bytes, grant_id: str = "", called: str = "ID", root: str = ""
) -> tuple[LintSubject | None, tuple[UnlocatedProblem, ...]]:
    """Decode the bytes of a grant as `check` does; return the grant, or None, and all problems.

    The id is the stem of its file, and `called` how a command names it: its id, where it lies in its place.
    The root is where its scopes start.
    """
    try:
        document = decode_json(data)
    except MalformedError:
        from cortex_policy.schema.syntax import diagnose  # noqa: PLC0415 - most files are sound

        return None, diagnose.find_syntax_problems(data)
    try:
        grant = decode_grant_document(document, grant_id)
    except GrantError:
        from cortex_policy.schema.grant_document import find_problems_of_refused_document  # noqa: PLC0415 - pydantic costs 136 ms

        errors = find_problems_of_refused_document(document)
        return None, errors if errors[0].code in NON_GRANT_CODES else tuple(
            limit_problems_per_code(chain(errors, _key_problems(document, called)))
        )
    subject = LintSubject(document, grant, called, tuple(map(normalize_scope_cached, grant.fs_scope)), root)
    more = chain.from_iterable(rule(subject) for rule in GRANT_RULES)
    return subject, tuple(limit_problems_per_code(chain(_key_problems(document, called), more)))


def _key_problems(document: "dict[str, Any]", called: str) -> "Iterator[UnlocatedProblem]":
    """Yield the problems of keys, also in a document that is not a grant yet."""
    return chain(find_misspelled_keys(document), find_unknown_keys_that_look_restrictive(document, called))


def limit_problems_per_code(problems: "Iterable[UnlocatedProblem]") -> "Iterator[UnlocatedProblem]":
    """Yield problems, at most MAX_PROBLEMS of each code: those of one code must not hide those of another."""
    seen: Counter[str] = Counter()
    for problem in problems:
        if seen[problem.code] < MAX_PROBLEMS:
            yield problem
        seen[problem.code] += 1 + len(problem.pointer) // _LONG_POINTER


def apply_safe_fixes_to_bytes(data: bytes, codes: frozenset[str], settings: Settings = DEFAULTS) -> bytes:
    """Return the bytes of a grant with the certain fixes of these codes; text that does not decode stays as it is."""
    fixes_left = compute_max_fixes_for_file(data)
    for _ in range(MAX_ROUNDS):
        text = data.decode("utf-8", "surrogateescape")
        fixes = [one.fix for one in decode_and_lint_grant(data)[1] if one.fix is not None and one.code in codes]
        for fix in sorted(fixes, key=_last_first)[:fixes_left]:
            text = apply_fix_or_none_if_it_widens(text, fix, settings) or text
        fixes_left = max(0, fixes_left - len(fixes))
        before, data = data, text.encode("utf-8", "surrogateescape")
        if data == before or not fixes_left:
            break
    return data


def _last_first(fix: Fix) -> tuple[str, int]:
    """Sort fixes so that none moves the target of a later one."""
    parent, _, step = fix.pointer.rpartition("/")
    return parent, -int(step) if step.isdecimal() else 0
