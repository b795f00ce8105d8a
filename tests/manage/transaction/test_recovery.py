"""What becomes of an interrupted write, and of what a hand did to it before anybody healed it."""

from pathlib import Path

import pytest

from cortex_policy.manage.history import undo
from cortex_policy.manage.history.writes import read_writes_newest_first
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.stamp import Stamp, compute_content_digest
from tests.support.stamps import stamp_grants

OLD, NEW, HAND = (
    b'{"tool": "%s", "actions": [], "rate": {"perMinute": 1}}' % word for word in (b"old", b"new", b"hand")
)


@pytest.fixture
def own(root: Path) -> Root:
    """Name a root of one grant."""
    tools = root / ".cortex" / "policy" / "tools"
    (tools / "model-gateway.json").unlink()
    (tools / "git.json").write_bytes(OLD)
    return Root(str(root), trusts_owner=False)


def healed(root: Root, pending: dict[str, tuple[bytes | None, bytes | None]], now: dict[str, bytes]) -> list[str]:
    """Return the version after healing, and what is reported."""
    stamp_grants(root)
    pairs = {
        grant_id: tuple(None if side is None else compute_content_digest(side) for side in pair)
        for grant_id, pair in pending.items()
    }
    interrupted = Stamp(1, {"git": compute_content_digest(OLD)}, pairs)  # type: ignore[arg-type]
    Path(stamps.make_stamp_path(root.path)).write_bytes(stamps.encode_stamp(interrupted))
    Path(root.tools_path, "git.json").unlink()
    for grant_id, data in now.items():
        Path(root.tools_path, f"{grant_id}.json").write_bytes(data)
    with open_grants_for_write(root):
        pass
    stamp = stamps.read_stamp(root)
    assert stamp is not None
    assert not stamp.pending
    return [str(stamp.version), *(finding.id for finding in find_stamp_mismatches(root))]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({"git": OLD}, ["1"]),  # or made so by hand, which nobody can tell from it
        ({"git": NEW}, ["2"]),
        ({"git": HAND}, ["1", "git"]),
        ({}, ["1", "git"]),
        ({"git": NEW, "x": HAND}, ["2", "x"]),
    ],
)
def test_an_interrupted_write_is_finished_or_dropped_or_left_as_a_hand_edit(
    own: Root, now: dict[str, bytes], expected: list[str]
) -> None:
    """By what stands there."""
    assert healed(own, {"git": (OLD, NEW)}, now) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({"git": OLD}, ["1"]),
        ({"other": OLD}, ["2"]),
        ({"git": HAND}, ["1", "git"]),  # edited before it was renamed
        ({"other": HAND}, ["2", "other"]),  # edited after it
        ({"git": HAND, "other": OLD}, ["2", "git"]),  # made anew after it
        ({"git": OLD, "other": HAND}, ["1", "other"]),
        ({"git": OLD, "other": OLD}, ["1", "other"]),  # copied by hand, and not renamed by us
        ({}, ["1", "git"]),  # removed by hand, before it was renamed or after
    ],
)
def test_a_rename_is_one_step_whatever_a_hand_did(own: Root, now: dict[str, bytes], expected: list[str]) -> None:
    """Half of one is a hand's."""
    assert healed(own, {"git": (OLD, None), "other": (None, OLD)}, now) == expected


def test_a_half_finished_rename_can_be_undone(own: Root) -> None:
    """Killed after it was renamed, and edited by hand then: the entry says what the stamp does, and no byte is lost."""
    stamp_grants(own)

    def edited(_: Stamp) -> None:
        Path(own.tools_path, "other.json").write_bytes(HAND)
        raise KeyboardInterrupt

    with open_grants_for_write(own) as writer:
        writer._finish_write = edited  # type: ignore[method-assign] # noqa: SLF001 - the instant between two steps
        with pytest.raises(KeyboardInterrupt):
            writer.rename("git", "other", OLD)
    with open_grants_for_write(own):
        pass
    assert [finding.id for finding in find_stamp_mismatches(own)] == ["other"]
    entry = read_writes_newest_first(own).entries[0]
    assert (entry.version, [(one.id, one.data) for one in entry.changes]) == (2, [("git", OLD)])
    undo.undo_writes(own, undo.UndoRequest("git"), lambda _: None)
    assert (Path(own.tools_path, "git.json").read_bytes(), Path(own.tools_path, "other.json").read_bytes()) == (
        OLD,
        HAND,
    )


def test_a_stamp_that_is_removed_during_a_write_is_made_again(own: Root) -> None:
    """With the next version: the writer knows the last one."""
    stamp_grants(own)
    file = Path(stamps.make_stamp_path(own.path))
    with open_grants_for_write(own) as writer:
        real = writer._check_unchanged  # noqa: SLF001 - the instant between two steps

        def removed(changes: object) -> None:
            real(changes)  # type: ignore[arg-type]
            if b"pending" in file.read_bytes():
                file.unlink()

        writer._check_unchanged = removed  # type: ignore[method-assign] # noqa: SLF001 - as above
        assert writer.write("git", OLD, NEW) == 2
    assert find_stamp_mismatches(own) == ()
