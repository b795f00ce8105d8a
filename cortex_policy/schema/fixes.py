"""Certain fixes of the text of a grant; none of them allows more than before."""

from cortex_policy.core import Value
from cortex_policy.core.compare.grants import compare_grants
from cortex_policy.core.compare.verdicts import NARROWED, SAME
from cortex_policy.core.decode import decode_grant
from cortex_policy.core.engine import DEFAULTS
from cortex_policy.core.json_edit import remove_value, rename_key
from cortex_policy.core.model import GrantError, Settings, UsageError

_MAX_BYTES_READ = 1 << 20  # bytes, in all repairs of one file: each reads the whole of it several times


class Fix(Value):
    """A fix: remove the value at a JSON Pointer, or rename its key."""

    pointer: str
    new_key: str | None = None


def compute_max_fixes_for_file(data: bytes) -> int:
    """Return how many fixes of a file are tried in one run: all for a usual grant, one for a huge file."""
    return max(1, _MAX_BYTES_READ // max(1, len(data)))


def apply_fix_or_none_if_it_widens(text: str, fix: Fix, settings: Settings = DEFAULTS) -> str | None:
    """Return the fixed text; None if it would allow more than before: an operator decides that."""
    try:
        new = remove_value(text, fix.pointer) if fix.new_key is None else rename_key(text, fix.pointer, fix.new_key)
        meaning = compare_grants(decode_grant(text.encode()), decode_grant(new.encode()), settings)
    except (GrantError, UsageError):  # the meaning is unknown
        return None
    return new if meaning.verdict in (SAME, NARROWED) else None
