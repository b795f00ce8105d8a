"""Values of a Python caller, rebuilt from exact types before any rule checks them.

A subclass is taken by its value, never by its own methods: `class Where(str, Enum)` formats itself as `Where.X`, and
`open` reads its value. A value of any other type is refused with UsageError, whatever its methods raise.
"""

import os
from collections import deque
from collections.abc import Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from math import isfinite

from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.core.model import UsageError

MAX_PARTS = 1 << 20  # values in one call: no file or command line holds more
_COLLECTIONS = (list, tuple, deque, set, frozenset)
_name_of = type.__dict__["__name__"].__get__  # a metaclass may define another `__name__`
_bases_of = type.__dict__["__mro__"].__get__
_members_of = type.__dict__["__dict__"].__get__


def require_text(value: object, what: str) -> str:
    """Return a string; raise UsageError for anything else; `what` is the name of the value in the message."""
    if type(value) is str:
        return value
    if issubclass(type(value), str):
        return str.__str__(value)
    message = f"{what} is a string, not `{_name_of(type(value))}`"
    raise UsageError(message)


def require_positive_int(value: object, what: str) -> int:
    """Return an integer of at least one; raise UsageError for anything else."""
    number = int.__int__(value) if issubclass(type(value), int) and type(value) is not bool else 0  # type: ignore[arg-type]
    if number < 1:
        message = f"{what} must be an integer of at least 1"
        raise UsageError(message)
    return number


def require_timestamp(value: object) -> float:
    """Return a point in time; raise UsageError unless it is a finite number."""
    try:
        seconds = float(int.__int__(value)) if issubclass(type(value), int) else float.__float__(value)  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        seconds = float("nan")
    if not isfinite(seconds):
        message = "a time is a finite number of seconds"
        raise UsageError(message)
    return seconds


def require_timestamps(values: object) -> list[float]:
    """Return points in time; raise UsageError if they cannot be iterated over, or if one is not a finite number."""
    return [require_timestamp(value) for value in _list_parts(values)]


def require_budget_arguments(tool: object, action: object, limit: object, cost: object) -> tuple[str, str, int, int]:
    """Return the exact tool, action, limit and cost of a call to a budget."""
    is_number = issubclass(type(limit), int) and type(limit) is not bool
    counted = int.__int__(limit) if is_number else require_positive_int(limit, "limit")  # type: ignore[arg-type]
    return require_text(tool, "a tool"), require_text(action, "an action"), counted, require_positive_int(cost, "cost")


def convert_path_value_to_text(value: object) -> str:
    """Return a string, bytes or a path-like object as text; raise UsageError for anything else."""
    if issubclass(type(value), str):
        return str.__str__(value)
    try:
        given = value if issubclass(type(value), bytes) else os.fspath(value)  # type: ignore[call-overload]
        if issubclass(type(given), str):
            return str.__str__(given)
        return os.fsdecode(bytes.__bytes__(given))  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - `__fspath__` of the caller's own
        message = f"`{_name_of(type(value))}` is not a path"
        raise UsageError(message) from None


def rebuild_arguments(args: object) -> "dict[str, object]":
    """Return the arguments of a call; raise UsageError if they are not a mapping, or a value cannot be examined.

    Paths of any type and bytes become strings, other mappings, sequences and sets dictionaries and lists.
    """
    try:
        rebuilt = _Rebuilder().rebuild_value({} if args is None else args, -1)
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - the methods of the caller's own types may raise anything
        message = f"an argument cannot be examined: its own methods raise `{_name_of(type(error))}`"
        raise UsageError(message) from None
    if type(rebuilt) is not dict:
        message = f"arguments are a mapping, not `{_name_of(type(args))}`"
        raise UsageError(message)
    return rebuilt


