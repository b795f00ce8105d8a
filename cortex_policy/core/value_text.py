"""JSON values as sentences name them; loaded only where one is named."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_LISTED = 12
_MAX_LENGTH = 60  # characters
_MAX_INTEGER = 10**40  # Python refuses to print the largest integers
_EXACT = 1 << 53  # up to here each whole number is a float of its own


def format_first_values(values: "Sequence[object]") -> str:
    """Return the first of some JSON values, as a sentence lists them."""
    shown = ", ".join(map(format_value, values[:_MAX_LISTED])) or "nothing"
    return f"{shown}, ..." if len(values) > _MAX_LISTED else shown


def format_value(value: object) -> str:
    """Return a JSON value about as a grant spells it, a long one cut off."""
    if isinstance(value, str):
        return f'"{value[:_MAX_LENGTH]}..."' if len(value) > _MAX_LENGTH else f'"{value}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and -_EXACT < value < _EXACT and value.is_integer():
        value = int(value)  # JSON has one number type: `30.0` and `30` are one value, and get one text
    if isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        return "a number that is too long to print"
    if isinstance(value, dict | list | tuple):
        return "an object" if isinstance(value, dict) else "an array"
    return str(value)
