"""A real agent program, as `hook install` leaves it: a denied call does not happen, and an allowed one does.

It needs `python -m tests.agents.install codex`. The other programs are tried by `python -m tests.agents.run`.
"""

from pathlib import Path

import pytest

from tests.agents.guarded import Guarded, make_venv
from tests.agents.program_codex import Codex
from tests.agents.session import can_run
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
