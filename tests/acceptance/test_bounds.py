"""A grant or a case file of 1 MiB, of whatever shape, keeps no command busy for minutes and takes no gigabytes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.decode import MAX_BYTES
from tests.support.command import result_of
from tests.support.logs import event, on_path, place

PROGRAM = [sys.executable, "-m", "cortex_policy"]
MOST_MEMORY = 600 << 20  # of addresses: what is held is less
BASE: dict[str, Any] = {"tool": "g", "actions": ["a"], "rate": {"perMinute": 10}}
SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "actions": lambda n: {**BASE, "actions": ["a", *(f"a{i:x}" for i in range(n))]},
    "one action again and again": lambda n: {**BASE, "actions": ["b", *["a"] * n]},
    "a list of values": lambda n: {**BASE, "args": {"x": {"enum": [f"v{i:x}" for i in range(n)]}}},
    "arguments": lambda n: {**BASE, "args": {f"x{i:x}": {"type": "string"} for i in range(n)}},
    "scopes": lambda n: {**BASE, "fsScope": [f".github/workflows/x{i:x}" for i in range(n)]},
    "scopes that never match": lambda n: {**BASE, "fsScope": [f"*{i:x}" for i in range(n)]},
    "a deep scope": lambda n: {**BASE, "fsScope": ["/".join(["a"] * n)]},
    "unknown keys": lambda n: {**BASE, **{f"k{i:x}": i for i in range(n)}},
    "patterns": lambda n: {**BASE, "args": {f"x{i:x}": {"pattern": f"^a{i:x}$"} for i in range(n)}},
    "patterns that are slow": lambda n: {
        **BASE,
        "args": {f"x{i:x}": {"pattern": f"^(?:a|b)*a[ab]{{{900 - i}}}$"} for i in range(min(n, 800))},
    },
    "patterns of many positions": lambda n: {
        **BASE,
        "args": {f"x{i:x}": {"pattern": f"(?=.*{i:x})" + "(a|b)?" * 450} for i in range(n)},
    },
    "values behind a slow pattern": lambda n: {
        **BASE,
        "args": {"x": {"enum": [f"{i:016b}" for i in range(n)], "pattern": "^(?:0|1)*0[01]{900}$"}},
    },
    "a long action": lambda n: {**BASE, "actions": ["a", "x" * n]},
}
QUICK = {"a long action"}  # the others are storms
COMMANDS = (
    "list", "show g", "validate", "fmt --check --diff", "set g --rate 5 --dry-run", "set g --revoke a --dry-run",
    "diff g ./new.json --markdown", "test", "test --init g", "check g zz", "explain g a --path a/b", "explain g zz",
)  # fmt: skip


@cache
def text(shape: str, most: int = MAX_BYTES) -> str:
    """Return a grant of a shape that is about as large as it may be."""
    count, found = 1, ""
    for _ in range(20):
        whole = json.dumps(SHAPES[shape](count), separators=(",", ":"))
        if len(found) < len(whole) <= most:
            found = whole
        after = max(1, int(count * most * 0.999 / len(whole)))
        if after == count or (whole == found and len(whole) > 0.99 * most):
            break
        count = after
    return found


def turned(value: Any) -> Any:
    """Return a value with all its lists and objects the other way round."""
    if isinstance(value, dict):
        return {name: turned(part) for name, part in reversed(value.items())}
    return [turned(part) for part in reversed(value)] if isinstance(value, list) else value


def ran(*words: str) -> tuple[int, str, str]:
    """Run a command within the limits; a hang is ended."""
    limits = f'ulimit -v {MOST_MEMORY >> 10}; ulimit -t 30; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", limits, "sh", *PROGRAM, *words], capture_output=True, text=True, check=False, timeout=240,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "shape", [shape if shape in QUICK else pytest.param(shape, marks=pytest.mark.storm) for shape in SHAPES]
)
def test_a_hostile_grant_keeps_no_command_busy(root: Path, shape: str) -> None:
    """Each command on it ends, with a code of its own, and with messages that somebody can read."""
    grant = text(shape)
    (root / ".cortex/policy/tools/g.json").write_text(grant)
    (root / "new.json").write_text(json.dumps(turned(json.loads(grant)), separators=(",", ":")))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda command: ran(*command.split()), COMMANDS))
    for command, (code, _, err) in zip(COMMANDS, results, strict=True):
        assert code in {0, 1, 2, 3, 10, 11, 12, 21}, (command, code, err[:500])
        assert max(map(len, err.splitlines()), default=0) <= 5000, command
        assert "Traceback" not in err


def test_diffs_of_many_lines_finish(root: Path) -> None:
    """Of a grant of each shape that still fits once each value has a line of its own."""
    for number, shape in enumerate(SHAPES):
        (root / f".cortex/policy/tools/g{number}.json").write_text(text(shape, MAX_BYTES // 3))
    code, out, err = ran("fmt", "--diff")
    assert code == 1, err[:500]
    diffs = out.split("--- ")[1:]
    shown = {
        number for number in range(len(SHAPES)) if any(f"g{number}.json" in diff and "@@" in diff for diff in diffs)
    }
    assert shown == set(range(len(SHAPES))), err[:500]


@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_denial_lists_at_most_a_few_words(root: Path, command: str) -> None:
    """Of 20,000 actions a hint has some, and how many more there are; of a long word its start and its end."""
    grant = {**BASE, "actions": [f"a{index}" for index in range(20_000)]}
    (root / ".cortex/policy/tools/g.json").write_text(json.dumps(grant))
    code, out, err = ran(command, "g", "zz")
    assert code == 10
    assert "more" in out + err
    assert len(out + err) < 5000
    code, out, err = ran(command, "g", "z" * 100_000)
    assert code == 10
    assert len(out + err) < 20_000


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"case": [{"name": str(i), "action": "a", "expect": "allowed", "times": 10_000} for i in range(26)]},
         "its cases make 260,000 calls, more than the limit of 250,000"),
        ({"tree": {"files": ["/".join(["a"] * 300_000)]}}, "its paths have more than 10,000 parts"),
        ({"tree": {"files": [f"a/b/c/{index}" for index in range(6_000)]}}, "its paths have more than 10,000 parts"),
        ({f"k{index}": 1 for index in range(50_000)}, "it has more problems"),
    ],
)  # fmt: skip
def test_a_case_file_that_is_too_large_says_what_to_reduce(root: Path, more: dict[str, Any], why: str) -> None:
    """Before anything of it is run."""
    tests = root / ".cortex/policy/tests"
    tests.mkdir()
    case = {"name": "x", "action": "tree", "expect": "allowed"}
    (tests / "git.cases.json").write_text(json.dumps({"grant": "git", "case": [case]} | more))
    code, out, _ = ran("test")
    assert code == 1
    assert why in out


def test_a_case_file_whose_values_are_slow_is_refused(root: Path) -> None:
    """Before its cases take minutes, and by name."""
    grant = {**BASE, "args": {"x": {"pattern": "^(?:a|b)*a[ab]{900}$"}}}
    (root / ".cortex/policy/tools/g.json").write_text(json.dumps(grant))
    tests = root / ".cortex/policy/tests"
    tests.mkdir()
    values = ("".join("ab"[(i * 2654435761 >> n % 32) & 1] for n in range(600)) for i in range(1, 1400))
    case = {"action": "a", "expect": "argument_not_allowed"}
    cases = [{"name": str(i), "args": {"x": value}} | case for i, value in enumerate(values)]
    (tests / "g.cases.json").write_text(json.dumps({"grant": "g", "case": cases}))
    code, out, _ = ran("test")
    assert code == 1
    assert "need more than 10,000,000 steps to match patterns" in out


def test_a_key_of_many_parts_is_refused(root: Path) -> None:
    """What reads TOML keeps each part of it with all before it."""
    tests = root / ".cortex/policy/tests"
    tests.mkdir()
    (tests / "git.cases.toml").write_text("# \t\x0b\n" + ".".join(["a"] * 400_000) + " = 1.5\n")
    code, out, _ = ran("test")
    assert (code, "TOML" in out) == (1, True)
    assert os.getcwd() == str(root)


LOG_COMMANDS = ("suggest", "replay")
LOGS: dict[str, Callable[[int], str]] = {
    "other actions": lambda n: event(n / 100, f"z{n}", "action_not_allowed", grant="g"),
    "other paths": lambda n: on_path(n / 100, "a", f"src/{n}/{n}/x", "path_outside_scope", grant="g"),
    "ways through links": lambda n: event(
        n / 100, "a", "allowed", grant="g", args={"path": f"l/{n}"}, paths=[place(f"l/{n}", landed=f"src/{n}")]
    ),
    "both": lambda n: on_path(n / 100, f"z{n}", f"src/{n}/x", "action_not_allowed", grant="g"),
    "no grant": lambda n: event(n / 100, "a", "grant_not_found", grant=f"g{n}"),
    "tiny lines": lambda _: "{}\n" * 100,
    "nothing but newlines": lambda _: "\n" * 300,
}  # fmt: skip


@pytest.mark.parametrize("shape", ["actions", pytest.param("scopes", marks=pytest.mark.storm)])
@pytest.mark.parametrize(
    "calls", [pytest.param(one, marks=pytest.mark.storm) if one == "both" else one for one in LOGS]
)
def test_a_hostile_log_keeps_no_command_busy(root: Path, calls: str, shape: str) -> None:
    """Each call is looked up in a grant, not compared with all of it; each change of a grant is bounded work."""
    (root / ".cortex/policy/tools/g.json").write_text(text(shape))
    lines = (LOGS[calls](n).replace('"cwd": "/r"', json.dumps({"cwd": str(root)})[1:-1]) for n in range(2_500))
    (root / "log").write_text("\n".join(lines)[:MAX_BYTES])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda command: ran(command, "log"), LOG_COMMANDS))
    for command, (code, out, err) in zip(LOG_COMMANDS, results, strict=True):
        assert code in {0, 1, 3}, (command, code, err[:500])
        assert out + err
        assert "Traceback" not in err


LONG = "x" * (MAX_BYTES // 3)
CASE = {"name": "a case", "action": LONG, "expect": "allowed"}


@pytest.mark.parametrize("command", ["replay log", "audit show log", "audit stats log", "test"])
def test_a_word_of_a_third_of_a_mebibyte_is_cut_in_every_line(root: Path, command: str) -> None:
    """A terminal and a reader of a job's log see the start, the end, and how much is left out."""
    tests = root / ".cortex/policy/tests"
    tests.mkdir()
    (tests / "git.cases.json").write_text(json.dumps({"grant": "git", "case": [CASE]}))
    Path("log").write_text("".join(event(n, LONG) + "\n" for n in range(2)))
    result = result_of(*command.split())
    assert result.returncode in {0, 1}
    assert LONG[:100] in result.stdout + result.stderr
    assert max(map(len, (result.stdout + result.stderr).splitlines())) <= 4_000


