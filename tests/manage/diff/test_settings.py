"""Settings that get weaker allow more, and are told so: those of a project since a revision, and whichever are written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.core.settings import PROJECT, SYSTEM, USER
from cortex_policy.manage.diff.grants import make_policy_diff_since_revision
from cortex_policy.manage.settings.write import SettingsFile, find_widening
from cortex_policy.state import Root

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@localhost")
STRICT = 'sensitive = "deny"\nrequire_path = true\n'


@pytest.fixture
def file(root: Path) -> Path:
    """Commit strict settings, and return their file."""
    settings = root / ".cortex" / "policy" / "config.toml"
    settings.write_text(STRICT)
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "x")):
        subprocess.run([*GIT, *words], check=True)
    return settings


CASES = [
    (STRICT, "same", []),
    (STRICT + '[validate]\nignore = ["key"]\n', "same", []),
    ('sensitive = "ask"\nrequire_path = true\n', "widened", ["deny becomes ask"]),
    ('sensitive = "deny"\n', "widened", ["true becomes false"]),
    (None, "widened", ["deny becomes allow", "true becomes false"]),
    (STRICT + 'stamp = "require"\n', "narrowed", ["off becomes require"]),
    ('require_path = true\nstamp = "require"\n', "both", ["deny becomes allow", "off becomes require"]),
    ("nonsense", "narrowed", ["now every check is denied, because the settings are invalid"]),
]


@pytest.mark.parametrize(("text", "verdict", "said"), CASES)
def test_settings_are_compared_by_what_a_check_answers(
    file: Path, text: str | None, verdict: str, said: list[str]
) -> None:
    """A weaker one is widened, whatever the grants."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    found = make_policy_diff_since_revision(Root(str(file.parent.parent.parent), trusts_owner=True), "HEAD")
    assert found.verdict == verdict
    assert [part.sentence for change in found.changes for part in change.meaning.fields] == said


def test_a_mode_that_no_check_believes_hides_no_weaker_setting(file: Path) -> None:
    """Some CI systems clone with umask 0."""
    file.write_text('sensitive = "ask"\nrequire_path = true\n')
    file.chmod(0o666)
    assert (
        make_policy_diff_since_revision(Root(str(file.parent.parent.parent), trusts_owner=True), "HEAD").verdict
        == "widened"
    )


def test_settings_that_were_wrong_let_nothing_through(file: Path) -> None:
    """To mend them is to allow."""
    file.write_text("nonsense")
    subprocess.run([*GIT, "commit", "-qam", "y"], check=True)
    file.write_text(STRICT)
    assert (
        make_policy_diff_since_revision(Root(str(file.parent.parent.parent), trusts_owner=True), "HEAD").verdict
        == "widened"
    )


def test_a_gate_fails_where_a_setting_is_weaker(file: Path) -> None:
    """As for a grant, in text and in JSON."""
    words = [sys.executable, "-m", "cortex_policy", "diff", "--against", "HEAD", "--fail-on", "widened"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    file.unlink()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "config.toml\tsensitive\twidened\tdeny becomes allow" in done.stdout) == (1, True)
    (change,) = json.loads(subprocess.run([*words, "--json"], capture_output=True, check=False).stdout)["changes"]
    assert (change["status"], change["old"]["state"]) == ("changed", "valid")


WEAKER = [
    (USER, 'sensitive = "deny"', 'sensitive = "ask"', ["deny becomes ask"]),
    (USER, 'sensitive = "ask"', "", ["ask becomes allow"]),
    (USER, "require_path = true", "require_path = false", ["true becomes false"]),
    (PROJECT, 'stamp = "require"', "[validate]", ["require becomes off"]),
    (SYSTEM, "", '[audit]\non_error = "ignore"', ["deny becomes ignore"]),
    (USER, 'audit.file = "/x"', "", ["calls are no longer recorded"]),
    (USER, "history.keep = 7", "history.keep = 0", ["writes can no longer be undone"]),
    (
        SYSTEM,
        'locked = ["stamp"]\nstamp = "off"',
        'stamp = "off"',
        ["is no longer locked: other files may set it"],
    ),
    (USER, "nonsense", 'sensitive = "deny"', ["before every check is denied, because the settings are invalid"]),
    # of two, one is enough
    (USER, 'sensitive = "ask"', 'stamp = "require"', ["ask becomes allow", "off becomes require"]),
    (USER, "", "[approvals]\nelicitation = true", ["false becomes true"]),
]
NOT_WEAKER = [
    (USER, 'sensitive = "ask"', 'sensitive = "deny"'),
    (USER, "", 'sensitive = "allow"\nrequire_path = false\nhistory.keep = 100'),
    (USER, "history.keep = 0", "history.keep = 1"),
    (USER, 'audit.file = "/x"', 'audit.file = "/y"'),
    (USER, 'audit.args = "names"', 'audit.args = "full"'),
    (USER, 'editor = "vi"\nstate_dir = "/x"', ""),
    (PROJECT, '[validate]\nignore = ["key"]', ""),
    (SYSTEM, 'stamp = "off"', 'locked = ["stamp"]\nstamp = "off"'),
    (USER, "nonsense", "more of it"),
]


@pytest.fixture
def system(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name the system's file, which is not there yet."""
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path / "etc"))
    (tmp_path / "etc").mkdir(mode=0o755)
    assert root.is_dir()
    return tmp_path / "etc/config.toml"


def told(place: str, root: Path, old: str, new: str) -> list[str]:
    """Return what would be asked about, nothing where nothing is asked."""
    change = find_widening(SettingsFile(place, Root(str(root), trusts_owner=True)), old.encode(), new.encode())
    return [part.sentence for part in change.meaning.fields] if change is not None else []


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize(("place", "old", "new", "said"), WEAKER)
def test_a_text_that_loosens_is_asked_about(root: Path, place: str, old: str, new: str, said: list[str]) -> None:
    """And what of it: calls that pass, or that leave nothing behind."""
    assert told(place, root, old, new) == said


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize(("place", "old", "new"), NOT_WEAKER)
def test_a_text_that_loosens_nothing_is_not_asked_about(root: Path, place: str, old: str, new: str) -> None:
    """Nobody learns to say yes to questions that mean nothing."""
    assert told(place, root, old, new) == []


def test_what_the_system_holds_is_not_loosened_by_others(root: Path, system: Path) -> None:
    """A lock hides what users and projects say; without one, users win over it, so that only they fall back to it."""
    if os.geteuid() != 0:
        pytest.skip("the system's file is believed where it is root's, and only root can make such a one")
    deny, ask = 'sensitive = "deny"\n', 'sensitive = "ask"\n'
    system.write_text(deny)
    assert told(USER, root, deny, "") == []
    assert told(USER, root, deny, ask) == told(PROJECT, root, deny, ask) == ["deny becomes ask"]
    assert told(PROJECT, root, deny, "") == ["deny becomes allow"]  # of a user who says allow
    system.write_text(f'locked = ["sensitive"]\n{deny}')
    for place in (USER, PROJECT):
        assert told(place, root, deny, ask) == told(place, root, deny, "") == []
    system.write_text("nonsense")
    assert told(USER, root, deny, ask) == ["deny becomes ask"]


def test_a_strict_project_or_variable_hides_nothing_of_a_user(
    root: Path, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other roots and other shells have neither."""
    assert not system.exists()
    (root / ".cortex/policy/config.toml").write_text('sensitive = "deny"\n')
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "deny")
    assert told(USER, root, 'sensitive = "deny"', "") == ["deny becomes allow"]
