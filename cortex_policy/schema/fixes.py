"""Repairs of the text of a grant that are certain, and never let anything through that was denied before."""

from cortex_policy.core.compare.grants import NARROWED, SAME, compare_grants
from cortex_policy.core.decode import decode
from cortex_policy.core.json_edit import remove_value, rename_key
from cortex_policy.core.model import GrantError, UsageError, Value

_MAX_BYTES_READ = 1 << 20  # bytes, in all repairs of one file: each reads the whole of it several times


class Fix(Value):
    """What is wrong at a JSON Pointer goes, or its key gets another name."""

    pointer: str
    new_key: str | None = None


def max_fixes(data: bytes) -> int:
    """Return how many repairs of a file are tried in one run: all of a grant as they are, one of a giant."""
    return max(1, _MAX_BYTES_READ // max(1, len(data)))


def apply_fix(text: str, fix: Fix) -> str | None:
    """Return the text as repaired; None where that would allow more than before, and is an operator's to decide."""
    try:
        new = remove_value(text, fix.pointer) if fix.new_key is None else rename_key(text, fix.pointer, fix.new_key)
        meaning = compare_grants(decode(text.encode()), decode(new.encode()))
    except (GrantError, UsageError):  # nobody knows what was meant
        return None
    return new if meaning.verdict in (SAME, NARROWED) else None
