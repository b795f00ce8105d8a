"""Validation says all that is wrong with all that is named, and with what stands around it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage import unsafe_files
from cortex_policy.manage.transaction.version_after_write import NO_STAMP, NOT_WRITTEN
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.manage.validation.autofix import fix_files
from cortex_policy.manage.validation.rule_selection_and_suppressions import (
    RuleSelection,
    Suppressions,
    find_codes_to_report,
)
from cortex_policy.manage.validation.targets import ValidationTargets
from cortex_policy.manage.validation.validate import find_targets, validate_targets
from cortex_policy.schema.problems import Report
from cortex_policy.schema.rule_catalog import ERROR, RULES
from cortex_policy.state import Root
from cortex_policy.state.writer_lock import NO_WAIT
from tests.support.checkout import CHECKOUT
from tests.support.roots import GIT
from tests.support.stamps import stamp_grants
from tests.support.users import CALLER, by_caller

EVERY = Suppressions(ValidationTargets((), (), ()), RuleSelection())
SOUND = {"tool": "git", "actions": ["tree"], "rate": {"perMinute": 30}, "fsScope": ["docs"]}


@pytest.fixture(autouse=True)
def strict_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deny what a grant with scopes allows unchecked: it is noted otherwise."""
    monkeypatch.setenv("CORTEX_POLICY_REQUIRE_PATH", "true")
    monkeypatch.setenv("CORTEX_POLICY_UNDECLARED_ARGS", "deny")


@pytest.fixture
def tools(root: Path) -> Path:
    """Stand in a root with one grant, stamped, that nothing is to be said of."""
    directory = root / ".cortex" / "policy" / "tools"
    (directory / "model-gateway.json").unlink()
    (directory / "git.json").write_text(json.dumps(SOUND))
    stamp_grants(Root(str(root), trusts_owner=True))
    return directory


def look(
    *words: str,
    root: str | None = None,
    strict: bool = False,
    wanted: RuleSelection = RuleSelection(),  # noqa: B008 - it never changes
) -> Report:
    """Validate what the words name."""
    where = find_targets(words, root)
    return validate_targets(where, Suppressions(where, wanted), lambda results, _: results, strict=strict)


def found(*words: str) -> list[tuple[str, str]]:
    """Return the files and codes of what is found."""
    return [(one.file.removeprefix(".cortex/policy/"), one.code) for one in look(*words).problems]


@pytest.mark.usefixtures("tools")
def test_a_valid_root_has_no_problems() -> None:
    """And says how many files were looked at."""
    assert look() == Report(1, ())
    assert look().status == "ok"


@pytest.mark.usefixtures("tools")
def test_a_missing_file_is_a_problem_and_the_others_are_validated() -> None:
    """What comes after it is looked at."""
    os.mkfifo("pipe.json")
    assert found("gone.json", "pipe.json", "/dev/null", "a\0b", ".cortex/policy/tools/git.json") == [
        ("/dev/null", "file-unreadable"), ("a\0b", "file-unreadable"), ("gone.json", "file-missing"),
        ("pipe.json", "file-unreadable"),
    ]  # fmt: skip


