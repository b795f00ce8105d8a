"""Example grants become tests by being there: `valid/*.json`, and `invalid/*.json` with what must be said in `*.txt`."""

import json
from pathlib import Path

import pytest

from cortex_policy.core.model import GRANT_INVALID, GrantError
from cortex_policy.library.functions import load_grant
from cortex_policy.state.grants import is_grant_id
from tests.support.checkout import DOCUMENTS

VALID = sorted(DOCUMENTS.glob("valid/*.json"))
INVALID = sorted(DOCUMENTS.glob("invalid/*.json"))


def name(file: Path) -> str:
    """Return what an example is called."""
    return file.stem


@pytest.fixture
def tools(root: Path) -> Path:
    """Return the directory of the scratch root's grants."""
    return root / ".cortex" / "policy" / "tools"


@pytest.mark.parametrize("file", VALID, ids=name)
def test_a_valid_example_loads_as_it_is_written(file: Path, tools: Path) -> None:
    """Each field is the member of the file, or its default."""
    (tools / file.name).write_bytes(file.read_bytes())
    grant = load_grant(file.stem)
    document = json.loads(file.read_bytes())
    assert grant.id == file.stem
    assert (grant.tool, list(grant.actions), grant.rate.per_minute) == (
        document["tool"],
        document["actions"],
        document["rate"]["perMinute"],
    )
    assert (grant.args, grant.data_class, list(grant.fs_scope)) == (
        document.get("args", {}),
        document.get("dataClass", "internal"),
        document.get("fsScope", []),
    )


@pytest.mark.parametrize("file", INVALID, ids=name)
def test_an_invalid_example_is_refused_in_these_words(file: Path, tools: Path) -> None:
    """With the cause, and with the file to mend."""
    (tools / file.name).write_bytes(file.read_bytes())
    with pytest.raises(GrantError) as caught:
        load_grant(file.stem)
    assert caught.value.reason is GRANT_INVALID
    assert file.with_suffix(".txt").read_text().strip() in caught.value.detail
    assert str(tools / file.name) in caught.value.hint


def test_the_example_directories_are_complete() -> None:
    """An empty directory would test nothing; each name is an id, and each refusal has its words and no other's."""
    assert len(VALID) >= 10
    assert len(INVALID) >= 20
    assert all(is_grant_id(file.stem) for file in VALID + INVALID)
    assert {file.stem for file in DOCUMENTS.glob("invalid/*.txt")} == {file.stem for file in INVALID}
