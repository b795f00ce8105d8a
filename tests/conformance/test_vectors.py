"""The vectors of conformance/, which engines in other languages are held to, hold for this program."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from scripts.vectors.answers import answer
from scripts.vectors.files import CONFORMANCE, case_files, generated_files, read_lines
from scripts.vectors.tables import tables
from scripts.vectors.texts import Vector

FILES = [*case_files(), *generated_files()]
VALIDATOR = jsonschema.Draft202012Validator(json.loads((CONFORMANCE / "vector.schema.json").read_text()))


def wrong_answers(file: Path) -> Iterator[tuple[str, Vector, Vector]]:
    """Yield the id of each vector with another answer, what it expects, and the answer."""
    for vector in read_lines(file):
        if vector["kind"] in ("paths", "load") and sys.platform != "linux":  # another file system may not know case
            continue
        found = answer(vector)
        if found != vector["expect"]:
            yield vector["id"], vector["expect"], found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_vector_gets_its_answer(file: Path) -> None:
    """Whoever changes an answer changes it in every language."""
    wrong = list(wrong_answers(file))
    assert wrong == [], f"{len(wrong)} answers differ: run scripts/generate_vectors.py, and look at each change"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_line_has_the_form_of_the_schema(file: Path) -> None:
    """All of those made by hand, and each hundredth of the others."""
    vectors = read_lines(file)
    for vector in vectors if file in case_files() else vectors[::100]:
        assert [error.message for error in VALIDATOR.iter_errors(vector)] == []
        assert vector["kind"] == vector["id"].partition("/")[0]


def test_there_are_enough_vectors_and_each_has_a_name_of_its_own() -> None:
    """Those made by hand say which edge they are for."""
    by_hand = [vector for file in case_files() for vector in read_lines(file)]
    by_chance = [vector for file in generated_files() for vector in read_lines(file)]
    names = Counter(vector["id"] for vector in by_hand + by_chance)
    assert names.most_common(1)[0][1] == 1
    assert all(vector["why"] for vector in by_hand)
    assert len(by_chance) >= 20_000


def test_the_tables_are_those_of_the_program() -> None:
    """Engines in other languages read them."""
    assert json.loads((CONFORMANCE / "tables.json").read_text()) == tables()
