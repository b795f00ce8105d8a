"""Settings are believed where nobody else could write them, read as they stand, and never guessed."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import GrantError, Settings
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.state import Root, find_system_and_user_settings_directories, settings
from cortex_policy.state.enforcement import load_effective_settings, load_grant_and_settings_for_call
from cortex_policy.state.settings import MAX_BYTES, read_setting
from tests.support.stamps import stamp_grants
from tests.support.users import CALLER

PLACES = ("system", "user", "project")


@pytest.fixture(params=PLACES)
def file(request: pytest.FixtureRequest, files: dict[str, Path]) -> Path:
    """Name the settings file of each place in turn."""
    return files[request.param]


@pytest.fixture
def files(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Name the settings files, which are not there yet."""
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path / "etc"))
    found = {
        "system": tmp_path / "etc/config.toml",
        "user": tmp_path / "config/cortex-policy/config.toml",
        "project": root / ".cortex/policy/config.toml",
    }
    for each in found.values():
        each.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    return found


def nothing_set() -> Settings:
    """Return what counts where only the state directory is set."""
    return Settings(state_dir=os.environ["CORTEX_POLICY_STATE_DIR"])


def refused(root: Path) -> GrantError:
    """Return why nothing is allowed."""
    with pytest.raises(GrantError) as caught:
        load_grant("git", str(root))
    assert caught.value.exit_code == 27
    return caught.value


def test_without_settings_the_defaults_count(root: Path, files: dict[str, Path]) -> None:
    """Directories without a file are nothing, and so is an empty file."""
    assert load_effective_settings(str(root)) == nothing_set()
    files["user"].write_text("")
    assert load_effective_settings(str(root)) == nothing_set()


def rewrite(file: Path, text: str) -> None:
    """Write into the same file."""
    file.write_text(text)


def replace(file: Path, text: str) -> None:
    """Put another file in its place."""
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


def rewrite_in_the_same_instant(file: Path, text: str) -> None:
    """Write as many bytes, and set the clock of the file back."""
    before = file.stat()
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (
        file.stat().st_size,
        file.stat().st_mtime_ns,
        file.stat().st_ino,
    )


def replace_by_an_old_one(file: Path, text: str) -> None:
    """Move a file there that is older, and looks the same."""
    before = file.stat()
    new = file.with_name("new")
    new.write_text(text)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(file)


def remove_and_write(file: Path, text: str) -> None:
    """Reuse the inode, where the file system does."""
    file.unlink()
    file.write_text(text)


@pytest.mark.parametrize(
    "edit", [rewrite, replace, rewrite_in_the_same_instant, replace_by_an_old_one, remove_and_write]
)
def test_a_change_counts_at_once(root: Path, file: Path, edit: Any) -> None:
    """However it is made, ten times in a row: nothing is remembered from the file before."""
    yes, no = 'sensitive = "ask"  #', 'sensitive = "deny" #'
    file.write_text(yes)
    for _ in range(10):
        for text, value in ((no, "deny"), (yes, "ask")):
            edit(file, text)
            assert load_effective_settings(str(root)).sensitive == value


def test_modes_and_removal_count_at_once_too(root: Path, file: Path) -> None:
    """A file that others can write is refused while they can."""
    file.write_text("require_path = true\n")
    for _ in range(5):
        assert load_effective_settings(str(root)).require_path
        file.chmod(0o646)
        assert "chmod go-w" in refused(root).hint
        file.chmod(0o644)
    aside = file.rename(file.with_name("aside"))
    assert not load_effective_settings(str(root)).require_path
    aside.rename(file)
    assert load_effective_settings(str(root)).require_path


@pytest.mark.parametrize("mode", [0o666, 0o646, 0o622])
def test_a_settings_file_that_others_can_write_is_refused(root: Path, file: Path, mode: int) -> None:
    """Not even where it says nothing."""
    file.write_text("")
    file.chmod(mode)
    if mode == 0o622:
        os.chown(file, -1, CALLER)
    error = refused(root)
    assert str(file) in error.detail
    assert f"chmod go-w {file}" in error.hint


def test_a_settings_directory_that_others_can_write_is_refused(root: Path, files: dict[str, Path]) -> None:
    """They could replace the file."""
    for place in ("system", "user"):
        files[place].write_text("")
        files[place].parent.chmod(0o777)
        assert "it is writable by everyone" in refused(root).detail
        files[place].parent.chmod(0o755)