def hostile(word: str) -> dict[str, Any]:
    """Return a grant with a word in each place that has one."""
    args = {word: {"type": "string", word: 1}, "x": {"items": {"enum": [word], "pattern": word}}, "y": {"type": word}}
    return {
        "tool": word, "actions": ["a", word, f" {word}", word], "rate": {"perMinute": 1}, "args": args,
        "fsScope": [word, f"{word}/a", f"*{word}"], f"deny_{word}": 1, f"{word}ctions": 2, "$schema": word,
    }  # fmt: skip


def plain_json(value: object) -> str:
    """Return a value as JSON, in which most characters take no escape."""
    return json.dumps(value, ensure_ascii=False)


MESSAGES = {"message", "hint", "said", "nearest", "advice", "problem", "sentence", "why", "wrong", "text"}
TEXT_COMMANDS = (
    "list", "show g", "show bad", "validate", "validate --output github", "validate --output junit", "rate show",
    "diff g new.json", "diff new.json g --markdown", "explain g b", "check g b", "set g --rate 5 --dry-run", "test",
    "set g --revoke b --dry-run", "suggest log", "replay log", "audit tail log", "fmt bad --check",
)  # fmt: skip
JSON_COMMANDS = (
    "explain g b --json", "check g b --json", "validate --json", "validate --output sarif", "validate --output gitlab",
    "diff g new.json --json", "test --json", "suggest log --json", "replay log --json", "list --json",
)  # fmt: skip


