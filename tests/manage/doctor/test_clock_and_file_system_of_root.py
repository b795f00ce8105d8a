"""`doctor` reads the clocks, and watches a directory as a store does."""

import errno
import time
from pathlib import Path

import pytest

from cortex_policy import PolicyStore
from cortex_policy.manage.doctor import clock_and_file_system_of_root
from cortex_policy.manage.doctor.clock_and_file_system_of_root import examine_clock_and_file_system_of_root
from cortex_policy.manage.doctor.result import OK, WARNING, CheckResult
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.command import run_command


def results(state: Path) -> dict[str, CheckResult]:
    """Return what is found of the host, by the id of the check."""
    return {one.id: one for one in examine_clock_and_file_system_of_root(find_named_or_only_root(), str(state))}


@pytest.fixture(autouse=True)
def no_daemon(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask nobody whether the clock of the machine that runs the tests is synchronized."""
    assert root.is_dir()
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_clock_that_was_set_back_is_a_warning(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has changed in the future shows it."""
    assert results(state)["clock"].status == OK
    now = time.time()
    monkeypatch.setattr(clock_and_file_system_of_root.time, "time", lambda: now - 3600)
    one = results(state)["clock"]
    assert (one.status, "was set back" in one.message) == (WARNING, True)


@pytest.mark.parametrize(("answer", "status"), [("no", WARNING), ("yes", OK)])
def test_a_clock_that_is_not_synchronized_is_a_warning(state: Path, tmp_path: Path, answer: str, status: str) -> None:
    """Systemd is asked where it is there."""
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {answer}\n")
    program.chmod(0o755)
    assert results(state)["clock"].status == status


def test_a_root_on_a_network_file_system_is_a_warning(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each host counts for itself."""
    assert results(state)["file-system"].status == OK
    monkeypatch.setattr(clock_and_file_system_of_root, "is_on_known_local_file_system", lambda _: False)
    assert results(state)["file-system"].status == WARNING


def test_watches_are_tried_if_a_store_is_in_use(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one nobody needs them; without a watch a store reads everything again."""
    run_command("stamp", "write", "--allow-widening")
    assert "inotify" not in results(state)
    with PolicyStore(str(Path.cwd()), reader="gateway"):
        assert results(state)["inotify"].status == OK

        def refuse() -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(clock_and_file_system_of_root, "Inotify", refuse)
        one = results(state)["inotify"]
        assert (one.status, one.command.startswith("sudo sysctl fs.inotify.")) == (WARNING, True)
