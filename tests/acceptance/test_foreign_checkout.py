"""A checkout that belongs to another user, as in a container: what decides refuses it, what looks at it warns once."""

import json
import os
import pwd
from pathlib import Path

import pytest

from tests.support.command import result_of as run
from tests.support.users import by_caller


@pytest.fixture
def foreign(root: Path) -> Path:
    """Give a root away, whole."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in (root, *root.rglob("*")):
        os.chown(path, 4321, 4321, follow_symlinks=False)
    return root


def test_a_refused_check_says_that_naming_the_root_is_enough(foreign: Path) -> None:
    """And it is."""
    done = run("check", "git", "tree", "--path", "docs/x", cwd=foreign)
    assert done.returncode == 22
    assert f"hint: if user 4321 may decide what is allowed, name the root with `--root {foreign}` or " in done.stderr
    assert run("check", "git", "tree", "--path", "docs/x", "--root", str(foreign), cwd=foreign).returncode == 0


@pytest.mark.parametrize("words", [("validate",), ("test",), ("fmt", "--check"), ("list",), ("diff", "git", "git")])
def test_every_command_that_reads_the_grant_warns(foreign: Path, words: tuple[str, ...]) -> None:
    """Once for all of it, except that each grant of a list has a line of its own."""
    tests = foreign / ".cortex/policy/tests"
    tests.mkdir()
    (tests / "git.cases.toml").write_text('[[case]]\nname = "a"\ncall = "git tree --path docs/x"\nexpect = "allowed"\n')
    done = run(*words, cwd=foreign)
    said = done.stdout + done.stderr
    assert said.count("`check` refuses that") == 1 or (words == ("list",) and "unsafe" in said)
    named = run(*words, "--root", str(foreign), cwd=foreign)
    assert "check` refuses" not in named.stdout + named.stderr


@pytest.mark.parametrize("command", ["validate", "test"])
def test_files_of_a_root_that_a_check_here_must_name_are_fine(foreign: Path, command: str) -> None:
    """Naming it says that its owner is trusted; below it a check finds it by itself, and refuses it."""
    policy = foreign / ".cortex/policy"
    (policy / "tests").mkdir()
    case = '[[case]]\nname = "a"\naction = "tree"\nexpect = "allowed"\n'
    (policy / "tests/git.cases.toml").write_text(f'grant = "git"\n{case}')
    (policy / "config.toml").write_text("require_path = false\n")
    for path in (*policy.glob("tests*"), *policy.glob("*/*"), policy / "config.toml"):
        os.chown(path, 4321, 4321)
    words = (command, str(foreign if command == "validate" else policy / "tests"))
    done = run(*words, cwd=foreign.parent)
    assert "`check` refuses" not in done.stdout + done.stderr
    assert done.returncode == 0
    done = run(command, cwd=foreign / "docs")
    assert "`check` refuses" in done.stdout + done.stderr


def test_the_log_of_another_users_root_warns_in_one_sentence(foreign: Path) -> None:
    """However many writes it has; naming the root says that this user is trusted."""
    for rate in ("7", "6"):
        run("set", "git", "--rate", rate, "--root", str(foreign))
    done = run("log", cwd=foreign)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert done.stderr.splitlines() == [
        "warning: the history belongs to user 4321, who could have changed it",
        f"hint: if user 4321 may decide what is allowed, name the root with `--root {foreign}` or CORTEX_POLICY_ROOT",
    ]
    assert run("log", "--root", str(foreign), cwd=foreign).stderr == ""
    assert run("check", "git", "tree", cwd=foreign).stderr.splitlines()[0].endswith(f"`{foreign}` belongs to user 4321")


def test_the_stamp_of_a_named_root_may_be_its_owners(foreign: Path) -> None:
    """Like the grants: what decides accepts it, and what looks says that nothing denies every check."""
    assert run("stamp", "write", "--allow-widening", "--root", str(foreign)).returncode == 0
    named = ("--root", str(foreign))
    assert run("check", "git", "tree", *named, cwd="/", CORTEX_POLICY_STAMP="require").returncode == 0
    assert json.loads(run("status", "--json", *named, cwd="/", CORTEX_POLICY_STAMP="require").stdout)["denied"] == []


def test_a_user_who_may_not_read_the_history_learns_who_may(own: Path) -> None:
    """Not to take the files."""
    history = own / ".cortex/policy/history"
    history.mkdir(0o700)
    os.chown(history, 4321, 4321)
    with by_caller():
        done = run("log", "--root", str(own), cwd="/")
    assert done.returncode == 22
    assert done.stderr.splitlines() == [
        f"cortex-policy: grant file is unsafe: `{history}`: permission denied",
        "hint: run this as user 4321 or root, who may read it",
    ]


def test_root_sees_what_the_owner_of_a_root_changed_in_their_own_settings(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside what was done to the root; behind a link of that user nothing is read."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(home))
    assert run("config", "set", "sensitive", "ask", cwd="/").returncode == 0
    for path in (home, *home.rglob("*")):
        os.chown(path, 4321, 4321)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd(("agent", "x", 4321, 1, "", str(home), "")))
    assert "config set sensitive --user\tnarrowed: not set becomes `ask`\n" in run("log", "--root", str(foreign)).stdout
    (home / ".config").rename(tmp_path / "elsewhere")
    (home / ".config").symlink_to(tmp_path / "elsewhere")
    assert run("log", "--root", str(foreign)).stdout == ""
