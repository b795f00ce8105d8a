"""Undo after any write gives the identical bytes, and says no where it cannot."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.model import CortexPolicyError, GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import PolicyDiff
from cortex_policy.manage.editing import operations, set_fields
from cortex_policy.manage.history import undo as history_undo
from cortex_policy.manage.history import undo_step
from cortex_policy.manage.history.undo import UndoRequest, UndoResult
from cortex_policy.manage.history.writes import read_grant_at_version
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from tests.support.failing_calls import fail_at, full_disk
from tests.support.stamps import agree, stamp_grants, stamp_version

Texts = dict[str, bytes]
A, B = b'{"tool": "a", "actions": ["x"], "rate": {"perMinute": 1}}', b"\xff no grant at all"


def undo(root: Root, grant_id: str | None = None, to: int | None = None) -> UndoResult:
    """Undo, whatever it means."""
    return history_undo.undo_writes(root, UndoRequest(grant_id, to), agree)


def texts(root: Root) -> Texts:
    """Return the bytes of all grants, and of `hooks.toml`."""
    hooks = Path(root.policy_path, HOOKS_TOML)
    found = {path.stem: path.read_bytes() for path in Path(root.tools_path).glob("*.json")}
    return {**found, HOOKS_TOML: hooks.read_bytes()} if hooks.exists() else found


def put(root: Root, grant_id: str, data: bytes | None) -> None:
    """Write any bytes, or remove a file."""
    with open_grants_for_write(root, command="edit") as writer:
        old = writer.grants.read(grant_id)
        if data is not None:
            writer.write(grant_id, old, data)
        elif old is not None:
            writer.remove(grant_id, old)


def set_rate(root: Root, grant_id: str, rate: int) -> None:
    """Set a rate."""
    operations.edit_grant(root, grant_id, set_fields.GrantEdit(per_minute=rate), agree)


IDS = st.sampled_from(["git", "a", "b"])
NAMES = st.sampled_from(["git", "a", HOOKS_TOML])
WRITES: list[st.SearchStrategy[Callable[[Root], object]]] = [
    st.builds(lambda one, rate: lambda root: set_rate(root, one, rate), IDS, st.integers(1, 9)),
    st.builds(lambda one, other: lambda root: operations.copy_grant(root, one, other, agree), IDS, IDS),
    st.builds(lambda one, other: lambda root: operations.rename_grant(root, one, other), IDS, IDS),
    st.builds(lambda one: lambda root: operations.remove_grant(root, one, agree), IDS),
    st.builds(lambda one: lambda root: operations.create_grant(root, one, A.decode() + "\n", agree), IDS),
    st.just(lambda root: list(operations.format_and_write_each_grant(root, ("git",)))),
    st.builds(lambda one, data: lambda root: put(root, one, data), NAMES, st.binary(max_size=8)),
]


def founded(directory: str, *, stamped: bool) -> Root:
    """Make a root of one grant."""
    root = Root(os.path.realpath(directory), trusts_owner=True)
    os.makedirs(root.tools_path)
    Path(root.tools_path, "git.json").write_bytes(A)
    if stamped:
        stamp_grants(root)
    return root


def there_and_back(root: Root, write: Callable[[Root], object], states: dict[int, Texts]) -> None:
    """Write, undo, and undo that; note the state of each version."""
    before = texts(root)
    with suppress(CortexPolicyError):  # there is no such grant, or there is one already
        write(root)
    after = texts(root)
    if after != before:
        states[stamp_version(root)] = after
        for expected in (before, after):
            undo(root)
            assert texts(root) == expected
            states[stamp_version(root)] = expected


@settings(max_examples=60)
@given(writes=st.lists(st.one_of(WRITES), min_size=1, max_size=8), stamped=st.booleans(), data=st.data())
def test_undo_after_any_write_gives_the_identical_bytes(
    writes: list[Callable[[Root], object]], stamped: bool, data: st.DataObject
) -> None:
    """Again gives those of before; every version can be read, and come back, from wherever one is."""
    with tempfile.TemporaryDirectory() as directory:
        root = founded(directory, stamped=stamped)
        states = {int(stamped): texts(root)}
        for write in writes:
            there_and_back(root, write, states)
        for number, state in states.items() if len(states) > 1 else ():
            assert {one: read_grant_at_version(root, one, number).text for one in state} == state
        for number in data.draw(st.lists(st.sampled_from(sorted(states)), max_size=3)) if len(states) > 1 else ():
            undo(root, to=number)
            assert texts(root) == states[number]
            assert stamp_version(root) >= number


@settings(max_examples=30)
@given(writes=st.lists(st.one_of(WRITES), min_size=1, max_size=8))
def test_writes_are_undone_one_by_one(writes: list[Callable[[Root], object]]) -> None:
    """From the last version to the first, each state as it was."""
    with tempfile.TemporaryDirectory() as directory:
        root = founded(directory, stamped=True)
        states = {1: texts(root)}
        for write in writes:
            with suppress(CortexPolicyError):
                write(root)
            states.setdefault(stamp_version(root), texts(root))
        for number in sorted(states, reverse=True):
            undo(root, to=number)
            assert texts(root) == states[number]


def test_one_grant_is_undone_past_writes_of_others(stamped_root: Root) -> None:
    """What others wrote stays."""
    before = texts(stamped_root)
    set_rate(stamped_root, "git", 7)
    set_rate(stamped_root, "model-gateway", 8)
    after = texts(stamped_root)
    undo(stamped_root, "git")
    assert texts(stamped_root) == {"git": before["git"], "model-gateway": after["model-gateway"]}
    assert stamp_version(stamped_root) == 4


def test_a_rename_is_undone_as_one_write(stamped_root: Root) -> None:
    """By either id, unless one of the two was written since."""
    before = texts(stamped_root)
    operations.rename_grant(stamped_root, "git", "x")
    undo(stamped_root, "git")
    assert (texts(stamped_root), stamp_version(stamped_root)) == (before, 3)
    undo(stamped_root, "x")
    set_rate(stamped_root, "x", 9)
    with pytest.raises(NotDoneError, match="version 4 also wrote `x`, which version 5 wrote again") as caught:
        undo(stamped_root, "git")
    assert caught.value.hint == "undo the later write first with `cortex-policy undo x`"
    done = undo(stamped_root, to=1)
    assert texts(stamped_root) == before
    assert [step.change.name for step in done.steps] == ["x", "git"]


def test_a_version_comes_back_without_the_states_between(stamped_root: Root) -> None:
    """Each grant that differs is one write, and what was wide for a while is never wide again; as planned."""
    set_rate(stamped_root, "git", 7)
    for rate in (900, 8):
        set_rate(stamped_root, "model-gateway", rate)
        set_rate(stamped_root, "git", rate)
    asked: list[PolicyDiff] = []
    planned = history_undo.preview_undo(stamped_root, UndoRequest(None, 2))
    done = history_undo.undo_writes(stamped_root, UndoRequest(None, 2), asked.append)
    assert [step.change.name for step in done.steps] == ["git", "model-gateway"]
    assert [step.diff for step in done.steps] == [step.diff for step in planned.steps]
    assert [found.verdict for found in asked] == ["both"]
    assert stamp_version(stamped_root) == 8
    assert undo(stamped_root, to=2).steps == ()
    assert stamp_version(stamped_root) == 8


def test_mode_and_absence_come_back(stamped_root: Root) -> None:
    """A grant that was private is private again."""
    file = Path(stamped_root.tools_path, "git.json")
    file.chmod(0o640)
    put(stamped_root, "git", None)
    undo(stamped_root)
    assert file.stat().st_mode & 0o777 == 0o640


def hand_edit(root: Root, grant_id: str = "git") -> bytes:
    """Change a grant by hand; return its bytes."""
    file = Path(root.tools_path, f"{grant_id}.json")
    file.write_bytes(file.read_bytes().replace(b"30", b"99").replace(b"60", b"99") + b" ")
    return file.read_bytes()


def test_a_hand_edit_goes_back_to_what_was_stamped_and_is_kept(stamped_root: Root) -> None:
    """As a write of its own, so that caches drop it; undone in turn, the edit is back, and stamped."""
    before = texts(stamped_root)
    edited = hand_edit(stamped_root)
    asked: list[PolicyDiff] = []
    done = history_undo.undo_writes(stamped_root, UndoRequest(), asked.append)
    assert (texts(stamped_root), stamp_version(stamped_root), done.is_of_hand_edits) == (before, 2, True)
    assert [found.verdict for found in asked] == ["narrowed"]
    assert read_grant_at_version(stamped_root, "git", 1).text == before["git"]
    undo(stamped_root)
    assert (texts(stamped_root)["git"], stamp_version(stamped_root)) == (edited, 3)
    assert read_grant_at_version(stamped_root, "git", 2).text == before["git"]
    undo(stamped_root, to=1)
    assert texts(stamped_root) == before


def test_a_hand_edit_is_undone_after_and_before_writes(stamped_root: Root) -> None:
    """The last write left what it goes back to, and it can be undone next."""
    before = texts(stamped_root)
    set_rate(stamped_root, "git", 7)
    written = texts(stamped_root)
    hand_edit(stamped_root)
    undo(stamped_root, "git")
    assert texts(stamped_root) == written
    undo(stamped_root, to=1)
    assert texts(stamped_root) == before
    set_rate(stamped_root, "model-gateway", 7)
    hand_edit(stamped_root)
    undo(stamped_root)
    assert texts(stamped_root)["git"] == before["git"]


def test_a_grant_that_was_removed_by_hand_comes_back_and_one_that_was_added_goes_if_it_is_named(
    stamped_root: Root,
) -> None:
    """Nothing is removed that nobody named."""
    before = texts(stamped_root)
    Path(stamped_root.tools_path, "git.json").rename(Path(stamped_root.tools_path, "x.json"))
    undo(stamped_root)
    assert texts(stamped_root) == {**before, "x": before["git"]}
    undo(stamped_root, "x")
    assert texts(stamped_root) == before
    undo(stamped_root, "x")
    assert texts(stamped_root) == {**before, "x": before["git"]}


def test_an_invalid_hand_edit_is_undone_too(stamped_root: Root) -> None:
    """It allowed nothing, so going back is asked for; its bytes are kept."""
    before = texts(stamped_root)
    Path(stamped_root.tools_path, "git.json").write_bytes(B)
    asked: list[PolicyDiff] = []
    history_undo.undo_writes(stamped_root, UndoRequest("git"), asked.append)
    assert ([found.verdict for found in asked], texts(stamped_root)) == (["widened"], before)
    undo(stamped_root)
    assert texts(stamped_root)["git"] == B


def test_a_hand_edit_that_the_history_would_not_keep_is_left(
    stamped_root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too large, or no history: it would be lost."""
    file = Path(stamped_root.tools_path, "git.json")
    file.write_bytes(b" " * ((1 << 20) + 5))
    with pytest.raises(NotDoneError, match="would be lost: the history cannot keep this text of `git`"):
        undo(stamped_root)
    assert file.stat().st_size == (1 << 20) + 5
    file.write_bytes(A)
    monkeypatch.setenv("CORTEX_POLICY_HISTORY_KEEP", "0")
    with pytest.raises(NotDoneError, match="would be lost"):
        undo(stamped_root)
    assert file.read_bytes() == A


