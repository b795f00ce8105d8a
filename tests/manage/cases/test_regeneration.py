"""The generated cases of a file are written again after a change; those that people wrote keep every byte."""

import json
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.cases import regeneration
from cortex_policy.manage.cases.first_cases import write_first_cases
from cortex_policy.manage.cases.parser import read_case_file_collecting_errors
from cortex_policy.manage.cases.regeneration import update_cases
from cortex_policy.manage.cases.runner import run_case_file
from cortex_policy.manage.cases.suite import GrantLoader
from cortex_policy.state import Root
from tests.support.roots import grant_file

OWN = """
# we were bitten by this one
[[case]]
name = "lib is in scope"   # the name of one that will be generated
action = "tree"
args = { path = "lib" }
expect = "path_outside_scope"
"""


@pytest.fixture
def own(root: Path) -> Root:
    """Name a root whose grant has generated cases."""
    own = Root(str(root), trusts_owner=False)
    write_first_cases(own, "git")
    return own


def case_file(root: Root) -> Path:
    """Return the file of the cases."""
    return Path(root.cases_path, "git.cases.toml")


def change(root: Root, **members: object) -> None:
    """Change the grant."""
    file = grant_file(root)
    file.write_text(json.dumps(json.loads(file.read_text()) | members))


def failures(root: Root) -> list[str]:
    """Return the cases that fail."""
    file = read_case_file_collecting_errors(str(case_file(root)), "x")
    assert file.errors == ()
    return [one.case.name for one in run_case_file(file, GrantLoader().load(root, "git")).failed_cases]


def test_generated_cases_follow_the_grant(own: Root) -> None:
    """All of them pass again; without a change nothing is written."""
    before = case_file(own).read_bytes()
    assert update_cases(own, "git").is_written is False
    assert case_file(own).read_bytes() == before
    change(own, rate={"perMinute": 5}, fsScope=["lib"], actions=["tree", "push"])
    assert failures(own)
    result = update_cases(own, "git")
    assert (result.is_written, result.own_cases, result.coverage.unmet) == (True, 0, ())
    assert failures(own) == []
    text = case_file(own).read_text()
    assert "packages" not in text
    assert "complete = true" in text


def test_cases_of_people_keep_every_byte(own: Root) -> None:
    """Their comments too, below the line; generated ones make way for their names."""
    case_file(own).write_bytes(case_file(own).read_bytes() + OWN.encode())
    change(own, rate={"perMinute": 5})
    result = update_cases(own, "git")
    assert (result.is_written, result.own_cases) == (True, 1)
    assert case_file(own).read_text().endswith(OWN)
    assert failures(own) == []
    change(own, fsScope=["lib"])
    update_cases(own, "git")
    assert case_file(own).read_text().endswith(OWN)
    assert '"lib is in scope (2)"' in case_file(own).read_text()
    assert failures(own) == ["lib is in scope"]  # what people wrote is theirs to change


def test_a_tree_that_people_extended_is_kept_for_their_cases(own: Root) -> None:
    """As long as they have cases."""
    text = case_file(own).read_text().replace('"outside"]', '"outside", "docs/mine"]')
    assert "docs/mine" in text
    case_file(own).write_text(text + OWN)
    change(own, rate={"perMinute": 5})
    update_cases(own, "git")
    assert '"docs/mine"' in case_file(own).read_text()
    case_file(own).write_text(case_file(own).read_text().removesuffix(OWN))
    update_cases(own, "git")
    assert '"docs/mine"' not in case_file(own).read_text()


def test_a_file_that_does_not_say_what_is_generated_is_left(own: Root) -> None:
    """The hint has the line; it may be the last one, without an end."""
    text, line, _ = case_file(own).read_text().rpartition("# Your own cases")
    case_file(own).write_text(text + OWN)
    before = case_file(own).read_bytes()
    with pytest.raises(NotDoneError, match="does not say which of its cases were generated") as caught:
        update_cases(own, "git")
    assert case_file(own).read_bytes() == before
    case_file(own).write_text(text + caught.value.hint.split("`", 1)[1][:-1])
    change(own, rate={"perMinute": 5})
    assert update_cases(own, "git").own_cases == 0
    assert case_file(own).read_text().count(line) == 1
    assert failures(own) == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[tree]", '[settings]\nsensitive = "ask"\n\n[tree]', r"has `\[settings\]`"),
        ('grant = "git"', 'grant = "model-gateway"', "has the cases of `model-gateway`"),
        ("[[case]]", "[[case]]\nodd = 1", "unknown key `odd`"),
        ("[[case]]", "[[case", "git.cases.toml:1`: "),
    ],
)
def test_a_case_file_that_cannot_be_updated_is_reported(own: Root, old: str, new: str, why: str) -> None:
    """3, and nothing is written."""
    case_file(own).write_text(case_file(own).read_text().replace(old, new, 1))
    before = case_file(own).read_bytes()
    with pytest.raises(NotDoneError, match=why):
        update_cases(own, "git")
    assert case_file(own).read_bytes() == before


def test_an_update_without_a_file_writes_the_first_one(root: Path) -> None:
    """Nor is a file of JSON changed, which can hold no such line."""
    own = Root(str(root), trusts_owner=False)
    assert update_cases(own, "git").is_written
    case_file(own).rename(case_file(own).with_suffix(".json"))
    with pytest.raises(NotDoneError, match=r"git\.cases\.json` exists already"):
        update_cases(own, "git")


def test_a_change_in_the_meantime_is_not_overwritten(own: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody saved the file while cases were generated."""
    change(own, rate={"perMinute": 5})
    real = regeneration.serialize_case_file

    def saved(*given: object) -> bytes:
        case_file(own).write_text("mine")
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(regeneration, "serialize_case_file", saved)
    with pytest.raises(NotDoneError, match="was changed in the meantime"):
        update_cases(own, "git")
    assert case_file(own).read_text() == "mine"
