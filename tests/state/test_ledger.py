"""The ledger admits exactly the limit in every window, and damage closes it."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_policy.core.model import StateError, UsageError
from cortex_policy.core.sliding_window import make_budget_from_times
from cortex_policy.state import ledger, ledger_directory
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.ledger_ring import WINDOW_TICKS
from cortex_policy.state.settings import find_state_directory
from tests.support.ticks import Ticks
from tests.support.users import by_caller

FRESH = count()


@contextmanager
def in_shared_directory() -> Iterator[Path]:
    """Make a directory in which everybody may put names, as in `/dev/shm`."""
    with TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o1777)
        yield Path(directory)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    """Stop the time."""
    clock = Ticks()
    monkeypatch.setattr(rings, "read_ticks_since_boot", clock)
    return clock


@pytest.fixture
def book(state: Path) -> Ledger:
    """Make a ledger of some root."""
    assert state.is_dir()
    return Ledger((1, 2), find_state_directory())


def state_file(state: Path) -> Path:
    """Return the one file there is."""
    (file,) = (path for path in state.rglob("*") if not path.is_dir() and path.name != ".swept")
    return file


def test_the_window_slides_exactly(book: Ledger, clock: Ticks) -> None:
    """The limit and not one more, until the first hit leaves."""
    for _ in range(30):
        assert book.take("t", "a", 30).consumed == 1
        clock.now += 10
    denied = book.take("t", "a", 30)
    assert (denied.consumed, denied.used, denied.remaining) == (0, 30, 0)
    clock.now += WINDOW_TICKS - 301
    assert book.take("t", "a", 30).consumed == 0
    clock.now += 1
    assert book.take("t", "a", 30).consumed == 1
    assert book.take("t", "a", 30).consumed == 0


def test_budgets_are_apart_by_root_tool_and_action(book: Ledger, clock: Ticks) -> None:
    """No key takes from another, whatever their letters add up to."""
    assert clock.now
    assert book.take("ta", "b", 1).consumed == 1
    assert book.take("t", "ab", 1).consumed == 1
    assert Ledger((1, 3), find_state_directory()).take("ta", "b", 1).consumed == 1
    assert book.take("ta", "b", 1).consumed == 0


def test_a_budget_is_named_by_the_text_of_tool_and_action(book: Ledger) -> None:
    """Two pairs that read the same when they are joined share one, whoever asks."""
    mapped = FileBudgets((1, 2))
    assert book.take("a:b", "c", 3).consumed == 1
    assert mapped.hit("a", "b:c", 3)
    assert mapped.hit("a:b", "c", 3)
    assert not mapped.hit("a", "b:c", 3)
    assert book.take("a", "b:c", 3).consumed == 0


def test_budgets_are_in_one_place_with_or_without_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that a login sets, and no directory that comes and goes with it, gives a second budget."""
    monkeypatch.delenv("CORTEX_POLICY_STATE_DIR")
    usual = find_state_directory()
    for variable in ("XDG_RUNTIME_DIR", "TMPDIR", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, "/run/user/1")
    assert find_state_directory() == usual
    if sys.platform == "linux":
        assert usual == f"/dev/shm/cortex-policy-{os.geteuid()}"  # noqa: S108 - the name is what is tested


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([1, 3, 10, 30, 70, 500]), st.integers(1, 40), st.sampled_from([0, 1, 2_000_000, 7_000_001])),
        max_size=60,
    ),
)  # fmt: skip
def test_the_ledger_agrees_with_the_window_rule(book: Ledger, clock: Ticks, steps: list[tuple[int, int, int]]) -> None:
    """Hits, costs and limits edited up and down: the same answers as a list of times gives."""
    hits: list[float] = []
    action = str(next(FRESH))
    for limit, cost, pause in steps:
        clock.now += pause
        expected = make_budget_from_times(
            [60.0 * at / WINDOW_TICKS for at in hits], 60.0 * clock.now / WINDOW_TICKS, limit, cost
        )
        got = book.take("t", action, limit, cost)
        assert (got.consumed == cost) == (expected.retry_after_seconds == 0)
        if got.consumed:
            hits += [clock.now] * cost