def test_an_unknown_stamped_text_is_reported_and_one_in_git_comes_back(stamped_root: Root) -> None:
    """A clone has no history; its digest proves the text."""
    before = texts(stamped_root)
    git = ["git", "-C", stamped_root.path, "-c", "user.name=a", "-c", "user.email=a@b"]
    shutil.rmtree(Path(stamped_root.path, ".cortex/policy/history"))
    edited = hand_edit(stamped_root)
    with pytest.raises(NotDoneError, match="what was stamped as `git` is not kept"):
        undo(stamped_root)
    with pytest.raises(NotDoneError, match="version 1 of `git` is not kept"):
        read_grant_at_version(stamped_root, "git", 1)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    with pytest.raises(NotDoneError, match="is not kept"):  # what was committed is the edit
        undo(stamped_root)
    Path(stamped_root.tools_path, "git.json").write_bytes(before["git"])
    subprocess.run([*git, "commit", "-q", "-a", "-m", "y"], check=True)
    Path(stamped_root.tools_path, "git.json").write_bytes(edited)
    assert read_grant_at_version(stamped_root, "git", 1).text == before["git"]
    undo(stamped_root)
    assert texts(stamped_root) == before


def test_going_back_to_a_version_overwrites_no_hand_edit(stamped_root: Root) -> None:
    """23, and how to see it, take it back or accept it."""
    set_rate(stamped_root, "git", 7)
    hand_edit(stamped_root)
    before = texts(stamped_root)
    with pytest.raises(GrantError) as caught:
        history_undo.undo_writes(stamped_root, UndoRequest(None, 1), pytest.fail)
    assert caught.value.exit_code == 23
    for command in ("diff git --against stamp", "undo git", "stamp write"):
        assert f"`cortex-policy {command}`" in caught.value.hint
    assert texts(stamped_root) == before


