"""Write the vectors of conformance/ from the answers of this program: python scripts/generate_vectors.py [--check | --report].

Inputs are made by a seeded generator, and by hand in conformance/cases/*.jsonl, of which only `expect` is written.
`--check` writes nothing, and exits 1 if a file would change, or if an answer occurs less than 20 times. `--report` counts
the answers: reasons, classes of errors, and each sentence.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parent.parent
sys.path.insert(0, str(TOP))

from scripts.vectors.answers import answer  # noqa: E402 - found by the line above
from scripts.vectors.chance import Chance  # noqa: E402
from scripts.vectors.files import CONFORMANCE, GENERATED, case_files, compress, read_lines, to_line  # noqa: E402
from scripts.vectors.random_arguments import argument_vector  # noqa: E402
from scripts.vectors.random_decisions import decision_vector  # noqa: E402
from scripts.vectors.random_decode import decode_vector  # noqa: E402
from scripts.vectors.random_ids import id_vector  # noqa: E402
from scripts.vectors.random_loads import load_vector  # noqa: E402
from scripts.vectors.random_path_arguments import path_argument_vector  # noqa: E402
from scripts.vectors.random_paths import path_vector  # noqa: E402
from scripts.vectors.random_patterns import pattern_vector  # noqa: E402
from scripts.vectors.random_rates import rate_vector  # noqa: E402
from scripts.vectors.report import LOAD, count_answers, report  # noqa: E402
from scripts.vectors.tables import tables  # noqa: E402
from scripts.vectors.texts import Vector  # noqa: E402

SEED = "cortex-policy conformance 1"
FEWEST = 20  # vectors for each answer
MOST, LONGEST = 10, 500  # answers of a file that are printed, and characters of each
KINDS = {
    "decode": (decode_vector, 4_000),
    "ids": (id_vector, 200),
    "arguments": (argument_vector, 5_000),
    "patterns": (pattern_vector, 4_000),
    "path_arguments": (path_argument_vector, 1_300),
    "paths": (path_vector, 3_000),
    "decide": (decision_vector, 5_000),
    "rate": (rate_vector, 1_500),
    "load": (load_vector, 150),
}


def generated_vectors(kind: str) -> Iterator[Vector]:
    """Return the vectors of a kind that are made by chance, each input once."""
    make, count = KINDS[kind]
    chance, seen = Chance(f"{SEED} {kind}"), set[str]()
    while len(seen) < count:
        vector = make(chance)
        if vector is not None and (text := to_line(vector)) not in seen:
            seen.add(text)
            # read back: two surrogates that form a pair are one character in a file
            yield {"id": f"{kind}/{len(seen)}", **vector, "expect": answer(json.loads(text))}


def case_vectors(file: Path) -> Iterator[Vector]:
    """Return the vectors of a file made by hand, with what this program answers."""
    for vector in read_lines(file):
        yield {**vector, "expect": answer(vector)}


def right_texts() -> dict[Path, str]:
    """Return the right text of each file that is made."""
    generated = {GENERATED / f"{kind}.jsonl.gz": generated_vectors(kind) for kind in KINDS}
    vectors = generated | {file: case_vectors(file) for file in case_files()}
    texts = {file: "".join(map(to_line, lines)) for file, lines in vectors.items()}
    return texts | {CONFORMANCE / "tables.json": json.dumps(tables(), indent=2) + "\n"}


def text_of(file: Path) -> str:
    """Return the text in a file; the bytes of a compressed one differ between versions of zlib."""
    if not file.exists():
        return ""
    return gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()


def print_differences(old: str, new: str) -> None:
    """Print the first vectors whose answer differs, so that whoever changes a rule sees which."""
    answers = [{vector["id"]: vector["expect"] for vector in map(json.loads, text.splitlines())} for text in (old, new)]
    changed = [name for name in answers[1] if name in answers[0] and answers[0][name] != answers[1][name]]
    for name in changed[:MOST]:
        before, after = (json.dumps(one[name])[:LONGEST] for one in answers)
        sys.stdout.write(f"{name}\n- {before}\n+ {after}\n")
    if len(changed) > MOST:
        sys.stdout.write(f"... and {len(changed) - MOST} more\n")


def main(words: list[str]) -> None:
    """Write what differs, and print how; with --check name it and exit 1."""
    if words == ["--report"]:
        sys.stdout.write(report())
        return
    stale = {file: text for file, text in right_texts().items() if text_of(file) != text}
    if words == ["--check"]:
        names = ", ".join(str(file.relative_to(TOP)) for file in stale)
        if stale:
            sys.exit(f"the program answers otherwise, run scripts/generate_vectors.py: {names}")
        counts = count_answers().items()
        rare = [answer for answer, number in counts if number < FEWEST and not answer.startswith(LOAD)]
        sys.exit(f"fewer than {FEWEST} vectors have these answers: {rare}" if rare else 0)
    for file, text in stale.items():
        if file.name != "tables.json":
            print_differences(text_of(file), text)
        file.write_bytes(compress(text) if file.suffix == ".gz" else text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
