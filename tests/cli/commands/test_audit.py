"""`audit verify | tail | show | stats` as whole processes."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.checkout import page
from tests.support.command import PROGRAM
from tests.support.command import run_command as run
from tests.support.logs import event
from tests.support.terminal import Terminal

pytestmark = pytest.mark.usefixtures("root")


def call(action: str = "tree", **environment: str) -> None:
    """Make a call."""
    done = subprocess.run([*PROGRAM, "check", "git", action, "-q"], check=False, env=os.environ | environment)
    assert done.returncode == (0 if action == "tree" else 10)


def test_a_log_verifies_and_its_head_can_be_kept(log: Path) -> None:
    """The configured one, with what it was rotated to, or a named one, or what comes in."""
    for _ in range(3):
        call(CORTEX_POLICY_AUDIT_MAX_BYTES="600")
    done = run("audit", "verify")
    count, head = done.stdout.splitlines()
    assert count == "3 lines in 3 files: 3 chained"
    assert re.fullmatch("head: sha256:[0-9a-f]{64}", head)
    head = head.removeprefix("head: ")
    assert json.loads(run("audit", "verify", "--json", "--expect", head).stdout)["head"] == head
    assert (
        run("audit", "verify", str(log)).stderr == f"note: `{log}` goes on from an earlier file, which was not read\n"
    )
    assert run("audit", "verify", "-", given=log.read_text()).stdout.startswith("1 line: 1 chained\n")
    call()
    assert run("audit", "verify", "--expect", head).stdout.splitlines()[1] != f"head: {head}"


def test_a_changed_line_is_named(log: Path) -> None:
    """By file and line, with 1; so is a head that is gone."""
    for _ in range(3):
        call()
    whole = log.read_text()
    head = json.loads(run("audit", "verify", "--json").stdout)["head"]
    log.write_text("".join(whole.splitlines(keepends=True)[:2]))
    assert run("audit", "verify").stdout.startswith("2 lines: 2 chained\n")
    assert (
        f"{log}:2: is the last line, and no line has the digest {head}"
        in run("audit", "verify", "--expect", head, code=1).stdout
    )
    lines = whole.splitlines(keepends=True)
    log.write_text(lines[0] + lines[1].replace('"decision":true', '"decision":false') + lines[2])
    assert run("audit", "verify", code=1).stdout.startswith(f"{log}:2: does not follow the line before: it was changed")
    found = json.loads(run("audit", "verify", "--json", code=1).stdout)
    assert (found["status"], found["problems"][0]["line"], found["problems"][0]["file"]) == ("fail", 2, str(log))


def test_a_shell_can_make_a_digest(log: Path) -> None:
    """As docs/audit.md says, of the fifth line."""
    for _ in range(5):
        call()
    text = page("audit")
    recipe = text[text.index("before=$(") :].partition("```")[0].replace("audit.jsonl", str(log))
    made = subprocess.run(["sh", "-c", recipe], capture_output=True, text=True, check=True).stdout.split()[0]
    assert log.read_text().splitlines()[4].endswith(f', "chain":"sha256:{made}"}}}}')


def test_wrong_words_and_missing_files_are_reported_with_a_hint(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 2 or 3, and what helps."""
    assert "no such file" in run("audit", "verify", code=3).stderr
    assert "no such file" in run("audit", "tail", "--follow", code=3).stderr
    call()
    assert "is not a digest" in run("audit", "verify", "--expect", "abc", code=2).stderr
    assert "unknown reason" in run("audit", "show", "--reason", "because", code=2).stderr
    assert "unknown time" in run("audit", "stats", "--since", "x", code=2).stderr
    assert "no policy root" in run("audit", "show", "--root", "/nowhere", code=25).stderr
    assert run("audit", "verify", str(log.parent), code=3).stderr
    monkeypatch.delenv("CORTEX_AUDIT_LOG")
    for words in (("audit", "verify"), ("suggest",)):  # the hint suits each command
        said = run(*words, code=2).stderr
        assert "no audit log is configured" in said
        assert "`cortex-policy config set audit.file ~/audit.jsonl`" in said
        assert "audit show" not in said


