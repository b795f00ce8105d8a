"""`config` as whole command lines: what counts, where it came from, what it hid."""

import json
from pathlib import Path

import pytest

from tests.support.command import result_of as run
from tests.support.terminal import Terminal


@pytest.fixture
def mine(root: Path, tmp_path: Path) -> Path:
    """Stand in a root, and name the user's settings."""
    assert root.is_dir()
    return tmp_path / "config/cortex-policy/config.toml"


def test_a_setting_is_set_seen_hidden_and_unset(root: Path, mine: Path) -> None:
    """From the first write to the last; each says what it did in one line."""
    project = root / ".cortex/policy/config.toml"
    done = run("config", "set", "sensitive", "ask")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"set `sensitive` to `ask` in `{mine}`\n", "")
    assert run("config", "set", "sensitive", "ask").stdout.startswith("nothing to do: ")
    assert run("config", "set", "sensitive", "deny", "--project").returncode == 0
    assert run("config", "get", "sensitive").stdout == "deny\n"
    assert f"sensitive\tdeny\tproject: {project}\task (user: {mine})\n" in run("config", "list").stdout
    hiding = run("config", "set", "sensitive", "allow", "--allow-widening")
    assert hiding.stderr == f"note: the value in force is `deny`, from `{project}`\n"
    assert "removed `sensitive` from `" in run("config", "unset", "sensitive", "--project", "--allow-widening").stdout
    assert "nothing to do: `sensitive` is not set in `" in run("config", "unset", "sensitive", "--project").stdout
    assert run("config", "get", "sensitive", CORTEX_POLICY_SENSITIVE="ask").stdout == "ask\n"


def test_config_as_json_has_every_setting_and_its_source(root: Path, mine: Path) -> None:
    """One line; null where there is nothing."""
    run("config", "set", "history.keep", "3")
    listed = json.loads(
        run("config", "list", "--json", CORTEX_POLICY_HISTORY_KEEP="5", CORTEX_POLICY_STATE_DIR="/s").stdout
    )
    by_name = {one["name"]: one for one in listed["settings"]}
    assert listed["root"] == str(root)
    assert by_name["history.keep"] == {
        "name": "history.keep", "value": 5, "place": "environment", "source": "CORTEX_POLICY_HISTORY_KEEP", "locked": False,
        "hidden": [{"value": 3, "place": "user", "source": str(mine)}],
    }  # fmt: skip
    assert by_name["state_dir"]["source"] == "CORTEX_POLICY_STATE_DIR"
    assert by_name["editor"]["source"] is by_name["editor"]["value"] is None
    assert json.loads(run("config", "get", "history.keep", "--json").stdout)["value"] == 3


