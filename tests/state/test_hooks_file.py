"""The rules are those of the file, whoever wrote its copy, and a file that cannot be trusted gives none."""

import json
import os
import tomllib
from pathlib import Path

import pytest

from cortex_policy import state
from cortex_policy.core.hooks.hook_rules import HookRules
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.state import Root, hooks_file
from cortex_policy.state.hooks_file import load_hook_rules

TEXT = (
    'format = 1\nunmapped = "pass"\nguard = ["/etc/x"]\n\n[[rule]]\ntools = ["Write"]\ngrant = "fs"\naction = "write"\n'
)


@pytest.fixture
def file(root: Path) -> Path:
    """Write rules, and name their file."""
    file = root / ".cortex/policy/hooks.toml"
    file.write_text(TEXT)
    return file


def copies(state_dir: Path) -> list[Path]:
    """Return the copies there are."""
    return sorted(state_dir.glob("hooks-*"))


def load(root: Root) -> HookRules | str:
    """Return the rules, or why nobody knows them."""
    try:
        return load_hook_rules(root)
    except CortexPolicyError as error:
        return str(error.reason)


@pytest.mark.usefixtures("file")
def test_a_copy_says_the_same_as_the_file(found_root: Root, state: Path) -> None:
    """And is the only one."""
    first = load(found_root)
    (copy,) = copies(state)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert load(found_root) == first
    assert isinstance(first, HookRules)
    assert (first.unmapped, first.guard, first.rules[0].grant) == ("pass", ("/etc/x",), "fs")


def test_a_copy_is_what_counts_until_the_file_has_other_bytes(found_root: Root, state: Path, file: Path) -> None:
    """To be sure that it is used, it says what the file does not."""
    load(found_root)
    (copy,) = copies(state)
    copy.write_text(copy.read_text().replace('"pass"', '"deny"'))
    assert load(found_root) == HookRules("deny", *_of(load_hook_rules(found_root)))
    times = file.stat()
    file.write_text(TEXT.replace("pass", "deny").replace("/etc/x", "/etc/y"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = load_hook_rules(found_root)
    assert changed.guard == ("/etc/y",)
    assert len(copies(state)) == 1


def _of(rules: HookRules) -> tuple[tuple[str, ...], tuple[object, ...]]:
    return rules.guard, rules.rules


@pytest.mark.usefixtures("file")
def test_without_tomllib_the_copy_is_enough(found_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 10 ms, more than the rest of a hook."""
    load(found_root)
    monkeypatch.setattr(tomllib, "loads", lambda _: 1 / 0)
    assert isinstance(load(found_root), HookRules)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format"', "\0"])
@pytest.mark.usefixtures("file")
def test_a_broken_copy_is_made_again(found_root: Root, state: Path, text: str) -> None:
    """As after a loss of power."""
    first = load(found_root)
    (copy,) = copies(state)
    copy.write_text(text)
    assert load(found_root) == first
    assert json.loads(copies(state)[0].read_text())["unmapped"] == "pass"


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
@pytest.mark.usefixtures("file")
def test_a_copy_of_a_wrong_kind_does_not_count(found_root: Root, state: Path, kind: str, tmp_path: Path) -> None:
    """The file is read."""
    first = load(found_root)
    (copy,) = copies(state)
    copy.unlink()
    (tmp_path / "other").write_text('{"unmapped": "pass"}')
    {"link": lambda: copy.symlink_to(tmp_path / "other"), "fifo": lambda: os.mkfifo(copy), "directory": copy.mkdir}[
        kind
    ]()
    assert load(found_root) == first


@pytest.mark.parametrize("mode", [0o755, 0o770])
@pytest.mark.usefixtures("file")
def test_no_copy_is_used_in_a_directory_that_others_can_enter(found_root: Root, state: Path, mode: int) -> None:
    """The ledger denies the call then."""
    load(found_root)
    (copy,) = copies(state)
    copy.write_text('{"unmapped": "pass"}')
    state.chmod(mode)
    assert load_hook_rules(found_root).guard == ("/etc/x",)
    assert copies(state) == [copy]


def test_an_untrusted_file_is_refused_though_it_has_a_copy(found_root: Root, file: Path) -> None:
    """What is checked is what was opened."""
    assert isinstance(load(found_root), HookRules)
    file.chmod(0o666)
    assert load(found_root) == "grant_unsafe"
    file.chmod(0o644)
    file.rename(file.with_name("other"))
    file.symlink_to("other")
    assert load(found_root) == "grant_unsafe"
    file.unlink()
    assert load(found_root) == "grant_not_found"


def test_a_stop_comes_before_the_file_is_read(found_root: Root, file: Path) -> None:
    """Broken or not."""
    (file.parent / "stop").touch()
    file.write_text("nonsense")
    assert load(found_root) == "stopped"


def test_roots_have_copies_of_their_own(found_root: Root, state: Path, file: Path, tmp_path: Path) -> None:
    """An edit in one leaves that of the other."""
    other = tmp_path / "other"
    (other / ".cortex/policy").mkdir(parents=True)
    (other / ".cortex/policy/hooks.toml").write_text(TEXT)
    load(found_root)
    load(Root(str(other), trusts_owner=True))
    assert len(copies(state)) == 2
    file.write_text(TEXT + "\n")
    load(found_root)
    assert len(copies(state)) == 2


@pytest.mark.usefixtures("file")
def test_another_version_of_the_program_makes_a_copy_of_its_own(
    found_root: Root, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy may mean something else to it."""
    load(found_root)
    before = copies(state)
    monkeypatch.setattr(hooks_file, "FORMAT", hooks_file.FORMAT + 1)
    load(found_root)
    assert copies(state) != before


def test_a_missing_state_directory_is_accepted(
    found_root: Root, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first call of a tool makes it."""
    assert file.exists()
    monkeypatch.setenv(state.STATE_DIR, str(tmp_path / "absent"))
    assert isinstance(load(found_root), HookRules)
    assert not (tmp_path / "absent").exists()