def test_a_cost_above_the_limit_touches_nothing(book: Ledger, state: Path) -> None:
    """It never fits; and a cost below one is no cost."""
    refused = book.take("t", "a", 30, 31)
    assert (refused.consumed, refused.retry_after_seconds) == (0, None)
    assert not list(state.iterdir())
    for cost in (0, -1):
        with pytest.raises(UsageError):
            book.take("t", "a", 30, cost)


def test_a_peek_consumes_nothing(book: Ledger, clock: Ticks, state: Path) -> None:
    """Nor does it make a file."""
    assert clock.now
    assert book.peek("t", "a", 1).remaining == 1
    assert not [path for path in state.rglob("*") if not path.is_dir()]
    book.take("t", "a", 1)
    assert book.peek("t", "a", 1).remaining == 0


def test_every_flipped_byte_is_noticed_or_harmless(book: Ledger, clock: Ticks, state: Path) -> None:
    """After damage anywhere never more than the limit in any window, and no error but our own."""
    for _ in range(3):
        book.take("t", "a", 3)
    file = state_file(state)
    good = file.read_bytes()
    for offset in range(len(good)):
        for flip in (0xFF, 0x01, 0x80):
            file.write_bytes(good[:offset] + bytes([good[offset] ^ flip]) + good[offset + 1 :])
            for _ in range(2):
                try:
                    admitted = book.take("t", "a", 3).consumed
                except StateError:
                    admitted = 0
                assert admitted == 0
    assert clock.now


@pytest.mark.parametrize("size", [0, 1, 63, 64, 72])
def test_a_shortened_file_is_closed_for_one_window(book: Ledger, clock: Ticks, state: Path, size: int) -> None:
    """The call that notices answers 24, later ones are limited, then it is healed."""
    book.take("t", "a", 3)
    os.truncate(state_file(state), size)
    with pytest.raises(StateError, match="damaged"):
        book.take("t", "a", 3)
    assert book.take("t", "a", 500).consumed == 0
    clock.now += WINDOW_TICKS
    assert [book.take("t", "a", 3).consumed for _ in range(4)] == [1, 1, 1, 0]


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "fifo"])
def test_a_wrong_kind_of_object_stays_an_error(book: Ledger, state: Path, kind: str) -> None:
    """Nothing is followed, opened for long, or replaced."""
    book.take("t", "a", 3)
    file = state_file(state)
    other = file.with_name("other")
    file.rename(other)
    match kind:
        case "link":
            file.symlink_to(other)
        case "hard link":
            file.hardlink_to(other)
        case "directory":
            file.mkdir()
        case _:
            os.mkfifo(file)
    for _ in range(2):
        with pytest.raises(StateError):
            book.take("t", "a", 3)


def test_a_large_limit_needs_a_small_file(book: Ledger, clock: Ticks, state: Path) -> None:
    """Above a million a slot stands for several hits: never over, at most 0.1 % under."""
    limit, admitted = 5_000_000, 0
    while taken := book.take("t", "a", limit, 50_000).consumed:
        admitted += taken
        clock.now += 1000
    assert limit * 0.989 <= admitted <= limit
    assert state_file(state).stat().st_size < 40_000
    assert book.take("t", "a", 10**30).limit == 10**30


