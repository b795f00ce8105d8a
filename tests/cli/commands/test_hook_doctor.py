"""`hook doctor`: what it prints, and its exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.agent_settings import install_hook, settings_of
from tests.support.command import PROGRAM, run_command
from tests.support.processes import command_lines, wait_until

pytestmark = pytest.mark.usefixtures("agents_home", "startable_program")


def test_without_a_hook_it_fails() -> None:
    """Nothing stands in front of any agent."""
    done = run_command("hook", "doctor", code=1)
    assert "no agent has a hook" in done.stdout


def test_an_agent_without_a_hook_is_a_problem() -> None:
    """The command that installs it is named."""
    done = run_command("hook", "doctor", "codex", code=1)
    assert (
        "problem  installed          Codex has no hook\n         fix: cortex-policy hook install codex\n" in done.stdout
    )


def test_a_hole_is_printed_and_fails(root: Path) -> None:
    """As a line of text, and as JSON."""
    install_hook("cursor")
    text = settings_of("cursor").read_text()
    settings_of("cursor").write_text(
        text.replace('"timeout": 20', '"timeout": 1').replace('"failClosed": true', '"failClosed": false')
    )
    hole = "Cursor would run the call: the hook does not end in time"
    done = run_command("hook", "doctor", "cursor", code=1)
    assert f"cursor, user, `{settings_of('cursor')}`:\n" in done.stdout
    assert f"problem  hanging program    {hole}" in done.stdout
    members = json.loads(run_command("hook", "doctor", "cursor", "--json", code=1).stdout)
    assert (members["status"], members["root"]) == ("problem", str(root))
    settings, line = members["hooks"]
    assert (settings["level"], line["level"], line["file"]) == (None, "user", str(settings_of("cursor")))
    assert any(hole in check["message"] for check in line["checks"])


def test_a_root_that_does_not_exist_is_an_error() -> None:
    """No line is tried in a directory that is not there: it would look blocked."""
    install_hook("claude")
    run_command("hook", "doctor", "claude", "--root", "/nonexistent", code=25)


@pytest.mark.parametrize("command", ["doctor", "status"])
def test_a_deleted_working_directory_is_an_error(command: str, tmp_path: Path) -> None:
    """It may have been in a root."""
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = subprocess.run([*PROGRAM, "hook", command], capture_output=True, text=True, check=False, timeout=60)
    os.chdir(tmp_path)
    assert done.returncode == 25, done


def test_the_root_is_found_from_below(root: Path) -> None:
    """So that the settings of the project are looked at."""
    (root / "docs" / ".gemini").mkdir()
    os.chdir(root / "docs")
    members = json.loads(run_command("hook", "doctor", "gemini", "--json", code=1).stdout)
    assert members["root"] == str(root)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_a_signal_ends_what_was_started(root: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Nobody waits for a time-out, and neither a program that hangs nor its root is left behind."""
    install_hook("claude", "--root", str(root))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary)}
    doctor = [*PROGRAM, "hook", "doctor", "claude"]
    process = subprocess.Popen(doctor, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment)
    assert process.stdout is not None
    for line in process.stdout:
        if "unreadable grant" in line:
            break
    wait_until(lambda: bool(trials_of(process.pid)))
    process.send_signal(number)
    assert process.wait(15) == code
    process.stdout.close()
    wait_until(lambda: not trials_of(process.pid))
    assert not any(temporary.iterdir())


def trials_of(doctor: int) -> list[int]:
    """Return the scratch programs that run for a doctor, in sessions of their own."""
    mark = f"/cortex-policy-hook-{doctor}-"
    return [process for process, words in command_lines().items() if any(mark in word for word in words)]
