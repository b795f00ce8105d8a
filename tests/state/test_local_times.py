"""Times are local with their offset for people, and UTC for programs."""

import json
import re
import time
from pathlib import Path

import pytest

from cortex_policy.state.local_times import localize_time, localize_times_if_terminal
from tests.support.command import run_command
from tests.support.terminal import Terminal

LOCAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+09:00")
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.mark.parametrize(
    ("utc", "local"),
    [
        ("2026-11-29T15:28:05Z", "2026-11-30 00:28:05+09:00"),
        ("2026-11-29T15:28:05.129313Z", "2026-11-30 00:28:05+09:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("soon", "soon"),
    ],
)
def test_a_time_is_made_local(utc: str, local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its offset, so that nobody has to guess; what no calendar has stays as it is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert localize_time(utc) == local


def test_a_pipe_gets_what_programs_read() -> None:
    """Standard output is none of a terminal here."""
    assert localize_times_if_terminal("since 2026-11-29T15:28:05Z: x") == "since 2026-11-29T15:28:05Z: x"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("command", ["show", "stats", "tail"])
def test_calls_of_the_log_have_local_times_on_a_terminal_alone(command: str, tmp_path: Path) -> None:
    """As writes have, so that both are read side by side."""
    log = str(tmp_path / "log")
    run_command("check", "git", "tree", "--path", "docs/x", CORTEX_AUDIT_LOG=log)
    code, text = Terminal("audit", command, log, TZ="Asia/Tokyo").end()
    assert code == 0
    assert LOCAL.search(text)
    assert not UTC.search(text)
    assert UTC.search(run_command("audit", command, log, TZ="Asia/Tokyo").stdout)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("line", ["log", "stop", "list", "status", "resume"])
def test_commands_print_local_times_on_a_terminal_alone(line: str) -> None:
    """And UTC in pipes and JSON."""
    run_command("set", "git", "--rate", "9")
    if line in ("list", "status", "resume"):
        run_command("stop", "--reason", "night")
    code, text = Terminal(line, TZ="Asia/Tokyo").end()
    assert code in (0, 1)
    assert LOCAL.search(text)
    assert not UTC.search(text)
    run_command("stop", "--reason", "night")
    for words in ((line,), (line, "--json")):
        done = run_command(*words, code=code, TZ="Asia/Tokyo")
        assert UTC.search(done.stdout + done.stderr), words
        assert not LOCAL.search(done.stdout + done.stderr)
        run_command("stop", "--reason", "night")
    assert json.loads(run_command("log", "--json").stdout)["entries"][0]["written_at"].endswith("Z")


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("words", [("check", "git", "tree"), ("run", "git", "tree", "--", "true")])
def test_a_denial_has_local_times_on_a_terminal_alone(words: tuple[str, ...]) -> None:
    """Since when everything is stopped."""
    run_command("stop", "--reason", "x")
    code, text = Terminal(*words, TZ="Asia/Tokyo").end()
    assert code == 15
    assert LOCAL.search(text)
    assert not UTC.search(text)
    assert UTC.search(run_command(*words, code=15, TZ="Asia/Tokyo").stderr)