def test_calls_are_listed_by_what_is_asked_for(log: Path, root: Path) -> None:
    """Of all roots, or of one; a call is a line."""
    call()
    call("push")
    with log.open("a") as file:
        file.write(event(0, "tree", grant="other", root="sha256:0000000000000000") + "\nnot json\n")
    done = run("audit", "show")
    assert [line.split("\t")[1:5] for line in done.stdout.splitlines()] == [
        ["yes", "git", "tree", "allowed"], ["no", "git", "push", "action_not_allowed"], ["yes", "other", "tree", "allowed"],
    ]  # fmt: skip
    assert done.stderr == "note: 1 line of the log could not be read as a decision\n"
    assert len(run("audit", "show", "--root", str(root)).stdout.splitlines()) == 2
    assert len(run("audit", "show", "--grant", "other").stdout.splitlines()) == 1
    assert run("audit", "show", "--denied").stdout == run("audit", "show", "--reason", "action_not_allowed").stdout
    lines = run("audit", "show", "--json").stdout.splitlines()
    assert lines[:2] == log.read_text().splitlines()[:2]
    assert run("audit", "show", "--since", "9999-01-01").stdout == ""
    assert len(run("audit", "show", "--since", "1970-01-01").stdout.splitlines()) == 3


def test_the_last_calls_are_listed(log: Path) -> None:
    """Of those that were asked for."""
    for action in ("tree", "push", "tree", "tree"):
        call(action)
    assert [line.split("\t")[3] for line in run("audit", "show", "-n", "2").stdout.splitlines()] == ["tree", "tree"]
    assert [line.split("\t")[3] for line in run("audit", "show", "--denied", "-n", "9").stdout.splitlines()] == ["push"]
    assert run("audit", "show", "--number", "0").stdout == ""
    assert len(log.read_text().splitlines()) == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="root has settings of its own")
