"""`export` writes the grants of a root as a module that decides as `check` does."""

import json
from pathlib import Path

import pytest

from tests.support.command import run_command as run
from tests.support.roots import grant_file
from tests.support.wasm_policy import MODULE, WasmPolicy

TREE = '{"action": "tree"}'
MINUTE = 60_000_000_000


def test_the_module_has_the_grants_of_the_root(root: Path) -> None:
    """By their ids, and they decide."""
    done = json.loads(run("export", "--format", "wasm", "--out", "policy.wasm", "--json").stdout)
    assert done["grants"] == [file.stem for file in sorted((root / ".cortex/policy/tools").glob("*.json"))]
    policy = WasmPolicy((root / "policy.wasm").read_bytes())
    assert policy.decide(policy.find("git"), TREE, MINUTE)["allowed"]
    assert policy.decide(policy.find("git"), '{"action": "push"}', MINUTE)["reason"] == "action_not_allowed"
    assert policy.find("other") == -1


def test_the_message_is_that_of_a_check(root: Path) -> None:
    """For a path that lies in no scope."""
    run("export", "--format", "wasm", "--out", "policy.wasm")
    policy = WasmPolicy((root / "policy.wasm").read_bytes())
    spelled = {"normalized": "etc", "resolved_inside": "etc", "resolved": f"{root}/etc"}
    request = {"action": "tree", "args": {"path": "etc"}, "paths": [{"argument": "path", "given": "etc", **spelled}]}
    found = policy.decide(policy.find("git"), json.dumps(request), MINUTE)
    checked = json.loads(run("check", "git", "tree", "--path", "etc", "--json", code=12).stdout)
    assert (found["reason"], found["message"]) == (checked["reason"], checked["message"])


def test_settings_that_deny_are_in_the_module(root: Path) -> None:
    """A call without a path, under `require_path`."""
    run("config", "set", "require_path", "true", "--root", str(root))
    run("export", "--format", "wasm", "--out", "policy.wasm")
    policy = WasmPolicy((root / "policy.wasm").read_bytes())
    assert policy.decide(policy.find("git"), TREE, MINUTE)["reason"] == "path_outside_scope"


def test_an_empty_module_is_the_one_that_was_built(root: Path) -> None:
    """It needs no root."""
    run("export", "--format", "wasm", "--empty", "--out", "empty.wasm", cwd=root.parent)
    assert (root.parent / "empty.wasm").read_bytes() == MODULE.read_bytes()


def test_the_loader_is_that_of_the_module(root: Path) -> None:
    """It needs no root either; text may be printed."""
    loader = MODULE.with_name("policy.mjs").read_text()
    assert run("export", "--format", "loader", cwd=root.parent).stdout == loader
    assert "grant" not in run("export", "--format", "loader", "--out", "policy.mjs").stdout
    assert (root / "policy.mjs").read_text() == loader


def test_nothing_is_written_if_a_grant_is_invalid(root: Path) -> None:
    """Nor one that others can write."""
    grant_file(root, "git").write_text("{}")
    assert "`tool` is missing" in run("export", "--format", "wasm", "--out", "policy.wasm", code=21).stderr
    grant_file(root, "git").chmod(0o666)
    run("export", "--format", "wasm", "--out", "policy.wasm", code=22)
    assert not (root / "policy.wasm").exists()


def test_nothing_is_written_during_an_emergency_stop(root: Path) -> None:
    """The module would not know of it."""
    run("stop", "--reason", "drill")
    assert "there is an emergency stop" in run("export", "--format", "wasm", "--out", "policy.wasm", code=3).stderr
    assert not (root / "policy.wasm").exists()


def test_a_grant_that_differs_from_its_stamp_is_not_exported(root: Path) -> None:
    """If the settings require a stamp."""
    run("stamp", "write", "--allow-widening")
    run("config", "set", "stamp", "require", "--root", str(root))
    run("export", "--format", "wasm", "--out", "policy.wasm")
    file = grant_file(root, "git")
    file.write_text(file.read_text() + "\n")
    assert "stamp" in run("export", "--format", "wasm", "--out", "policy.wasm", code=23).stderr


@pytest.mark.parametrize("words", [("--json",), ("--format", "wat")])
def test_what_makes_no_sense_is_refused(words: tuple[str, ...]) -> None:
    """`--json` says what was written, so there must be a file."""
    assert run("export", "--format", "wasm", *words, code=2).stderr.startswith("cortex-policy")


def test_a_directory_that_is_missing_is_named(root: Path) -> None:
    """And nothing is left behind."""
    assert "cannot be written" in run("export", "--format", "wasm", "--out", "no/policy.wasm", code=3).stderr
    assert not (root / "no").exists()
