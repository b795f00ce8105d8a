"""Values as JSON: ASCII alone, on one line, and in one canonical form for fingerprints (`json` costs 8 ms)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

try:
    from _json import encode_basestring_ascii
except ImportError:  # another Python implementation
    from json.encoder import encode_basestring_ascii  # type: ignore[assignment, unused-ignore]

_CONSTANTS = {None: "null", True: "true", False: "false"}
_EXACT = 1 << 53  # up to here each whole number is a float of its own
_NO_NUMBERS = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}


def format_ascii_json(value: object, comma: str = ", ", colon: str = ": ") -> str:
    """Return the JSON of a tree of dicts, lists, tuples, strings, numbers, booleans and None.

    What JSON does not know becomes a string: `"NaN"`, `"Infinity"`, `"-Infinity"`, and an integer that Python refuses
    to print is written in base 16 (`"0x..."`). Lone surrogates are escaped. Raises TypeError for other types.
    """
    if isinstance(value, dict):
        members = [
            f"{format_ascii_json(name)}{colon}{format_ascii_json(part, comma, colon)}" for name, part in value.items()
        ]
        return "{" + comma.join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + comma.join([format_ascii_json(part, comma, colon) for part in value]) + "]"
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, str):
        return str(encode_basestring_ascii(value))
    if isinstance(value, int | float):
        return _number_text(value)
    message = f"no JSON for {type(value).__name__}"
    raise TypeError(message)


def encode_json_line(members: "Mapping[str, object]") -> bytes:
    """Return members as a line of JSON, ASCII with its newline."""
    return f"{format_ascii_json(dict(members), ',', ':')}\n".encode("ascii")


def format_canonical_json(value: object) -> str:
    """Return the one text that equal values share: members sorted, no spaces, `1.0` as `1`."""
    return format_ascii_json(_canonical_value(value), ",", ":")


def _number_text(value: float) -> str:
    # a subclass may print itself in another way
    if isinstance(value, float):
        text = float.__repr__(value)
        return _NO_NUMBERS.get(text, text)
    try:
        return int.__repr__(value)
    except ValueError:  # more digits than Python prints
        return f'"{value:#x}"'


def _canonical_value(value: object) -> object:
    if isinstance(value, dict):
        return {name: _canonical_value(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_canonical_value(part) for part in value]
    if isinstance(value, float) and -_EXACT < value < _EXACT and value.is_integer():
        return int(value)
    return value
