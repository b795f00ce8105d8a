"""Arguments of a call and members of an answer as plain JSON, so that all who see them see the same."""

from cortex_policy.core.approvals import escape_surrogates
from cortex_policy.core.decode import MAX_DEPTH
from cortex_policy.core.hooks import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = frozenset((str, int, bool, type(None)))


def copy_arguments(arguments: "Mapping[str, object]") -> "dict[str, object]":
    """Return a copy that shares nothing with the arguments; raise InputError for what JSON does not have.

    INVARIANT: what is decided is this copy, and the tool gets it: nobody else can change it in between.
    """
    copy = _copy_value(dict(arguments), MAX_DEPTH)
    assert isinstance(copy, dict)  # noqa: S101 - it was one
    return copy


def _copy_value(value: object, depth: int) -> object:
    kind = type(value)  # a subclass may say something else each time it is asked
    if kind in _PLAIN:
        return value
    if kind is float:
        return _check_finite(value)
    if depth == 0:
        raise InputError(f"the arguments are nested deeper than {MAX_DEPTH}")
    if kind is list:
        return [_copy_value(part, depth - 1) for part in value]  # type: ignore[attr-defined] # a list
    if kind is dict:
        return {_check_name(name): _copy_value(part, depth - 1) for name, part in value.items()}  # type: ignore[attr-defined] # a dict
    raise InputError(f"an argument is a {kind.__name__}, which JSON does not have")


def _check_finite(number: "object") -> object:
    if isinstance(number, float) and number - number == 0:
        return number
    raise InputError("an argument is a number that JSON does not have")


def _check_name(name: object) -> str:
    if type(name) is not str:
        raise InputError("the name of an argument is not a text")
    return name


def escape_surrogates_in_members(value: "dict[str, object]") -> "dict[str, object]":
    """Return members of an answer without half of a character, which cannot be sent."""
    return {name: _printable_value(part) for name, part in value.items()}


def _printable_value(value: object) -> object:
    if isinstance(value, str):
        return escape_surrogates(value)
    if isinstance(value, list):
        return [_printable_value(part) for part in value]
    return escape_surrogates_in_members(value) if isinstance(value, dict) else value
