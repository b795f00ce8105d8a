"""What does not load is never saved, and what was typed is never lost."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import GrantDiff
from cortex_policy.manage.editing.edit_loop import EditResult
from cortex_policy.manage.editing.editor_session import edit_policy_file_in_editor
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.schema.problems import Problem
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.writer_lock import LockWait
from tests.support.failing_calls import patch_writes
from tests.support.roots import grant_file

Step = Callable[[Path], str | None]
pytestmark = pytest.mark.usefixtures("drafts_place")


class Script:
    """An operator who does one thing after the other, and notes what is shown."""

    def __init__(self, *steps: Step | str | BaseException) -> None:
        """Take steps: a function edits the file, a letter answers, a word consents or not, an exception is Ctrl-C."""
        self.steps = list(steps)
        self.seen: list[str] = []

    def run_editor(self, path: str, line: int) -> str:
        step = self.steps.pop(0)
        assert callable(step)
        self.seen.append(f"edit {line}")
        return step(Path(path)) or ""

    def ask_choice(self, choices: str) -> str:
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        assert isinstance(step, str)
        assert step in choices
        self.seen.append(f"ask {choices}")
        return step

    def ask_consent(self, change: GrantDiff) -> bool:
        self.seen.append(f"consent {change.meaning.verdict}")
        return self.steps.pop(0) == "widen" if change.meaning.verdict in ("widened", "both") else True

    def show_sentence(self, sentence: str) -> None:
        self.seen.append(sentence)

    def show_problems(self, found: tuple[Problem, ...]) -> None:
        self.seen.append(f"problem {found[0].line}")

    def show_change(self, change: GrantDiff) -> None:
        self.seen.append(change.meaning.verdict)

    def show_diff(self, old: bytes, new: bytes) -> None:
        self.seen.append(f"diff {len(new) - len(old)}")


def drafts(stamped_root: Root) -> list[Path]:
    """Return what is left of sessions: nothing of it in the root."""
    assert not list(Path(stamped_root.path).rglob(".edit-*"))
    return [path for path in Path(os.environ["TMPDIR"]).rglob("*") if not path.is_dir()]


def put(text: str) -> Step:
    """Return an editor that writes a text."""
    return lambda path: path.write_text(text) and None


def rate(number: int) -> Step:
    """Return an editor that sets the rate."""

    def run(path: Path) -> None:
        document = json.loads(path.read_text())
        path.write_text(json.dumps({**document, "rate": {"perMinute": number}}))

    return run


def run(stamped_root: Root, *steps: Step | str | BaseException) -> tuple[EditResult, list[str]]:
    """Run a session to its end."""
    script = Script(*steps)
    outcome = edit_policy_file_in_editor(stamped_root, "git", LockWait(), script)
    assert not script.steps
    return outcome, script.seen


def kept(stamped_root: Root, before: bytes, text: bytes) -> bool:
    """Whether the grant is as before, and the text was left where only its owner reads it."""
    (draft,) = drafts(stamped_root)
    return (
        grant_file(stamped_root).read_bytes() == before
        and draft.read_bytes() == text
        and draft.stat().st_mode & 0o777 == 0o600
    )


def test_a_narrowing_is_saved_as_one_version(stamped_root: Root) -> None:
    """What it means is shown first; nothing is left beside the grants."""
    outcome, seen = run(stamped_root, rate(7), "d", "s")
    assert outcome == EditResult("saved", 2)
    assert seen == ["edit 0", "narrowed", "ask sedx", "diff -1", "ask sedx", "consent narrowed"]
    assert json.loads(grant_file(stamped_root).read_text())["rate"] == {"perMinute": 7}
    assert not drafts(stamped_root)
    assert find_stamp_mismatches(stamped_root) == ()


def test_a_widening_is_saved_with_its_word_alone(stamped_root: Root) -> None:
    """Without it the question is asked again."""
    outcome, seen = run(stamped_root, rate(70), "s", "no", "s", "widen")
    assert outcome.status == "saved"
    assert seen[1:] == ["widened", "ask sedx", "consent widened", "ask sedx", "consent widened"]


def test_a_text_that_does_not_load_cannot_be_saved(stamped_root: Root) -> None:
    """The problem is shown and waits; the editor opens at it again, and there is no other way to save."""
    before = grant_file(stamped_root).read_bytes()
    outcome, seen = run(stamped_root, put('{\n"tool": 1,\n}'), "d", "e", rate_of(stamped_root, 7), "s")
    assert outcome.status == "saved"
    assert seen[:6] == ["edit 0", "problem 2", "ask edx", f"diff {14 - len(before)}", "ask edx", "edit 2"]
    assert json.loads(grant_file(stamped_root).read_text())["rate"] == {"perMinute": 7}


def rate_of(stamped_root: Root, number: int) -> Step:
    """Return an editor that writes the grant as it was, with another rate."""
    return put(grant_file(stamped_root).read_text().replace("30", str(number)))


def test_a_grant_that_does_not_load_opens_at_its_first_problem(stamped_root: Root) -> None:
    """Unchanged it is still no grant: nothing is called well."""
    with open_grants_for_write(stamped_root) as writer:
        writer.write("git", grant_file(stamped_root).read_bytes(), b'{\n\n"tool": }')
    outcome, seen = run(stamped_root, lambda _: None, "x")
    assert outcome.status == "cancelled"
    assert seen == ["edit 3", "`git` is unchanged", "problem 3", "ask edx"]
    assert not drafts(stamped_root)


def test_an_unchanged_text_saves_nothing(stamped_root: Root) -> None:
    """No version, no question, no file."""
    outcome, seen = run(stamped_root, lambda path: path.write_bytes(path.read_bytes()) and None)
    assert outcome == EditResult("unchanged")
    assert seen == ["edit 0", "`git` is unchanged"]
    assert not drafts(stamped_root)
    stamp = stamps.read_stamp(stamped_root)
    assert stamp is not None
    assert stamp.version == 1


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_emptied_text_is_reported_and_saves_nothing(stamped_root: Root, text: str) -> None:
    """It is no way to remove a grant."""
    before = grant_file(stamped_root).read_bytes()
    outcome, seen = run(stamped_root, put(text) if text else lambda path: path.write_bytes(b"") and None, "x")
    assert outcome.status == "cancelled"
    assert seen[1:] == ["`git` was emptied, and an empty file is not valid", "ask ex"]
    assert grant_file(stamped_root).read_bytes() == before
    assert not drafts(stamped_root)


def test_an_exit_leaves_the_text_and_names_it(stamped_root: Root) -> None:
    """The grant is as it was, and the next session tells where the text is."""
    before = grant_file(stamped_root).read_bytes()
    _, seen = run(stamped_root, put("{"), "x")
    assert kept(stamped_root, before, b"{")
    (draft,) = drafts(stamped_root)
    assert seen[-1] == f"the text was left in `{draft}`"
    _, seen = run(stamped_root, lambda _: None)
    assert seen[0] == f"note: an earlier session left its text in `{draft}`; `--resume` goes on with the last one"
    assert kept(stamped_root, before, b"{")


@pytest.mark.parametrize("ended", [KeyboardInterrupt(), RuntimeError(), SystemExit()])
def test_a_session_that_ends_in_any_way_leaves_the_text(stamped_root: Root, ended: BaseException) -> None:
    """Ctrl-C and a bug of ours too."""
    before = grant_file(stamped_root).read_bytes()
    with pytest.raises(type(ended)):
        run(stamped_root, put("{}"), ended)
    assert kept(stamped_root, before, b"{}")


def test_a_hand_edit_meanwhile_is_kept_and_so_is_the_text(stamped_root: Root) -> None:
    """Neither is lost to the other."""

    def both(path: Path) -> None:
        rate(7)(path)
        grant_file(stamped_root).write_text("by hand")

    script = Script(both, "s")
    with pytest.raises(NotDoneError, match="was changed by hand in the meantime"):
        edit_policy_file_in_editor(stamped_root, "git", LockWait(), script)
    (draft,) = drafts(stamped_root)
    assert script.seen[-1] == f"the text was left in `{draft}`"
    assert json.loads(draft.read_text())["rate"] == {"perMinute": 7}
    assert grant_file(stamped_root).read_text() == "by hand"


def test_a_disk_that_refuses_the_save_takes_no_text(stamped_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grant is as it was."""
    before = grant_file(stamped_root).read_bytes()

    def refusing(*_: object) -> None:
        raise OSError(28, "no space left on device", "x")

    patch_writes(monkeypatch, refusing)
    with pytest.raises(NotDoneError, match="no space left"):
        run(stamped_root, rate(7), "s")
    assert grant_file(stamped_root).read_bytes() == before
    assert len(drafts(stamped_root)) == 1


