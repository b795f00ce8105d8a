"""`stamp merge` accepts what either side had stamped, and nothing else, however the stamp was left."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.editing.operations import edit_grant, rename_grant
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.history.undo import UndoRequest, undo_writes
from cortex_policy.manage.history.writes import read_grant_at_version, read_writes_newest_first
from cortex_policy.manage.stamp.merge import find_merged_digests_and_unstamped, write_stamp_after_merge
from cortex_policy.manage.stamp.merge_files import merge_stamps_or_mark_conflict
from cortex_policy.manage.stamp.merge_sides import MergeSides
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.stamp import Stamp
from tests.support.roots import grant_file
from tests.support.stamps import agree, stamp_grants

Files = dict[Path, bytes]


@pytest.fixture
def own(root: Path) -> Root:
    """Name a stamped root."""
    own = Root(str(root), trusts_owner=False)
    stamp_grants(own)
    return own


def stamp_path(root: Root) -> Path:
    """Return the file of the stamp."""
    return Path(stamps.make_stamp_path(root.path))


def files(root: Root) -> Files:
    """Return what git would track."""
    return {path: path.read_bytes() for path in (*Path(root.tools_path).iterdir(), stamp_path(root))}


def checkout(root: Root, tracked: Files) -> None:
    """Bring these files back, and no others."""
    for path in files(root).keys() - tracked.keys():
        path.unlink()
    for path, data in tracked.items():
        path.write_bytes(data)


def rate(root: Root, grant_id: str, number: int) -> None:
    """Change a grant by the program."""
    edit_grant(root, grant_id, GrantEdit(per_minute=number), agree)


def version(root: Root) -> int:
    """Return the version of the stamp."""
    stamp = stamps.read_stamp(root)
    assert stamp is not None
    return stamp.version


@pytest.fixture
def merging(own: Root) -> Root:
    """Leave the stamp between markers: ours changed git twice, theirs the gateway once."""
    base = files(own)
    rate(own, "model-gateway", 7)
    theirs = files(own)
    checkout(own, base)
    rate(own, "git", 6)
    rate(own, "git", 7)
    file = grant_file(own, "model-gateway")
    file.write_bytes(theirs[file])
    sides = stamp_path(own).read_bytes(), theirs[stamp_path(own)]
    stamp_path(own).write_bytes(b"<<<<<<< HEAD\n%b=======\n%b>>>>>>> one\n" % sides)
    return own


def test_both_sides_are_accepted_and_the_version_comes_after_them(merging: Root) -> None:
    """What changed for our side is told, and there is nothing more to do then."""
    result = write_stamp_after_merge(merging)
    assert (result.is_written, result.unstamped) == (True, ())
    assert [(one.name, one.meaning.verdict) for one in result.diff.changes] == [("model-gateway", "narrowed")]
    assert find_stamp_mismatches(merging) == ()
    assert version(merging) > 3
    assert write_stamp_after_merge(merging).is_written is False


def test_our_writes_can_be_undone_after_a_merge_and_so_can_the_merge(merging: Root) -> None:
    """One by one, and back to a version of our side; a version of the other side is none of ours."""
    write_stamp_after_merge(merging)
    last = version(merging)
    assert [entry.command for entry in read_writes_newest_first(merging).entries[:2]] == ["stamp merge", "set"]
    assert b"30" in read_grant_at_version(merging, "git", 1).text
    undo_writes(merging, UndoRequest(), agree)
    assert b"60" in grant_file(merging, "model-gateway").read_bytes()
    undo_writes(merging, UndoRequest("git"), agree)
    assert b'"perMinute": 6' in grant_file(merging, "git").read_bytes()
    undo_writes(merging, UndoRequest(None, 1), agree)
    assert b'"perMinute": 30' in grant_file(merging, "git").read_bytes()
    assert version(merging) == last + 3
    assert find_stamp_mismatches(merging) == ()


def test_a_grant_that_neither_side_had_stamped_still_differs(merging: Root) -> None:
    """It is named, and keeps what our side had stamped; so do one that was added by hand and one that was removed."""
    with grant_file(merging).open("ab") as file:
        file.write(b" ")
    shutil.copy(grant_file(merging), grant_file(merging, "added"))
    assert write_stamp_after_merge(merging).unstamped == ("added", "git")
    assert [finding.id for finding in find_stamp_mismatches(merging)] == ["added", "git"]
    undo_writes(merging, UndoRequest("git"), agree)
    grant_file(merging, "added").unlink()
    grant_file(merging, "model-gateway").unlink()
    assert write_stamp_after_merge(merging).unstamped == ("model-gateway",)


def test_a_grant_with_conflict_markers_is_refused(merging: Root) -> None:
    """21, until it is resolved; the stamp stays as git left it."""
    before, whole = stamp_path(merging).read_bytes(), grant_file(merging).read_bytes()
    grant_file(merging).write_bytes(b"<<<<<<< HEAD\n" + whole + b"=======\n" + whole + b">>>>>>> one\n")
    with pytest.raises(GrantError) as caught:
        write_stamp_after_merge(merging)
    assert (caught.value.exit_code, "stamp merge" in caught.value.hint) == (21, True)
    assert stamp_path(merging).read_bytes() == before
    grant_file(merging).write_bytes(whole)
    assert write_stamp_after_merge(merging).unstamped == ()


def test_a_stale_checksum_is_made_again(own: Root) -> None:
    """Git took the lines of both sides, and the version of one."""
    stamp = stamps.read_stamp(own)
    assert stamp is not None
    rate(own, "git", 7)
    head = stamps.encode_stamp(Stamp(9, stamp.grant_digests, {})).partition(b'"grants"')[0]
    stamp_path(own).write_bytes(head + b'"grants"' + stamp_path(own).read_bytes().partition(b'"grants"')[2])
    assert [finding.id for finding in find_stamp_mismatches(own)] == [""]
    result = write_stamp_after_merge(own)
    assert (result.stamp.version, result.unstamped, result.diff.verdict) == (10, (), "same")
    assert find_stamp_mismatches(own) == ()
    undo_writes(own, UndoRequest("git"), agree)
    assert b"30" in grant_file(own).read_bytes()


@pytest.mark.parametrize("text", ["", "{", "<<<<<<< ours\n"])
def test_a_stamp_without_grants_cannot_be_merged(own: Root, text: str) -> None:
    """3, and the command that makes a new one."""
    stamp_path(own).write_text(text)
    with pytest.raises(NotDoneError, match="holds no stamp that could be merged") as caught:
        write_stamp_after_merge(own)
    assert "stamp write" in caught.value.hint


def test_replaced_bytes_are_kept_if_a_merge_broke_the_stamp(own: Root) -> None:
    """It was killed before it wrote the stamp, and git merged then."""
    old = grant_file(own).read_bytes()
    theirs = stamp_path(own).read_bytes()

    def killed(stamp: Stamp) -> None:
        data = b"<<<<<<< ours\n" + stamps.encode_stamp(stamp) + b"=======\n" + theirs + b">>>>>>> theirs\n"
        stamp_path(own).write_bytes(data)
        raise KeyboardInterrupt

    with open_grants_for_write(own) as writer:
        writer._finish_write = killed  # type: ignore[method-assign] # noqa: SLF001 - the instant between two steps
        with pytest.raises(KeyboardInterrupt):
            writer.write("git", old, old + b" ")
    assert write_stamp_after_merge(own).unstamped == ()
    undo_writes(own, UndoRequest("git"), agree)
    assert grant_file(own).read_bytes() == old


def test_a_renamed_grant_is_that_which_the_other_side_changed(own: Root) -> None:
    """Only where the base is known, and only one that was renamed: a copy is not accepted."""
    base = files(own)
    rate(own, "git", 7)
    theirs = files(own)
    checkout(own, base)
    rename_grant(own, "git", "tig")
    text = theirs[grant_file(own)]
    sides = [one[stamp_path(own)] for one in (base, files(own), theirs)]
    stamp_path(own).write_bytes(merge_stamps_or_mark_conflict(*sides).data)
    conflict = stamp_path(own).read_bytes()
    grant_file(own, "tig").write_bytes(text)
    grant_file(own, "copy").write_bytes(text)
    assert write_stamp_after_merge(own).unstamped == ("copy",)
    grant_file(own, "copy").unlink()
    assert find_stamp_mismatches(own) == ()
    stamp_path(own).write_bytes(conflict.partition(b"|||||||")[0] + conflict[conflict.index(b"=======") :])
    assert write_stamp_after_merge(own).unstamped == ("tig",)


IDS, DIGESTS = st.sampled_from("abc"), st.sampled_from(["1", "2", "3"])
GRANTS = st.dictionaries(IDS, DIGESTS)


@given(base=GRANTS, ours=GRANTS, theirs=GRANTS, now=GRANTS)
def test_only_digests_of_one_side_are_accepted(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str], now: dict[str, str]
) -> None:
    """For this grant, or for one that was renamed to it; what is not accepted is named, and differs."""
    sides = MergeSides(*(Stamp(1, grants, {}) for grants in (ours, theirs, base)))
    grants, unstamped = find_merged_digests_and_unstamped(sides, None, now)
    for name in {*ours, *theirs, *now}:
        stamped = now.get(name) in (ours.get(name), theirs.get(name))
        renamed = name not in base and now.get(name) in {*ours.values(), *theirs.values()}
        assert name in unstamped or stamped or renamed
        assert (grants.get(name) != now.get(name)) == (name in unstamped)