def test_a_file_that_may_not_be_read_is_a_problem(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its owner left it."""
    monkeypatch.chdir(own)
    (own / ".cortex/policy/tools/git.json").chmod(0)
    with by_caller():
        assert ("tools/git.json", "file-unreadable") in found()


def test_a_grant_that_is_a_link_is_read_by_no_check(tools: Path) -> None:
    """And is an error here."""
    (tools / "link.json").symlink_to("git.json")
    assert ("tools/link.json", "file-unreadable") in found()


def test_a_link_on_the_way_is_an_error(root: Path, tools: Path) -> None:
    """No check follows it."""
    tools.rename(root / "elsewhere")
    tools.symlink_to(root / "elsewhere")
    assert {code for _, code in found()} >= {"file-unreadable"}


def test_unsafe_modes_are_one_warning_with_one_command(tools: Path) -> None:
    """Some CI systems clone with umask 0."""
    for path in (tools, tools / "git.json"):
        path.chmod(path.stat().st_mode | 0o022)
    (one,) = look().problems
    assert (one.code, one.severity) == ("file-unsafe", "warning")
    assert one.hint == "fix it with `chmod go-w .cortex/policy/tools .cortex/policy/tools/git.json`"
    for name in ("b", "c", "d"):
        (tools / f"{name}.json").write_text(json.dumps(SOUND | {"tool": name}))
        (tools / f"{name}.json").chmod(0o666)
    modes = [one for one in look().problems if one.code == "file-unsafe"]
    assert [one.hint for one in modes] == ["fix it with `chmod -R go-w .cortex`"]
    assert "and 2 more" in modes[0].message
    assert os.system(modes[0].hint.split("`")[1]) == 0  # noqa: S605 - it is what an operator types
    assert "file-unsafe" not in {one.code for one in look().problems}


def test_wrong_owners_are_reported_with_the_command_that_fixes_them(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's grant is refused by every check."""
    monkeypatch.chdir(own)
    os.chown(own / ".cortex/policy/tools/git.json", 4321, 4321)
    (one,) = [one for one in look(root=str(own)).problems if one.code == "file-unsafe"]
    assert one.hint == f"fix it with `chown {os.geteuid()} .cortex/policy/tools/git.json`"


def test_files_that_no_check_reads_are_reported(tools: Path) -> None:
    """A grant beside its directory, a name that is no id, a directory, a text that `edit` left; what git keeps is not."""
    for name in (
        "../policy.json",
        "-x.json",
        "notes.txt",
        ".edit-git-0.json",
        ".gitkeep",
        "../README.md",
        "../config.toml",
    ):
        (tools / name).touch()
    (tools / "sub").mkdir()
    assert found() == [
        ("policy.json", "file-stray"), ("tools/-x.json", "file-name"), ("tools/.edit-git-0.json", "file-stray"),
        ("tools/notes.txt", "file-stray"), ("tools/sub", "file-stray"),
    ]  # fmt: skip


def test_files_that_git_would_add_are_named(tools: Path) -> None:
    """Where somebody has said what git ignores there; nobody is told to write such a file."""
    ignored = tools.parent / ".gitignore"
    ignored.write_text(".lock\n.edit-*\n")
    (one,) = look().problems
    assert (one.code, one.severity, one.message) == ("file-ignore", "note", "it does not ignore `stop`, `history/`")
    command = one.hint.partition("`")[2].rstrip("`")
    subprocess.run(["bash", "-c", command], check=True)
    assert ignored.read_text() == ".lock\n.edit-*\nstop\nhistory/\n"
    assert found() == []
    ignored.write_text("")
    assert found() == [(".gitignore", "file-ignore")]
    ignored.unlink()
    ignored.symlink_to("/dev/zero")
    assert found() == []


def test_grants_that_differ_from_the_stamp_are_reported(tools: Path) -> None:
    """By hand, with nobody told."""
    (tools / "git.json").write_text(json.dumps(SOUND) + "\n")
    assert found() == [("tools/git.json", "stamp-differs")]
    (tools / "git.json").unlink()
    assert found() == [("stamp.json", "stamp-differs"), ("tools", "file-none")]


def test_a_missing_or_broken_stamp_is_reported(tools: Path) -> None:
    """With the command that writes it."""
    stamp = tools.parent / "stamp.json"
    stamp.write_text("{")
    assert found() == [("stamp.json", "stamp-broken")]
    stamp.unlink()
    (one,) = look().problems
    assert (one.code, one.severity, one.hint) == (
        "stamp-missing", "note", "write one with `cortex-policy stamp write`",
    )  # fmt: skip


def test_a_single_file_is_not_compared_with_the_stamp(tools: Path) -> None:
    """A hook is handed the files of a commit, and the stamp has a hook of its own."""
    (tools / "git.json").write_text(json.dumps(SOUND) + "\n")
    assert found(".cortex/policy/tools/git.json") == []


def test_two_grants_of_one_tool_share_a_budget_where_they_share_an_action(tools: Path) -> None:
    """At the tool of the later one."""
    (tools / "a.json").write_text(json.dumps(SOUND | {"actions": ["other"]}))
    (tools / "h.json").write_text(json.dumps(SOUND))
    shared = [one for one in look().problems if one.code == "budget-shared"]
    assert [(one.file, one.pointer, one.column) for one in shared] == [(".cortex/policy/tools/h.json", "/tool", 10)]


def test_grants_share_a_budget_by_its_text(tools: Path) -> None:
    """Tool `a:b` with action `c` is counted with tool `a` and action `b:c`."""
    (tools / "g.json").write_text(json.dumps(SOUND | {"tool": "a:b", "actions": ["c"]}))
    (tools / "h.json").write_text(json.dumps(SOUND | {"tool": "a", "actions": ["x", "b:c"]}))
    (shared,) = [one for one in look().problems if one.code == "budget-shared"]
    assert (shared.file, shared.message) == (
        ".cortex/policy/tools/h.json", "it shares the budget `a:b:c` with `g`",
    )  # fmt: skip


@pytest.mark.usefixtures("tools")
def test_a_file_outside_of_its_directory_is_reported() -> None:
    """In a directory called `tools` it may be on its way."""
    Path("x.json").write_text(json.dumps(SOUND | {"tool": "x"}))
    (Path("draft") / "tools").mkdir(parents=True)
    Path("draft/tools/x.json").write_text(json.dumps(SOUND | {"tool": "x"}))
    assert found("x.json", "draft/tools/x.json") == [("x.json", "file-outside")]


@pytest.mark.usefixtures("tools")
def test_the_hint_of_a_file_elsewhere_names_no_grant_of_the_root() -> None:
    """The command would change another one."""
    Path("git.json").write_text(json.dumps(SOUND | {"fsScope": ["docs/**"]}))
    (dead,) = [one for one in look("git.json").problems if one.code == "scope-dead"]
    assert "cortex-policy set ID --remove-scope" in dead.hint


def test_a_command_in_a_hint_names_a_root_that_is_not_found_from_here(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed as it stood, it was refused, or met the grants of another root."""
    (root / ".cortex/policy/tools/git.json").write_text(json.dumps(SOUND | {"fsScope": ["x/**"]}))

    def commands() -> list[str]:
        return [one.hint for one in look(str(root)).problems if "`cortex-policy" in one.hint]

    assert [hint for hint in commands() if "--root" in hint] == []
    monkeypatch.chdir(tmp_path)
    assert len(commands()) == 2
    assert [hint for hint in commands() if f" --root {root}" not in hint] == []


def test_a_giant_of_scopes_that_are_not_there_takes_seconds(root: Path) -> None:
    """Each was placed, and the directory listed for each."""
    scopes = [f"p{number}" for number in range(90_000)]
    (root / "giant.json").write_text(json.dumps(SOUND | {"fsScope": scopes}, separators=(",", ":")))
    report = validate_targets(find_targets(("giant.json",), str(root)), EVERY, lambda results, _: results)
    assert sum(one.code == "scope-absent" for one in report.problems) == 100


def test_problems_are_sorted_by_file_and_line(tools: Path) -> None:
    """In whatever order they were found."""
    (tools / "a.json").write_text(
        '{"tool": "b", "fsScope": ["gone", "a*"],\n"actions": ["x", "x"], "rate": {"perMinute": 1}}'
    )
    problems = look(".cortex/policy/tools/git.json", ".cortex/policy/tools/a.json").problems
    assert [(one.line, one.column, one.code) for one in problems] == [
        (1, 10, "tool-id"), (1, 27, "scope-absent"), (1, 35, "scope-dead"), (2, 18, "action-twice"),
    ]  # fmt: skip


def test_strict_makes_errors_of_warnings_and_of_nothing_else(tools: Path) -> None:
    """A note stays one."""
    (tools / "git.json").write_text(json.dumps(SOUND | {"tool": "x", "fsScope": ["gone"]}))
    assert {one.code: one.severity for one in look(strict=True).problems} == {
        "tool-id": "note", "scope-absent": ERROR, "stamp-differs": ERROR,
    }  # fmt: skip
    assert (look().status, look(strict=True).status) == ("ok", "fail")


def test_codes_are_selected_and_ignored_by_group_or_by_name() -> None:
    """What is ignored wins."""
    assert find_codes_to_report((), ()) == {rule.code for rule in RULES}
    assert find_codes_to_report(("scope-dead", "stamp"), ("stamp-missing",)) == {
        "scope-dead", "stamp-broken", "stamp-differs", *find_codes_to_report(("syntax", "shape", "file-missing", "file-unreadable", "settings-invalid"), ())
    }  # fmt: skip
    with pytest.raises(UsageError):
        find_codes_to_report(("nope",), ())


def test_only_chosen_codes_count(tools: Path) -> None:
    """For the exit code too."""
    (tools / "git.json").write_text(json.dumps(SOUND | {"fsScope": ["a/**"]}))
    assert look(wanted=RuleSelection((), ("scope-dead", "stamp"))) == Report(1, ())


def test_many_files_have_the_same_problems_as_each_alone(tools: Path) -> None:
    """By several processes, with the same problems."""
    for number in range(700):
        (tools / f"g{number}.json").write_text(
            json.dumps(SOUND | {"tool": f"g{number}", "fsScope": ["docs"] * (1 + number % 2)})
        )
    report = look()
    assert report.files == 701
    assert sum(one.code == "scope-covered" for one in report.problems) == 350
    assert [one.file for one in report.problems] == sorted(one.file for one in report.problems)


def test_a_repair_is_a_write_with_a_stamp(tools: Path) -> None:
    """Under the lock; what differs from its stamp is left, and said."""
    grant = SOUND | {"actions": ["tree", "tree"]}
    (tools / "git.json").write_text(json.dumps(grant))
    where = find_targets((), None)
    (refused,) = fix_files(where.files, look(), EVERY, NO_WAIT)
    assert refused.error is not None
    assert refused.error.exit_code == 23
    assert json.loads((tools / "git.json").read_text()) == grant
    stamp_grants(Root(str(tools.parent.parent.parent), trusts_owner=True))
    (done,) = fix_files(where.files, look(), EVERY, NO_WAIT)
    assert (done.error, done.version) == (None, 3)
    assert json.loads((tools / "git.json").read_text()) == SOUND
    assert look().problems == ()


def test_a_file_that_grew_meanwhile_is_not_repaired(tools: Path) -> None:
    """What was read of it is not all: writing that back would lose the rest."""
    grown = json.dumps(SOUND | {"actions": ["a", "a"]}) + " " * (1 << 20) + "and more"
    (tools / "git.json").write_text(json.dumps(SOUND | {"actions": ["a", "a"]}))
    stamp_grants(Root(str(tools.parent.parent.parent), trusts_owner=True))
    for file in (tools / "git.json", Path("x.json")):
        file.write_text(json.dumps(SOUND | {"actions": ["a", "a"]}))
        report = look(str(file))
        if file.parent == tools:
            with open_grants_for_write(Root(str(tools.parent.parent.parent), trusts_owner=True)) as writer:
                writer.write("git", file.read_bytes(), grown.encode())
        else:
            file.write_text(grown)
        (done,) = fix_files(find_targets((str(file),), None).files, report, EVERY, NO_WAIT)
        assert isinstance(done.error, NotDoneError)
        assert file.read_text() == grown


def test_a_grant_that_was_removed_meanwhile_is_not_said_to_be_repaired(tools: Path) -> None:
    """Nothing is written in its place."""
    (tools / "git.json").write_text(json.dumps(SOUND | {"actions": ["a", "a"]}))
    where, report = find_targets((), None), look()
    (tools / "git.json").unlink()
    (done,) = fix_files(where.files, report, EVERY, NO_WAIT)
    assert (isinstance(done.error, NotDoneError), done.version) == (True, NOT_WRITTEN)
    assert list(tools.iterdir()) == []


@pytest.mark.usefixtures("tools")
def test_a_file_elsewhere_is_repaired_too() -> None:
    """With its mode, and without a stamp; one that cannot be written is said."""
    draft = Path("tools")
    draft.mkdir()
    (draft / "x.json").write_text(json.dumps(SOUND | {"tool": "x", "actions": ["a", "a"]}))
    (draft / "x.json").chmod(0o640)
    where = find_targets(("tools/x.json",), None)
    (done,) = fix_files(where.files, look("tools/x.json"), EVERY, NO_WAIT)
    assert (done.file, done.error, done.version) == ("tools/x.json", None, NO_STAMP)
    assert json.loads((draft / "x.json").read_text())["actions"] == ["a"]
    assert (draft / "x.json").stat().st_mode & 0o777 == 0o640


def test_standard_input_can_be_read_once() -> None:
    """It is empty the second time."""
    with pytest.raises(UsageError):
        find_targets(("-", "-"), None)


def test_the_project_s_own_grants_have_no_errors() -> None:
    """They are README's example."""
    assert look(str(CHECKOUT / ".cortex")).status == "ok"
    assert GIT["tool"] == "git-map"


def test_a_checkout_of_another_user_is_refused_where_the_root_is_not_named(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `check` would refuse it here: the hint says that naming it is enough."""
    for path in (own, *own.rglob("*")):
        os.chown(path, 4321, 4321)
    monkeypatch.chdir(own)
    (one,) = [one for one in look().problems if one.code == "file-unsafe"]
    assert "is somebody else's, and `check` refuses that" in one.message
    assert one.hint.startswith(f"name the root for `check`: `--root {own}`; or fix it with `chown -R ")
    report = look(root=str(own))
    assert "file-unsafe" not in {one.code for one in report.problems}


def test_members_of_a_group_that_may_write_are_named(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` trusts the owner's own group, by its number; who else is in it is looked up here."""
    monkeypatch.setattr(
        unsafe_files, "find_names_of_group_members", lambda gid: {"mallory"} if gid == CALLER else set()
    )
    (own / ".cortex/policy/tools/git.json").chmod(0o664)
    monkeypatch.chdir(own)
    report = look(root=str(own))
    (one,) = [one for one in report.problems if one.code == "file-unsafe"]
    assert one.message == f"`mallory` can change the file: the group {CALLER} may write it, and has these members"
    assert one.hint == "take this right from the group with `chmod go-w .cortex/policy/tools/git.json`"
