"""Mutated grants, each decoded, scanned and examined: python tests/stress/mutations.py [COUNT] [SEED]."""

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from cortex_policy.core.decode import MalformedError, decode_grant, decode_json
from cortex_policy.core.json_tree import JsonSyntaxError, parse_tree
from cortex_policy.core.model import GrantError
from cortex_policy.schema.grant_document import GrantDocument
from cortex_policy.schema.lint import apply_safe_fixes_to_bytes, decode_and_lint_grant
from cortex_policy.schema.problems import locate_problems
from cortex_policy.schema.rule_catalog import RULES
from tests.support.json_documents import Layout, laid_out

LIMIT_SECONDS = 20  # for one document: a hang, on any machine
EVERY = frozenset(rule.code for rule in RULES)
GRANTS: list[dict[str, Any]] = [
    {"tool": "git-map", "actions": ["tree", "search"], "rate": {"perMinute": 30}, "fsScope": ["docs", "a/**"]},
    {"tool": "t", "actions": [], "rate": {"perMinute": 1}, "args": {"u": {"pattern": "^(a+)+$"}, "p": {"items": {"enum": [1]}}}},
    {"$schema": "s", "tool": "ä🔧", "actions": ["write"], "rate": {"perMinute": 6e1, "perHour": 2}, "dataClass": "sensitive"},
]  # fmt: skip
TOKENS = [
    b"NaN", b"-Infinity", b"\\ud800", b"\\u0000", b"1e999", b"[" * 70, b"{" * 70, b"\xef\xbb\xbf", b"\xff", b"\0", b"\r",
    b'"tool": 1,', b'"rate": {}', b"9" * 4400, b"// x\n", b"/* x */", b"# x\n", b"'", b"\xe2\x80\x9c", b",", b",,", b":", b'"',
    b"True", b"None", b"<<<<<<< a\n", b"=======\n", b">>>>>>> b\n", b"x='", b"\\", b"{}", b"[]", b"null", b"01", b"+1", b".5",
    b"0x1F", b"`", b"tool: git\n", b" " * 50, b"\xed\xa0\x80", b"\x1b[31m", b"EOF\n",
]  # fmt: skip
VALUES = [
    None,
    True,
    0,
    -1,
    30.0,
    0.5,
    10**30,
    "",
    "30",
    "x" * 200,
    [],
    ["a", "a"],
    [1],
    {},
    {"perMinute": 2},
    {"a": {"b": []}},
]


def mutated(random: Random) -> bytes:
    """Return the bytes of a grant after some changes of its values, and of its bytes."""
    grant = json.loads(json.dumps(random.choice(GRANTS)))
    for _ in range(random.choice([0, 0, 1, 2])):
        key = random.choice([*grant, "fsscope", "enabled", "Tool", "tool ", "deny"])
        if key in grant and random.random() < 0.3:
            del grant[key]
        else:
            grant[key] = random.choice(VALUES)
    layout = Layout(random.choice(["\n", "\r\n"]), random.choice([None, "  ", "\t"]), chaos=random.choice([0.0, 0.2]))
    data = laid_out(grant, layout, random).encode()
    for _ in range(random.choice([0, 1, 1, 2, 5])):
        data = _broken(data, random)
    return data


def _broken(data: bytes, random: Random) -> bytes:
    at, upto = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    match random.randrange(6):
        case 0:
            return data[:at] + data[at + 1 :]
        case 1:
            return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
        case 2:
            return data[:at]
        case 3:
            return data[:at] + data[at:upto] * 2 + data[upto:]
        case 4:
            return data[:at] + data[upto:]
        case _:
            return data[:at] + random.choice(TOKENS) + data[at:]


def verdict(data: bytes) -> str:
    """Examine a document, and hold all that is said of it against each other; return the codes that were found."""
    subject, unlocated = decode_and_lint_grant(data, "git-map", "git-map")
    loads = _loads(data)
    assert loads == (subject is not None), data
    assert loads or unlocated, data
    problems = locate_problems("f", data, unlocated)
    lines = data.decode("utf-8", "replace").split("\n")
    for one in problems:
        assert 1 <= one.line <= len(lines), (data, one)
        assert (one.line, one.column) <= (one.end_line, one.end_column), (data, one)
        assert one.column <= len(lines[one.line - 1]) + 1, (data, one)
        assert one.message, data
    assert _decodes(data) == _scans(data) or not _decodes(data), data
    assert _loads(apply_safe_fixes_to_bytes(data, EVERY)) == loads, data
    return " ".join(sorted({one.code for one in unlocated})) or "nothing"


def _loads(data: bytes) -> bool:
    try:
        value = decode_json(data)
    except MalformedError:
        return False
    try:
        decode_grant(data)
    except GrantError:
        return False
    GrantDocument.model_validate(value)  # raises where they disagree
    return True


def _decodes(data: bytes) -> bool:
    try:
        decode_json(data)
    except MalformedError:
        return False
    return True


def _scans(data: bytes) -> bool:
    try:
        parse_tree(data.decode())
    except (JsonSyntaxError, UnicodeDecodeError):
        return False
    return True


def run(count: int, seed: int) -> Counter[str]:
    """Examine so many documents; raise for one that hangs, or that the parts do not agree on."""

    def expired(*_: object) -> None:
        raise TimeoutError

    before, random, seen = signal.signal(signal.SIGALRM, expired), Random(seed), Counter[str]()
    try:
        for _ in range(count):
            data = mutated(random)
            signal.alarm(LIMIT_SECONDS)
            seen[verdict(data)] += 1
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return seen


if __name__ == "__main__":
    number, start = [*map(int, sys.argv[1:]), 100_000, 1][:2] if len(sys.argv) != 2 else (int(sys.argv[1]), 1)
    found = run(number, start)
    print(f"{number} documents, seed {start}: no exception, no hang, decoder and model agree")
    codes = Counter[str]()
    for words, times in found.items():
        for word in words.split():
            codes[word] += times
    for word, times in codes.most_common():
        print(f"{times:>8}  {word}")
