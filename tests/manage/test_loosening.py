"""A project's settings can only tighten, so that to take one back allows more, and is told so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.manage.comparing import against
from cortex_policy.state.grants import Root

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
    ("nonsense", "narrowed", ["now every check is answered with no, since the settings are wrong"]),
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
    found = against(Root(str(file.parent.parent.parent), named=True), "HEAD")
    assert found.verdict == verdict
    assert [part.sentence for change in found.changes for part in change.meaning.fields] == said


def test_a_mode_that_no_check_believes_hides_no_weaker_setting(file: Path) -> None:
    """Some CI systems clone with umask 0."""
    file.write_text('sensitive = "ask"\nrequire_path = true\n')
    file.chmod(0o666)
    assert against(Root(str(file.parent.parent.parent), named=True), "HEAD").verdict == "widened"


def test_settings_that_were_wrong_let_nothing_through(file: Path) -> None:
    """To mend them is to allow."""
    file.write_text("nonsense")
    subprocess.run([*GIT, "commit", "-qam", "y"], check=True)
    file.write_text(STRICT)
    assert against(Root(str(file.parent.parent.parent), named=True), "HEAD").verdict == "widened"


def test_a_gate_fails_where_a_setting_is_weaker(file: Path) -> None:
    """As for a grant, in text and in JSON."""
    words = [sys.executable, "-m", "cortex_policy", "diff", "--against", "HEAD", "--fail-on", "widened"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    file.unlink()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "config.toml\tsensitive\twidened\tdeny becomes allow" in done.stdout) == (1, True)
    (change,) = json.loads(subprocess.run([*words, "--json"], capture_output=True, check=False).stdout)["changes"]
    assert (change["status"], change["old"]["state"]) == ("changed", "valid")
