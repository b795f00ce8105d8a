"""Everything that is to be said of the bytes of one grant, whatever stands around its file."""

from itertools import chain, islice

from cortex_policy.core.decode import Malformed, decode_json, grant_of
from cortex_policy.core.model import GrantError
from cortex_policy.core.scopes import prefix_of
from cortex_policy.schema.declared import stalling_patterns, unenforceable
from cortex_policy.schema.keys import idle_keys, tool_of_id, unknown_keys
from cortex_policy.schema.mending import Mend, mended
from cortex_policy.schema.problems import MOST_FOUND, Finding
from cortex_policy.schema.reach import covered_scopes, dead_scopes, escalating_scopes, odd_actions, wide_grants
from cortex_policy.schema.subject import Subject

MOST_ROUNDS = 5  # a key that is spelled right now may hold what is to be repaired
RULES_OF_GRANTS = (
    unknown_keys, idle_keys, tool_of_id, odd_actions, dead_scopes, covered_scopes, wide_grants, escalating_scopes,
    unenforceable, stalling_patterns,
)  # fmt: skip


def examine(data: bytes, grant_id: str = "", called: str = "ID") -> tuple[Subject | None, tuple[Finding, ...]]:
    """Decode the bytes of a grant as `check` does; return it, if it is one, and all that is wrong or doubtful.

    The id is the stem of its file, and `called` how a command names it: its id, where it lies in its place.
    """
    try:
        document = decode_json(data)
    except Malformed:
        from cortex_policy.schema import syntax  # noqa: PLC0415 - most files are sound

        return None, syntax.faults(data)
    try:
        grant = grant_of(document, grant_id)
    except GrantError:
        from cortex_policy.schema.document import faults  # noqa: PLC0415 - pydantic costs 136 ms

        return None, faults(document)
    subject = Subject(document, grant, called, tuple(map(prefix_of, grant.fs_scope)))
    found = chain.from_iterable(rule(subject) for rule in RULES_OF_GRANTS)
    return subject, tuple(islice(found, MOST_FOUND))


def repaired(data: bytes, codes: frozenset[str]) -> bytes:
    """Return the bytes of a grant with the certain repairs of these codes; what does not load stays as it is."""
    for _ in range(MOST_ROUNDS):
        text = data.decode("utf-8", "surrogateescape")
        mends = [one.mend for one in examine(data)[1] if one.mend is not None and one.code in codes]
        for mend in sorted(mends, key=_from_the_end):
            text = mended(text, mend) or text
        before, data = data, text.encode("utf-8", "surrogateescape")
        if data == before:
            break
    return data


def _from_the_end(mend: Mend) -> tuple[str, int]:
    """Order repairs so that none moves what a later one points at."""
    parent, _, step = mend.pointer.rpartition("/")
    return parent, -int(step) if step.isdecimal() else 0
