"""The files of vectors: one line of JSON for each; those made by chance are compressed, those by hand are not."""

import gzip
import json
from pathlib import Path

from scripts.vectors.texts import Vector

CONFORMANCE = Path(__file__).parents[2] / "conformance"
CASES, GENERATED = CONFORMANCE / "cases", CONFORMANCE / "generated"


def to_line(vector: Vector) -> str:
    """Return a vector as a line of ASCII."""
    return json.dumps(vector) + "\n"


def read_lines(file: Path) -> list[Vector]:
    """Return the vectors of a file, compressed or not."""
    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
    return [json.loads(line) for line in text.splitlines()]


def compress(text: str) -> bytes:
    """Return a text compressed, without the time."""
    return gzip.compress(text.encode(), mtime=0)


def case_files() -> list[Path]:
    """Return the files of vectors made by hand."""
    return sorted(CASES.glob("*.jsonl"))


def generated_files() -> list[Path]:
    """Return the files of vectors made by chance."""
    return sorted(GENERATED.glob("*.jsonl.gz"))
