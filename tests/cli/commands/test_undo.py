"""`log`, `undo` and `show --at`, as whole processes, in scripts and on a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from cortex_policy.state import Root
from tests.support.command import PROGRAM
from tests.support.command import run_command as run
from tests.support.roots import grant_file
from tests.support.stamps import stamp_grants
from tests.support.terminal import Terminal


@pytest.fixture
def written(root: Path) -> Path:
    """Make a root with some writes behind it."""
    stamp_grants(Root(str(root), trusts_owner=False))
    run("set", "git", "--allow", "push", "--rate", "60", "--allow-widening")
    run("rename", "model-gateway", "gateway")
    run("set", "git", "--revoke", "tree")
    return root


def test_the_log_says_who_did_what_and_what_it_widened(written: Path) -> None:
    """One line a write, the last first; of one grant, or only some of them."""
    lines = [line.split("\t") for line in run("log").stdout.splitlines()]
    assert [line[0] for line in lines] == ["4", "3", "2", "1"]
    assert [line[3] for line in lines] == ["set git", "rename model-gateway, gateway", "set git", "stamp write"]
    assert [line[4] for line in lines] == [
        "narrowed: actions drops tree", "same", "widened: actions adds push; rate 30 becomes 60 a minute",
        "recorded as found; cannot be undone",
    ]  # fmt: skip
    assert all(line[1].endswith("Z") and line[2] for line in lines)
    assert [line.split("\t")[0] for line in run("log", "gateway").stdout.splitlines()] == ["3", "1"]
    assert run("log", "-n", "1").stdout == run("log").stdout.splitlines()[0] + "\n"
    entry = json.loads(run("log", "git", "--json", "-n", "1").stdout)["entries"][0]
    assert (entry["version"], entry["command"], entry["verdict"], entry["widened"]) == (4, "set", "narrowed", None)
    assert [one["id"] for one in entry["grants"]] == ["git"]
    code, shown = Terminal("log").end()
    assert code == 0
    assert all(word in shown.splitlines()[0] for word in ("VERSION", "WHEN", "WHO", "WHAT", "MEANING"))
    assert grant_file(written, "gateway").exists()


def test_log_says_if_there_is_no_history(root: Path) -> None:
    """Nor does it make anything."""
    assert run("log").stderr == "no write is known\n"
    assert run("log", "git").stderr == "no write of `git` is known\n"
    nothing = {"entries": [], "commands": [], "problems": [], "warning": None}
    assert json.loads(run("log", "--json").stdout) == nothing
    run("log", "../x", code=20)
    assert not (root / ".cortex" / "policy" / "history").exists()


def test_log_names_the_user_behind_sudo(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what would act on a terminal escaped; what is no entry is told."""
    if os.geteuid() != 0:
        pytest.skip("only root is believed")
    monkeypatch.setenv("SUDO_USER", "ann\x1b[2J")
    run("set", "git", "--rate", "7")
    assert "ann\\x1b[2J as root" in run("log").stdout
    (root / ".cortex" / "policy" / "history" / "x\x1b.json").write_text("{}")
    assert "history/x\\x1b.json`: it is not an entry" in run("log").stderr


def test_a_script_undoes_and_undoes_that(written: Path) -> None:
    """The identical bytes, one version each; what widens needs its option."""
    after = grant_file(written, "git").read_bytes()
    refused = run("undo", code=3)
    assert "git\tactions\twidened\tadds tree\n" in refused.stdout
    assert "--allow-widening" in refused.stderr
    assert grant_file(written, "git").read_bytes() == after
    assert run("undo", "--allow-widening").stdout.endswith("brought back `git`, version 5\n")
    before = grant_file(written, "git").read_bytes()
    assert json.loads(before)["actions"] == ["tree", "snippet", "search", "push"]
    assert run("undo").stdout.endswith("brought back `git`, version 6\n")
    assert grant_file(written, "git").read_bytes() == after
    run("stamp", "verify")


def test_a_dry_run_prints_a_diff_that_git_takes(written: Path) -> None:
    """And writes nothing."""
    done = run("undo", "--to", "1", "--dry-run")
    diff, _, meaning = done.stdout.partition("git\tactions")
    assert meaning
    assert run("log").stdout.startswith("4\t")
    subprocess.run(["git", "apply", "-"], input=diff, text=True, check=True, cwd=written)
    assert json.loads(grant_file(written, "git").read_text())["rate"] == {"perMinute": 30}
    assert grant_file(written, "model-gateway").exists()


