"""The stamp as a writer reads and checks it, and the digests that it gets."""

from pathlib import Path

import pytest

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.transaction.stamp_file import (
    check_digest_is_stamped,
    compute_content_digest_or_none,
    make_pending_digest_pairs,
    read_supported_stamp_or_none,
    update_digests,
)
from cortex_policy.state import Root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.stamp import Stamp, compute_content_digest, make_stamp_path
from tests.support.stamps import stamp_grants

OLD, NEW = compute_content_digest(b"old"), compute_content_digest(b"new")


def test_a_stamp_is_none_until_a_write_made_one_and_is_refused_if_a_newer_program_did(root: Path) -> None:
    """A member that is not known could change what the others mean."""
    own = Root(str(root), trusts_owner=False)
    with PolicyDirectory(TrustCheck(own)) as policy:
        assert read_supported_stamp_or_none(policy) is None
        stamp_grants(own)
        stamp = read_supported_stamp_or_none(policy)
        assert stamp is not None
        assert stamp.version == 1
        file = Path(make_stamp_path(own.path))
        file.write_text(file.read_text().replace("{", '{"later": 1, ', 1))
        with pytest.raises(NotDoneError, match="holds `later`"):
            read_supported_stamp_or_none(policy)


def test_a_digest_that_is_not_stamped_is_a_hand_edit(root: Path) -> None:
    """So is a file that no stamp has, and one that is gone."""
    own, stamp = Root(str(root), trusts_owner=False), Stamp(1, {"git": OLD}, {})
    check_digest_is_stamped(own, stamp, "git", OLD)
    check_digest_is_stamped(own, stamp, "other", None)
    for name, digest in (("git", NEW), ("git", None), ("other", OLD)):
        with pytest.raises(GrantError, match="differs from its stamp"):
            check_digest_is_stamped(own, stamp, name, digest)


def test_a_pending_write_has_both_digests_and_an_undone_hand_edit_only_the_new_one() -> None:
    """Readers accept both of a pair, and a hand edit is not to be accepted."""
    changes = {"git": (b"old", b"new"), "made": (None, b"new"), "gone": (b"old", None)}
    assert make_pending_digest_pairs(changes, is_hand_edit=False) == {
        "git": (OLD, NEW), "made": (None, NEW), "gone": (OLD, None),
    }  # fmt: skip
    assert make_pending_digest_pairs({"git": (b"hand", b"old")}, is_hand_edit=True) == {"git": (OLD, OLD)}


def test_none_removes_a_digest() -> None:
    """As no bytes have none."""
    assert compute_content_digest_or_none(None) is None
    assert update_digests({"a": OLD, "b": OLD}, {"a": NEW, "b": None, "c": NEW}) == {"a": NEW, "c": NEW}
