"""Nothing that a root holds, or a caller says, acts on a terminal or on the log of a job: all commands, all formats."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.acceptance.every_command import HOSTILE, WORDS, all_calls, hostile_root, is_endless, leaves, ran

COMMANDS = re.compile(r"##[a-z0-9_.-]*\[|^\s*::", re.MULTILINE | re.IGNORECASE)
# what our own tables, bars and screens send: colours, the cursor, the other screen
OURS = re.compile(r"\x1b\[(?:(?!5m)[0-9;]*m|\?(?:25|1049)[hl]|[0-9;]*[AHK]|2J)")


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a root in which everything that can be hostile is; return the id of a request that waits there."""
    return hostile_root(tmp_path, monkeypatch)


def test_each_command_has_its_words() -> None:
    """So that none is left out of the walks."""
    assert set(WORDS) == set(leaves())


def faults(text: str) -> list[str]:
    """Return what a terminal or a job would act on."""
    found = [one for one in text if not one.isprintable() and one not in "\n\t"]
    return [*map(repr, found), *COMMANDS.findall(text)]


def test_nothing_hostile_is_printed(hostile: str) -> None:
    """In a pipe: as text, as JSON, in each format, in help and in errors of usage."""
    every = all_calls(hostile)
    for call, (code, out, err) in zip(every, ran(every, "pipe"), strict=True):
        assert code != 70, (call, err)
        assert code >= 0 or is_endless(call), call
        assert "Traceback" not in err
        is_for_github = call[-2:] == ["--output", "github"]  # commands are what a job is meant to read then
        shown = re.sub("(?m)^::(?=error|warning|notice)", "", out) if is_for_github else out
        if "--at" not in call or "--json" in call:  # bytes that were asked for
            assert not faults(shown), (call, shown)
        assert not faults(err), (call, err)
        if "--json" in call:
            assert all(json.loads(line) for line in out.splitlines())


def test_nothing_hostile_reaches_a_terminal(hostile: str) -> None:
    """Tables, prompts, bars and screens too."""
    every = [call for call in all_calls(hostile) if "--json" not in call and "--output" not in call]
    for call, (code, out, _) in zip(every, ran(every, "pty"), strict=True):
        assert code != 70, (call, out)
        assert code >= 0 or is_endless(call), (call, out)
        shown = OURS.sub("", out.replace("\r\n", "\n"))
        assert not faults(shown), (call, ascii(shown))


@pytest.mark.usefixtures("hostile")
def test_a_reader_of_json_gets_the_same_text() -> None:
    """Escaped by JSON's own rules."""
    ((_, listed, _), (_, validated, _), (_, shown, _)) = ran(
        [["list", "--json"], ["validate", "--json"], ["show", "ask", "--json"]], "pipe"
    )
    assert HOSTILE in [one["tool"] for one in json.loads(listed)["grants"]]
    assert any(HOSTILE in one["file"] for one in json.loads(validated)["problems"])
    assert json.loads(shown)["args"][HOSTILE]["enum"] == [HOSTILE]
    assert json.loads(shown)["root"] == os.getcwd()