def test_the_whole_root_goes_back(written: Path) -> None:
    """A write for each grant, the last one first; then there is nothing to do."""
    done = json.loads(run("undo", "--to", "1", "--allow-widening", "--json").stdout)
    assert [(one["id"], one["version"]) for one in done["writes"]] == [("git", 5), ("model-gateway", 6)]
    assert (done["changed"], done["version"], done["to"], done["verdict"]) == (True, 6, 1, "both")
    assert sorted(path.stem for path in grant_file(written, "x").parent.iterdir()) == ["git", "model-gateway"]
    assert run("undo", "--to", "1").stdout == "nothing to do: the grants are as at version 1 already\n"
    assert json.loads(run("undo", "--to", "1", "--json").stdout)["changed"] is False


def test_the_word_is_asked_for_on_a_terminal(written: Path) -> None:
    """Any other cancels."""
    before = grant_file(written, "git").read_bytes()
    for word, expected in (("yes", (3, "cancelled")), ("widen", (0, "brought back `git`, version 5"))):
        terminal = Terminal("undo")
        terminal.answer("type `widen` to save it: ", word)
        assert "adds tree" in terminal.said
        code, said = terminal.end()
        assert (code, expected[1] in said) == (expected[0], True)
        assert (grant_file(written, "git").read_bytes() == before) is (code == 3)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["git", "--to", "1"], 2, "cannot be combined"),
        (["--to", "-1"], 2, "--to"),
        (["../x"], 20, "cannot be an id"),
        (["--to", "9"], 3, "there is no version 9 yet; the stamp is at version 4"),
        (["--to", "0"], 3, "version 1 stamped grants that had no stamp"),
        (["nothing"], 3, "explains the present text of `nothing`"),
    ],
)
def test_undo_says_why_it_cannot_undo(written: Path, words: list[str], code: int, said: str) -> None:
    """Nothing is changed."""
    before = grant_file(written, "git").read_bytes()
    assert said in run("undo", *words, code=code).stderr
    assert grant_file(written, "git").read_bytes() == before
    assert run("log").stdout.startswith("4\t")


def test_a_hand_edit_is_shown_and_taken_back(written: Path) -> None:
    """What it allows against what was stamped; the identical bytes come back, and the edit stays in the history."""
    before = grant_file(written, "git").read_bytes()
    edited = before.replace(b"60", b"61")
    grant_file(written, "git").write_bytes(edited)
    shown = run("diff", "--against", "stamp", "--fail-on", "widened", code=1).stdout
    assert shown.startswith("git\trate\twidened\t60 becomes 61 a minute\n")
    assert shown.endswith("all grants\toverall\twidened\t1 changed, 1 unchanged\n")
    assert run("diff", "gateway", "--against", "stamp").stdout == "gateway\toverall\tsame\t\n"
    assert run("show", "git", "--at", "4").stdout.encode() == before
    done = json.loads(run("undo", "--json").stdout)
    assert (done["hand_edits"], done["to"], done["version"], done["verdict"]) == (True, 4, 5, "narrowed")
    assert grant_file(written, "git").read_bytes() == before
    run("undo", "--allow-widening")
    assert grant_file(written, "git").read_bytes() == edited
    run("stamp", "verify")


def test_a_hand_edit_can_be_accepted(written: Path) -> None:
    """By the word `widen` if it may allow more; then it is a write like any other."""
    before = grant_file(written, "git").read_bytes()
    grant_file(written, "git").write_bytes(before.replace(b"60", b"61"))
    refused = run("stamp", "write", code=3)
    assert "git\trate\twidened\t60 becomes 61 a minute\n" in refused.stdout
    assert "hint: add `--allow-widening`\n" in refused.stderr
    terminal = Terminal("stamp", "write")
    terminal.answer("type `widen` to save it: ", "widen")
    code, said = terminal.end()
    assert (code, "version 5, 2 grants" in said) == (0, True)
    line = "\tstamp write git\thand edit, accepted; widened: rate 60 becomes 61 a minute\n"
    assert run("log", "-n", "1").stdout.endswith(line)
    grant_file(written, "git").write_bytes(before)
    assert json.loads(run("stamp", "write", "--json").stdout)["verdict"] == "narrowed"
    run("undo", "--allow-widening")
    run("undo", "--to", "4")
    assert grant_file(written, "git").read_bytes() == before


