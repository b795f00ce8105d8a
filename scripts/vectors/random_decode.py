"""Grants near the bounds of what decodes: good ones with one or two changes, and every kind of number and string."""

from base64 import b64encode
from typing import Any

from cortex_policy.core.decode import MAX_BYTES
from scripts.vectors.chance import Chance
from scripts.vectors.texts import Vector

NUMBERS = (
    "30", "30.0", "3e1", "300e-1", "1", "0", "-1", "-0", "0.0", "-0.0", "1.5", "30.5", "0.999", "1e0", "1E2", "1e+2", "1e16", "1e308", "1e309",
    "-1e999", "9007199254740992", "9007199254740993", "18446744073709551616", "1e22", "123456789012345680000", "true", "false", "null", '"30"',
    "[30]", "{}", "NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "1e", "0x10", "1_000", "--1", "- 1", "2e-1", "1e-400",
)  # fmt: skip
STRINGS = (
    '"t"', '""', '"\\u0074"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00\\ud83d"', '"\\u0000"', '"\\n"', '"\n"', '"\t"', '"\x7f"', '"\\x"', '"\\u12"',
    '"\\u00zz"', '"\\/"', '"é"', '"e\u0301"', '"\U0001f600"', '"\u2028"', "'t'", "t", '"t', "1", "null", "[]", '"\\"', '"\ufeff"', '"\\ud800x"', '"__proto__"',
)  # fmt: skip
KEYS = ("tool", "actions", "rate", "args", "dataClass", "fsScope")
EXTRA_KEYS = ("$schema", "rules", "x", "__proto__", "constructor", "Tool", "tool ", "\\u0074ool", "egress", "toString")
_VALUES: dict[str, tuple[str, ...]] = {
    "tool": STRINGS,
    "actions": ('["tree"]', "[]", '["a", "b"]', '["a", "a"]', '[""]', '["a", 1]', "[null]", '"a"', "{}", "null", '["A", "a"]', '[["a"]]', '["a",]'),
    "args": ("{}", '{"n": {"type": "integer"}}', '{"n": 1}', "[]", "null", '"n"', "0", '{"n": {"enum": [1.0, 1, -0.0]}, "a": {}}', '{"a": 1, "a": 2}',
             '{"__proto__": {"type": "string"}}', '{"1": {}, "b": {}, "0": {}}', '{"é": {"const": 1e400}}', '{"x": {"const": 1e21}}', "{}}"),
    "dataClass": ('"public"', '"internal"', '"sensitive"', '"Public"', '"secret"', '""', "null", "1", '["public"]', '"public\\u0020"', "true"),
    "fsScope": ("[]", '["docs"]', '["docs", "src/"]', '["docs", 1]', '"docs"', "null", "{}", '[""]', '["*"]', '[["docs"]]', "false"),
}  # fmt: skip
_NOISE = (
    '"', "{", "[", "]", "}", ",", ":", "\\", "\\ud800", "-", "1e999", "NaN", "\0", "//", "/**/", "\ufeff", "\u00a0", "\u2028", "\f", "\v", "'", "\r", "#",
    "null", "true", " ", "\n", "e", "0", ".",
)  # fmt: skip
_BAD_BYTES = (
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc3",
    b"\xe2\x82",
    b"\x80",
    b"\xf0\x9f\x98",
)


def decode_vector(chance: Chance) -> Vector:
    """Make a vector of the kind `decode`."""
    if chance.is_true(0.06):
        return {"kind": "decode", "bytes": chance.made((_large, _marked, _many_digits, _not_an_object))}
    makers = (*[_changed_members] * 6, _cut, _cut, _insert, _insert, _nested, _bad_bytes)
    return {"kind": "decode", "bytes": chance.made(makers)}


def _members(chance: Chance, changes: int) -> list[tuple[str, str]]:
    members = {"tool": '"t"', "actions": '["tree"]', "rate": '{"perMinute": 30}'}
    for key in chance.subset(("args", "dataClass", "fsScope"), 0.3):
        members[key] = _VALUES[key][chance.number(0, 1)]
    for _ in range(changes):
        key = chance.pick(KEYS)
        members[key] = _rate(chance) if key == "rate" else chance.pick(_VALUES[key])
    return list(members.items())


