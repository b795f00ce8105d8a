"""Answers of the co-process: the same, word by word, as those of the program."""

import json
import os
from pathlib import Path

import pytest

from cortex_policy.main import parse_check_argv_or_none
from cortex_policy.render import RenderedCall
from cortex_policy.shell.words_answerer import WordsAnswerer
from tests.support.command import result_of
from tests.support.roots import GIT

ALLOWED = ("git", "tree", "--path", "docs/x")


@pytest.fixture
def answerer(root: Path) -> WordsAnswerer:
    """Make the co-process of a shell in the root, with a grant in memory."""
    (root / "docs/x").touch()
    answerer = WordsAnswerer(parse_check_argv_or_none)
    assert answerer.answer(["check", *ALLOWED], is_terminal=False) == RenderedCall(0)
    return answerer


@pytest.mark.parametrize(
    "words",
    [
        ALLOWED,
        (*ALLOWED, "-q"),
        (*ALLOWED, "--peek"),
        (*ALLOWED, "--cost", "2"),
        (*ALLOWED, "--cost", "1000"),
        (*ALLOWED, "--require-path"),
        (*ALLOWED, "--path", "packages/a"),
        (*ALLOWED, "--arg", "repo=x"),
        (*ALLOWED, "--arg", "repo"),
        (*ALLOWED, "--arg", "repo=x", "--arg", "repo=y"),
        ("git", "tree", "--args", '{"path": "docs/x"}'),
        ("git", "tree", "--args", "{"),
        ("git", "tree", "--path", "/etc/passwd"),
        ("git", "tree", "--path", "docs/link/passwd"),
        ("git", "tree", "--path", "docs/\x1b[31m"),
        ("git", "tree", "--path", ""),
        ("-q", "git", "tree", "--path", "docs/x"),
        ("git", "", "--path", "docs/x"),
        ("git", "tree"),
        ("git", "tree", "--require-path"),
        ("git", "push", "--path", "docs/x"),
        ("git", "push", "-q"),
        ("gti", "tree"),
        ("../git", "tree"),
        ("git", "tree", "--root", "/nowhere"),
        ("model-gateway", "chat"),
    ],
)
def test_an_answer_is_that_of_the_program(answerer: WordsAnswerer, words: tuple[str, ...]) -> None:
    """Output, error and exit code; each asks for what the other left."""
    rendered = answerer.answer(["check", *words], is_terminal=False)
    done = result_of("check", *words)
    assert rendered is not None
    assert (rendered.exit_code, rendered.out, rendered.err) == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "more",
    [
        ("--help",),
        ("--explain",),
        ("--wait", "1"),
        ("--args", "-"),
        ("--unknown",),
        ("--path", "-q"),
        ("third",),
        ("--batch", "-"),
        ("--cost", "0"),
        ("--root", "a", "--root", "b"),
    ],
)
def test_other_words_are_left_to_the_program_and_nothing_is_counted(
    answerer: WordsAnswerer, more: tuple[str, ...]
) -> None:
    """Help, errors, and what reads standard input or waits."""
    before = used(answerer)
    assert answerer.answer(["check", *ALLOWED, *more], is_terminal=False) is None
    assert used(answerer) == before


def test_another_command_is_left_to_the_program(answerer: WordsAnswerer) -> None:
    """A shell in which letters match without case takes `CHECK` for `check`."""
    before = used(answerer)
    assert answerer.answer(["CHECK", *ALLOWED], is_terminal=False) is None
    assert used(answerer) == before


def used(answerer: WordsAnswerer) -> int:
    """Return how many calls were counted."""
    rendered = answerer.answer(["check", *ALLOWED, "--peek", "--json"], is_terminal=False)
    assert rendered is not None
    number: int = json.loads(rendered.out)["rate"]["used"]
    return number


def test_every_allowed_call_is_counted(answerer: WordsAnswerer) -> None:
    """Together with those of other processes, up to the rate."""
    limit = GIT["rate"]["perMinute"]
    codes = [answerer.answer(["check", *ALLOWED], is_terminal=False) for _ in range(limit)]
    assert [one.exit_code for one in codes if one] == [0] * (limit - 1) + [14]
    assert result_of("check", *ALLOWED).returncode == 14
    assert codes[-1] is not None
    sentence, _, _ = codes[-1].err.partition("fits in")  # the seconds are others already
    assert "rate limit exceeded" in sentence
    assert result_of("check", *ALLOWED).stderr.startswith(sentence)


def test_an_allowance_is_printed_on_a_terminal_unless_it_is_quiet(answerer: WordsAnswerer) -> None:
    """As by the program."""
    rendered = answerer.answer(["enforce", *ALLOWED], is_terminal=True)
    assert rendered == RenderedCall(0, out="allowed, 28 of 30 left\n")
    assert answerer.answer(["check", *ALLOWED, "-q"], is_terminal=True) == RenderedCall(0)


def test_a_change_of_directory_leads_to_another_root(answerer: WordsAnswerer, tmp_path: Path) -> None:
    """As it is at each call."""
    os.chdir(tmp_path)
    rendered = answerer.answer(["check", *ALLOWED], is_terminal=False)
    assert rendered is not None
    assert rendered.exit_code == 25


def test_edits_and_stops_count_at_once(answerer: WordsAnswerer, root: Path) -> None:
    """No answer is from a grant that was replaced."""
    file, stop = root / ".cortex/policy/tools/git.json", root / ".cortex/policy/stop"
    for actions, code in ((["other"], 10), (["tree"], 0)):
        file.write_text(json.dumps({**GIT, "actions": actions}))
        rendered = answerer.answer(["check", *ALLOWED], is_terminal=False)
        assert rendered is not None
        assert rendered.exit_code == code
    stop.write_text("{}")
    rendered = answerer.answer(["check", *ALLOWED], is_terminal=False)
    assert rendered is not None
    assert rendered.exit_code == 15


def test_each_answer_is_in_the_audit_log_once(answerer: WordsAnswerer, log: Path) -> None:
    """Whether it was decided fast or in full."""
    answerer.forget()
    for words in (ALLOWED, ALLOWED, ("git", "push"), ("gti", "tree"), *[ALLOWED] * 30):
        answerer.answer(["check", *words], is_terminal=False)
    reasons = [json.loads(line)["data"]["reason"] for line in log.read_text().splitlines()]
    assert reasons[:4] == ["allowed", "allowed", "action_not_allowed", "grant_not_found"]
    assert reasons[4:] == ["allowed"] * 27 + ["rate_limited"] * 3


def test_a_root_of_another_user_is_trusted_only_by_the_calls_that_name_it(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that names it changes nothing for those that find it, in whatever order they come."""
    monkeypatch.chdir(own)
    answerer = WordsAnswerer(parse_check_argv_or_none)
    for root, code in ((None, 22), (str(own), 0), (None, 22), (str(own), 0)):
        words = ["check", "git", "tree", *(["--root", root] if root else [])]
        rendered = answerer.answer(words, is_terminal=False, is_same_place=True)
        assert (rendered is not None and rendered.exit_code) == code
