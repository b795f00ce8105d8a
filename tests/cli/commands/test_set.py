"""`set` declares arguments, and drops them."""

import json
from pathlib import Path

import pytest

from tests.support.command import run_command as run
from tests.support.roots import grant_file


def declared(root: Path, name: str) -> object:
    """Return the declaration in the file of the grant, None if there is none."""
    return json.loads(grant_file(root).read_text())["args"].get(name)


def test_an_argument_is_declared_by_its_type_and_keywords(root: Path) -> None:
    """It says what that means, asks like every change that allows more, and the next check knows it."""
    words = ("set", "git", "--arg", "lines=integer,minimum=1,maximum=80")
    before = grant_file(root).read_bytes()
    refused = run(*words, code=3)
    assert "git\targs\twidened\tlines is declared as" in refused.stdout
    assert "`undeclared_args` allows it now" in refused.stdout
    assert "--allow-widening" in refused.stderr
    assert grant_file(root).read_bytes() == before
    run(*words, "--allow-widening")
    assert declared(root, "lines") == {"type": "integer", "minimum": 1, "maximum": 80}
    assert "`lines` must meet `maximum` 80" in run("check", "git", "tree", "--arg", "lines=81", code=11).stderr
    assert run(*words).stdout == "nothing to do: `git` has these values already\n"


def test_a_narrower_declaration_is_saved_without_a_question(root: Path) -> None:
    """Dropping it widens again; what was added and dropped leaves the same bytes."""
    before = grant_file(root).read_bytes()
    run("set", "git", "--arg", "lines=integer,maximum=80", "--allow-widening")
    assert (
        "narrowed\tlines has `maximum` 9 instead of 80" in run("set", "git", "--arg", "lines=integer,maximum=9").stdout
    )
    assert "widened\tlines is no longer declared" in run("set", "git", "--drop-arg", "lines", code=3).stdout
    run("set", "git", "--drop-arg", "lines", "--arg", "note=string", "--allow-widening")
    assert (declared(root, "lines"), declared(root, "note")) == (None, {"type": "string"})
    run("set", "git", "--drop-arg", "note", "--allow-widening")
    assert grant_file(root).read_bytes() == before


def test_a_pattern_may_hold_a_comma(root: Path) -> None:
    r"""Written as `\,`, or in JSON."""
    run("set", "git", "--arg", r"ref=string,pattern=^[a-z]{1\,3}$", "--allow-widening")
    assert declared(root, "ref") == {"type": "string", "pattern": "^[a-z]{1,3}$"}
    words = ("set", "git", "--arg", 'ref={"type": "string", "pattern": "^[a-z]{1,3}$"}')
    assert run(*words).stdout == "nothing to do: `git` has these values already\n"


@pytest.mark.usefixtures("root")
def test_an_argument_becomes_a_path() -> None:
    """One that no name tells, so that its scope holds for it."""
    run("check", "git", "tree", "--arg", "target=/etc/passwd")
    run("set", "git", "--arg", "target=string,format=path", "--allow-widening")
    run("check", "git", "tree", "--arg", "target=/etc/passwd", code=12)
    run("check", "git", "tree", "--arg", "target=docs")


@pytest.mark.parametrize(("words", "said"), [
    (("--arg", "lines=intger"), "did you mean `integer`?"),
    (("--arg", "lines=integer,minimun=1"), "did you mean `minimum`?"),
    (("--arg", "ref=string,pattern=a{1,3}"), r"a comma inside of a value is `\,`"),
    (("--drop-arg", "lines"), "`lines` is not declared, so it cannot be removed"),
    (("--arg", "x=string", "--drop-arg", "x"), "the argument `x` is given twice"),
])  # fmt: skip
def test_a_wrong_declaration_changes_nothing(root: Path, words: tuple[str, ...], said: str) -> None:
    """With a dry run or without."""
    before = grant_file(root).read_bytes()
    for more in ((), ("--dry-run",)):
        assert said in run("set", "git", *words, *more, code=2).stderr
    assert grant_file(root).read_bytes() == before


def test_a_first_scope_narrows_unless_undeclared_arguments_are_denied(root: Path) -> None:
    """Then it makes undeclared paths pass, so it asks; the same holds for a diff, for `--fix`, and in the log."""
    words = ("set", "model-gateway", "--add-scope", "docs")
    assert "narrowed\tany path becomes docs\n" in run(*words).stdout
    run("undo", "--allow-widening")
    run("config", "set", "undeclared_args", "deny", "--project")
    run("check", "model-gateway", "chat", "--arg", "log_file=docs/x", code=11)
    assert (
        "both\tany path becomes docs; `undeclared_args` allows undeclared paths there now" in run(*words, code=3).stdout
    )
    run(*words, "--allow-widening")
    run("check", "model-gateway", "chat", "--arg", "log_file=docs/x")
    assert json.loads(run("log", "model-gateway", "--json").stdout)["entries"][0]["verdict"] == "both"
    misspelled = grant_file(root, "model-gateway").read_text().replace("fsScope", "fsscope")
    grant_file(root, "other").write_text(misspelled)
    assert "repairs" not in run("validate", "--select", "key-unknown").stdout
    run("config", "set", "undeclared_args", "allow", "--project", "--allow-widening")
    assert "repairs" in run("validate", "--select", "key-unknown").stdout
