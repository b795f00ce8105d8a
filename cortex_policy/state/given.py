"""What a Python caller gave, as the rules look into it: strings, numbers, lists and dictionaries, and nothing else."""

import os
from collections.abc import Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet

from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.core.model import UsageError


def check_cost(cost: object) -> None:
    """Raise UsageError for what is no cost."""
    if not isinstance(cost, int) or isinstance(cost, bool) or cost < 1:
        message = "cost must be an integer of at least 1"
        raise UsageError(message)


def plain_arguments(args: Mapping[str, object] | None) -> "dict[str, object]":
    """Return the arguments of a call as the rules look into them; raise UsageError for what is no mapping."""
    found = _plain({} if args is None else args)
    if not isinstance(found, dict):
        message = f"arguments are a mapping, not `{type(args).__name__}`"
        raise UsageError(message)
    return found


def named(root: "str | os.PathLike[str] | None") -> str | None:
    """Return a root as it was named, None where it was not."""
    return None if root is None else _text(root)


def _plain(value: object, depth: int = -1) -> object:
    """Turn paths of any type into strings, and mappings and sequences of any kind into those the rules look into."""
    if depth > MAX_DEPTH:
        message = f"arguments are nested deeper than {MAX_DEPTH}"
        raise UsageError(message)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, os.PathLike | bytes):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(name): _plain(part, depth + 1) for name, part in value.items()}
    if isinstance(value, AbstractSet | ValuesView | Sequence) and not isinstance(value, bytearray | memoryview | range):
        return [_plain(part, depth + 1) for part in value]
    message = f"an argument of type `{type(value).__name__}` cannot be looked into"
    raise UsageError(message, "pass JSON values, paths or bytes")


def _text(value: object) -> str:
    if not isinstance(value, str | bytes | os.PathLike):
        return str(value)
    try:
        return os.fsdecode(value)
    except TypeError as error:
        raise UsageError(str(error)) from None
