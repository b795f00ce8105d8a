"""The stamp says which version of the grants stands on disk."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import PolicyDiff
from cortex_policy.manage.history.writes import read_writes_newest_first
from cortex_policy.manage.listing import read_all_grant_rows
from cortex_policy.manage.stamp.verify import StampMismatch, find_stamp_mismatches
from cortex_policy.manage.stamp.write import StampResult, write_stamp
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from tests.support.command import result_of
from tests.support.roots import grant_file
from tests.support.stamps import agree, stamp_grants
from tests.support.users import by_caller


@pytest.fixture
def stamped(root: Path) -> Root:
    """Stamp the scratch root."""
    found = Root(str(root), trusts_owner=True)
    stamp_grants(found)
    return found


def edit(root: Root) -> None:
    """Edit a grant by hand."""
    with grant_file(root).open("a") as file:
        file.write("\n")


def states(root: Root) -> dict[str, str]:
    """Return the state of each grant."""
    return {row.id: row.state for row in read_all_grant_rows(root)}


def test_the_first_write_stamps_every_grant_as_version_1(stamped: Root) -> None:
    """And a second one has nothing to do."""
    stamp = stamps.read_stamp(stamped)
    assert stamp is not None
    assert (stamp.version, set(stamp.grant_digests)) == (1, {"git", "model-gateway"})
    assert find_stamp_mismatches(stamped) == ()
    assert set(states(stamped).values()) == {"ok"}
    assert write_stamp(stamped, agree) == StampResult(stamp, is_written=False, diff=PolicyDiff((), 2, ()))


def test_a_hand_edit_is_found_and_accepted_as_the_next_version(stamped: Root) -> None:
    """Edited, new and removed grants each have their word."""
    edit(stamped)
    grant_file(stamped, "new").write_text(grant_file(stamped, "git").read_text())
    grant_file(stamped, "model-gateway").unlink()
    assert find_stamp_mismatches(stamped) == (
        StampMismatch("git", "differs from its stamp"),
        StampMismatch("model-gateway", "is stamped, and is not there"),
        StampMismatch("new", "is not stamped"),
    )
    assert states(stamped) == {"git": "differs", "new": "unstamped"}
    done = write_stamp(stamped, agree)
    assert (done.stamp.version, done.is_written, find_stamp_mismatches(stamped)) == (2, True, ())


def test_hand_edits_are_shown_before_they_are_accepted(stamped: Root) -> None:
    """Each grant against what was stamped; what is stamped are the bytes that were shown."""
    file, stamp = grant_file(stamped), Path(stamps.make_stamp_path(stamped.path))
    before, shown = stamp.read_bytes(), file.read_bytes().replace(b"30", b"99")
    file.write_bytes(shown)

    def refuse(found: PolicyDiff) -> None:
        assert [(one.name, one.meaning.verdict) for one in found.changes] == [("git", "widened")]
        raise NotDoneError("cancelled")

    with pytest.raises(NotDoneError):
        write_stamp(stamped, refuse)
    assert stamp.read_bytes() == before
    write_stamp(stamped, lambda _: edit(stamped))
    found = stamps.read_stamp(stamped)
    assert found is not None
    assert found.grant_digests["git"] == stamps.compute_content_digest(shown)
    assert [finding.id for finding in find_stamp_mismatches(stamped)] == ["git"]


def test_an_invalid_grant_is_never_stamped(stamped: Root) -> None:
    """21, with its place and what to do; nothing beside it is stamped either."""
    edit(stamped)
    grant_file(stamped, "new").write_text("<<<<<<< HEAD\n{}\n")
    before = Path(stamps.make_stamp_path(stamped.path)).read_bytes()
    with pytest.raises(GrantError) as caught:
        write_stamp(stamped, pytest.fail)
    assert (caught.value.exit_code, f"{grant_file(stamped, 'new')}:1:1" in caught.value.detail) == (21, True)
    assert f"`cortex-policy undo new --root {stamped.path}`" in caught.value.hint
    assert Path(stamps.make_stamp_path(stamped.path)).read_bytes() == before


def test_a_stamped_text_that_is_not_kept_makes_all_that_is_allowed_widened(stamped: Root) -> None:
    """It is said, and a grant that allows nothing now needs no consent."""
    shutil.rmtree(Path(stamped.path, ".cortex/policy/history"))
    edit(stamped)
    grant_file(stamped, "model-gateway").unlink()
    asked: list[PolicyDiff] = []
    write_stamp(stamped, asked.append)
    (found,) = asked
    assert [(one.name, one.meaning.verdict) for one in found.changes] == [("git", "widened"), ("model-gateway", "same")]
    assert [one.old.problem for one in found.changes] == ["its text is not kept"] * 2


def test_a_write_that_was_interrupted_before_its_stamp_broke_keeps_what_it_replaced(stamped: Root) -> None:
    """Git merges into a stamp that was not finished: the entry gets its name, since the grant is as it left it."""
    old = grant_file(stamped).read_bytes()

    def broken(_: object) -> None:
        Path(stamps.make_stamp_path(stamped.path)).write_text("<<<<<<< ours\n")
        raise KeyboardInterrupt

    with open_grants_for_write(stamped) as writer:
        writer._finish_write = broken  # type: ignore[method-assign] # noqa: SLF001 - the instant between two steps
        with pytest.raises(KeyboardInterrupt):
            writer.write("git", old, old + b" ")
    stamp_grants(stamped)
    kept = [one.data for entry in read_writes_newest_first(stamped, "git").entries for one in entry.changes]
    assert kept == [old]


def test_equal_trees_have_equal_checksums(stamped: Root) -> None:
    """The checksum covers ids and digests, in no order of the disk."""
    stamp = stamps.read_stamp(stamped)
    assert stamp is not None
    assert stamps.compute_checksum_of_digests(dict(reversed(stamp.grant_digests.items()))) == stamp.checksum_of_digests
    assert stamps.compute_checksum_of_digests({**stamp.grant_digests, "x": "sha256:0"}) != stamp.checksum_of_digests


def test_the_version_goes_on_after_a_merge(stamped: Root) -> None:
    """Conflict markers: the higher version plus one."""
    file = Path(stamps.make_stamp_path(stamped.path))
    ours = file.read_text()
    theirs = ours.replace('"version": 1', '"version": 7')
    file.write_text(f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n")
    assert [finding.id for finding in find_stamp_mismatches(stamped)] == [""]
    assert stamp_grants(stamped).version == 8


@pytest.mark.parametrize("broken", ["", "<<<<<<< ours\n"])
@pytest.mark.parametrize(
    ("version", "after"), [("42", 43), ("4.2e1", 43), ("42.0", 43), ("9007199254740990", 9007199254740991)]
)
def test_the_version_goes_up_by_one_however_it_is_spelled(stamped: Root, broken: str, version: str, after: int) -> None:
    """In a sound stamp and in a broken one."""
    file = Path(stamps.make_stamp_path(stamped.path))
    file.write_text(broken + file.read_text().replace('"version": 1', f'"version": {version}'))
    edit(stamped)
    assert stamp_grants(stamped).version == after


@pytest.mark.parametrize("version", ["9007199254740991", "999999999999999999", "9" * 4300, "9" * 5000, "1e400"])
def test_a_version_at_its_end_never_goes_back(stamped: Root, version: str) -> None:
    """The write is refused, and says what to remove."""
    file = Path(stamps.make_stamp_path(stamped.path))
    file.write_text(file.read_text().replace('"version": 1', f'"version": {version}'))
    edit(stamped)
    before = file.read_bytes()
    with pytest.raises(NotDoneError, match="is at its maximum") as caught:
        stamp_grants(stamped)
    assert f"rm -r {file}" in caught.value.hint
    assert file.read_bytes() == before


@pytest.mark.parametrize("broken", ["", "<<<<<<< ours\n"])
@pytest.mark.parametrize("word", ["2", '"2"', "1.5"])
def test_the_stamp_of_a_newer_program_is_left_alone(stamped: Root, broken: str, word: str) -> None:
    """It knows what we would lose; and no hint leads in a circle."""
    file = Path(stamps.make_stamp_path(stamped.path))
    file.write_text(broken + file.read_text().replace('"format": 1', f'"format": {word}'))
    before = file.read_bytes()
    with pytest.raises(NotDoneError, match="does not know"):
        stamp_grants(stamped)
    assert file.read_bytes() == before
    if not broken:
        with pytest.raises(GrantError) as caught:
            find_stamp_mismatches(stamped)
        assert (caught.value.exit_code, caught.value.hint) == (23, stamps.NEWER)


def test_members_of_a_newer_program_are_not_dropped(stamped: Root) -> None:
    """They are no reason not to believe the stamp, and one not to write it."""
    file = Path(stamps.make_stamp_path(stamped.path))
    file.write_text(file.read_text().replace('"format": 1', '"format": 1, "signature": "x"'))
    assert find_stamp_mismatches(stamped) == ()
    assert not write_stamp(stamped, agree).is_written
    edit(stamped)
    with pytest.raises(NotDoneError, match="`signature`"):
        stamp_grants(stamped)


def test_a_grant_may_be_called_format(stamped: Root) -> None:
    """Its digest is no format."""
    grant_file(stamped, "format").write_bytes(grant_file(stamped).read_bytes())
    stamp_grants(stamped)
    file = Path(stamps.make_stamp_path(stamped.path))
    file.write_text("<<<<<<< ours\n" + file.read_text())
    assert stamp_grants(stamped).version == 3


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "fifo"])
def test_a_file_that_is_not_a_stamp_is_never_overwritten(stamped: Root, kind: str) -> None:
    """3, and what to remove; another write would not help."""
    file = Path(stamps.make_stamp_path(stamped.path))
    twin = file.rename(file.parent / "twin")
    match kind:
        case "link":
            file.symlink_to(twin)
        case "hard link":
            file.hardlink_to(twin)
            if os.geteuid() == 0:  # a link of root's is believed
                os.chown(file, 23456, -1)
        case "directory":
            (file / "inner").mkdir(parents=True)
        case _:
            os.mkfifo(file)
    with pytest.raises(GrantError) as refused:
        stamps.read_stamp(stamped)
    assert refused.value.exit_code == 22
    with pytest.raises(NotDoneError) as caught:
        stamp_grants(stamped)
    subprocess.run(["sh", "-c", caught.value.hint.split("`")[1]], check=True)
    assert twin.exists()
    assert stamp_grants(stamped).version == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [('"format": 1', '"format": 2'), ('"version": 1', '"version": 0'), ('"version": 1', '"version": 9007199254740992'),
     ('"version": 1', '"version": "1"'),
     ("sha256:", "md5:"), ('"git"', '"gti"'), ('"git"', '"../git"')],
)  # fmt: skip
def test_a_stamp_that_was_changed_by_hand_is_refused(stamped: Root, old: str, new: str) -> None:
    """Each part is checked, and the checksum holds the grants together."""
    file = Path(stamps.make_stamp_path(stamped.path))
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(GrantError) as caught:
        stamps.read_stamp(stamped)
    assert caught.value.exit_code == 23


def test_either_digest_of_an_interrupted_write_is_accepted() -> None:
    """Readers never call our own write tampering; null stands for a side that is absent."""
    stamp = stamps.Stamp(3, {"git": "sha256:old"}, {"git": ("sha256:old", "sha256:new"), "gone": ("sha256:x", None)})
    assert stamp.accepts("git", "sha256:old")
    assert stamp.accepts("git", "sha256:new")
    assert not stamp.accepts("git", "sha256:other")
    assert stamp.accepts("gone", None)


def test_encoding_and_reading_agree(stamped: Root) -> None:
    """Pending writes included."""
    stamp = stamps.Stamp(3, {"git": "sha256:old"}, {"git": ("sha256:old", None)})
    Path(stamps.make_stamp_path(stamped.path)).write_bytes(stamps.encode_stamp(stamp))
    assert stamps.read_stamp(stamped) == stamp
    empty = stamps.Stamp(1, {}, {})
    Path(stamps.make_stamp_path(stamped.path)).write_bytes(stamps.encode_stamp(empty))
    assert stamps.read_stamp(stamped) == empty


def test_a_writer_that_finds_the_lock_held_does_nothing(stamped: Root) -> None:
    """Exit 3, and the bytes are what they were."""
    edit(stamped)
    before = Path(stamps.make_stamp_path(stamped.path)).read_bytes()
    with Path(stamped.path, ".cortex", "policy", ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(NotDoneError) as caught:
            stamp_grants(stamped)
    assert caught.value.exit_code == 3
    assert Path(stamps.make_stamp_path(stamped.path)).read_bytes() == before


def test_a_link_is_never_stamped(stamped: Root) -> None:
    """What no check believes has no digest."""
    grant_file(stamped, "link").symlink_to("git.json")
    with pytest.raises(GrantError) as caught:
        stamp_grants(stamped)
    assert caught.value.exit_code == 22


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
@pytest.mark.parametrize("work", [stamp_grants, find_stamp_mismatches, read_all_grant_rows])
def test_grants_in_no_real_directory_are_refused(
    stamped: Root, kind: str, work: Callable[[Root], object], tmp_path: Path
) -> None:
    """They are not none, and nobody's list: 22 for readers and writers alike."""
    tools = Path(stamped.tools_path)
    tools.rename(tmp_path / "elsewhere")
    if kind == "file":
        tools.write_text("")
    else:
        tools.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    with pytest.raises(GrantError) as caught:
        work(stamped)
    assert (caught.value.exit_code, caught.value.hint) == (22, f"put a real directory at `{tools}`")