def test_the_system_file_belongs_to_root_and_its_group_may_not_write(root: Path, files: dict[str, Path]) -> None:
    """A group that is the caller's own is no better."""
    files["system"].write_text("")
    files["system"].chmod(0o664)
    assert "it is writable by group" in refused(root).detail
    files["system"].chmod(0o644)
    files["user"].write_text("")
    files["user"].chmod(0o664)
    assert load_effective_settings(str(root)) == nothing_set()


def test_a_settings_file_of_another_user_is_refused(root: Path, file: Path) -> None:
    """An owner who is neither the caller nor root."""
    file.write_text("")
    os.chown(file, CALLER, -1)
    assert f"belongs to user {CALLER}" in refused(root).detail


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "directory", "hard link"])
def test_a_settings_file_that_is_not_regular_is_refused(root: Path, tmp_path: Path, file: Path, kind: str) -> None:
    """Nor followed, nor waited for."""
    other = tmp_path / "other"
    if kind in ("link", "hard link"):
        other.write_text("")
    {"link": file.symlink_to, "dangling": file.symlink_to, "hard link": file.hardlink_to}.get(kind, lambda _: None)(
        other
    )
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "directory":
        file.mkdir()
    assert str(file) in refused(root).detail


def test_a_settings_directory_behind_a_link_is_refused(root: Path, tmp_path: Path, files: dict[str, Path]) -> None:
    """It is called absent by nobody."""
    files["user"].write_text("")
    files["user"].parent.rename(tmp_path / "real")
    files["user"].parent.symlink_to(tmp_path / "real")
    assert "link" in refused(root).detail


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("sensitive = ", "not TOML", "fix"), ("sensitve = 'ask'", "unknown setting `sensitve`", "did you mean `sensitive`?"),
        ("sensitive = 'no'", "`sensitive` is `no`", "it must be `allow`, `ask` or `deny`"),
        ("require_path = 'true'", "`require_path` is the text `true`", "true or false"), ("require_path = 1", "`require_path` is `1`", "true or false"),
        ("stamp = true", "`stamp` is `true`", "`off` or `require`"), ("sensitive = ['ask']", "`sensitive` is a list", "`deny`"),
        ("[sensitive]\nx = 1", "`sensitive` is a table", ""), ('"history.keep" = 1', 'unknown setting `"history.keep"`', ""),
        ("[histroy]", "unknown setting `histroy`", ""), ("a = 1979-05-27", "unknown setting `a`", ""), ("\ufeff", "not TOML", ""), ("x = 1\n" * 20000, f"larger than {MAX_BYTES}", ""),
    ],
)  # fmt: skip
def test_every_wrong_setting_is_named_with_its_fix(root: Path, file: Path, text: str, why: str, hint: str) -> None:
    """Nothing is skipped: neither what is unknown nor what is nearly right."""
    file.write_text(text)
    error = refused(root)
    assert why in error.detail
    assert str(file) in error.detail
    assert hint in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "history.keep = 3",
        "audit.args = 'full'",
        "editor = 'vi'",
        "state_dir = '/x'",
        "locked = []",
        "audit.file = '/x'",
    ],
)
def test_a_project_can_set_only_stricter_values(root: Path, files: dict[str, Path], text: str) -> None:
    """It may only say no more often."""
    files["project"].write_text(text)
    refused(root)


def test_a_check_ignores_settings_of_validate(root: Path, files: dict[str, Path]) -> None:
    """A code that a newer program knows must not stop every call."""
    files["project"].write_text('[validate]\nignore = ["from-tomorrow"]\nnew = {}\n')
    assert load_effective_settings(str(root)) == nothing_set()
    files["user"].write_text('[validate]\nignore = ["key"]\n')
    refused(root)


