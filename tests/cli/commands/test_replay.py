"""`replay`, `suggest`, and the line in the edit loop, as whole processes."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.command import run_command as run
from tests.support.logs import event, on_path, place
from tests.support.terminal import Terminal

WIDER = {"tool": "git-map", "actions": ["tree", "push"], "rate": {"perMinute": 30}, "fsScope": ["packages"]}


@pytest.fixture
def log(root: Path, tmp_path: Path) -> Path:
    """Log two calls that `git` denied, and one that it allowed; one line is torn."""
    assert root.is_dir()
    args, paths = {"path": "packages/x", "note": "\x9b2J"}, [place("packages/x")]
    found = [event(n, "push", "action_not_allowed", args=args, paths=paths) for n in range(2)]
    file = tmp_path / "audit.jsonl"
    file.write_text("\n".join([*found, on_path(9, "tree", "docs/x"), found[0][:40]]))
    return file


@pytest.fixture
def proposed(tmp_path: Path) -> Path:
    """Propose a grant that also allows `push`, and elsewhere."""
    (tmp_path / "proposed").mkdir()
    (tmp_path / "proposed" / "git.json").write_text(json.dumps(WIDER))
    return tmp_path / "proposed"


def test_an_unchanged_policy_flips_nothing(log: Path) -> None:
    """And what could not be read is said."""
    done = run("replay", str(log), "--fail-on", "any")
    assert done.stdout == "of 3 calls: 0 no -> yes, 0 yes -> no, 3 as before\n"
    assert done.stderr == "note: 1 line of the log could not be read as a decision\n"


def test_a_proposed_policy_shows_what_flips(log: Path, proposed: Path) -> None:
    """To yes first, with a call each, of which no terminal acts on a byte."""
    done = run("replay", str(log), "--with", str(proposed))
    opened, closed, summary = done.stdout.splitlines()
    assert opened.startswith("no -> yes\tgit\taction_not_allowed -> allowed\t2\tpush {")
    assert closed.startswith("yes -> no\tgit\tallowed -> path_outside_scope\t1\ttree {")
    assert summary == "of 3 calls: 2 no -> yes, 1 yes -> no, 0 as before"
    assert "\x9b" not in done.stdout


@pytest.mark.parametrize(("word", "code"), [("allow", 1), ("deny", 1), ("any", 1)])
def test_flips_can_fail_a_pipeline(log: Path, proposed: Path, word: str, code: int) -> None:
    """As `diff --fail-on` does."""
    run("replay", str(log), "--with", str(proposed), "--fail-on", word, code=code)
    alone = "\n".join(log.read_text().splitlines()[2:] if word == "allow" else log.read_text().splitlines()[:2])
    run("replay", "-", "--with", str(proposed), "--fail-on", word, given=alone, code=int(word == "any"))


@pytest.mark.parametrize(
    "given",
    ["nonsense\n", event(0, "tree", root="/another"), event(0, "tree", args=["path"], full=False)],
    ids=["no call", "another root", "undecided"],
)
@pytest.mark.usefixtures("root")
def test_a_gate_that_sees_nothing_is_not_passed(given: str) -> None:
    """Without a gate it is told and no failure, and a log without a line flips nothing."""
    assert "no call of the log could be decided" in run("replay", "-", "--fail-on", "allow", given=given, code=3).stderr
    run("replay", "-", given=given)
    run("replay", "-", "--fail-on", "allow", given="")


def test_a_revision_is_a_policy(log: Path, root: Path, proposed: Path) -> None:
    """Of the repository that the root lies in; JSON says the same."""
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@localhost", "-C", str(root))
    target = root / ".cortex" / "policy" / "tools" / "git.json"
    before = target.read_text()
    target.write_text((proposed / "git.json").read_text())
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "x")):
        subprocess.run([*git, *words], check=True)
    target.write_text(before)
    found = json.loads(run("replay", str(log), "--with", "HEAD", "--json").stdout)
    assert (found["lines"], found["calls"], found["no_to_yes"], found["yes_to_no"], found["unreadable"]) == (
        4,
        3,
        2,
        1,
        1,
    )
    assert found["flips"][0]["old_reason"] == "action_not_allowed"
    run("replay", str(log), "--with", "nowhere", code=3)


def test_the_configured_log_is_read_where_none_is_named(log: Path) -> None:
    """And none at all is an error of usage that says what to type."""
    assert "of 3 calls" in run("replay", CORTEX_AUDIT_LOG=str(log)).stdout
    assert "cortex-policy config set audit.file" in run("replay", code=2).stderr
    assert "cortex-policy config set audit.file" in run("suggest", code=2).stderr
    assert "no such file" in run("replay", "/nowhere/log", code=3).stderr
    assert "24h" in run("replay", str(log), "--since", "yesterday", code=2).stderr


def test_set_says_what_it_would_have_meant(log: Path) -> None:
    """Before it is written, and when it only previews."""
    words = ("set", "git", "--allow", "push")
    line = "of the last 3 calls: 2 no -> yes, 0 yes -> no"
    assert line in run(*words, "--dry-run", CORTEX_AUDIT_LOG=str(log)).stdout.splitlines()
    assert "of the last" not in run(*words, "--dry-run").stdout
    found = json.loads(run(*words, "--dry-run", "--json", CORTEX_AUDIT_LOG=str(log)).stdout)
    assert found["changed"] is False
    assert found["past"] == {"calls": 3, "no_to_yes": 2, "yes_to_no": 0, "undecided": 0}
    assert json.loads(run(*words, "--dry-run", "--json").stdout)["past"] is None
    assert line in run(*words, "--allow-widening", CORTEX_AUDIT_LOG=str(log)).stdout.splitlines()


@pytest.mark.usefixtures("drafts_place")
def test_edit_says_it_before_it_asks(log: Path) -> None:
    """Between what the change means and the question."""
    editor = shlex.join(["sed", "-i", 's/"tree"/"tree", "push"/'])
    terminal = Terminal("edit", "git", columns=150, EDITOR=editor, CORTEX_AUDIT_LOG=str(log))
    terminal.expect("adds push")
    terminal.expect("of the last 3 calls: 2 no -> yes, 0 yes -> no")
    terminal.expect("e(x)it: ")
    terminal.press("x")
    assert terminal.end()[0] == 3


def test_the_suggested_command_can_be_typed(log: Path) -> None:
    """And then nothing is left to suggest."""
    done = run("suggest", str(log))
    assert "git: would have allowed 2 calls: push" in done.stdout
    assert done.stdout.endswith("2 denied calls: 1 change would allow 2 of them\n")
    found = json.loads(run("suggest", str(log), "--grant", "git", "--json").stdout)
    words = shlex.split(found["suggestions"][0]["command"])
    assert words == ["cortex-policy", "set", "git", "--allow", "push"]
    run(*words[1:], "--allow-widening")
    assert run("suggest", str(log)).stdout == "2 denied calls: 0 changes would allow 0 of them, 2 are allowed already\n"
