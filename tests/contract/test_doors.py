"""Two doors, one room: what the fast door reads, Typer reads the same."""

from contextlib import suppress

import pytest

from cortex_policy import door
from cortex_policy.checking import Answer, Call
from cortex_policy.cli import app, check

WORDS = [
    "git tree", "git tree --path docs/x", "--path docs/x git tree", "git --path a tree --path b", "git tree --path=a=b",
    "git tree --path=", "git tree --arg a=1 --arg b=2", "git tree --arg=a=1", "git tree --args {}", "git tree --args -",
    "git tree --args={}", "git tree --root /r", "git tree --root=/r", "git tree --wait 0", "git tree --wait 1.5",
    "git tree --wait 3600", "git tree --wait=2", "git tree --cost 1", "git tree --cost=30", "git tree --cost 007",
    "git tree --peek", "git tree --require-path", "git tree --explain", "git tree --json", "git tree -q",
    "git tree --quiet", "git tree -q --json --peek --explain --require-path", "../x y", "git tree\n", "gi\x1bt tree",
    "git tree --path \u202edocs", "git tree --path \udcff", "fs.write write", "git tree --path ~", "git tree --path \\",
    "git tree --wait 0.5 --cost 2 --path a --arg k=v --args {} --root .",
]  # fmt: skip
DECLINED = [
    "", "git", "git tree extra", "git --help", "--help tree", "--help", "--version", "git -- tree", "git tree --",
    "git tree --nope", "git tree -x", "git tree -qq", "git tree --path", "git tree --path --json", "git tree --cost 0",
    "git tree --cost -3", "git tree --cost x", "git tree --cost 1.5", "git tree --cost \u0663", "git tree --cost 1_0",
    "git tree --wait nan", "git tree --wait -1", "git tree --wait 3601", "git tree --wait 1e3", "git tree --wait .",
    "git tree --wait inf", "git tree --json --json", "git tree -q --quiet", "git tree --args {} --args {}",
    "git tree --root a --root b", "git tree --wait 1 --wait 1", "git tree --cost 1 --cost 1", "git tree --peek=1",
    "git tree --pee", "git tree --pat x", "- tree", "git tree -",
]  # fmt: skip


def by_typer(words: list[str], monkeypatch: pytest.MonkeyPatch) -> "Call | int":
    """Return the Call that Typer builds, or the code it ends with."""
    calls: list[Call] = []

    def answer(call: Call) -> Answer:
        calls.append(call)
        return Answer(0)

    def leave(_: Answer) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(check, "answer", answer)
    monkeypatch.setattr(check, "leave", leave)
    code = 0
    with suppress(SystemExit):
        code = app.run(["check", *words])
    return calls[0] if calls else code


@pytest.mark.parametrize("line", WORDS)
def test_both_doors_read_the_same_call(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain words make the same Call whoever reads them."""
    words = line.split(" ")
    call = door.read(words)
    assert call is not None
    assert by_typer(words, monkeypatch) == call


@pytest.mark.parametrize("line", DECLINED)
def test_the_fast_door_declines_what_is_not_plain(line: str) -> None:
    """Then Typer decides what it is."""
    assert door.read(line.split(" ") if line else []) is None


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in DECLINED
        if line
        not in {
            "--help",
            "--version",
            "git -- tree",
            "git tree --",
            "git tree --path --json",
            "git tree --wait 1e3",
            "git tree --cost \u0663",
            "git tree --cost 1_0",
            "- tree",
            "git tree -",
        }
    ],
)
def test_what_is_wrong_is_usage(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never an allow, never a denial: 2."""
    assert by_typer(line.split(" ") if line else [], monkeypatch) == 2