@pytest.mark.parametrize("work", [stamp_grants, find_stamp_mismatches, stamps.read_stamp])
def test_stamping_follows_no_link(stamped: Root, work: Callable[[Root], object]) -> None:
    """The policy directory of somebody else stays as it is."""
    policy = Path(stamped.path, ".cortex", "policy")
    real = policy.rename(policy.parent / "real")
    policy.symlink_to("real")
    (real / "tools" / "git.json").write_text("{}")
    (real / ".lock").unlink()
    before = (real / "stamp.json").read_bytes()
    with pytest.raises(GrantError) as caught:
        work(stamped)
    assert caught.value.exit_code == 22
    assert (real / "stamp.json").read_bytes() == before
    assert not (real / ".lock").exists()


def test_a_directory_that_cannot_be_read_is_not_written_to(own: Path) -> None:
    """Nothing is changed and then called undone."""
    policy = own / ".cortex" / "policy"
    policy.chmod(0o300)
    with by_caller(), pytest.raises(GrantError, match="permission denied"):
        stamp_grants(Root(str(own), trusts_owner=True))
    assert [path.name for path in policy.iterdir()] == ["tools"]


def test_a_refusal_of_the_disk_names_the_stamp(own: Path) -> None:
    """Another owner's stamp cannot be given back to its owner; the lock has no part in it."""
    found = Root(str(own), trusts_owner=True)
    with by_caller():
        stamp_grants(found)
    stamp = Path(stamps.make_stamp_path(str(own)))
    os.chown(stamp, 23456, -1)
    edit(found)
    before = stamp.read_bytes()
    with by_caller(), pytest.raises(NotDoneError) as caught:
        stamp_grants(found)
    assert caught.value.detail == f"`{stamp}`: operation not permitted"
    assert stamp.read_bytes() == before


