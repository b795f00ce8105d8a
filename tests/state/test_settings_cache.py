"""A copy of what is set is never stale, never forged, and never in the way."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cortex_policy.core.model import GrantError, Settings
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.settings import read_uncached_settings

TEXTS = (
    "",
    'sensitive = "ask"\n',
    'sensitive= "deny"\n',
    "require_path = true\n",
    'stamp = "require"\n',
    "nonsense\n",
)


@pytest.fixture
def files(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Name the settings files of the user and of the project."""
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path / "etc"))
    user = tmp_path / "config/cortex-policy/config.toml"
    user.parent.mkdir(parents=True)
    return user, root / ".cortex/policy/config.toml"


def copies(state: Path) -> list[Path]:
    """Return the copies there are."""
    return sorted(state.glob("settings-*"))


def kept(root: Path, state: Path) -> Path:
    """Have a copy made, and return it."""
    load_effective_settings(str(root))
    (copy,) = copies(state)
    return copy


def answer(ask: Callable[[str], Settings], root: Path) -> Settings | str:
    """Return what is set, or why nobody can know."""
    try:
        return ask(str(root))
    except GrantError as error:
        return str(error)


def test_a_copy_is_what_counts_until_a_file_is_touched(root: Path, state: Path, files: tuple[Path, Path]) -> None:
    """To be sure that it is used, it says what no file says."""
    files[0].write_text('sensitive = "ask"\n')
    copy = kept(root, state)
    assert copy.stat().st_mode & 0o777 == 0o600
    copy.write_text(copy.read_text().replace('"ask"', '"deny"'))
    assert load_effective_settings(str(root)).sensitive == "deny"
    assert load_effective_settings(str(root), require_path=True) == read_uncached_settings(str(root), require_path=True)
    files[0].write_text('sensitive= "ask"\n')
    assert load_effective_settings(str(root)).sensitive == "ask"


def rewritten(file: Path, text: str) -> None:
    """Write in place, and set the time back."""
    before = file.stat() if file.exists() else None
    file.write_text(text)
    if before is not None:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def renamed_over(file: Path, text: str) -> None:
    """Write as editors do."""
    new = file.with_name("new")
    new.write_text(text)
    new.rename(file)


def linked(file: Path, text: str) -> None:
    """Put a link there, which nobody believes."""
    target = file.with_name("target")
    target.write_text(text)
    file.unlink(missing_ok=True)
    file.symlink_to(target)


def removed(file: Path, _: str) -> None:
    """Leave nothing."""
    file.unlink(missing_ok=True)


def opened_to_others(file: Path, text: str) -> None:
    """Let everybody write."""
    file.write_text(text)
    file.chmod(0o666)


def moved_with_its_directory(file: Path, text: str) -> None:
    """Put another directory in the place of the one that holds it."""
    new, old = file.parent.with_name("new"), file.parent.with_name("old")
    shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(file.parent, new, symlinks=True)
    (new / file.name).unlink(missing_ok=True)
    (new / file.name).write_text(text)
    file.parent.rename(old)
    new.rename(file.parent)


WAYS = (rewritten, renamed_over, linked, removed, opened_to_others, moved_with_its_directory)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(WAYS), st.integers(0, 1), st.sampled_from(TEXTS), st.booleans()),
        min_size=1, max_size=6,
    )
)  # fmt: skip
@example([(renamed_over, 0, TEXTS[1], False), (rewritten, 0, TEXTS[2], True)])  # as long as before, and as old
@example([(renamed_over, 1, TEXTS[1], False), (moved_with_its_directory, 1, TEXTS[2], True)])
def test_any_change_of_a_file_counts_at_once(
    root: Path,
    files: tuple[Path, Path],
    edits: list[tuple[Callable[[Path, str], None], int, str, bool]],
) -> None:
    """A copy may have been made just before, or not."""
    for edit, which, text, is_kept in edits:
        if is_kept:
            answer(load_effective_settings, root)
        edit(files[which], text)
        assert answer(load_effective_settings, root) == answer(read_uncached_settings, root)


def test_a_root_has_one_copy_and_all_have_few(root: Path, state: Path, files: tuple[Path, Path]) -> None:
    """What nothing leads to any more goes, and so does what a crash left."""
    (state / ".new-settings-1").write_text("")
    for text in TEXTS[1:4]:
        files[0].write_text(text)
        kept(root, state)
    assert not list(state.glob(".new-*"))
    for number in range(70):
        (state / f"settings-{number:08}-0").write_text("")
    files[0].write_text(TEXTS[1])
    kept(root, state)


def test_with_system_settings_no_copy_counts(root: Path, state: Path, files: tuple[Path, Path], tmp_path: Path) -> None:
    """It may lock, and the environment, which says where copies are, must not get around that."""
    files[0].write_text('sensitive = "deny"\n')
    kept(root, state)
    (tmp_path / "etc").mkdir(mode=0o755)
    (tmp_path / "etc/config.toml").write_text('locked = ["sensitive"]\nsensitive = "ask"\n')
    assert load_effective_settings(str(root)).sensitive == "ask"


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_directory_that_is_not_ours_alone_holds_no_copies(
    root: Path, state: Path, files: tuple[Path, Path], mode: int
) -> None:
    """Whoever may write there could forge one."""
    files[0].write_text('sensitive = "deny"\n')
    copy = kept(root, state)
    copy.write_text(copy.read_text().replace('"deny"', '"allow"'))
    state.chmod(mode)
    assert load_effective_settings(str(root)).sensitive == "deny"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sensitive": "allow"}', "\0" * 90])
def test_an_incomplete_copy_does_not_count(root: Path, state: Path, files: tuple[Path, Path], text: str) -> None:
    """A disk may lose power, and an older program know fewer settings."""
    files[0].write_text('sensitive = "deny"\n')
    kept(root, state).write_text(text)
    assert load_effective_settings(str(root)).sensitive == "deny"


def test_copies_are_for_one_state_directory(
    root: Path, state: Path, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the variable names another, hits are counted in that one."""
    files[0].write_text('sensitive = "deny"\n')
    kept(root, state)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    shutil.copytree(state, other, dirs_exist_ok=True)
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(other))
    assert load_effective_settings(str(root)).state_dir == str(other)


@pytest.mark.parametrize("named", ["", "relative"])
def test_an_invalid_state_directory_holds_no_copy(
    root: Path, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """The ledger refuses it, once every other rule lets a call pass."""
    files[0].write_text('sensitive = "deny"\n')
    (tmp_path / "relative").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", named)
    assert load_effective_settings(str(root)).state_dir == named
    assert not copies(tmp_path / "relative")