def test_an_accepted_hand_edit_is_undone_like_any_write(stamped_root: Root) -> None:
    """What was stamped before is kept, and so is what was accepted."""
    before = texts(stamped_root)
    edited = hand_edit(stamped_root)
    stamp_grants(stamped_root)
    hand_edit(stamped_root, "model-gateway")
    undo(stamped_root, "model-gateway")
    assert texts(stamped_root) == {**before, "git": edited}
    undo(stamped_root, "git")
    assert texts(stamped_root) == before
    undo(stamped_root, to=2)
    assert texts(stamped_root)["git"] == edited
    with pytest.raises(NotDoneError, match="version 1 stamped grants that had no stamp"):
        undo(stamped_root, to=0)


def test_a_grant_made_by_hand_and_accepted_goes_again(stamped_root: Root) -> None:
    """It was not there: that is known."""
    Path(stamped_root.tools_path, "x.json").write_bytes(A)
    stamp_grants(stamped_root)
    undo(stamped_root)
    assert "x" not in texts(stamped_root)
    undo(stamped_root)
    assert texts(stamped_root)["x"] == A


def test_a_grant_can_be_undone_across_a_missing_version(stamped_root: Root) -> None:
    """Git merged, or an entry was lost: the last known write that left it so. The root as a whole has none."""
    before = texts(stamped_root)
    set_rate(stamped_root, "git", 7)
    written = texts(stamped_root)
    operations.remove_grant(stamped_root, "model-gateway", agree)
    stamp = stamps.read_stamp(stamped_root)
    assert stamp is not None
    Path(stamped_root.tools_path, "model-gateway.json").write_bytes(before["model-gateway"])
    merged = stamps.Stamp(9, {name: stamps.compute_content_digest(text) for name, text in written.items()}, {})
    Path(stamps.make_stamp_path(stamped_root.path)).write_bytes(stamps.encode_stamp(merged))
    with pytest.raises(NotDoneError, match="does not know how version 9 was made"):
        undo(stamped_root)
    undo(stamped_root, "git")
    assert texts(stamped_root) == before
    with pytest.raises(NotDoneError, match="explains the present text of `model-gateway`"):
        undo(stamped_root, "model-gateway")