@pytest.fixture(params=["\n", "\U000e0041", "##vso["], ids=["newlines", "tags", "commands"])
def hostile_root(request: pytest.FixtureRequest, root: Path) -> Path:
    """Return a root whose grants, cases and log are full of long words, which are longer once they are escaped."""
    word = request.param * 8_000
    tools, tests = root / ".cortex/policy/tools", root / ".cortex/policy/tests"
    tests.mkdir()
    (tools / "g.json").write_text(plain_json(hostile(word)))
    (tools / "bad.json").write_text(plain_json({**BASE, "dataClass": word, "fsScope": word}))
    (root / "new.json").write_text(plain_json({**hostile(f"{word}x"), "actions": [f"{word}x"]}))
    case = {"name": "x", "action": word, "tool": word, "args": {word: word}, "expect": "rate_limited"}
    (tests / "g.cases.json").write_text(plain_json({"grant": "g", "case": [case, {**case, "expect": word}]}))
    (tests / "bad.cases.json").write_text(plain_json({"grant": "bad", "case": [case | {word: 1}]}))
    given = [event(n, word, "action_not_allowed", grant="g", args={word: word}) for n in range(2)]
    Path("log").write_text("".join(f"{line}\n" for line in given))
    return root


@pytest.mark.usefixtures("hostile_root")
def test_no_message_is_longer_than_4_kb_whatever_is_in_it() -> None:
    """Once it is escaped: no line, no cell of a table; of a diff the lines of a grant are as long as they are."""
    for command in TEXT_COMMANDS:
        result = result_of(*command.split())
        assert result.returncode in {0, 1, 2, 3, 10, 21}, (command, result.stderr[:500])
        lines = (result.stdout + result.stderr).splitlines()
        if "--dry-run" in command or "suggest" in command:
            lines = [line for line in lines if line[:1] not in {"+", "-", " "}]
        parts = [part for line in lines for cell in line.split("\t") for part in cell.split("%0A")]
        assert max(map(len, parts), default=0) <= 4_200, command


def messages(value: Any, name: str = "") -> Iterator[str]:
    """Yield each message and hint of a JSON document."""
    if isinstance(value, dict | list):
        for inner, part in value.items() if isinstance(value, dict) else ((name, part) for part in value):
            yield from messages(part, inner)
    elif isinstance(value, str) and name in MESSAGES:
        yield value


@pytest.mark.usefixtures("hostile_root")
def test_no_message_in_json_is_longer_than_4_kb() -> None:
    """Names and values are data, and whole."""
    for command in JSON_COMMANDS:
        result = result_of(*command.split())
        assert result.returncode in {0, 1, 10, 21}, (command, result.stderr[:500])
        found = [len(text.encode()) for text in messages(json.loads(result.stdout))]
        assert max(found, default=0) <= 10_000 if "sarif" in command else max(found, default=0) <= 4_100, command
