"""Grants are compared with each other and with git, whatever state either is in."""

import json
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.manage.diff.grants import PolicyDiff, compare_ids_or_files, make_policy_diff_since_revision
from cortex_policy.state import Root
from tests.support.command import result_of
from tests.support.roots import GIT

SMALL = {"tool": "x", "actions": ["a"], "rate": {"perMinute": 1}, "fsScope": ["docs"]}


def git(directory: Path, *words: str) -> str:
    """Run git as a committer who configured nothing else."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(directory), "-c", "user.name=n", "-c", "user.email=e@example.org", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()


def write(root: Path, grant_id: str, grant: Any) -> Path:
    """Write a grant, a document or plain text."""
    file = root / ".cortex" / "policy" / "tools" / f"{grant_id}.json"
    file.write_text(grant if isinstance(grant, str) else json.dumps(grant))
    return file


def commit(repository: Path) -> str:
    """Commit everything and return the revision."""
    git(repository, "add", "-A", "-f")
    git(repository, "commit", "-q", "--allow-empty", "-m", "x")
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture(params=["top", "below"])
def committed(request: pytest.FixtureRequest, root: Path) -> Root:
    """Commit the scratch root, as a repository of its own or as a directory of one."""
    repository = root if request.param == "top" else root.parent
    git(repository, "init", "-q")
    commit(repository)
    return Root(str(root), trusts_owner=True)


def told(found: PolicyDiff) -> dict[str, tuple[str, str]]:
    """Return what became of each grant, and what that means."""
    return {change.name: (change.status, change.meaning.verdict) for change in found.changes}


def test_all_grants_are_compared_with_a_revision(committed: Root) -> None:
    """Added, removed, changed, written otherwise, untouched."""
    root = Path(committed.path)
    for name in ("removed", "untouched", "reformatted"):
        write(root, name, SMALL)
    revision = commit(root)
    write(root, "git", {**GIT, "actions": ["tree"]})
    write(root, "model-gateway", {"tool": "model-gateway", "actions": ["chat"], "rate": {"perMinute": 61}})
    write(root, "reformatted", json.dumps(SMALL, indent=4))
    write(root, "added", SMALL)
    write(root, "removed", SMALL).unlink()
    found = make_policy_diff_since_revision(committed, revision)
    assert told(found) == {
        "added": ("added", "widened"), "git": ("changed", "narrowed"), "model-gateway": ("changed", "widened"),
        "reformatted": ("unchanged", "same"), "removed": ("removed", "narrowed"),
    }  # fmt: skip
    assert (found.unchanged, found.verdict, found.warnings) == (1, "both", ())
    assert told(make_policy_diff_since_revision(committed, "HEAD", "git")) == {"git": ("changed", "narrowed")}
    assert told(make_policy_diff_since_revision(committed, "HEAD", "untouched")) == {"untouched": ("unchanged", "same")}
    assert told(make_policy_diff_since_revision(committed, "HEAD", "removed")) == {"removed": ("removed", "narrowed")}


def test_a_revision_without_grants_allowed_nothing(committed: Root) -> None:
    """The first commit is compared with the empty tree; nothing at all is the same as nothing."""
    empty = git(Path(committed.path), "hash-object", "-t", "tree", "/dev/null")
    assert told(make_policy_diff_since_revision(committed, empty)) == {
        "git": ("added", "widened"),
        "model-gateway": ("added", "widened"),
    }
    shutil.rmtree(committed.tools_path)
    assert make_policy_diff_since_revision(committed, empty) == PolicyDiff(())
    assert make_policy_diff_since_revision(committed, "HEAD").verdict == "narrowed"


@pytest.mark.parametrize("hashed_by", ["sha1", "sha256"])
@pytest.mark.parametrize("head", ["HEAD", "@"])
def test_before_the_first_commit_nothing_was_allowed(root: Path, hashed_by: str, head: str) -> None:
    """Every grant is new, and so widened; it is said that there was nothing to compare with."""
    git(root, "init", "-q", f"--object-format={hashed_by}")
    first = make_policy_diff_since_revision(Root(str(root), trusts_owner=True), head)
    assert told(first) == {"git": ("added", "widened"), "model-gateway": ("added", "widened")}
    assert first.notes == (f"`{head}` has no commit yet: compared with no grants at all",)
    assert told(make_policy_diff_since_revision(Root(str(root), trusts_owner=True), head, "git")) == {
        "git": ("added", "widened")
    }
    commit(root)
    assert make_policy_diff_since_revision(Root(str(root), trusts_owner=True), head) == PolicyDiff((), 2, ())
    git(root, "checkout", "-q", "--orphan", "other")
    assert make_policy_diff_since_revision(Root(str(root), trusts_owner=True), head) == first


def test_an_unknown_revision_is_an_error_and_never_empty(root: Path) -> None:
    """Any other revision before the first commit, and a HEAD that is broken, are errors."""
    git(root, "init", "-q", "-b", "main")
    branch = root / ".git" / "refs" / "heads" / "main"
    for revision in ("main", "HEAD~1", "HEAD^", "head", "refs/heads/main"):
        with pytest.raises(CortexPolicyError, match="knows no revision"):
            make_policy_diff_since_revision(Root(str(root), trusts_owner=True), revision)
    for broken in ("x" * 40, "1" * 40, ""):
        branch.write_text(f"{broken}\n")
        with pytest.raises(CortexPolicyError) as caught:
            make_policy_diff_since_revision(Root(str(root), trusts_owner=True), "HEAD")
        assert caught.value.exit_code == 3


def test_the_first_commit_is_reported_as_such(root: Path) -> None:
    """As a note beside the lines, in JSON, and in the Markdown of a pull request."""
    git(root, "init", "-q")
    note = "`HEAD` has no commit yet: compared with no grants at all"
    plain = run("--against", "HEAD", "--fail-on", "widened")
    assert (plain.returncode, plain.stderr) == (1, f"note: {note}\n")
    shown = json.loads(run("--against", "HEAD", "--json").stdout)
    assert (shown["verdict"], shown["notes"]) == ("widened", [note])
    block = run("--against", "HEAD", "--markdown").stdout
    assert block.splitlines()[:4] == ["### Grants since `HEAD`: **widened**", "", f"`` {note} ``", ""]


def test_invalid_grants_allow_nothing_and_are_shown_as_such(committed: Root) -> None:
    """On either side; a link is never followed, in git neither."""
    root = Path(committed.path)
    write(root, "git", "{")
    write(root, "link", SMALL).unlink()
    (Path(committed.tools_path) / "link.json").symlink_to("model-gateway.json")
    write(root, "large", f'{{"x": "{"x" * (1 << 20)}"}}')
    now = make_policy_diff_since_revision(committed, "HEAD")
    assert told(now) == {"git": ("changed", "narrowed"), "large": ("added", "same"), "link": ("added", "same")}
    assert "expecting" in now.changes[0].new.problem
    assert "is a link" in now.changes[2].new.problem
    commit(root)
    for name in ("git", "link", "large"):
        file = Path(committed.tools_path) / f"{name}.json"
        file.unlink()
        write(root, name, SMALL)
    then = make_policy_diff_since_revision(committed, "HEAD")
    assert set(told(then).values()) == {("changed", "widened")}
    assert [change.old.problem.partition(":")[0] for change in then.changes] == [
        "line 1 column 2", "larger than 1048576 bytes", "it is a link, or not a regular file",
    ]  # fmt: skip


def test_unsafe_grants_are_compared_with_a_warning(committed: Root) -> None:
    """Some CI systems clone with umask 0."""
    file = write(Path(committed.path), "git", {**GIT, "actions": ["tree"]})
    file.chmod(0o666)
    (Path(committed.tools_path)).chmod(0o777)
    found = make_policy_diff_since_revision(committed, "HEAD")
    assert told(found) == {"git": ("changed", "narrowed")}
    more = "(and 1 more: `cortex-policy validate`), and `check` refuses that"
    assert found.warnings == (f"`{committed.tools_path}` is writable by everyone {more}",)
    assert compare_ids_or_files("git", "git", committed.path).warnings == found.warnings


def test_comparing_runs_nothing_of_the_repository(
    committed: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write to the repository runs nothing by being compared, and lies about no revision."""
    root = Path(committed.path)
    mark = tmp_path / "mark"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "diff.x.textconv", "filter.x.smudge", "core.sshCommand",
                "pager.cat-file", "pager.ls-tree", "core.gitProxy", "core.alternateRefsCommand", "core.editor"):  # fmt: skip
        git(root, "config", key, str(program))
    for key in ("alias.ls-tree", "alias.cat-file", "alias.rev-parse"):
        git(root, "config", key, f"!{program}")
    (root / ".gitattributes").write_text("* diff=x filter=x\n")
    hidden = git(
        root, "hash-object", "-w", "--no-filters", str(write(root, "git", {**GIT, "actions": ["tree", "push"]}))
    )
    git(root, "replace", git(root, "rev-parse", "HEAD:./.cortex/policy/tools/git.json"), hidden)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    for name, value in (("GIT_DIR", other / ".git"), ("GIT_INDEX_FILE", other / "x"), ("GIT_TRACE", mark),
                        ("GIT_EXTERNAL_DIFF", program), ("GIT_PAGER", program), ("GIT_CONFIG_PARAMETERS", "broken")):  # fmt: skip
        monkeypatch.setenv(name, str(value))
    assert told(make_policy_diff_since_revision(committed, "HEAD")) == {"git": ("changed", "both")}
    assert not mark.exists()