@pytest.mark.parametrize(
    "text", ["locked = ['stamp']", "locked = 'stamp'", "locked = [1]\nstamp = 'off'", "locked = ['nope']"]
)
def test_a_lock_names_what_the_system_sets(root: Path, files: dict[str, Path], text: str) -> None:
    """A lock on nothing is a mistake, and so is a lock of anybody else."""
    files["system"].write_text(text)
    assert "`locked`" in refused(root).detail
    files["system"].unlink()
    files["user"].write_text("locked = []")
    assert "system's file only" in refused(root).detail


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("CORTEX_POLICY_SENSITIVE", "", "unset the variable"), ("CORTEX_POLICY_SENSITIVE", "Deny", "`deny`"),
        ("CORTEX_POLICY_REQUIRE_PATH", "yes", "true or false"), ("CORTEX_POLICY_HISTORY_KEEP", "-1", "whole number"),
        ("CORTEX_POLICY_HISTORY_KEEP", "\u0663", "whole number"), ("CORTEX_POLICY_STAMPS", "off", "did you mean `CORTEX_POLICY_STAMP`?"),
        ("CORTEX_POLICY_VALIDATE_SELECT", "key", ""), ("CORTEX_POLICY_", "", ""), ("CORTEX_POLICY_LOCKED", "x", ""),
    ],
)  # fmt: skip
def test_a_variable_that_is_wrong_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, hint: str
) -> None:
    """An empty one too: whoever set it meant something."""
    monkeypatch.setenv(variable, value)
    error = refused(root)
    assert f"`{variable}`" in error.detail
    assert hint in error.hint


def test_a_number_may_be_as_long_in_a_variable_as_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten gigabytes are no mistake."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_MAX_BYTES", "10000000000")
    monkeypatch.setenv("CORTEX_HITL_TIMEOUT_MS", "10000000000")
    assert read_setting("audit.max_bytes") == 10_000_000_000
    assert read_setting("approvals.timeout_seconds") == 10_000_000