@pytest.mark.parametrize("named", ["", "relative", "./x"])
def test_a_state_directory_must_be_absolute(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """Set but unusable is never a second choice."""
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", named)
    for budgets in (Ledger((1, 2), find_state_directory()), FileBudgets((1, 2))):
        with pytest.raises(StateError, match="not absolute"):
            budgets.take("t", "a", 1)


def test_a_state_directory_open_to_others_is_refused(book: Ledger, state: Path) -> None:
    """With the command that mends it."""
    state.chmod(0o755)
    with pytest.raises(StateError) as caught:
        book.take("t", "a", 1)
    assert caught.value.hint == f"fix it with `chmod 700 {state}`"


@pytest.mark.parametrize("kind", ["directory", "closed directory", "link", "file"])
def test_a_directory_of_another_user_is_an_error_that_root_can_fix(kind: str, state: Path) -> None:
    """A second choice would be a second budget."""
    state.rmdir()
    with in_shared_directory() as shared:
        base = shared / "cortex-policy"
        if kind == "link":
            base.symlink_to("/")
        elif kind == "file":
            base.touch()
        else:
            base.mkdir(0o700 if kind == "closed directory" else 0o755)
        with by_caller(), pytest.raises(StateError) as caught:
            Ledger((1, 2), str(base)).take("t", "a", 1)
    assert caught.value.detail == f"`{base}` belongs to root"
    assert f"`rm -r {base}`" in caught.value.hint
    assert "CORTEX_POLICY_STATE_DIR" in caught.value.hint


def test_a_directory_that_cannot_be_made_is_an_error_that_names_the_variable() -> None:
    """No shared memory, or none that can be written."""
    with pytest.raises(StateError) as caught:
        Ledger((1, 2), "/proc/nothing/state").take("t", "a", 1)
    assert "CORTEX_POLICY_STATE_DIR" in caught.value.hint


def test_a_limit_of_open_files_is_not_blamed_on_the_directory(book: Ledger, state: Path) -> None:
    """Another directory would not help."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(state, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        with pytest.raises(StateError) as caught:
            book.take("t", "a", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert caught.value.detail == "too many open files"
    assert "ulimit -n" in caught.value.hint


@pytest.mark.usefixtures("short_lock_wait")
def test_a_lock_that_is_held_is_waited_for_and_then_refused(book: Ledger, state: Path) -> None:
    """A stopped holder makes callers answer, never hang."""
    book.take("t", "a", 3)
    hold = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    with Popen([sys.executable, "-c", hold, str(state_file(state))], stdout=PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            with pytest.raises(StateError, match="another process"):
                book.take("t", "a", 3)
        finally:
            holder.kill()


def test_creators_that_race_admit_exactly_the_limit(state: Path) -> None:
    """Eight processes on a key that is not there yet."""
    work = "from cortex_policy.state.ledger import Ledger; from cortex_policy.state.settings import find_state_directory as at; print(sum(Ledger((1, 2), at()).take('t', 'a', 60).consumed for _ in range(40)))"
    for _ in range(3):
        workers = [Popen([sys.executable, "-c", work], stdout=PIPE, text=True) for _ in range(8)]
        assert sum(int(worker.communicate()[0]) for worker in workers) == 60
        state_file(state).unlink()


def test_the_file_system_of_a_path_is_that_of_the_longest_mount_point() -> None:
    """A network mount below a local one is seen, and each name is read as the kernel escapes it."""
    mounts = (
        b"1 0 0:1 / / rw - ext4 d rw\n2 1 0:2 / /srv rw shared:1 - nfs4 s rw\n3 1 0:3 / /srv/a\\040b rw - tmpfs t rw\n"
        b"4 1 0:4 / /srv/\x0b\xe2\x80\xa8\xff rw - xfs x rw\n5 1 0:5 / /srv/a\\134\\011\\012 rw - btrfs b rw\n"
    )
    assert ledger_directory.find_file_system_type_of_path(b"/home/x", mounts) == "ext4"
    assert ledger_directory.find_file_system_type_of_path(b"/srv/x", mounts) == "nfs4"
    assert ledger_directory.find_file_system_type_of_path(b"/srv/a b/x", mounts) == "tmpfs"
    assert ledger_directory.find_file_system_type_of_path("/srv/\v\u2028".encode() + b"\xff/x", mounts) == "xfs"
    assert ledger_directory.find_file_system_type_of_path(b"/srv/a\\\t\n/x", mounts) == "btrfs"


def test_state_of_an_earlier_boot_is_removed(book: Ledger, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory on a disk does not fill; what is none of ours, or of this boot, stays."""
    (state / "notes").mkdir()
    (state / ("z" * 40)).mkdir()
    book.take("t", "a", 1)
    old = {path.name for path in state.iterdir()}
    monkeypatch.setattr(ledger, "read_boot_id", lambda: b"another boot")
    book.take("t", "a", 1)
    left = {path.name for path in state.iterdir()}
    assert {"notes", "z" * 40} < left
    assert len(left) == len(old)
    Ledger((1, 3), find_state_directory()).take("t", "a", 1)
    assert len(list(state.iterdir())) == len(old) + 1
