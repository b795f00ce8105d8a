"""The first case file of a grant passes, covers it, and notices each single change of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_policy.core.compare.grants import compare_grants
from cortex_policy.core.decode import decode_grant
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.cases.coverage import Coverage
from cortex_policy.manage.cases.first_cases import generate_case_file_with_coverage, write_first_cases
from cortex_policy.manage.cases.model import CaseFile
from cortex_policy.manage.cases.parser import read_case_file_collecting_errors
from cortex_policy.manage.cases.runner import GrantUnderTest, run_case_file
from cortex_policy.manage.cases.serializer import format_generated_cases_as_toml
from cortex_policy.state import Root
from tests.support.checkout import CHECKOUT
from tests.support.json_documents import grants
from tests.support.mutants import score
from tests.support.roots import GIT

FILES = [*(CHECKOUT / ".cortex/policy/tools").glob("*.json"), *(CHECKOUT / "tests/documents/valid").glob("*.json")]
# a pattern that asks for a letter already asks for a length of 1
IDLE = {"every-key": {"argument repo: no minLength", "argument repo: minLength 0"}}


def subject(document: dict[str, Any]) -> GrantUnderTest:
    """Return a grant as it is read for its cases."""
    data = json.dumps(document).encode()
    return GrantUnderTest(decode_grant(data, "git"), data, "git.json")


def first(document: dict[str, Any], directory: Path) -> tuple[CaseFile, Coverage]:
    """Return the first cases of a grant, as they are read back, and what they show."""
    made, cover = generate_case_file_with_coverage(subject(document), "x")
    file = directory / "git.cases.toml"
    file.write_text(format_generated_cases_as_toml(made), encoding="utf-8")
    return read_case_file_collecting_errors(str(file), "x"), cover


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_change_that_allows_other_calls_is_noticed(path: Path, tmp_path: Path) -> None:
    """Each action, scope, bound and value, dropped, added or moved; and the first cases cover the grant."""
    document = json.loads(path.read_bytes())
    file, cover = first(document, tmp_path)
    assert (file.errors, cover.unmet, file.is_complete) == ((), (), True)
    assert not run_case_file(file, subject(document)).failed_cases
    found = score(document, "git", file)
    assert found.total > 1
    assert {mutant.said for mutant in found.missed_deciding} == IDLE.get(path.stem, set())


DECLARATIONS: dict[str, Any] = {
    "a digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
    "a version": {"type": "string", "pattern": r"^v?\d+\.\d+(\.\d+)?(-(alpha|beta))?$", "maxLength": 20},
    "a name": {"type": "string", "pattern": r"^[^\s/]\S*$", "minLength": 3},
    "a share": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.75},
    "a port": {"type": "integer", "minimum": 1024, "maximum": 65535},
    "a switch": {"type": "boolean"},
    "one value": {"const": {"a": [1, None]}},
    "a matrix": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "array", "items": {"type": "number", "minimum": 0}}},
    "nothing": {"enum": []},
    "anything": {},
    "a mix": {"type": ["string", "integer", "null"], "maxLength": 3, "minimum": 1},
    "an object": {"type": "object"},
    "paths": {"type": "array", "items": {"type": "string", "format": "path"}, "minItems": 1},
    "no path": {"type": "string", "format": "not-path"},
    "broken": {"type": "int"},
    "no object": True,
}  # fmt: skip


@pytest.mark.parametrize("name", DECLARATIONS)
def test_arguments_of_every_kind_are_covered(name: str, tmp_path: Path) -> None:
    """Each keyword met and missed."""
    document = GIT | {"args": {"file_or_not": DECLARATIONS[name]}}
    file, cover = first(document, tmp_path)
    assert (file.errors, cover.unmet) == ((), ())
    assert not run_case_file(file, subject(document)).failed_cases


@given(grants)
@settings(max_examples=60)
def test_first_cases_of_any_grant_pass(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> None:
    """As they are read back, however odd its words are."""
    file, _ = first(document, tmp_path_factory.getbasetemp())
    assert not file.errors
    assert not run_case_file(file, subject(document)).failed_cases


@given(st.sampled_from([1, 2, 3, 10_000, 10_001, 10**9, 10**18, 10**30]))
@settings(max_examples=10)
def test_rates_of_any_size_are_driven_to_their_end(tmp_path_factory: pytest.TempPathFactory, rate: int) -> None:
    """A rate that no case can say is the one thing that is left, and told."""
    file, cover = first(GIT | {"rate": {"perMinute": rate}}, tmp_path_factory.getbasetemp())
    assert not run_case_file(file, subject(GIT | {"rate": {"perMinute": rate}})).failed_cases
    assert bool(cover.unmet) == (rate > 10**18)
    near = subject(GIT | {"rate": {"perMinute": rate + 1}})
    assert compare_grants(near.grant, subject(GIT).grant).fields
    assert bool(run_case_file(file, near).failed_cases) == (rate <= 10**18)


GIANTS: dict[str, Any] = {
    "a long text": {"type": "string", "minLength": 10**4, "pattern": "^(a{99}){9}a+$"},
    "a long array": {"minItems": 10**5},
    "long arrays in long arrays": {"minItems": 900, "items": {"minItems": 900, "items": {"minItems": 900}}},
    "many values": {"enum": list(range(2500))},
}


@pytest.mark.parametrize("name", GIANTS)
def test_very_large_grants_get_no_generated_cases(name: str, tmp_path: Path) -> None:
    """What no case shows is told, and the file is not called complete."""
    document = GIT | {"args": {"x": GIANTS[name]}}
    file, cover = first(document, tmp_path)
    assert cover.unmet
    assert not file.is_complete
    assert not run_case_file(file, subject(document)).failed_cases


def test_a_first_case_file_never_overwrites_another_file(root: Path) -> None:
    """Neither in TOML nor in JSON; and a directory that is a link is not written into."""
    where = Root(str(root), trusts_owner=True)
    tests = root / ".cortex" / "policy" / "tests"
    made = write_first_cases(where, "git")
    file = tests / "git.cases.toml"
    assert made.file == ".cortex/policy/tests/git.cases.toml"
    before = file.read_bytes()
    with pytest.raises(NotDoneError, match="exists already"):
        write_first_cases(where, "git")
    assert file.read_bytes() == before
    file.rename(tests / "git.cases.json")
    with pytest.raises(NotDoneError, match=r"git\.cases\.json` exists already"):
        write_first_cases(where, "git")
    assert sorted(path.name for path in tests.iterdir()) == ["git.cases.json"]
    (tests / "git.cases.json").unlink()
    tests.rmdir()
    tests.symlink_to(root / "docs")
    with pytest.raises(NotDoneError, match="cannot be written"):
        write_first_cases(where, "git")
    assert not list((root / "docs").glob("*.toml"))


def test_a_tree_of_deep_scopes_has_bounds(tmp_path: Path) -> None:
    """Each part of each scope is a directory to make, and to remove again."""
    scopes = ["/".join([f"a{number}"] * 39) for number in range(200)]
    file, _ = first({"tool": "g", "actions": ["a"], "rate": {"perMinute": 1}, "fsScope": scopes}, tmp_path)
    assert sum(path.count("/") + 1 for path in file.tree.directories) <= 2_001
    assert len(file.cases) > 200