def test_root_is_told_whose_log_it_reads(log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service of another user has another log."""
    call()
    assert run("audit", "stats").stderr == ""
    monkeypatch.delenv("CORTEX_AUDIT_LOG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for words in (("audit", "stats"), ("audit", "tail")):
        assert "`sudo -u USER`" in run(*words, code=2).stderr
    run("config", "set", "audit.file", str(log))
    for words in (("audit", "stats"), ("audit", "tail"), ("audit", "show")):
        code, said = Terminal(*words, columns=400).end()
        assert code == 0
        assert f"`{log}` is the log of root's own calls" in said
        assert "sudo -u USER" in said
        assert run(*words).stderr == ""


def test_text_of_a_log_is_escaped_on_a_terminal(log: Path) -> None:
    """Names, actions, times and arguments are escaped, of whatever type the members are."""
    evil = "\x1b]0;x\x07\u202e\x9b2J"
    hostile = [event(0, evil, grant=evil, args={evil: evil}), event(0, "a", args={"n": ["x" * 5000]})]
    raw = json.dumps(json.loads(hostile[0]), ensure_ascii=False).replace("\x1b", "").replace("\x07", "")
    odd = [
        "[]",
        "{}",
        '{"data":[]}',
        '{"data":{"reason":{}}}',
        "[" * 5000,
        '{"specversion":"1.0","data":{},"time":5}',
        "\0",
    ]
    log.write_text("\n".join([*hostile, raw, *odd, ""]))
    for words in (
        ("tail", "-n", "99"),
        ("show",),
        ("stats",),
        ("show", "--json"),
        ("stats", "--json"),
        ("tail", "--json"),
    ):
        done = run("audit", *words)
        printed = done.stdout + done.stderr
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", printed)
        assert "Traceback" not in printed
    assert len(run("audit", "show").stdout.splitlines()) == 3
    assert max(map(len, run("audit", "show").stdout.splitlines())) < 400


def test_the_last_lines_reach_over_rotated_files(log: Path) -> None:
    """As many as are asked for."""
    for _ in range(5):
        call(CORTEX_POLICY_AUDIT_MAX_BYTES="1")
    assert len(list(log.parent.glob("log*"))) == 6  # and the lock
    for number, expected in ((0, 0), (1, 1), (3, 3), (10, 5)):
        assert len(run("audit", "tail", "-n", str(number)).stdout.splitlines()) == expected
    assert run("audit", "tail", "-n", "5").stdout == run("audit", "show").stdout


def test_a_log_is_followed_through_its_rotations(log: Path) -> None:
    """Each call once, in order; it ends when nobody reads any more."""
    call(CORTEX_RUN_ID="first")
    words = [*PROGRAM, "audit", "tail", "-n", "1", "--follow", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline())["subject"] == "first"
        for size in ("0", "1", "1", "1500", "1"):
            for number in range(3):
                call(
                    CORTEX_RUN_ID=f"{size}.{number}", CORTEX_POLICY_AUDIT_MAX_BYTES=size, CORTEX_POLICY_AUDIT_KEEP="99"
                )
            for number in range(3):
                assert json.loads(tail.stdout.readline())["subject"] == f"{size}.{number}"
        with log.open("a") as file:
            file.write("half a li")
        call(CORTEX_RUN_ID="last")
        assert json.loads(tail.stdout.readline())["subject"] == "last"
        tail.stdout.close()
        assert tail.wait(30) == 0


def test_ctrl_c_ends_what_follows(log: Path) -> None:
    """As it ends everything."""
    call()
    tail = Terminal("audit", "tail", "--follow")
    tail.expect("git    tree")
    tail.press("\x03")
    assert tail.end()[0] == 130 or tail.child.signalstatus == 2
    assert log.exists()


def drawn(width: int, **environment: str) -> list[str]:
    """Return what `audit stats` draws on a terminal of this width."""
    plain = {"COLUMNS": str(width), "TERM": "dumb", "NO_COLOR": "1", "TZ": "UTC", **environment}
    code, text = Terminal("audit", "stats", rows=50, columns=width, **plain).end()
    assert code == 0
    return [line for line in text.split("\r\n") if "█" in line or "░" in line or "#" in line]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_plot_is_as_wide_as_the_terminal(log: Path, width: int) -> None:
    """What was allowed and what was denied differ without colour, and whatever there was is seen."""
    events = [event(60 * minute, "tree") for minute in range(20) for _ in range(minute)]
    log.write_text(
        "\n".join([*events, event(0, "push", "action_not_allowed"), event(1199, "push", "action_not_allowed")])
    )
    *rows, legend = drawn(width)
    assert len(rows) <= 24
    assert max(map(len, rows)) == width
    assert rows[0].startswith("08:00 ░")
    assert "░" in rows[-1]
    assert rows[-1].count("█") > 10 * rows[1].count("█") > 0
    assert legend == "█ allowed ░ denied, by minute"
    assert "#" in drawn(width, PYTHONIOENCODING="ascii")[-1]


def test_a_bar_has_a_local_time_and_a_whole_day_the_date_of_utc(log: Path) -> None:
    """A day of UTC is none elsewhere, so the legend says which day is counted."""
    log.write_text("\n".join([event(0, "tree"), event(60, "tree")]))
    assert drawn(80, TZ="Asia/Tokyo")[0].startswith("17:00")
    log.write_text("\n".join([event(0, "tree"), event(86_400 * 20, "tree")]))
    first, *_, legend = drawn(80, TZ="Asia/Tokyo")
    assert re.match(r"\d{4}-\d\d-\d\d ", first)
    assert legend.endswith("by day in UTC")


def test_numbers_in_a_pipe_are_rows(log: Path) -> None:
    """Of a word and numbers, with tabs; an empty log has none."""
    log.write_text("\n".join([event(0, "tree"), event(5000, "push", "action_not_allowed"), event(5000, "tree")]))
    done = run("audit", "stats")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0] == ["time", "2026-11-25T08:00:00Z", "1", "0"]
    assert ["time", "2026-11-25T09:20:00Z", "1", "1"] in rows
    assert rows[-2:] == [["calls", "git", "tree", "allowed", "2"], ["calls", "git", "push", "action_not_allowed", "1"]]
    found = json.loads(run("audit", "stats", "--json").stdout)
    assert (found["calls"], found["allowed"], found["denied"], found["span_seconds"]) == (3, 2, 1, 300)
    assert sum(span["allowed"] + span["denied"] for span in found["spans"]) == 3
    log.write_text("")
    assert run("audit", "stats").stdout == ""
    assert json.loads(run("audit", "stats", "--json").stdout)["spans"] == []


def test_times_far_apart_are_counted(log: Path) -> None:
    """Whatever a log says that the year is."""
    lines = [event(0, "tree").replace("2026-11-25", day) for day in ("0001-01-01", "1970-01-01", "9999-12-31")]
    log.write_text("\n".join([*lines, *(event(number, "tree") for number in range(0, 10_000, 2))]))
    found = json.loads(run("audit", "stats", "--json").stdout)
    assert found["calls"] == 5003
    assert len(found["spans"]) <= 24


def test_replay_reads_what_was_rotated(log: Path) -> None:
    """Where none is named."""
    for _ in range(3):
        call(CORTEX_POLICY_AUDIT_MAX_BYTES="1", CORTEX_POLICY_AUDIT_ARGS="full")
    assert log.exists()
    assert "of 3 calls: " in run("replay").stdout