def _list_parts(values: object) -> "list[object]":
    """Return the parts of an iterable; raise UsageError if there are more than a call may hold."""
    items: list[object] = []
    try:
        for value in values:  # type: ignore[attr-defined]
            items.append(value)
            if len(items) > MAX_PARTS:
                break
    except Exception as error:  # noqa: BLE001 - as above
        message = f"`{_name_of(type(values))}` cannot be iterated over: `{_name_of(type(error))}`"
        raise UsageError(message) from None
    if len(items) > MAX_PARTS:
        message = f"a call holds more than {MAX_PARTS} values"
        raise UsageError(message)
    return items


class _Rebuilder:
    """Rebuilds the arguments of one call; raises UsageError once they hold too many values."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def rebuild_value(self, value: object, depth: int) -> object:
        """Return a value, `depth` containers below the arguments."""
        kind = type(value)
        # INVARIANT: compared by identity: a metaclass may claim to equal anything
        if kind is str or kind is int or kind is float or kind is bool or value is None:
            return value
        if depth > MAX_DEPTH:
            message = f"arguments are nested deeper than {MAX_DEPTH}"
            raise UsageError(message)
        if issubclass(kind, str | bytes):
            return convert_path_value_to_text(value)
        if _has_path(kind):
            if issubclass(kind, int | float | dict | list | tuple | deque | set | frozenset):
                raise _unreadable_error(kind)  # a path to some programs, a number or a collection to others
            return convert_path_value_to_text(value)
        if issubclass(kind, int):
            return int.__int__(value)  # type: ignore[arg-type]
        if issubclass(kind, float):
            return float.__float__(value)  # type: ignore[arg-type]
        return self._rebuild_collection(value, kind, depth)

    def _rebuild_collection(self, value: object, kind: type, depth: int) -> object:
        if issubclass(kind, dict):
            return self._rebuild_members(list(dict.items(value)), depth)  # type: ignore[arg-type]
        for known in _COLLECTIONS:
            if issubclass(kind, known):
                return self._rebuild_parts(list(known.__iter__(value)), depth)  # type: ignore[arg-type]
        if issubclass(kind, bytearray | memoryview | range):
            raise _unreadable_error(kind)
        if issubclass(kind, Mapping):
            pairs = _list_parts(value.items())  # type: ignore[attr-defined]
            return self._rebuild_members([(name, part) for name, part in pairs], depth)  # type: ignore[misc, has-type]
        if issubclass(kind, AbstractSet | ValuesView | Sequence):
            return self._rebuild_parts(_list_parts(value), depth)
        raise _unreadable_error(kind)

    def _rebuild_members(self, pairs: "list[tuple[object, object]]", depth: int) -> "dict[str, object]":
        self._count_parts(len(pairs))
        members: dict[str, object] = {}
        for key, part in pairs:
            name = _require_name(key)
            if name in members:
                message = f"two arguments have the name `{name:.60}`"
                raise UsageError(message)
            members[name] = self.rebuild_value(part, depth + 1)
        return members

    def _rebuild_parts(self, parts: "list[object]", depth: int) -> "list[object]":
        self._count_parts(len(parts))
        return [self.rebuild_value(part, depth + 1) for part in parts]

    def _count_parts(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            message = f"a call holds more than {MAX_PARTS} values"
            raise UsageError(message)


def _require_name(key: object) -> str:
    kind = type(key)
    if issubclass(kind, str | bytes) or _has_path(kind):
        return convert_path_value_to_text(key)
    if key is None or kind is bool:
        return str(key)
    if issubclass(kind, int):
        return int.__repr__(key)
    if issubclass(kind, float):
        return float.__repr__(key)
    message = f"a name of type `{_name_of(kind)}` cannot be examined"
    raise UsageError(message, "name arguments by strings")


def _has_path(kind: type) -> bool:
    """Whether values of a type are path-like; looked up as `os.fspath` does, without calling anything."""
    return any("__fspath__" in _members_of(base) for base in _bases_of(kind))


def _unreadable_error(kind: type) -> UsageError:
    return UsageError(f"an argument of type `{_name_of(kind)}` cannot be examined", "pass JSON values, paths or bytes")