@pytest.mark.parametrize("home", ["relative", "", "~", "./"])
def test_user_settings_are_never_below_a_relative_home(root: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """Not where HOME is no absolute path: whoever may write in the tree would set what counts."""
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", home)
    for below in (".config", "Library/Application Support"):
        directory = root / home / below / "cortex-policy"
        directory.mkdir(parents=True)
        (directory / "config.toml").write_text("require_path = true\n")
    assert find_system_and_user_settings_directories()[1] in (
        "/.config/cortex-policy",
        "/Library/Application Support/cortex-policy",
    )
    assert read_setting("require_path") is False


def test_the_audit_log_is_set_by_operators_alone(
    root: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CORTEX_AUDIT_LOG` counts where no setting names a file; a word that is no absolute path is refused."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", "/var/log/x")
    assert load_effective_settings(str(root)).audit_file == load_effective_settings(None).audit_file == "/var/log/x"
    files["user"].write_text("[audit]\nfile = '/var/log/y'\nargs = 'full'\non_error = 'ignore'\n")
    found = load_effective_settings(None)
    assert (found.audit_file, found.audit_args, found.audit_on_error) == ("/var/log/y", "full", "ignore")
    for text in ("", "log", "~/log"):
        monkeypatch.setenv("CORTEX_AUDIT_LOG", text)
        error = refused(root)
        assert "`CORTEX_AUDIT_LOG`" in error.detail
        assert "absolute path" in error.hint
    files["user"].write_text("")
    monkeypatch.delenv("CORTEX_AUDIT_LOG")
    files["project"].write_text("audit.args = 'names'\n")
    refused(root)


def test_a_required_stamp_is_compared(root: Path, files: dict[str, Path]) -> None:
    """None, an edited grant, one that was never stamped and a broken stamp are 23; an intact one is believed."""
    files["project"].write_text('stamp = "require"\n')
    grant, policy = root / ".cortex/policy/tools/git.json", root / ".cortex/policy"
    for damage in (
        lambda: None,
        lambda: grant.write_text(grant.read_text() + "\n"),
        lambda: (policy / "stamp.json").write_text("{}"),
    ):
        damage()
        with pytest.raises(GrantError) as caught:
            load_grant("git")
        assert caught.value.exit_code == 23
        assert "stamp write" in caught.value.hint
        assert caught.value.file == str(grant)
        stamp_grants(Root(str(root), trusts_owner=True))
        assert load_grant_and_settings_for_call("git")[1].stamp == "require"
    (policy / "tools/new.json").write_text(grant.read_text())
    with pytest.raises(GrantError, match="`new` does not match its stamp"):
        load_grant("new")


def test_a_stamp_that_others_can_write_proves_nothing(root: Path, files: dict[str, Path]) -> None:
    """It is judged like a grant."""
    files["user"].write_text('stamp = "require"\n')
    stamp_grants(Root(str(root), trusts_owner=True))
    (root / ".cortex/policy/stamp.json").chmod(0o666)
    with pytest.raises(GrantError) as caught:
        load_grant("git")
    assert caught.value.exit_code == 22


def test_a_loaded_grant_follows_later_settings(root: Path, files: dict[str, Path]) -> None:
    """Each call asks anew, for the stamp too."""
    grant = load_grant("git")
    assert enforce(grant, "tree")
    files["project"].write_text("require_path = true\n")
    with pytest.raises(AccessDenied):
        enforce(grant, "tree")
    files["project"].write_text('stamp = "require"\n')
    with pytest.raises(GrantError, match="there is no stamp"):
        enforce(grant, "tree", {"path": str(root / "docs/x")})


def test_a_single_setting_is_read_with_the_others(files: dict[str, Path]) -> None:
    """For whoever needs one value."""
    assert read_setting("history.keep") == 100
    files["user"].write_text("history.keep = 0\n")
    assert read_setting("history.keep") == 0


def test_the_settings_stay_out_of_reach_of_every_grant(root: Path, files: dict[str, Path], tmp_path: Path) -> None:
    """And so does the state directory that they name."""
    files["user"].write_text(f'state_dir = "{tmp_path}/elsewhere"\n')
    del os.environ["CORTEX_POLICY_STATE_DIR"]  # the fixture puts it back
    for path in (*map(str, files.values()), f"{tmp_path}/elsewhere/x"):
        with pytest.raises(AccessDenied, match="governs grants"):
            enforce(load_grant("model-gateway", str(root)), "chat", {"path": path})


def test_a_half_written_file_is_never_used(root: Path, file: Path) -> None:
    """Whoever writes in place, as some editors do, is waited for: the end may be what denies."""
    file.write_text('stamp = "off"\nsensitive = "deny"\n')
    rounds = 0
    with ThreadPoolExecutor(1) as pool, file.open("r+") as stream:
        while rounds < 10:
            instants = [time.monotonic_ns()]
            stream.truncate(0)
            answer = pool.submit(load_effective_settings, str(root))
            for line in ('stamp = "off"\n', 'sensitive = "deny"\n'):
                time.sleep(0.005)
                stream.seek(0, os.SEEK_END)
                stream.write(line)
                stream.flush()
                instants.append(time.monotonic_ns())
            found = answer.result()
            # a time stamp may be half of that old already
            if all(after - before < settings.STABLE_NS // 2 for before, after in pairwise(instants)):
                assert found.sensitive == "deny"
                rounds += 1
            else:  # this machine held up the writer for longer than anybody waits: forget what was believed
                assert load_effective_settings(str(root)).sensitive == "deny"


def test_a_slow_reader_uses_no_half_written_file(root: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file grows older while it waits for a processor, and is whole by then."""
    file.write_text('stamp = "off"\n')
    rest = ['sensitive = "deny"\n']

    def held_up() -> int:
        if rest:
            with file.open("a") as stream:
                stream.write(rest.pop())
            time.sleep(2 * settings.STABLE_NS / 1e9)
        return time.time_ns()

    monkeypatch.setattr(settings, "time_ns", held_up)
    assert load_effective_settings(str(root)).sensitive == "deny"
    assert not rest


def test_a_file_that_was_new_when_it_was_read_is_read_again(
    root: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another write in the same instant has no sign, and looks old once this process goes on."""
    monkeypatch.setattr(settings, "STABLE_NS", 10 * settings.STABLE_NS)  # however slow this machine is
    read, sizes = settings.read_up_to, []

    def held_up_afterwards(descriptor: int, max_bytes: int) -> bytes:
        data = read(descriptor, max_bytes)
        if not sizes:
            time.sleep(2 * settings.STABLE_NS / 1e9)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(settings, "read_up_to", held_up_afterwards)
    file.write_text('stamp = "off"\n')
    load_effective_settings(str(root))
    assert len(sizes) > 1


def test_a_file_that_keeps_changing_is_refused(root: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever."""
    file.write_text("")
    monkeypatch.setattr(settings, "time_ns", lambda: file.stat().st_ctime_ns)  # however slow this machine is
    monkeypatch.setattr(settings, "sleep", lambda _: file.write_text("#"))
    assert "written all the time" in refused(root).detail
