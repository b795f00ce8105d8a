"""Whatever is done to a settings file, the very next check goes by it, whatever the last one remembered."""

import mmap
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.command import result_of

ALLOWED, DENIED, UNSAFE, NO_ROOT, INVALID = 0, 13, 22, 25, 27
YES, NO = 'sensitive = "allow"  #\n', 'sensitive = "deny"   #\n'  # equally long
ANSWERS = {YES: ALLOWED, NO: DENIED}
PLACES = ("system", "user", "project")


@pytest.fixture(params=PLACES)
def file(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Path:
    """Name the settings file of each place in turn, beside a grant for sensitive data."""
    if request.param == "system" and os.geteuid() != 0:
        pytest.skip("the system's file is believed where it is root's, and only root can make such a one")
    grant = '{"tool": "records", "actions": ["read"], "rate": {"perMinute": 100000}, "dataClass": "sensitive"}'
    (root / ".cortex/policy/tools/records.json").write_text(grant)
    directories = {
        "system": tmp_path / "etc", "user": tmp_path / "config/cortex-policy", "project": root / ".cortex/policy",
    }  # fmt: skip
    directory = directories[request.param]
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    return directory / "config.toml"


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Ask as a caller does, by the door that a plain `check` takes; /etc alone lies elsewhere."""
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path / "etc"))
    return lambda: result_of("check", "records", "read", "-q").returncode


def rewrite(file: Path, text: str) -> None:
    """Empty the file, and write into it."""
    file.write_text(text)


def overwrite(file: Path, text: str) -> None:
    """Write over what stands there, without emptying it."""
    with file.open("r+b", buffering=0) as stream:
        stream.write(text.encode())


def overwrite_and_turn_back_its_clock(file: Path, text: str) -> None:
    """Leave size, inode and time of the last change as they were."""
    before = file.stat()
    overwrite(file, text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_ino, after.st_mtime_ns) == (before.st_size, before.st_ino, before.st_mtime_ns)


def truncate_then_write(file: Path, text: str) -> None:
    """Take two steps, by two programs."""
    os.truncate(file, 0)
    with file.open("a") as stream:
        stream.write(text)


def append(file: Path, text: str) -> None:
    """Add to a text that says nothing yet, as a shell does with `>>`."""
    file.write_text("# to come\n")
    with file.open("a") as stream:
        stream.write(text)


def rename_over(file: Path, text: str) -> None:
    """Put another file there, as editors do."""
    _beside(file, text).replace(file)


def rename_one_over_that_looks_the_same(file: Path, text: str) -> None:
    """Put one there as long and as old as the one before."""
    before, new = file.stat(), _beside(file, text)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(file)


def exchange_with_one_that_was_there_before(file: Path, text: str) -> None:
    """Move old files back and forth, as a script that switches does: none of them is ever written again."""
    for each, name in ((YES, "yes"), (NO, "no")):
        kept = file.with_name(name)
        if not kept.exists():
            kept.write_text(each)
    aside = file.with_name("yes" if file.read_text() == YES else "no")
    if text != file.read_text():
        os.replace(file, aside)
        os.rename(file.with_name("yes" if text == YES else "no"), file)


def remove_and_create(file: Path, text: str) -> None:
    """Make it anew: the file system may give it the same inode again."""
    file.unlink()
    file.write_text(text)


def copy_with_its_times(file: Path, text: str) -> None:
    """As `cp -p` from a backup that is years old."""
    new = _beside(file, text)
    os.utime(new, ns=(10**18, 10**18))
    shutil.copy2(new, file)


def date_it_in_the_future(file: Path, text: str) -> None:
    """As from another machine."""
    file.write_text(text)
    os.utime(file, ns=(4 * 10**18, 4 * 10**18))


def move_its_directory(file: Path, text: str) -> None:
    """Put a directory there that has all that the old one has, but for this."""
    directory = file.parent
    other = directory.with_name("other")
    shutil.copytree(directory, other, copy_function=shutil.copy2)
    (other / file.name).write_text(text)
    old = directory.rename(directory.with_name("old"))
    other.rename(directory)
    shutil.rmtree(old)


def _beside(file: Path, text: str) -> Path:
    new = file.with_name("new")
    new.write_text(text)
    return new


WAYS = (
    rewrite, overwrite, overwrite_and_turn_back_its_clock, truncate_then_write, append, rename_over,
    rename_one_over_that_looks_the_same, exchange_with_one_that_was_there_before, remove_and_create, copy_with_its_times,
    date_it_in_the_future, move_its_directory,
)  # fmt: skip


@pytest.mark.parametrize("edit", WAYS)
def test_each_way_to_write_counts_at_once(
    file: Path, check: Callable[[], int], edit: Callable[[Path, str], None]
) -> None:
    """There, back and there again; of two edits between two checks, the last."""
    file.write_text(YES)
    assert check() == ALLOWED
    for text in (NO, YES, NO):
        edit(file, text)
        assert check() == ANSWERS[text]
    edit(file, YES)
    edit(file, NO)
    assert check() == DENIED


def test_a_file_that_comes_and_goes_counts_at_once(file: Path, check: Callable[[], int]) -> None:
    """By being created, removed, moved away and moved back."""
    assert check() == ALLOWED
    file.write_text(NO)
    assert check() == DENIED
    aside = file.rename(file.with_name("aside"))
    assert check() == ALLOWED
    aside.rename(file)
    assert check() == DENIED
    file.unlink()
    assert check() == ALLOWED


def test_a_directory_that_comes_and_goes_counts_at_once(file: Path, check: Callable[[], int]) -> None:
    """That of the project is the root's own: without it there is none."""
    without = NO_ROOT if file.parent.name == "policy" else ALLOWED
    file.write_text(NO)
    assert check() == DENIED
    away = file.parent.rename(file.parent.with_name("away"))
    assert check() == without
    away.rename(file.parent)
    assert check() == DENIED


def test_a_mode_counts_at_once(file: Path, check: Callable[[], int]) -> None:
    """What everyone can write is refused, while they can: the text is the same."""
    file.write_text(YES)
    for _ in range(2):
        assert check() == ALLOWED
        file.chmod(0o666)
        assert check() == INVALID
        file.chmod(0o644)


def test_a_mode_of_its_directory_counts_at_once(file: Path, check: Callable[[], int]) -> None:
    """Who can write there can put another file in its place."""
    file.write_text(YES)
    assert check() == ALLOWED
    file.parent.chmod(0o777)
    assert check() in {UNSAFE, INVALID}  # of the project, the grants are not believed either
    file.parent.chmod(0o755)
    assert check() == ALLOWED


def test_an_owner_counts_at_once(file: Path, check: Callable[[], int]) -> None:
    """A file that was given to another is theirs."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    file.write_text(YES)
    assert check() == ALLOWED
    os.chown(file, 12345, -1)
    assert check() == INVALID
    os.chown(file, 0, -1)
    assert check() == ALLOWED


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_in_its_place_counts_at_once(
    file: Path, check: Callable[[], int], tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    """Whatever it leads to: there others may write."""
    file.write_text(YES)
    assert check() == ALLOWED
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(YES)
    file.unlink()
    link(elsewhere, file)
    assert check() == INVALID
    file.unlink()
    file.write_text(NO)
    assert check() == DENIED


def test_a_directory_or_a_pipe_in_place_of_the_file_counts_at_once(file: Path, check: Callable[[], int]) -> None:
    """A directory, or a pipe that nobody writes to."""
    file.write_text(YES)
    assert check() == ALLOWED
    for make in (os.mkdir, os.mkfifo):
        file.unlink()
        make(file)
        assert check() == INVALID
        os.rename(file, file.with_name(f"was-{make.__name__}"))
        file.write_text(YES)
        assert check() == ALLOWED


def test_nonsense_counts_at_once(file: Path, check: Callable[[], int]) -> None:
    """And so does what mends it."""
    file.write_text(YES)
    assert check() == ALLOWED
    file.write_text("sensitive = ")
    assert check() == INVALID
    file.write_text(NO)
    assert check() == DENIED


@pytest.fixture
def mapped(file: Path) -> Iterator[mmap.mmap]:
    """Hold a mapping of the file: of stores into a page that is dirty already, its times do not tell."""
    file.write_text(YES)
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), len(YES)) as memory:
        yield memory


def test_stores_into_memory_count_at_once(mapped: mmap.mmap, check: Callable[[], int]) -> None:
    """No system call is made between two of these checks."""
    assert check() == ALLOWED
    for text in (NO, YES, NO, YES, NO):
        mapped[:] = text.encode()
        assert check() == ANSWERS[text]
