"""Logged calls on a terminal are a table that grows as they come."""

import re
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.cli.output.call_table import MAX_COLUMN, CallTable
from tests.support.command import run_command
from tests.support.terminal import Terminal


def event(**more: object) -> tuple[float, dict[str, Any]]:
    """Return a logged call."""
    data = {
        "time": "2026-11-29T15:28:05.129313Z", "decision": True, "grant": "git", "action": "tree", "reason": "allowed",
        "args": {"path": "docs/x"}, "root": "/srv/repo",
    }  # fmt: skip
    return 0.0, data | more


def table(width: int | None = 200, *, with_root: bool = True, is_coloured: bool = False) -> CallTable:
    """Return a table without colours, unless they are what is tested."""
    return CallTable(width, with_root=with_root, is_coloured=is_coloured)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be where local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")


def test_columns_are_aligned_below_one_head() -> None:
    """Also with a wider cell than before; the answer is in words."""
    calls = table()
    assert calls.format_call_lines(event()) == [
        "TIME                       ANSWER   GRANT  ACTION  ROOT       ARGUMENTS",
        '2026-11-29 15:28:05+00:00  allowed  git    tree    /srv/repo  {"path": "docs/x"}',
    ]
    (line,) = calls.format_call_lines(event(grant="model-gateway", decision=False, reason="rate_limited", args={}))
    assert line == "2026-11-29 15:28:05+00:00  denied: rate_limited  model-gateway  tree    /srv/repo"
    (line,) = calls.format_call_lines(event(peek=True))
    assert line.startswith("2026-11-29 15:28:05+00:00  allowed (peek)        git            tree ")


def test_calls_that_are_known_before_decide_the_width() -> None:
    """So that the head fits them."""
    calls = table(with_root=False)
    calls.widen_for(event(grant="model-gateway"))
    head, line = calls.format_call_lines(event())
    assert head.index("ACTION") == line.index("tree")
    assert "ROOT" not in head


def test_arguments_that_do_not_fit_have_a_line_of_their_own() -> None:
    """Nothing of a call is cut."""
    assert table(60).format_call_lines(event())[1:] == [
        "2026-11-29 15:28:05+00:00  allowed  git    tree    /srv/repo",
        '    {"path": "docs/x"}',
    ]


def test_one_long_cell_moves_only_its_own_line() -> None:
    """And control characters are none of the terminal's."""
    calls = table()
    calls.format_call_lines(event(grant="g" * 1000, action="\x1b[31m"))
    (line,) = calls.format_call_lines(event())
    assert line.index("tree") == len("2026-11-29 15:28:05+00:00  allowed  ") + MAX_COLUMN + 2
    assert table().format_call_lines(event(root=[{"a": 1}]))
    assert "\x1b" not in "".join(
        table().format_call_lines(event(grant="\x1b]0;x\x07", root="\x1b[1m", args={"\x1b": "\x1b"}))
    )


def test_the_answer_is_coloured() -> None:
    """Green or red, beside its word."""
    allowed, denied = (table(is_coloured=True).format_call_lines(event(decision=each))[1] for each in (True, False))
    assert "\x1b[32mallowed\x1b[0m" in allowed
    assert re.search(r"\x1b\[31mdenied: \w+\x1b\[0m", denied)


@pytest.fixture
def log(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Log an allowed call and a denied one."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(root / "log"))
    run_command("check", "git", "tree", "--path", "docs/x")
    run_command("check", "git", "push", code=10)
    return root / "log"


@pytest.mark.parametrize("words", [("audit", "show"), ("audit", "tail")])
def test_a_terminal_gets_the_table_and_a_pipe_gets_tabs(log: Path, words: tuple[str, ...]) -> None:
    """In a pipe the root comes last, and times are as logged."""
    code, text = Terminal(*words).end()
    assert code == 0
    assert "TIME" in text.splitlines()[0]
    assert "denied: action_not_allowed" in text
    assert str(log.parent)[:40] in text
    lines = [line.split("\t") for line in run_command(*words).stdout.splitlines()]
    assert [(line[1], line[4], line[6][:7]) for line in lines] == [
        ("yes", "allowed", "sha256:"), ("no", "action_not_allowed", "sha256:"),
    ]  # fmt: skip
    assert all(line[0].endswith("Z") for line in lines)


def test_statistics_can_be_those_of_one_grant(log: Path) -> None:
    """And a log of one instant has one time."""
    run_command("check", "model-gateway", "chat")
    assert "calls\tgit\ttree\tallowed\t1" in run_command("audit", "stats", "--grant", "git", str(log)).stdout
    assert "model-gateway" not in run_command("audit", "stats", "--grant", "git").stdout


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("word", "guess"), [("rate", "rate_limited"), ("actoin_not_allowed", "action_not_allowed"), ("zzz", "")]
)
def test_an_unknown_reason_names_the_nearest(word: str, guess: str) -> None:
    """Then all of them."""
    hint = run_command("audit", "show", "--reason", word, code=2).stderr.splitlines()[1]
    assert hint.startswith(
        f"hint: did you mean `{guess}`? the reasons are" if guess else "hint: the reasons are allowed,"
    )
