"""Everything that is to be said of the bytes of one grant, whatever stands around its file."""

from collections import Counter
from itertools import chain

from cortex_policy.core.decode import MalformedError, decode_json, grant_from_document
from cortex_policy.core.model import GrantError
from cortex_policy.core.scope_prefix import normalize_scope_cached
from cortex_policy.schema.fixes import Mend, affordable, mended
from cortex_policy.schema.problems import MOST_FOUND, Finding
from cortex_policy.schema.rules.arguments import catastrophic_patterns, unenforceable
from cortex_policy.schema.rules.keys import idle_keys, tool_of_id, unknown_keys
from cortex_policy.schema.rules.parsed_grant import Subject
from cortex_policy.schema.rules.scopes import covered_scopes, dead_scopes, escalating_scopes, odd_actions, wide_grants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

FOREIGN = ("shape-other", "shape-schema")
MOST_ROUNDS = 5  # a key that is spelled right now may hold what is to be repaired
RULES_OF_KEYS = (unknown_keys, idle_keys)  # which tell of a document that is no grant yet, too
RULES_OF_GRANTS = (
    tool_of_id, odd_actions, dead_scopes, covered_scopes, wide_grants, escalating_scopes,
    unenforceable, catastrophic_patterns,
)  # fmt: skip


def examine(
    data: bytes, grant_id: str = "", called: str = "ID", root: str = ""
) -> tuple[Subject | None, tuple[Finding, ...]]:
    """Decode the bytes of a grant as `check` does; return it, if it is one, and all that is wrong or doubtful.

    The id is the stem of its file, and `called` how a command names it: its id, where it lies in its place.
    The root is where its scopes start.
    """
    try:
        document = decode_json(data)
    except MalformedError:
        from cortex_policy.schema.syntax import diagnose  # noqa: PLC0415 - most files are sound

        return None, diagnose.faults(data)
    try:
        grant = grant_from_document(document, grant_id)
    except GrantError:
        from cortex_policy.schema.document import faults  # noqa: PLC0415 - pydantic costs 136 ms

        found = faults(document)
        return None, found if found[0].code in FOREIGN else tuple(first_of_each(chain(found, _of_keys(document))))
    subject = Subject(document, grant, called, tuple(map(normalize_scope_cached, grant.fs_scope)), root)
    more = chain.from_iterable(rule(subject) for rule in RULES_OF_GRANTS)
    return subject, tuple(first_of_each(chain(_of_keys(document), more)))


def _of_keys(document: "dict[str, Any]") -> "Iterator[Finding]":
    return chain.from_iterable(rule(document) for rule in RULES_OF_KEYS)


def first_of_each(findings: "Iterable[Finding]") -> "Iterator[Finding]":
    """Yield findings, of each code no more than anybody reads: those of one must not hide those of another."""
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.code] += 1
        if seen[finding.code] <= MOST_FOUND:
            yield finding


def repaired(data: bytes, codes: frozenset[str]) -> bytes:
    """Return the bytes of a grant with the certain repairs of these codes; what does not load stays as it is."""
    left = affordable(data)
    for _ in range(MOST_ROUNDS):
        text = data.decode("utf-8", "surrogateescape")
        mends = [one.mend for one in examine(data)[1] if one.mend is not None and one.code in codes]
        for mend in sorted(mends, key=_from_the_end)[:left]:
            text = mended(text, mend) or text
        left = max(0, left - len(mends))
        before, data = data, text.encode("utf-8", "surrogateescape")
        if data == before or not left:
            break
    return data


def _from_the_end(mend: Mend) -> tuple[str, int]:
    """Order repairs so that none moves what a later one points at."""
    parent, _, step = mend.pointer.rpartition("/")
    return parent, -int(step) if step.isdecimal() else 0