@pytest.mark.parametrize(
    ("revision", "code", "said"),
    [
        ("", 2, "cannot be a revision"), ("--output=x", 2, "cannot be a revision"), ("-", 2, "cannot be a revision"),
        ("nowhere", 3, "knows no revision"), ("^HEAD", 3, "knows no revision"), ("HEAD..HEAD", 3, "knows no revision"),
        ("HEAD:.cortex", 3, "knows no revision"), ("$(touch owned)", 3, "knows no revision"), ("HEAD\n", 3, "knows no revision"),
    ],
)  # fmt: skip
def test_a_word_that_is_not_a_revision_is_refused(committed: Root, revision: str, code: int, said: str) -> None:
    """It is never an option, and nothing is compared."""
    with pytest.raises(CortexPolicyError, match=said) as caught:
        make_policy_diff_since_revision(committed, revision)
    assert caught.value.exit_code == code
    assert caught.value.hint


def test_an_error_of_git_is_reported(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No repository, an object that is not there, no git: 3, never a comparison with nothing."""
    found = Root(str(root), trusts_owner=True)
    with pytest.raises(CortexPolicyError, match="not a git repository") as caught:
        make_policy_diff_since_revision(found, "HEAD")
    assert caught.value.exit_code == 3
    git(root, "init", "-q")
    commit(root)
    lost = git(root, "rev-parse", "HEAD:.cortex/policy/tools/git.json")
    (root / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(CortexPolicyError, match=r"no object|could not get") as caught:
        make_policy_diff_since_revision(found, "HEAD")
    assert caught.value.exit_code == 3
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CortexPolicyError, match="`git` cannot be run: no such file") as caught:
        make_policy_diff_since_revision(found, "HEAD")
    assert caught.value.exit_code == 3


def test_two_grants_are_named_by_id_or_file(root: Path, tmp_path: Path) -> None:
    """A `/` or `.json` makes it a file, which needs no root; what is not there is 20."""
    file = tmp_path / "new.json"
    file.write_text(json.dumps({**GIT, "fsScope": []}))
    found = compare_ids_or_files("git", str(file))
    assert told(found) == {str(file): ("changed", "widened")}
    assert told(compare_ids_or_files("model-gateway", "git"))["git"] == ("changed", "both")
    os.chdir(tmp_path)
    assert told(compare_ids_or_files("new.json", "./new.json")) == {"./new.json": ("unchanged", "same")}
    for words in (("gti", "git"), ("git", "nowhere.json"), ("git", f"{tmp_path}/"), ("git", "a b")):
        with pytest.raises(CortexPolicyError, match="grant not found") as caught:
            compare_ids_or_files(*words, root=str(root))
        assert caught.value.exit_code == 20


def test_a_grant_that_is_on_neither_side_is_not_found(committed: Root) -> None:
    """With the ids that are."""
    with pytest.raises(CortexPolicyError) as caught:
        make_policy_diff_since_revision(committed, "HEAD", "gti")
    assert (caught.value.exit_code, "did you mean `git`?" in caught.value.hint) == (20, True)


run = partial(result_of, "diff")


def test_diff_on_the_command_line_prints_lines_and_warnings(root: Path) -> None:
    """Plain lines in a pipe, `--fail-on widened` ends with 1 for widened and both alone, and warnings go to stderr."""
    git(root, "init", "-q")
    commit(root)
    same = run("--against", "HEAD", "--fail-on", "widened")
    assert (same.returncode, same.stdout, same.stderr) == (0, "all grants\toverall\tsame\t2 unchanged\n", "")
    write(root, "git", {**GIT, "actions": ["tree"]})
    narrowed = run("git", "--against", "HEAD", "--fail-on", "widened")
    assert narrowed.returncode == 0
    assert narrowed.stdout == "git\tactions\tnarrowed\tdrops snippet, search\ngit\toverall\tnarrowed\t\n"
    write(root, "git", {**GIT, "actions": ["tree", "push"], "fsScope": [*GIT["fsScope"], ".github"]})
    both = run("--against", "HEAD", "--fail-on", "widened")
    assert both.returncode == 1
    assert both.stdout.splitlines() == [
        "git\tactions\tboth\tadds push; drops snippet, search",
        "git\tfsScope\twidened\tadds .github",
        "git\toverall\tboth\t",
        "all grants\toverall\tboth\t1 changed, 1 unchanged",
    ]
    assert both.stderr.startswith("warning: git: scope `.github` covers `.github/workflows`: CI runs it")
    assert run("--against", "HEAD").returncode == 0
    shown = json.loads(run("--against", "HEAD", "--json").stdout)
    assert (shown["verdict"], shown["against"], shown["unchanged"], shown["warnings"]) == ("both", "HEAD", 1, [])
    (change,) = shown["changes"]
    assert change["fields"][1] == {
        "field": "actions",
        "verdict": "both",
        "sentence": "adds push; drops snippet, search",
    }
    assert (change["old"], change["escalations"][0]["path"]) == (
        {"state": "valid", "problem": None},
        ".github/workflows",
    )


@pytest.mark.parametrize(
    "words",
    [(), ("git",), ("git", "git", "--against", "HEAD"), ("./git.json", "--against", "HEAD"), ("git", "git", "--json", "--markdown"),
     ("git", "git", "--fail-on", "narrowed"), ("--against", "-x"), ("--against",)],
)  # fmt: skip
@pytest.mark.usefixtures("root")
def test_words_that_do_not_fit_are_usage_errors(words: tuple[str, ...]) -> None:
    """2, never 1: a script must be able to tell."""
    done = run(*words)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["hint"] if "--json" in words else not done.stdout
    assert "hint: " in done.stderr


def test_the_text_of_a_grant_is_escaped_in_a_diff(root: Path) -> None:
    """Neither in a terminal nor in the Markdown of a pull request."""
    git(root, "init", "-q")
    commit(root)
    hostile = ["\x1b[31m", "`|<img src=x>", "``` @all\n# head", "\u202e"]
    write(root, "git", {**GIT, "actions": [*GIT["actions"], *hostile], "tool": "x\n\n- y"})
    write(root, "broken", '{"`<b>`": 1, "`<b>`": 2}')
    plain = run("--against", "HEAD")
    assert not {"\x1b", "\u202e"} & set(plain.stdout)
    block = run("--against", "HEAD", "--markdown").stdout
    assert block.splitlines() == [
        "### Grants since `HEAD`: **widened**",
        "",
        "- `broken` added: same",
        "  - new **invalid**: ``` duplicate key ``<b>`` ```",
        "  - grant same: `allows nothing, as before`",
        "",
        "- `git` changed: **widened**",
        '  - tool **widened**: `git-map becomes "x\\n\\n- y", with a fresh budget`',
        '  - actions **widened**: ```` adds "\\u001b[31m", "`|<img src=x>", "``` @all\\n# head", "\\u202e" ````',
        "",
        "1 added, 1 changed, 1 unchanged",
    ]
