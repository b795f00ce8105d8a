"""Every command, in all formats: nothing that a root holds or a caller says acts on a terminal or on the log of a job.

And what cannot be printed is an error only of a command that only prints.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.cli.exit_codes import DECIDING
from tests.support.every_command import (
    HOSTILE,
    WORDS,
    Answer,
    all_calls,
    hostile_root,
    is_endless,
    is_misuse,
    leaves,
    ran,
)
from tests.support.shared import build_once

COMMANDS = re.compile(r"##[a-z0-9_.-]*\[|^\s*::", re.MULTILINE | re.IGNORECASE)
# what our own tables, bars and screens send: colours, the cursor, the other screen
OURS = re.compile(r"\x1b\[(?:(?!5m)[0-9;]*m|\?(?:25|1049)[hl]|[0-9;]*[AHK]|2J)")


Answers = list[tuple[list[str], Answer]]


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Run every call on a hostile root, with outputs that are pipes; return the calls with their answers."""

    def run_every_call(directory: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            answers = answers_of(directory, patch, "pipe")
        (directory / "answers.json").write_text(json.dumps(answers))

    file = build_once(tmp_path_factory, "piped", run_every_call) / "answers.json"
    return [(call, tuple(answer)) for call, answer in json.loads(file.read_text())]


def answers_of(
    directory: Path, patch: pytest.MonkeyPatch, way: str, only: Callable[[list[str]], bool] = bool
) -> Answers:
    """Run every call, or only some, on a new root in which everything that can be hostile is."""
    calls = [call for call in all_calls(hostile_root(directory, patch)) if only(call)]
    return list(zip(calls, ran(calls, way), strict=True))


def test_each_command_has_a_case_in_this_test() -> None:
    """So that none is left out of the walks."""
    assert set(WORDS) == set(leaves())


def faults(text: str) -> list[str]:
    """Return what a terminal or a job would act on."""
    found = [one for one in text if not one.isprintable() and one not in "\n\t"]
    return [*map(repr, found), *COMMANDS.findall(text)]


def test_nothing_hostile_is_printed(piped: Answers) -> None:
    """In a pipe: as text, as JSON, in each format, in help and in errors of usage."""
    for call, (code, out, err) in piped:
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


@pytest.mark.parametrize("misused", [False, pytest.param(True, marks=pytest.mark.storm)])
def test_nothing_hostile_reaches_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, misused: bool) -> None:
    """Tables, prompts, bars and screens too."""

    def is_for_terminal(call: list[str]) -> bool:
        return is_misuse(call) == misused and not {"--json", "--output"} & set(call)

    on_terminal = answers_of(tmp_path, monkeypatch, "pty", is_for_terminal)
    assert on_terminal
    for call, (code, out, _) in on_terminal:
        assert code != 70, (call, out)
        assert code >= 0 or is_endless(call), (call, out)
        shown = OURS.sub("", out.replace("\r\n", "\n"))
        assert not faults(shown), (call, ascii(shown))


def test_a_reader_of_json_gets_the_same_text(piped: Answers) -> None:
    """Escaped by JSON's own rules."""
    listed, validated, shown = (
        next(json.loads(out) for call, (_, out, _) in piped if call == [*words, "--json"])
        for words in (["list"], ["validate"], ["show", "ask"])
    )
    assert HOSTILE in [one["tool"] for one in listed["grants"]]
    assert any(HOSTILE in one["file"] for one in validated["problems"])
    assert shown["args"][HOSTILE]["enum"] == [HOSTILE]
    assert shown["root"].endswith(HOSTILE.replace("/", ""))


CHANGING = {
    "edit", "init", "new", "set", "remove", "rename", "copy", "fmt", "undo", "stop", "resume", "approve", "deny",
    "stamp write", "config set", "config unset", "config edit", "rate reset", "rate purge",
    "hook init", "hook edit", "hook install", "hook uninstall",
}  # fmt: skip


def only_prints(call: list[str]) -> bool:
    """Whether what a call asks for is nothing but output."""
    if {"--dry-run", "--diff", "--check", "--help"} & set(call):
        return call[0] not in DECIDING
    if call[0] in DECIDING or "--fix" in call or "--init" in call:
        return False
    return call[0] not in CHANGING and " ".join(call[:2]) not in CHANGING


def test_only_a_command_that_only_prints_ends_with_3_on_a_full_disk(
    piped: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found or done keeps its code; a call that fails has nothing to print there, but in a storm it is run too."""
    hold_outcomes(tmp_path, monkeypatch, "full", [answer if answer[0] == 0 else None for _, answer in piped])


@pytest.mark.storm
@pytest.mark.parametrize("way", ["full", "gone"])
def test_every_call_keeps_its_code_on_a_full_disk_and_without_a_reader(
    piped: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """But 3 on a full disk for what only prints."""
    hold_outcomes(tmp_path, monkeypatch, way, [answer for _, answer in piped])


def hold_outcomes(directory: Path, patch: pytest.MonkeyPatch, way: str, answers: list[Answer | None]) -> None:
    """Compare each call by this way with its answer in a pipe, None for a call that is left out."""
    calls = all_calls(hostile_root(directory, patch))
    pairs = [(call, answer) for call, answer in zip(calls, answers, strict=True) if answer and not is_endless(call)]
    for (call, whole), other in zip(pairs, ran([call for call, _ in pairs], way), strict=True):
        is_lost = way == "full" and whole[0] == 0 and bool(whole[1]) and only_prints(call)
        assert other[0] == (3 if is_lost else whole[0]), (call, whole, other)
        assert way == "gone" or ("cannot be written: no space left" in other[2]) == is_lost, (call, other)