def _rate(chance: Chance) -> str:
    if chance.is_true(0.15):
        return chance.pick(
            (
                "{}",
                "30",
                "null",
                "[]",
                '{"perminute": 1}',
                '{"perMinute": 1, "perMinute": 2}',
                '{"perMinute": 5, "perHour": 1}',
            )
        )
    return f'{{"perMinute": {chance.pick(NUMBERS)}}}'


def _join(chance: Chance, members: list[tuple[str, str]]) -> str:
    comma, colon = chance.pick((", ", ",", ",\n  ", " ,\t", ",\r\n")), chance.pick((": ", ":", " : "))
    text = comma.join(f'"{key}"{colon}{value}' for key, value in members)
    return chance.pick(("{%s}", "{%s}", "{ %s }", "{\n%s\n}\n", "\n\t {%s}\r\n")) % text


def _changed_members(chance: Chance) -> str:
    members = _members(chance, chance.number(0, 2))
    if chance.is_true(0.25):
        members.insert(chance.number(0, len(members)), (chance.pick(EXTRA_KEYS), chance.pick((*STRINGS, *NUMBERS))))
    if chance.is_true(0.2):
        members.pop(chance.number(0, len(members) - 1))
    if chance.is_true(0.15):
        members.append((chance.pick(KEYS[:3]), '"again"'))
    return _join(chance, members)


def _good(chance: Chance) -> str:
    return _join(chance, [*_members(chance, 0), ("x", '[1.5e3, "\\u00e4", null, true, {"a": "\\n"}]')])


def _cut(chance: Chance) -> str:
    """Leave out a few characters, at the end of the text in some cases."""
    text = _good(chance)
    start = chance.number(0, len(text) - 1)
    return text[:start] + ("" if chance.is_true(0.3) else text[start + chance.number(1, 6) :])


def _insert(chance: Chance) -> str:
    text, start = _good(chance), 0
    start = chance.number(0, len(text))
    return text[:start] + chance.pick(_NOISE) + text[start + chance.number(0, 1) :]


def _nested(chance: Chance) -> Any:
    """Nest arrays and objects about as deep as a grant may; the grant itself is the first level."""
    depth = chance.pick((1, 5, 61, 62, 63, 64, 65, 66, 70, 120))
    opening, closing = chance.pick((("[", "]"), ('{"a":', "}")))
    inner = chance.pick(("1", '""', "[]", "{}", '"\\ud800"', "null"))
    parts = [
        '{"tool": "t", "actions": ["a"], "rate": {"perMinute": 1}, "x": ',
        {"repeat": opening, "times": depth},
        inner,
        {"repeat": closing, "times": depth},
        "}",
    ]
    return {"parts": parts}


def _large(chance: Chance) -> Any:
    """Come near the largest size, by a member that is ignored."""
    start, letter = _good(chance).rstrip()[:-1] + ', "y": "', chance.pick(("y", "é", "\U0001f600"))
    size, end = MAX_BYTES + chance.pick((-1, 0, 1, 1, 2, 3, 4)), '"}' + chance.pick(("", "\n", " "))
    left = size - len(f"{start}{end}".encode())
    count, more = divmod(left, len(letter.encode()))
    return {"parts": [start, {"repeat": letter, "times": count}, "x" * more, end]}


def _marked(chance: Chance) -> Any:
    return chance.pick(("\ufeff", "\ufeff", "\ufeff\ufeff", " \ufeff", "\n\ufeff")) + _good(chance)


def _many_digits(chance: Chance) -> Any:
    """Come near the largest number of digits of an integer, or of another number, which has no bound."""
    count, sign, end = (
        chance.pick((4299, 4300, 4301, 4302, 5000)),
        chance.pick(("", "-")),
        chance.pick(("", "", "", ".5", "e1", "e-9")),
    )
    digits = {"repeat": chance.pick("19"), "times": count}
    return {"parts": [_good(chance).rstrip()[:-1] + ', "y": ' + sign, digits, end + "}"]}


def _not_an_object(chance: Chance) -> Any:
    value = chance.pick(("null", "true", "3", "-0.5", '"t"', "[]", "[{}]", _good(chance)))
    return chance.pick(("%s", " %s", "[%s]", "%s\n", "[%s, %s]")).replace("%s", value)


def _bad_bytes(chance: Chance) -> Any:
    data = _good(chance).encode()
    start = chance.number(0, len(data))
    data = data[:start] + chance.pick(_BAD_BYTES) + data[start:]
    return {"base64": b64encode(data).decode()}