def test_undo_says_where_the_history_ends(stamped_root: Root) -> None:
    """Pruned, damaged, off for a while, or of another branch: no guess."""
    for rate in (7, 8, 9):
        set_rate(stamped_root, "git", rate)
    file = next(Path(stamped_root.path).rglob("00000003-v3.json"))
    kept = file.read_bytes()
    file.write_bytes(b"{")
    assert history_undo.preview_undo(stamped_root, UndoRequest()).version == 3
    with pytest.raises(NotDoneError, match="does not reach back to version 2: it begins after version 3"):
        undo(stamped_root, to=2)
    with pytest.raises(NotDoneError, match="explains the present text of `model-gateway`"):
        undo(stamped_root, "model-gateway")
    entry = json.loads(kept)
    entry["grants"][0]["new"] = "sha256:another"
    file.write_text(json.dumps(entry))
    with pytest.raises(NotDoneError, match="begins after version 3"):
        read_grant_at_version(stamped_root, "git", 2)
    file.write_bytes(kept)
    next(Path(stamped_root.path).rglob("00000004-v4.json")).unlink()
    with pytest.raises(NotDoneError, match="does not know how version 4 was made"):
        undo(stamped_root)
    with pytest.raises(NotDoneError, match="there is no version 5 yet; the stamp is at version 4"):
        undo(stamped_root, to=5)


