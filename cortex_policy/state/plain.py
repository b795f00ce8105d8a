"""What Python callers pass, as the values that a check knows."""

import os
from collections.abc import Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet

from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.core.model import UsageError


def plain(value: object, depth: int = -1) -> object:
    """Turn paths of any type into strings, and mappings and sequences of any kind into those the rules look into.

    Raises UsageError for what cannot be looked into.
    """
    if depth > MAX_DEPTH:
        message = f"arguments are nested deeper than {MAX_DEPTH}"
        raise UsageError(message)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, os.PathLike | bytes):
        return text(value)
    if isinstance(value, Mapping):
        return {text(name): plain(part, depth + 1) for name, part in value.items()}
    if isinstance(value, AbstractSet | ValuesView | Sequence) and not isinstance(value, bytearray | memoryview | range):
        return [plain(part, depth + 1) for part in value]
    message = f"an argument of type `{type(value).__name__}` cannot be looked into"
    raise UsageError(message, "pass JSON values, paths or bytes")


def text(value: object) -> str:
    """Return the string that a path-like object or bytes stand for; raise UsageError for one that stands for none."""
    if not isinstance(value, str | bytes | os.PathLike):
        return str(value)
    try:
        return os.fsdecode(value)
    except TypeError as error:
        raise UsageError(str(error)) from None
