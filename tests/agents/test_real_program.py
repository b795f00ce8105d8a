"""A real agent program, as `hook install` leaves it: a denied call does not happen, and an allowed one does.

It needs `python -m tests.agents.install codex`. The other programs are tried by `python -m tests.agents.run`.
"""

from pathlib import Path

import pytest

from tests.agents.guarded import Guarded, make_venv
from tests.agents.program_codex import Codex
from tests.agents.session import can_run, run_session
from tests.agents.trial import SITUATIONS, try_situation

pytestmark = pytest.mark.agents


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the built wheel."""
    if Codex.file() is None:
        pytest.skip(f"{Codex.package} is not installed in {Codex.prefix()}")
    if not can_run():
        pytest.skip("no namespaces can be made here")
    return make_venv(tmp_path_factory.mktemp("wheel"))


@pytest.mark.parametrize("title", SITUATIONS)
def test_codex_runs_what_is_allowed_and_nothing_else(title: str, tmp_path: Path, python: Path) -> None:
    """In each situation of the table in docs/agents.md."""
    guarded = Guarded(Codex, tmp_path, python)
    guarded.install()
    trial = try_situation(title, guarded)
    assert trial.faults == []
    assert trial.denied
    assert trial.allowed


def test_hook_status_says_whether_codex_runs_the_line(tmp_path: Path, python: Path) -> None:
    """Codex skips a line that nobody trusted, or that has changed since, and says nothing."""
    guarded = Guarded(Codex, tmp_path, python)
    config = guarded.home / ".codex" / "config.toml"
    before = config.read_text()
    guarded.install()
    assert does_hold(guarded)
    guarded.command("hook", "status")
    file = guarded.home / Codex.settings_file
    installed = file.read_text()
    file.write_text(installed.replace("--deadline 8", "--deadline 7"))
    assert not does_hold(guarded)
    assert "it is changed since it was trusted" in guarded.command("hook", "status", code=1)
    file.write_text(installed)
    config.write_text(before)
    assert not does_hold(guarded)
    assert "it is not trusted" in guarded.command("hook", "status", code=1)


def does_hold(guarded: Guarded) -> bool:
    """Tell whether a denied call does not happen."""
    call = guarded.shell(runs=False)
    run_session(guarded.program, [[call.call]])
    return call.is_right()