def test_every_hint_about_a_hand_edit_names_the_three_commands(written: Path) -> None:
    """Each hint has the three commands, and each can be typed."""
    grant_file(written, "git").write_bytes(grant_file(written, "git").read_bytes() + b" ")
    for words, code in ((["set", "git", "--rate", "9"], 23), (["undo", "--to", "1"], 23), (["stamp", "verify"], 1)):
        said = run(*words, code=code).stderr
        one = "" if words[0] == "stamp" else " git"
        for command in (f"diff{one} --against stamp", f"undo{one}", "stamp write"):
            assert f"`cortex-policy {command}`" in said
    said = run("check", "git", "search", code=23, CORTEX_POLICY_STAMP="require").stderr
    assert "hint: an operator can see it with `cortex-policy diff git --against stamp --root " in said


def test_a_grant_is_shown_as_it_was(written: Path) -> None:
    """Byte for byte, so that it can be piped; as JSON with what it allowed."""
    assert json.loads(run("show", "git", "--at", "1").stdout)["rate"] == {"perMinute": 30}
    now = subprocess.run([*PROGRAM, "show", "git", "--at", "4"], capture_output=True, check=True).stdout
    assert now == grant_file(written, "git").read_bytes()
    shown = json.loads(run("show", "model-gateway", "--at", "2", "--json").stdout)
    assert (shown["state"], shown["tool"], shown["per_minute"], shown["base64"]) == (
        "valid", "model-gateway", 60, None,
    )  # fmt: skip
    assert shown["text"] == grant_file(written, "gateway").read_text()
    assert "there was no `model-gateway` at version 3" in run("show", "model-gateway", "--at", "3", code=20).stderr
    assert "there is no version 5 yet; the stamp is at version 4" in run("show", "git", "--at", "5", code=3).stderr
    code, said = Terminal("show", "git", "--at", "1").end()
    assert (code, '"perMinute": 30' in said) == (0, True)


def test_invalid_utf_8_of_an_old_version_is_shown_escaped(root: Path) -> None:
    """On a terminal escaped, in JSON packed."""
    data = b'{"tool": "\xff\x1b[2J"}'
    grant_file(root, "x").write_bytes(data)
    run("remove", "x", "--yes")
    assert subprocess.run([*PROGRAM, "show", "x", "--at", "0"], capture_output=True, check=True).stdout == data
    shown = json.loads(run("show", "x", "--at", "0", "--json").stdout)
    assert (shown["state"], shown["text"], shown["base64"]) == ("invalid", None, "eyJ0b29sIjogIv8bWzJKIn0=")
    assert "\x1b[2J" not in Terminal("show", "x", "--at", "0").end()[1]
    run("undo", "x")
    assert grant_file(root, "x").read_bytes() == data


def test_a_history_that_others_can_write_is_reported(written: Path) -> None:
    """Whoever reads a text of old must not take it for what was; going back by it is refused."""
    (written / ".cortex" / "policy" / "history").chmod(0o777)
    for words in (["log"], ["show", "git", "--at", "1"]):
        assert "warning: `" in (said := run(*words).stderr)
        assert "history` is writable by everyone\nhint: fix it with `chmod go-w " in said
    assert "writable by everyone" in json.loads(run("show", "git", "--at", "1", "--json").stdout)["warning"]
    run("undo", "--allow-widening", code=22)


def test_a_history_that_is_off_is_reported(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next write drops what was kept."""
    monkeypatch.setenv("CORTEX_POLICY_HISTORY_KEEP", "0")
    run("set", "git", "--rate", "1")
    assert run("log").stderr == "no write is known: the setting `history.keep` is 0\n"
    assert list((written / ".cortex" / "policy" / "history").glob("*.json")) == []


def test_another_writer_is_waited_for(written: Path) -> None:
    """Or named at once."""
    held = "from cortex_policy.manage.transaction.writer import open_grants_for_write; from cortex_policy.state import Root; import sys\nwith open_grants_for_write(Root(sys.argv[1], trusts_owner=True)):\n print(1, flush=True)\n sys.stdin.read()"
    words = [sys.executable, "-c", held, str(written)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        assert "has been in `write` for " in run("undo", "--allow-widening", code=3).stderr
        Timer(0.3, holder.stdin.close).start()
        run("undo", "--allow-widening", "--wait", "30")
        assert holder.stdin.closed
