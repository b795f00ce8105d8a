"""The operator's program hears of each new request, and never changes the answer."""

import json
from pathlib import Path

import pytest

from cortex_policy.state import approval_notify
from tests.support.command import result_of as run
from tests.support.processes import is_alive, wait_until

CALL = ("check", "records", "read", "--path", "docs/x")


@pytest.fixture
def program(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ask a human for each call, and name a program in the user's settings."""
    grant = {"tool": "records", "actions": ["read"], "rate": {"perMinute": 9}, "dataClass": "sensitive"}
    (root / ".cortex/policy/tools/records.json").write_text(json.dumps(grant))
    file = tmp_path / "notify"
    settings = tmp_path / "config" / "cortex-policy" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'sensitive = "ask"\napprovals.notify = "{file}"\n')
    monkeypatch.setenv("CORTEX_RUN_ID", "night")
    return file


def write_script(file: Path, text: str) -> None:
    """Make the program a shell script."""
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_the_notifier_gets_the_line_of_a_new_request_once(program: Path) -> None:
    """As JSON on its standard input, without variables of ours, in `/`; a repeated call tells nobody again."""
    write_script(program, f'{{ cat; env | grep -c ^CORTEX_; pwd; }} >> "{program}.log"; echo noise; echo noise >&2')
    first, again = run(*CALL), run(*CALL)
    assert (first.returncode, again.returncode) == (13, 13)
    assert "noise" not in first.stdout + first.stderr
    line, count, directory = Path(f"{program}.log").read_text().splitlines()
    request = json.loads(line)
    assert (request["type"], request["runId"], request["proposal"]["action"]) == ("request", "night", "read")
    assert f"request `{request['id']}` waits for a human\n" in first.stderr
    assert (count, directory) == ("0", "/")


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "No such file or directory"), ("exit 3", "ended with 3"), ("kill -9 $$", "ended with -9")],
)
def test_a_failure_is_named_and_the_call_stays_denied(program: Path, text: str | None, words: str) -> None:
    """The request waits all the same."""
    if text is not None:
        write_script(program, text)
    done = run(*CALL)
    assert done.returncode == 13
    assert f"and `approvals.notify` failed: `{program}`" in done.stderr
    assert words.lower() in done.stderr.lower()
    assert len(json.loads(run("approvals", "--json").stdout)["requests"]) == 1


def test_a_program_that_hangs_is_killed_with_its_children(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check does not wait longer than it says."""
    monkeypatch.setattr(approval_notify, "MAX_SECONDS", 0.5)
    write_script(program, f'sleep 300 & echo $! > "{program}.pid"; wait')
    done = run(*CALL)
    assert "took more than" in done.stderr
    child = int(Path(f"{program}.pid").read_text())
    wait_until(lambda: not is_alive(child), "the child goes on")


@pytest.mark.parametrize("place", ["project", "environment"])
def test_only_system_and_user_settings_can_name_the_notifier(
    root: Path, program: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Anywhere else it is an invalid setting, which denies every call."""
    write_script(program, f'touch "{program}.ran"')
    if place == "project":
        (root / ".cortex/policy/config.toml").write_text(f'approvals.notify = "{program}"\n')
    else:
        monkeypatch.setenv("CORTEX_POLICY_APPROVALS_NOTIFY", str(program))
    assert run(*CALL).returncode == 27
    assert not Path(f"{program}.ran").exists()


def test_a_peek_notifies_nobody(program: Path) -> None:
    """It makes no request."""
    write_script(program, f'touch "{program}.ran"')
    assert run(*CALL, "--peek").returncode == 13
    assert not Path(f"{program}.ran").exists()