def test_a_disk_that_takes_no_copy_starts_no_editor(stamped_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is left of it."""
    real = os.write

    def refusing(descriptor: int, data: bytes) -> int:
        if len(data) > 10:
            return real(descriptor, data[:10])
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "write", refusing)
    grant_file(stamped_root).write_bytes(grant_file(stamped_root).read_bytes()[:17])
    Path(stamps.make_stamp_path(stamped_root.path)).unlink()
    with pytest.raises(NotDoneError, match=r"git\.json`: no space left"):
        run(stamped_root)
    assert not drafts(stamped_root)


def test_an_editor_that_fails_saves_nothing(stamped_root: Root) -> None:
    """It is said, and its text is there when it is opened again."""

    def failing(path: Path) -> str:
        rate(7)(path)
        return "it failed"

    outcome, seen = run(stamped_root, failing, "e", lambda _: None, "s")
    assert outcome.status == "saved"
    assert seen == ["edit 0", "it failed", "ask ex", "edit 0", "narrowed", "ask sedx", "consent narrowed"]


def test_an_editor_that_removes_the_file_loses_no_earlier_text(stamped_root: Root) -> None:
    """The last text is there again."""

    def unlink(path: Path) -> None:
        path.unlink()

    _, seen = run(stamped_root, put("{"), "e", unlink, "e", lambda _: None, "x")
    assert [path.read_bytes() for path in drafts(stamped_root)] == [b"{"]
    assert "the editor removed the file; it is there again with its last text" in seen
    drafts(stamped_root)[0].unlink()
    _, seen = run(stamped_root, unlink, "x")
    assert not drafts(stamped_root)


def test_an_editor_may_replace_the_file(stamped_root: Root) -> None:
    """By a rename, with the old one as a backup beside it, which goes too."""

    def replace(path: Path) -> None:
        new = path.with_name(path.name + ".new")
        new.write_bytes(path.read_bytes())
        rate(7)(new)
        path.rename(path.with_name(path.name + "~"))
        new.rename(path)

    outcome, _ = run(stamped_root, replace, "s")
    assert outcome.status == "saved"
    assert not drafts(stamped_root)


def test_a_link_in_place_of_the_file_is_not_followed(stamped_root: Root, tmp_path: Path) -> None:
    """It is said, and left."""
    other = tmp_path / "other.json"
    other.write_text(grant_file(stamped_root).read_text().replace("30", "31"))
    before = grant_file(stamped_root).read_bytes()

    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(other)

    outcome, seen = run(stamped_root, link, "x")
    assert outcome.status == "cancelled"
    assert "is a link" in seen[1]
    assert seen[-1].startswith("the text was left in ")
    assert grant_file(stamped_root).read_bytes() == before


def test_a_text_of_more_than_a_mebibyte_is_a_problem(stamped_root: Root) -> None:
    """It is left whole."""
    text = grant_file(stamped_root).read_text() + " " * (1 << 21)
    _, seen = run(stamped_root, put(text), "x")
    assert seen[1:3] == ["problem 1", "ask edx"]
    assert drafts(stamped_root)[0].stat().st_size == len(text)


def test_a_copy_is_readable_only_by_the_operator_and_kept_by_writers(stamped_root: Root) -> None:
    """It has a directory of its own, which only the operator enters."""
    sizes: list[int] = []

    def look(path: Path) -> None:
        sizes.append(path.stat().st_mode & 0o777)
        sizes.append(path.parent.stat().st_mode & 0o777)
        path.write_text("{")

    run(stamped_root, look, "x")
    run(stamped_root, lambda _: None)
    assert sizes == [0o600, 0o700]
    assert len(drafts(stamped_root)) == 1


def test_a_grant_that_cannot_be_saved_is_not_edited(stamped_root: Root) -> None:
    """A hand edit is stamped first; a missing grant is told with those there are; a giant is for other hands."""
    grant_file(stamped_root).write_bytes(grant_file(stamped_root).read_bytes() + b"\n")
    with pytest.raises(GrantError) as caught:
        run(stamped_root)
    assert caught.value.exit_code == 23
    for wrong in ("gti", "../x"):
        with pytest.raises(GrantError) as caught:
            edit_policy_file_in_editor(stamped_root, wrong, LockWait(), Script())
        assert caught.value.exit_code == 20
    grant_file(stamped_root).write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(NotDoneError, match="larger than"):
        run(stamped_root)
    assert not drafts(stamped_root)


RULES = 'format = 1 # ours\n\n[[rule]]\ntools = ["Read"]\ndecide = "pass"\n'


@pytest.fixture
def hooks(stamped_root: Root) -> Path:
    """Write rules of hooks, as the second version."""
    with open_grants_for_write(stamped_root) as writer:
        writer.write(HOOKS_TOML, None, RULES.encode())
    return Path(stamped_root.policy_path, HOOKS_TOML)


def run_hooks(root: Root, *steps: Step | str | BaseException, resume: bool = False) -> tuple[EditResult, list[str]]:
    """Run a session with the rules of hooks to its end."""
    script = Script(*steps)
    outcome = edit_policy_file_in_editor(root, HOOKS_TOML, LockWait(), script, resume=resume)
    assert not script.steps
    return outcome, script.seen


def test_rules_of_hooks_are_edited_as_grants_are(stamped_root: Root, hooks: Path) -> None:
    """From an error back to the editor, then to one more version."""
    wrong, right = RULES.replace("tools", "tool"), RULES.replace("pass", "deny")
    outcome, seen = run_hooks(stamped_root, put(wrong), "e", put(right), "d", "s")
    assert outcome == EditResult("saved", 3)
    assert [line for line in seen if "problem" not in line and "edit" not in line] == [
        "ask edx", "narrowed", "ask sedx", "diff 0", "ask sedx", "consent narrowed",
    ]  # fmt: skip
    assert hooks.read_text() == right
    assert find_stamp_mismatches(stamped_root) == ()
    assert drafts(stamped_root) == []


def test_rules_of_hooks_that_let_more_pass_want_the_word(stamped_root: Root, hooks: Path) -> None:
    """Without it nothing is saved, and the text is kept for the next session."""
    wider = RULES.replace('"Read"', '"Read", "Bash"')
    outcome, seen = run_hooks(stamped_root, put(wider), "s", "no", "x")
    assert (outcome.status, hooks.read_text()) == ("cancelled", RULES)
    assert "consent widened" in seen
    (draft,) = drafts(stamped_root)
    assert draft.read_text() == wider
    outcome, _ = run_hooks(stamped_root, lambda _: None, "s", "widen", resume=True)
    assert (outcome, hooks.read_text()) == (EditResult("saved", 3), wider)


def test_rules_of_hooks_that_differ_from_their_stamp_are_not_edited(stamped_root: Root, hooks: Path) -> None:
    """Nor such as do not exist; the hints say what to do."""
    hooks.write_text(RULES + "# by hand\n")
    with pytest.raises(GrantError) as caught:
        run_hooks(stamped_root)
    assert caught.value.exit_code == 23
    assert f"undo {HOOKS_TOML}" in caught.value.hint
    hooks.unlink()
    with pytest.raises(GrantError) as caught:
        run_hooks(stamped_root)
    assert "hook init" in caught.value.hint