def test_without_a_root_the_other_settings_count(tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's alone needs one."""
    monkeypatch.chdir(tmp_path)
    assert run("config", "list").returncode == 0
    assert run("config", "path").stdout == f"{mine}\n"
    assert run("config", "path", "--system").stdout == "/etc/cortex-policy/config.toml\n"
    assert run("config", "path", "--project").returncode == 25


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("set", "sensitve", "ask"), 2, "did you mean `sensitive`?"), (("set", "stamp", "on"), 2, "`off` or `require`"),
        (("get", "stamps"), 2, "did you mean `stamp`?"), (("set", "stamp", "off", "--user", "--project"), 2, "cannot be combined"),
        (("edit",), 3, "an editor needs a terminal"), (("set", "validate.suppress", "x", "--project"), 2, "config edit --project"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("mine")
def test_a_wrong_setting_suggests_the_right_one_and_changes_nothing(
    words: tuple[str, ...], code: int, said: str
) -> None:
    """And changes nothing."""
    done = run("config", *words)
    assert done.returncode == code
    assert said in done.stderr


def test_unsafe_settings_exit_with_27(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every command that goes by them: those that only look for rate state too, where they could name it."""
    monkeypatch.delenv("CORTEX_POLICY_STATE_DIR")
    mine.parent.mkdir(parents=True)
    mine.write_text("x = 1\n")
    for words in (("config", "list"), ("config", "set", "stamp", "off"), ("check", "git", "tree"), ("rate", "show")):
        done = run(*words)
        assert (done.returncode, words) == (27, words)
        assert "unknown setting `x`" in done.stderr


def test_a_list_marks_what_is_wrong_and_shows_the_rest(mine: Path) -> None:
    """On standard error, before the rows; the code is that of every check."""
    mine.parent.mkdir(parents=True)
    mine.write_text('sensitive = "ask"\nbogus = 1\nstamp = "maybe"\n')
    done = run("config", "list", CORTEX_POLICY_FOO="1")
    assert done.returncode == 27
    assert f"{mine}:2:1: error: unknown setting `bogus` [settings-invalid]\n  2 | bogus = 1\n" in done.stderr
    assert f"{mine}:3:1: error: `stamp` is `maybe` [settings-invalid]\n  3 | stamp" in done.stderr
    assert "CORTEX_POLICY_FOO: error: unknown setting" in done.stderr
    assert f"sensitive\task\tuser: {mine}\t\n" in done.stdout
    assert "stamp\toff\tdefault\t\n" in done.stdout
    listed = json.loads(run("config", "list", "--json", CORTEX_POLICY_FOO="1").stdout)
    assert [(one["file"], one["line"]) for one in listed["problems"]] == [
        (str(mine), 2), (str(mine), 3), ("CORTEX_POLICY_FOO", 1)
    ]  # fmt: skip


def test_no_value_of_the_list_is_blank(mine: Path, state: Path) -> None:
    """What depends on the user is worked out, lists are as in a file, and what is not set is a dash."""
    rows = dict(line.split("\t")[:2] for line in run("config", "list").stdout.splitlines())
    assert (rows["state_dir"], rows["approvals.file"]) == (str(state), f"{state}/approvals.jsonl")
    assert (rows["editor"], rows["validate.ignore"], rows["validate.suppress"]) == ("-", "[]", "{}")
    assert all(rows.values())
    assert not mine.exists()
    assert run("config", "get", "approvals.file").stdout == f"{state}/approvals.jsonl\n"


def test_the_editor_that_is_set_wins_over_those_of_the_shell(mine: Path) -> None:
    """As for git."""
    from cortex_policy.manage.editing.editor_command import choose_editor_command  # noqa: PLC0415
    from cortex_policy.manage.settings.effective import find_configured_editor  # noqa: PLC0415

    run("config", "set", "editor", "ed -p x")
    assert mine.exists()
    assert choose_editor_command({"VISUAL": "vi"}, find_configured_editor(None)) == ["ed", "-p", "x"]
    mine.write_text("wrong")
    assert find_configured_editor(None) is None


def test_an_operator_edits_until_it_is_valid(mine: Path) -> None:
    """On a terminal: what is wrong is said with its line, and is never installed."""
    run("config", "set", "sensitive", "ask")
    editor = """sh -c 'if grep -q hope "$1"; then sed -i s/hope/deny/ "$1"; else sed -i s/ask/hope/ "$1"; fi' editor"""
    terminal = Terminal("config", "edit", columns=250, CORTEX_POLICY_EDITOR=editor, EDITOR="false")
    terminal.expect("`sensitive` is `hope`; it must be `allow`, `ask` or `deny`")
    terminal.expect("(e)dit again (d)iff e(x)it: ")
    assert mine.read_text() == 'sensitive = "ask"\n'
    terminal.press("e")
    terminal.expect("(s)ave (e)dit again (d)iff e(x)it: ")
    terminal.press("d")
    terminal.expect('+sensitive = "deny"')
    terminal.press("s")
    terminal.expect(f"saved `{mine}`")
    assert terminal.end()[0] == 0
    assert mine.read_text() == 'sensitive = "deny"\n'


@pytest.mark.usefixtures("drafts_place")
def test_an_unsaved_settings_text_can_be_resumed(mine: Path) -> None:
    """As for a grant; an editor that does not start loses nothing of it."""
    run("config", "set", "sensitive", "ask")
    first = Terminal("config", "edit", columns=250, EDITOR="sh -c 'sed -i s/ask/deny/ \"$1\"' editor")
    first.expect("e(x)it: ")
    first.press("x")
    assert first.end()[0] == 3
    broken = Terminal("config", "edit", "--resume", columns=250, EDITOR="/nonexist/editor")
    broken.expect("the editor `/nonexist/editor` does not start: ")
    broken.expect("(e)dit again e(x)it: ")
    broken.press("x")
    assert "the text was left in `" in broken.end()[1]
    last = Terminal("config", "edit", "--resume", columns=250, EDITOR="true")
    last.expect("e(x)it: ")
    last.press("s")
    assert last.end()[0] == 0
    assert mine.read_text() == 'sensitive = "deny"\n'
    assert "no earlier session left a text" in Terminal("config", "edit", "--resume", EDITOR="true").end()[1]


def test_config_commands_print_json(root: Path, mine: Path) -> None:
    """Which file, whether it changed, and what is in effect now; one that widens needs its option."""
    done = json.loads(run("config", "set", "sensitive", "ask", "--json").stdout)
    effective = {
        "name": "sensitive", "value": "ask", "place": "user", "source": str(mine), "locked": False, "hidden": []
    }  # fmt: skip
    assert done == {
        "file": str(mine), "place": "user", "name": "sensitive", "changed": True, "effective": effective
    }  # fmt: skip
    assert json.loads(run("config", "set", "sensitive", "ask", "--json").stdout)["changed"] is False
    refused = run("config", "unset", "sensitive", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["hint"]) == (3, "add `--allow-widening`")
    done = json.loads(run("config", "unset", "sensitive", "--json", "--allow-widening").stdout)
    assert (done["changed"], done["effective"]["place"]) == (True, "default")
    project = f"{root}/.cortex/policy/config.toml"
    assert json.loads(run("config", "path", "--project", "--json").stdout) == {
        "file": project, "place": "project", "exists": False
    }  # fmt: skip


def test_a_setting_that_widens_needs_confirmation_or_an_option(mine: Path) -> None:
    """As for a grant: the option in a script, the word on a terminal."""
    assert run("stamp", "write", "--allow-widening").returncode == 0
    assert run("config", "set", "stamp", "require").returncode == 0
    for words in (("set", "stamp", "off"), ("unset", "stamp")):
        refused = run("config", *words)
        assert (refused.returncode, mine.read_text()) == (3, 'stamp = "require"\n')
        assert refused.stdout == "config.toml\tstamp\twidened\trequire becomes off\nconfig.toml\toverall\twidened\t\n"
        assert "add `--allow-widening`" in refused.stderr
    for word, code in (("yes", 3), ("widen", 0)):
        terminal = Terminal("config", "unset", "stamp")
        terminal.answer("type `widen` to save it: ", word)
        assert terminal.end()[0] == code
    assert mine.read_text() == ""


def test_settings_of_another_place_that_are_wrong_do_not_hide_what_was_written(root: Path, mine: Path) -> None:
    """It is done, and so the answer is 0; what stands in the way is told."""
    (root / ".cortex/policy/config.toml").write_text("x = 1\n")
    done = run("config", "set", "sensitive", "ask")
    assert (done.returncode, mine.read_text()) == (0, 'sensitive = "ask"\n')
    assert "warning: every check is denied: " in done.stderr
    assert "hint: " in done.stderr