def test_another_branch_has_its_own_way_back(stamped_root: Root) -> None:
    """Git moves grants and stamp; entries of both sides stay, and each applies only on its own."""

    def side() -> dict[Path, bytes]:
        return {
            path: path.read_bytes()
            for path in (*Path(stamped_root.tools_path).glob("*.json"), Path(stamps.make_stamp_path(stamped_root.path)))
        }

    def checkout(files: dict[Path, bytes]) -> None:
        for path, data in files.items():
            path.write_bytes(data)

    base = side()
    set_rate(stamped_root, "git", 7)
    set_rate(stamped_root, "git", 8)
    ours = side()
    checkout(base)
    set_rate(stamped_root, "git", 9)
    undo(stamped_root, to=1)
    assert texts(stamped_root)["git"] == base[Path(stamped_root.tools_path, "git.json")]
    checkout(ours)
    undo(stamped_root, to=1)
    assert texts(stamped_root)["git"] == base[Path(stamped_root.tools_path, "git.json")]


def test_a_text_that_is_too_large_is_not_kept_in_part(stamped_root: Root) -> None:
    """It is removed, and does not come back cut."""
    put(stamped_root, "x", b" " * ((1 << 20) + 1))
    put(stamped_root, "x", None)
    with pytest.raises(NotDoneError, match="replaced a text of `x` that is not kept"):
        undo(stamped_root)


def test_a_disk_that_fills_up_on_the_way_tells_how_far_it_came(stamped_root: Root) -> None:
    """The same again goes on from there."""
    before = texts(stamped_root)
    set_rate(stamped_root, "git", 7)
    set_rate(stamped_root, "model-gateway", 7)
    with patch.object(os, "rename", fail_at(7, os.rename, full_disk(), goes_on=True)):
        done = undo(stamped_root, to=1)
    assert [step.change.name for step in done.steps] == ["model-gateway"]
    assert done.error is not None
    assert "no space left" in done.error.detail
    assert undo(stamped_root, to=1).error is None
    assert texts(stamped_root) == before


def test_a_history_that_others_can_write_brings_nothing_back(stamped_root: Root) -> None:
    """22."""
    set_rate(stamped_root, "git", 7)
    next(Path(stamped_root.path).rglob("00000002-v2.json")).chmod(0o666)
    with pytest.raises(GrantError) as caught:
        undo(stamped_root)
    assert caught.value.exit_code == 22


def test_a_refused_undo_changes_nothing(stamped_root: Root) -> None:
    """Who does not consent has what was there."""
    set_rate(stamped_root, "git", 7)
    before = texts(stamped_root)

    def refuse(_: PolicyDiff) -> None:
        raise NotDoneError("cancelled")

    with pytest.raises(NotDoneError):
        history_undo.undo_writes(stamped_root, UndoRequest(), refuse)
    assert (texts(stamped_root), stamp_version(stamped_root)) == (before, 2)


def test_an_entry_that_no_write_makes_is_corrupt(stamped_root: Root) -> None:
    """One that names tens of thousands of grants would be looked at for minutes."""
    digest = f"sha256:{hashlib.sha256(A).hexdigest()}"
    gone = {"old": digest, "new": None, "mode": 0o644, "text": A.decode()}
    entry = {
        "format": 1, "version": 1, "written_at": "2026-01-01T00:00:00Z", "user": "x", "uid": 0, "sudo_user": None,
        "command": "remove", "verdict": "narrowed", "widened": "", "blind": False,
        "grants": [{"id": f"g{number}", **gone} for number in range(20_000)],
    }  # fmt: skip
    history = Path(stamped_root.path, ".cortex/policy/history")
    history.mkdir(0o700, exist_ok=True)
    for file in history.glob("0*"):
        file.unlink()
    (history / "00000001-v1.json").write_text(json.dumps(entry))
    with pytest.raises(NotDoneError, match="the history does not know"):
        history_undo.preview_undo(stamped_root, UndoRequest())


def test_many_writes_are_undone_at_once() -> None:
    """A grant that leaves and one that comes back are a rename; finding them takes no time by the square."""
    steps = [undo_step.UndoStep(f"g{number}", A, None, 0o644) for number in range(20_000)]
    back = [undo_step.UndoStep(f"h{number}", None, A, 0o600) for number in range(20_000)]
    joined = undo_step.join_renames([*steps, *back])
    assert [(one.id, one.new_id, one.mode) for one in joined[:2]] == [("g0", "h0", 0o600), ("g1", "h1", 0o600)]
    assert len(joined) == 20_000
