"""Two versions of a stamp are merged as git asks for it, and nothing is guessed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.stamp.merge_files import merge_stamp_files, merge_stamps_or_mark_conflict
from cortex_policy.manage.stamp.merge_sides import MergeSides, scan_merge_sides_in_text_or_none
from cortex_policy.state.stamp import VERSIONS, Stamp, encode_stamp, parse_stamp

IDS, DIGESTS = st.sampled_from(["a", "b", "checksum", "version", "format", "grants"]), st.sampled_from("123")
GRANTS = st.dictionaries(IDS, DIGESTS.map(lambda letter: f"sha256:{letter}"))
STAMPS = st.builds(lambda version, grants: Stamp(version, grants, {}), st.integers(1, 9), GRANTS)


def merged(*sides: Stamp) -> Stamp:
    """Return the merge of a base and two sides, which has no conflict."""
    merge = merge_stamps_or_mark_conflict(*map(encode_stamp, sides))
    assert merge.conflict == ""
    return parse_stamp(merge.data)


@given(base=STAMPS, ours=STAMPS, theirs=STAMPS)
def test_each_grant_has_the_digest_of_the_side_that_changed_it(base: Stamp, ours: Stamp, theirs: Stamp) -> None:
    """The version comes after both; if both sides changed a grant otherwise, the file has all three stamps."""
    merge = merge_stamps_or_mark_conflict(*map(encode_stamp, (base, ours, theirs)))
    names = {*base.grant_digests, *ours.grant_digests, *theirs.grant_digests}
    sides = {name: [side.grant_digests.get(name) for side in (base, ours, theirs)] for name in names}
    if any(first != second and old not in (first, second) for old, first, second in sides.values()):
        assert "both sides changed" in merge.conflict
        assert scan_merge_sides_in_text_or_none(merge.data, "stamp.json") == MergeSides(ours, theirs, base)
        return
    stamp = parse_stamp(merge.data)
    assert stamp.version == max(ours.version, theirs.version) + 1
    expected = {name: second if first == old else first for name, (old, first, second) in sides.items()}
    assert stamp.grant_digests == {name: digest for name, digest in expected.items() if digest is not None}
    assert stamp.grant_digests == merged(base, theirs, ours).grant_digests


def test_stamps_that_both_sides_began_have_no_base() -> None:
    """Git gives an empty file."""
    ours, theirs = Stamp(1, {"a": "sha256:1", "b": "sha256:2"}, {}), Stamp(3, {"b": "sha256:2", "c": "sha256:3"}, {})
    merge = merge_stamps_or_mark_conflict(b"", encode_stamp(ours), encode_stamp(theirs))
    assert parse_stamp(merge.data) == Stamp(4, {"a": "sha256:1", "b": "sha256:2", "c": "sha256:3"}, {})


SOUND = Stamp(3, {"a": "sha256:1"}, {})


@pytest.mark.parametrize(
    ("side", "why"),
    [
        (b"{", "a stamp is broken"),
        (encode_stamp(SOUND).replace(b'"format": 1', b'"format": 2'), "a stamp is broken"),
        (
            encode_stamp(SOUND).replace(b'"format": 1', b'"format": 1, "signers": "x"'),
            "members unknown to this program",
        ),
        (encode_stamp(Stamp(3, SOUND.grant_digests, {"a": ("sha256:1", None)})), "was not finished"),
        (encode_stamp(Stamp(VERSIONS.stop - 1, SOUND.grant_digests, {})), "is at its maximum"),
    ],
)
def test_a_conflict_that_cannot_be_merged_is_left_whole(side: bytes, why: str) -> None:
    """Both sides stand between markers."""
    for ours, theirs in ((side, encode_stamp(SOUND)), (encode_stamp(SOUND), side)):
        merge = merge_stamps_or_mark_conflict(encode_stamp(SOUND), ours, theirs)
        assert why in merge.conflict
        assert ours.rstrip() in merge.data
        assert theirs.rstrip() in merge.data


def test_a_base_between_markers_is_ignored() -> None:
    """Git merges the bases of a criss-cross merge first: that conflict must not be taken for this one."""
    inner = merge_stamps_or_mark_conflict(b"", encode_stamp(SOUND), encode_stamp(Stamp(9, {"a": "sha256:9"}, {})))
    ours, theirs = Stamp(4, {"a": "sha256:2"}, {}), Stamp(5, {"a": "sha256:3"}, {})
    merge = merge_stamps_or_mark_conflict(inner.data, encode_stamp(ours), encode_stamp(theirs))
    assert scan_merge_sides_in_text_or_none(merge.data, "stamp.json") == MergeSides(ours, theirs, Stamp(0, {}, {}))


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    """3, with its name; ours is as it was."""
    ours = tmp_path / "ours"
    ours.write_bytes(encode_stamp(SOUND))
    with pytest.raises(NotDoneError, match=f"`{tmp_path}/missing`: no such file"):
        merge_stamp_files(f"{tmp_path}/missing", str(ours), str(ours))
    assert ours.read_bytes() == encode_stamp(SOUND)