run = partial(result_of, "stamp")


def test_a_stamp_that_others_can_write_is_shown_with_a_warning(stamped: Root) -> None:
    """Modes never change the exit code here: some systems clone with umask 0. The next write closes the stamp."""
    file = Path(stamps.make_stamp_path(stamped.path))
    assert run("show").stderr == ""
    file.chmod(0o666)
    file.parent.chmod(0o777)
    said = f"`{file.parent}` is writable by everyone; `{file}` is writable by everyone"
    for command in ("show", "verify"):
        shown = run(command)
        assert shown.returncode == 0
        assert f"warning: {said}\nhint: fix it with `chmod go-w {file.parent} {file}`\n" in shown.stderr
        assert json.loads(run(command, "--json").stdout)["warning"] == said
    edit(stamped)
    assert run("write").returncode == 0
    assert file.stat().st_mode & 0o002 == 0


def test_stamp_on_the_command_line_has_its_exit_codes_and_json(root: Path) -> None:
    """Exit 1 with findings, 0 without; JSON on each."""
    assert root.is_dir()
    assert run("verify").returncode == 1
    assert json.loads(run("show", "--json").stdout) == {"stamp": None, "warning": None}
    assert run("write").returncode == 3
    done = run("write", "--allow-widening")
    assert "note: there is no stamp yet: every grant counts as new" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("version 1, 2 grants, sha256:")
    assert run("verify").returncode == 0
    assert json.loads(run("write", "--json").stdout)["changed"] is False
    assert list((root / ".cortex" / "policy").glob(".new-*")) == []
