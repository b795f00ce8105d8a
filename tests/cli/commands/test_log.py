"""`log` has in one place what operators did: writes of grants, stops, budgets and settings."""

import json
import os
from pathlib import Path

import pytest

from cortex_policy.state import Root
from tests.support.command import run_command as run
from tests.support.roots import grant_file
from tests.support.stamps import stamp_grants
from tests.support.terminal import Terminal


@pytest.fixture
def history(root: Path) -> Path:
    """Return where the history of a stamped root will be."""
    stamp_grants(Root(str(root), trusts_owner=False))
    return root / ".cortex" / "policy" / "history"


def cells() -> list[list[str]]:
    """Return the lines of the log, the last command first, without version, time and user."""
    return [line.split("\t")[3:] for line in run("log").stdout.splitlines()]


@pytest.mark.usefixtures("history")
def test_the_log_has_every_command_that_changed_what_is_allowed() -> None:
    """What was done, by whom, when, and what it changed; on a terminal with local times."""
    run("set", "git", "--rate", "7")
    run("stop", "--reason", "the token leaked")
    run("resume")
    run("check", "git", "tree", "--path", "docs/x")
    run("rate", "reset", "git", "tree", "--yes")
    run("rate", "purge", "--yes")
    run("config", "set", "sensitive", "ask", "--project")
    run("config", "set", "require_path", "true")
    run("config", "unset", "require_path", "--allow-widening")
    lines = [line.split("\t") for line in run("log").stdout.splitlines()]
    assert {line[0] for line in lines} == {"-", "1", "2"}
    assert all(line[1].endswith("Z") and line[2] for line in lines)
    found = {line[3]: line[4] for line in lines}
    me = found.pop("rate purge").removeprefix("the budgets of ")
    assert found.pop("resume").startswith("ended the stop by ")
    assert found == {
        "config unset require_path --user": "widened: `true` becomes not set",
        "config set require_path --user": "narrowed: not set becomes `true`",
        "config set sensitive --project": "narrowed: not set becomes `ask`",
        "rate reset git tree": f"the budgets of {me}",
        "stop": "the token leaked",
        "set git": "narrowed: rate 30 becomes 7 a minute",
        "stamp write": "recorded as found; cannot be undone",
    }
    assert "Z" not in Terminal("log").end()[1].split("WHAT")[1].replace("ZZ", "")


@pytest.mark.usefixtures("history")
def test_programs_get_writes_with_their_fields_and_commands() -> None:
    """Two lists, so that who reads the first one still can."""
    run("set", "git", "--rate", "7", "--revoke", "search")
    run("config", "set", "sensitive", "ask", "--project")
    run("check", "git", "tree", "--path", "docs/x")
    run("rate", "reset", "git", "--yes")
    document = json.loads(run("log", "--json").stdout)
    write, _ = document["entries"]
    assert write["grants"][0]["changes"] == [
        {"field": "actions", "verdict": "narrowed", "sentence": "drops search"},
        {"field": "rate", "verdict": "narrowed", "sentence": "30 becomes 7 a minute"},
    ]
    reset, setting = document["commands"]
    assert {name: reset[name] for name in ("command", "subject", "grant", "place", "verdict", "finished")} == {
        "command": "rate reset", "subject": "git", "grant": "git", "place": "project", "verdict": None,
        "finished": True,
    }  # fmt: skip
    assert (setting["command"], setting["subject"], setting["uid"]) == ("config set", "sensitive", os.geteuid())
    assert [one["command"] for one in json.loads(run("log", "git", "--json").stdout)["commands"]] == ["rate reset"]


@pytest.mark.usefixtures("history")
def test_commands_that_failed_are_not_in_the_log() -> None:
    """A no, a usage error, nothing to do."""
    run("rate", "reset", "git", code=3)
    run("rate", "reset", "git", "--yes")
    run("rate", "reset", "git", "nope", "--yes", code=2)
    run("config", "set", "sensitive", "perhaps", code=2)
    run("config", "unset", "sensitive")
    run("resume")
    run("config", "set", "sensitive", "ask")
    run("config", "set", "sensitive", "ask")
    run("stop")
    run("stop", "--reason", "again")
    assert [what for what, _ in cells()] == ["stop", "config set sensitive --user", "stamp write"]


def test_a_stop_that_was_made_by_hand_is_in_the_log_while_it_lasts(root: Path, history: Path) -> None:
    """It has no record, so its file says who made it and why; its end has one."""
    (root / ".cortex" / "policy" / "stop").write_text("by hand\n")
    assert cells()[0] == ["stop", "by hand"]
    assert not history.joinpath("commands").exists()
    run("resume")
    assert [what for what, _ in cells()] == ["resume", "stamp write"]
    assert cells()[0][1].endswith("Z: by hand")


@pytest.mark.parametrize("obstacle", ["file", "link"])
def test_no_command_fails_because_it_cannot_be_recorded(root: Path, history: Path, obstacle: str) -> None:
    """It says so on stderr; nothing is written through a link."""
    history.mkdir(mode=0o700, exist_ok=True)
    other = root / "docs"
    history.joinpath("commands").touch() if obstacle == "file" else history.joinpath("commands").symlink_to(other)
    before = sorted(os.listdir(other))
    for words in (
        ("stop",), ("resume",), ("rate", "reset", "git", "--yes"), ("config", "set", "stamp", "require", "--project"),
    ):  # fmt: skip
        said = run(*words).stderr
        assert "is done, but the log does not have it: " in said
        assert "not a directory" in said
    assert sorted(os.listdir(other)) == before
    run("check", "git", "tree")
    assert "/history`: " in run("log").stderr


def test_a_command_that_was_killed_may_not_have_been_done(history: Path) -> None:
    """Its record was begun, and has no end."""
    run("config", "set", "sensitive", "ask", "--project")
    (record,) = history.joinpath("commands").iterdir()
    record.rename(record.with_name(record.name.replace(".json", "-begun.json")))
    assert cells()[0] == [
        "config set sensitive --project",
        "interrupted; it may not have been done; narrowed: not set becomes `ask`",
    ]
    assert json.loads(run("log", "--json").stdout)["commands"][0]["finished"] is False


def test_a_record_that_others_can_write_or_that_is_broken_is_not_shown(history: Path) -> None:
    """A warning names it."""
    run("stop", "--reason", "first")
    run("resume")
    open_to_all, broken = sorted(history.joinpath("commands").iterdir())
    open_to_all.chmod(0o666)
    broken.write_text("{}")
    done = run("log")
    assert [line.split("\t")[3] for line in done.stdout.splitlines()] == ["stamp write"]
    assert f"{open_to_all}`: it is writable by everyone" in done.stderr
    assert f"{broken}`: its format is unknown" in done.stderr


def test_nothing_is_recorded_without_a_history(root: Path, history: Path) -> None:
    """As the setting says; that it was switched off is recorded."""
    run("config", "set", "history.keep", "0", "--allow-widening")
    run("stop")
    run("resume")
    run("set", "git", "--rate", "7")
    assert [what for what, _ in cells()] == ["config set history.keep --user"]
    assert not history.joinpath("commands").exists()
    assert grant_file(root, "git").exists()
