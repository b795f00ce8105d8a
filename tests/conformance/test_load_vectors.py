"""The vectors of files: they have each reason of a disk, and a program that uses the library gets the same answers."""

import sys
from collections import Counter

import pytest

from cortex_policy.core.model import REASONS, CortexPolicyError
from cortex_policy.library.functions import enforce, load_grant
from scripts.vectors.files import CASES, GENERATED, read_lines
from scripts.vectors.load_answers import answer_load, surroundings
from scripts.vectors.load_trees import asker, build_load_tree, can_ask
from scripts.vectors.texts import BASE, Vector, replace_text

BY_HAND = read_lines(CASES / "load.jsonl")
OF_RULES = {"argument_not_allowed", "action_not_allowed", "path_outside_scope", "approval_required", "rate_limited"}
OWN = {"path": "library", "kind": "directory"}  # makes a tree another one: a call that is enforced changes its state
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other file systems may not know case")


def code_of_library(vector: Vector) -> int:
    """Return the exit code of the answer that a program gets which loads a grant, and then enforces it."""
    with asker(vector):
        base = build_load_tree([*vector["tree"], OWN])
        asked = replace_text(vector, BASE, base)
        with surroundings(vector, base):
            try:
                grant = load_grant(asked["grant_id"], asked.get("root"))
                return enforce(grant, asked["action"], asked["args"]).reason.exit_code
            except CortexPolicyError as error:
                return error.exit_code


def test_each_reason_of_a_disk_has_vectors() -> None:
    """Each of them more than one."""
    found = Counter(vector["expect"]["reason"] for vector in BY_HAND)
    assert {reason for reason in map(str, REASONS) if found[reason] > 1} >= {*map(str, REASONS)} - OF_RULES


def test_a_program_is_answered_as_a_check_is() -> None:
    """But a stop is said when a call is enforced, after what fails while its grant is loaded."""
    for vector in filter(can_ask, BY_HAND):
        expected = vector["expect"]["exit_code"]
        found = code_of_library(vector)
        is_stopped = vector["expect"]["reason"] == "stopped"
        assert found == expected or (is_stopped and found != 0), vector["id"]


def test_an_answer_to_what_cannot_be_asked_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user writes the same vectors as root."""
    vector = next(one for one in BY_HAND if "root" in one.get("needs", ()))
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert answer_load({**vector, "tree": []}) == vector["expect"]


def test_what_javascript_answers_by_design_is_never_more_than_what_a_check_answers() -> None:
    """It denies, and says why it differs."""
    differing = [vector for vector in BY_HAND if "javascript" in vector]
    assert all(not vector["javascript"]["expect"]["allowed"] and vector["javascript"]["why"] for vector in differing)
    assert not any("javascript" in vector for vector in read_lines(GENERATED / "load.jsonl.gz"))
