"""Each act on a grant is one write, agreed to by what it means; a no changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.decode import decode_grant
from cortex_policy.core.model import CortexPolicyError, GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import GrantDiff as Meant
from cortex_policy.manage.editing import grant_ids, operations, plans
from cortex_policy.manage.editing.new_grant import format_new_grant
from cortex_policy.manage.editing.results import WriteResult
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.stamp.wait import wait_until_stamp_has_version
from cortex_policy.manage.transaction.version_after_write import NOT_WRITTEN
from cortex_policy.state import Root, atomic_write
from cortex_policy.state import stamp as stamps
from tests.support.failing_calls import fail_at, full_disk, patch_writes
from tests.support.stamps import agree, stamp_grants

TEXT = format_new_grant(GrantEdit(30, None, "t", ("read",)))
Act = Callable[[Root, "operations.ShowAndAsk"], WriteResult]
ACTS: dict[str, Act] = {
    "set": lambda root, consent: operations.edit_grant(root, "git", GrantEdit(allow=("push",)), consent),
    "new": lambda root, consent: operations.create_grant(root, "other", TEXT, consent),
    "copy": lambda root, consent: operations.copy_grant(root, "git", "other", consent),
    "remove": lambda root, consent: operations.remove_grant(root, "git", consent),
}


def standing(root: Root) -> dict[str, bytes]:
    """Return all that stands in the policy directory but the lock."""
    top = Path(root.path, ".cortex")
    return {str(path): path.read_bytes() for path in top.rglob("*") if path.is_file() and path.name != ".lock"}


def nobody(_: Meant) -> None:
    """Say no."""
    raise NotDoneError("no")


def unasked(_: Meant) -> None:
    """Consent where none should be asked for."""
    raise AssertionError


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_copy_has_the_mode_of_the_original(found_root: Root, mode: int) -> None:
    """Its mode is that of the grant that it is made of."""
    Path(found_root.tools_path, "git.json").chmod(mode)
    operations.copy_grant(found_root, "git", "other", agree)
    assert Path(found_root.tools_path, "other.json").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("name", ACTS)
def test_a_refused_consent_changes_nothing(found_root: Root, name: str) -> None:
    """It is asked with the meaning of the very change, before anything is written."""
    before, seen = standing(found_root), []

    def no(change: Meant) -> None:
        seen.append((change.name, change.status, change.meaning.verdict))
        raise NotDoneError("no")

    with pytest.raises(NotDoneError):
        ACTS[name](found_root, no)
    assert standing(found_root) == before
    assert seen == [
        {
            "set": ("git", "changed", "widened"),
            "new": ("other", "added", "widened"),
            "copy": ("other", "added", "widened"),
            "remove": ("git", "removed", "narrowed"),
        }[name]
    ]


@pytest.mark.parametrize("name", ACTS)
def test_a_consent_writes_one_version(found_root: Root, name: str) -> None:
    """The stamp belongs to what stands there, and the diff says what became of the text."""
    stamp_grants(found_root)
    done = ACTS[name](found_root, agree)
    assert (done.is_written, done.version) == (True, 2)
    assert find_stamp_mismatches(found_root) == ()
    assert done.diff.startswith(
        "--- /dev/null\n" if name in {"new", "copy"} else "--- a/.cortex/policy/tools/git.json\n"
    )


def test_a_rename_asks_for_no_consent(found_root: Root) -> None:
    """It keeps the bytes, and means the same."""
    before = Path(found_root.tools_path, "git.json").read_bytes()
    done = operations.rename_grant(found_root, "git", "map")
    assert (done.is_written, done.version, done.change.status, done.change.meaning.verdict) == (
        True,
        1,
        "unchanged",
        "same",
    )
    assert Path(found_root.tools_path, "map.json").read_bytes() == before
    assert not Path(found_root.tools_path, "git.json").exists()


def test_an_edit_that_changes_nothing_writes_nothing(found_root: Root) -> None:
    """No stamp either, and nobody is asked."""
    before = standing(found_root)
    done = operations.edit_grant(found_root, "git", GrantEdit(per_minute=30, data_class="internal"), unasked)
    assert (done.is_written, done.version, done.diff) == (False, NOT_WRITTEN, "")
    assert standing(found_root) == before


def test_a_preview_is_what_would_be_written(found_root: Root) -> None:
    """Nothing is, not even a lock."""
    wanted = GrantEdit(per_minute=60)
    planned = plans.preview_edit_grant(found_root, "git", wanted)
    assert not planned.is_written
    assert not Path(found_root.path, ".cortex", "policy", ".lock").exists()
    done = operations.edit_grant(found_root, "git", wanted, agree)
    assert (done.change, done.diff) == (planned.change, planned.diff)


def test_line_endings_and_all_other_bytes_are_kept(found_root: Root) -> None:
    """Bytes are decoded without translating newlines."""
    file = Path(found_root.tools_path, "git.json")
    text = '{\r\n\t"tool": "t\\u00e4ä",\r\n\t"actions": [],\r\n\t"rate": {"perMinute": 30.0}, "x": 1e2}'.encode()
    file.write_bytes(text)
    done = operations.edit_grant(found_root, "git", GrantEdit(allow=("a",)), agree)
    assert file.read_bytes() == text.replace(b"[]", b'["a"]')
    assert done.diff.endswith('"x": 1e2}\n\\ No newline at end of file\n')
    assert '-\t"actions": [],\r\n+\t"actions": ["a"],\r\n' in done.diff


@pytest.mark.parametrize("act", [ACTS["set"], ACTS["copy"]])
def test_an_invalid_grant_is_named_with_its_place(found_root: Root, act: Act) -> None:
    """It is neither changed nor copied; removed it may be."""
    file = Path(found_root.tools_path, "git.json")
    file.write_text('{\n  "tool": }')
    with pytest.raises(GrantError, match=r"git\.json:2:3`: the key `tool` has no value") as caught:
        act(found_root, unasked)
    assert caught.value.exit_code == 21
    with pytest.raises(GrantError, match=r"git\.json:2:3"):
        plans.preview_edit_grant(found_root, "git", GrantEdit(per_minute=1))
    assert ACTS["remove"](found_root, agree).change.old.problem
    assert not file.exists()


def test_no_grant_is_overwritten(found_root: Root) -> None:
    """By none of those that make one."""
    before = standing(found_root)
    for act in (
        lambda: operations.create_grant(found_root, "git", TEXT, unasked),
        lambda: operations.copy_grant(found_root, "git", "model-gateway", unasked),
        lambda: operations.rename_grant(found_root, "git", "model-gateway"),
        lambda: operations.rename_grant(found_root, "git", "git"),
        lambda: grant_ids.check_grant_absent(found_root, "git"),
    ):
        with pytest.raises(NotDoneError, match="exists already"):
            act()
    assert standing(found_root) == before
    grant_ids.check_grant_absent(found_root, "other")


def test_invalid_ids_touch_no_disk(found_root: Root) -> None:
    """A new one is an error of usage, an old one cannot be found."""
    for word in ("", "../x", ".x", "a/b", "x" * 129):
        for new in (
            lambda word=word: operations.create_grant(found_root, word, TEXT, unasked),
            lambda word=word: operations.copy_grant(found_root, "git", word, unasked),
            lambda word=word: operations.rename_grant(found_root, "git", word),
        ):
            with pytest.raises(UsageError, match="cannot be an id"):
                new()
        with pytest.raises(GrantError, match="cannot be an id"):
            operations.remove_grant(found_root, word, unasked)
    assert not Path(found_root.path, ".cortex", "policy", ".lock").exists()


@pytest.mark.parametrize(
    "act",
    [
        lambda root: operations.edit_grant(root, "gti", GrantEdit(per_minute=1), unasked),
        lambda root: plans.preview_edit_grant(root, "gti", GrantEdit(per_minute=1)),
        lambda root: operations.copy_grant(root, "gti", "x", unasked),
        lambda root: operations.remove_grant(root, "gti", unasked),
        lambda root: operations.rename_grant(root, "gti", "x"),
    ],
)
def test_a_missing_grant_is_reported_with_the_existing_ids(found_root: Root, act: Callable[[Root], object]) -> None:
    """And with the command that would make it."""
    with pytest.raises(CortexPolicyError) as caught:
        act(found_root)
    assert caught.value.exit_code == 20
    assert "did you mean `git`?" in caught.value.hint
    assert "`cortex-policy new gti`" in caught.value.hint


def test_a_hand_edit_must_be_accepted_first(found_root: Root) -> None:
    """23, by every act on that grant, also by a copy of it: the copy would be stamped."""
    stamp_grants(found_root)
    Path(found_root.tools_path, "git.json").write_text(
        json.dumps({"tool": "t", "actions": ["x"], "rate": {"perMinute": 2}})
    )
    for name in ("set", "remove", "copy"):
        with pytest.raises(GrantError) as caught:
            ACTS[name](found_root, agree)
        assert caught.value.exit_code == 23
    assert ACTS["new"](found_root, agree).version == 2


def test_a_draft_is_canonical_and_valid() -> None:
    """Only what was said is in it, and the class."""
    assert TEXT == (
        '{\n  "$schema": "../grant.schema.json",\n  "tool": "t",\n  "actions": ["read"],\n  "rate": {\n    "perMinute": 30\n  },\n'
        '  "dataClass": "internal"\n}\n'
    )
    text = format_new_grant(GrantEdit(5, "public", "u", ("a", "b"), add_scopes=("docs",)))
    grant = decode_grant(text.encode())
    assert (grant.tool, grant.rate.per_minute, grant.actions) == ("u", 5, ("a", "b"))
    assert (grant.data_class, grant.fs_scope) == ("public", ("docs",))
    for wrong in (
        GrantEdit(per_minute=0),
        GrantEdit(add_scopes=("/x",)),
        GrantEdit(data_class="x"),
        GrantEdit(allow=("a", "a")),
    ):
        with pytest.raises(UsageError):
            format_new_grant(wrong)


def test_fmt_lays_out_each_grant_as_a_write_of_its_own(found_root: Root) -> None:
    """Those that are canonical are left alone, and one that is invalid stops no other."""
    Path(found_root.tools_path, "broken.json").write_text("{")
    Path(found_root.tools_path, "good.json").write_text(TEXT)
    before = standing(found_root)
    planned = list(plans.preview_format_of_each_grant(found_root, ()))
    assert standing(found_root) == before
    done = list(operations.format_and_write_each_grant(found_root, ()))
    assert [one.id for one in done] == ["broken", "git", "good", "model-gateway"]
    assert [one.differs for one in done] == [one.differs for one in planned] == [False, True, False, True]
    assert [one.write and one.write.version for one in done] == [None, 1, NOT_WRITTEN, 2]
    assert [one.error is not None for one in done] == [True, False, False, False]
    assert all(one.write.change.meaning.verdict == "same" for one in done if one.write)
    assert not any(one.differs for one in operations.format_and_write_each_grant(found_root, ("git", "good", "git")))
    assert not [one for one in plans.preview_format_of_each_grant(found_root, ("good",)) if one.differs]


def test_fmt_refuses_a_layout_that_would_be_too_large(found_root: Root) -> None:
    """And passes over what is not there."""
    rows = ",".join(['{"a":[{"a":[{}]}]}'] * 25_000)
    Path(found_root.tools_path, "git.json").write_text(
        f'{{"tool":"t","actions":[],"rate":{{"perMinute":1}},"rules":[{rows}]}}'
    )
    git, missing = operations.format_and_write_each_grant(found_root, ("git", "missing"))
    assert git.error is not None
    assert "larger than" in git.error.detail
    assert missing.error is not None
    assert missing.error.exit_code == 20


def test_fmt_reports_the_grant_that_the_disk_refuses(found_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before it are written, and told as such."""
    # the first grant takes two: itself and the first stamp
    refusing = fail_at(3, atomic_write.replace_file_atomically, full_disk("stamp.json"))
    patch_writes(monkeypatch, refusing)
    first, second = operations.format_and_write_each_grant(found_root, ())
    assert first.write is not None
    assert first.write.version == 1
    assert isinstance(second.error, NotDoneError)
    assert second.error.detail == "`stamp.json`: no space left on device"
    assert find_stamp_mismatches(found_root) == ()


def test_a_root_without_tools_has_nothing_to_format(found_root: Root) -> None:
    """It is no error."""
    Path(found_root.tools_path).rename(f"{found_root.tools_path}-away")
    assert list(plans.preview_format_of_each_grant(found_root, ())) == []


def test_waiting_for_a_version_ends_when_it_exists_or_times_out(found_root: Root) -> None:
    """At once where it is there, else until it is, or until the time-out."""
    with pytest.raises(NotDoneError, match="there is no stamp yet; version 1 was expected"):
        wait_until_stamp_has_version(found_root, 1, 0)
    stamp_grants(found_root)
    assert wait_until_stamp_has_version(found_root, 1) == stamps.read_stamp(found_root)
    with pytest.raises(NotDoneError, match="the stamp is at version 1; version 2 was expected"):
        wait_until_stamp_has_version(found_root, 2, 0.1)
