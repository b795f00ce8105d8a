"""What a check loads is held to a list: nothing heavy creeps in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hooks import assert_allowed, assert_denied, make_scene
from tests.support.redis_servers import SECRET, running_server

OURS = {
    "cortex_policy", "cortex_policy.check", "cortex_policy.core", "cortex_policy.core.arguments",
    "cortex_policy.core.decode", "cortex_policy.core.engine", "cortex_policy.core.model", "cortex_policy.core.path_arguments", "cortex_policy.main",
    "cortex_policy.state", "cortex_policy.state.enforcement", "cortex_policy.state.grants",
    "cortex_policy.state.ledger", "cortex_policy.state.paths", "cortex_policy.state.ledger_ring",
}  # fmt: skip
HOOK = (OURS - {"cortex_policy.check"}) | {
    "cortex_policy.core.hooks", "cortex_policy.core.hooks.denial_outputs", "cortex_policy.core.hooks.guarded_files",
    "cortex_policy.core.hooks.tool_inputs", "cortex_policy.core.hooks.payload", "cortex_policy.core.hooks.ruling",
    "cortex_policy.core.hooks.hook_rules", "cortex_policy.hook", "cortex_policy.hook_decision",
    "cortex_policy.state.calls_seen_by_several_hooks", "cortex_policy.state.hooks_file",
}  # fmt: skip
HASH = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
PROGRAM = """
import os, sys
before = set(sys.modules)
from cortex_policy import main
leave = os._exit
def tell(code):
    print(code, *sorted(set(sys.modules) - before), flush=True)
    leave(code)
os._exit = tell
sys.argv = ["cortex-policy", "check", "git", "tree", "--path", "docs/x"]
main.main()
"""

# tells for which of our modules Python was asked
WATCH = """
class Watch:
    asked = []
    def find_spec(name, path=None, target=None):
        if name.startswith("cortex_policy"):
            Watch.asked.append(name)
sys.meta_path.insert(0, Watch)
"""


def loaded(program: str) -> list[str]:
    """Run a program and return the words it printed."""
    return subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False
    ).stdout.split()


@pytest.mark.usefixtures("root")
def test_a_check_loads_exactly_this() -> None:
    """An allowed, scoped, counted call, once its ledger file is there."""
    loaded(PROGRAM)
    code, *modules = loaded(PROGRAM)
    assert code == "0"
    assert set(modules) == OURS | {"_json", "fcntl", "gc", HASH}


@pytest.mark.usefixtures("root")
def test_a_run_loads_two_modules_more() -> None:
    """Until it executes the command."""
    program = PROGRAM.replace('"check"', '"run"').replace('"docs/x"', '"docs/x", "--", "true", "{}"')
    program = program.replace("os._exit = tell", "os.execv = lambda *words: tell(0)")
    loaded(program)
    code, *modules = loaded(program)
    assert code == "0"
    assert set(modules) == OURS | {"cortex_policy.run", "cortex_policy.program_exec", "_json", "fcntl", "gc", HASH}


@pytest.mark.parametrize("words", ['"check"', '"run"'])
@pytest.mark.parametrize("is_audited", [False, True])
def test_python_is_asked_for_no_module_of_a_check(
    root: Path, monkeypatch: pytest.MonkeyPatch, words: str, is_audited: bool
) -> None:
    """The lists of what is loaded from kept bytecode are whole, and each module comes after those that it needs."""
    if is_audited:
        monkeypatch.setenv("CORTEX_AUDIT_LOG", f"{root}/../log")
    program = PROGRAM.replace("leave = ", WATCH + "leave = ").replace("set(sys.modules) - before", "Watch.asked")
    if words == '"run"':
        program = program.replace('"check"', '"run"').replace('"docs/x"', '"docs/x", "--", "true"')
        program = program.replace("os._exit = tell", "os.execv = lambda *words: tell(0)")
    loaded(program)
    assert loaded(program) == ["0"]


def test_a_hook_loads_exactly_this(root: Path, tmp_path: Path) -> None:
    """An allowed call that is counted, once the rules have a copy: the child tells what it has loaded when it ends."""
    scene = make_scene(root, tmp_path)
    marker, asked = tmp_path / "modules", tmp_path / "asked"
    scene.before = f"""
import os, sys
parent, leave = os.getpid(), os._exit
def tell(code):
    if os.getpid() != parent:
        open({str(marker)!r}, "w").write(" ".join(sys.modules))
        open({str(asked)!r}, "w").write(" ".join(Watch.asked))
    leave(code)
os._exit = tell
import cortex_policy.main
{WATCH}
"""
    assert_allowed(scene.ask("claude"))
    assert_allowed(scene.ask("claude"))
    modules = set(marker.read_text().split())
    assert {name for name in modules if name.startswith("cortex_policy")} == HOOK
    assert asked.read_text() == ""
    assert {"_json", "fcntl", "gc", HASH} <= modules
    assert (
        not {"dataclasses", "enum", "hashlib", "json", "pathlib", "re", "select", "signal", "tomllib", "typing"}
        & modules
    )
    scene.write_grant(actions=["read"])
    assert_denied(scene.ask("claude"), "claude")
    assert_denied(scene.ask("claude"), "claude")
    assert asked.read_text() == ""


def test_a_check_with_settings_loads_one_module_more(root: Path, tmp_path: Path) -> None:
    """What the files say was kept by an earlier one, which read plain lines without `tomllib` and its 10 ms."""
    directory = tmp_path / "config" / "cortex-policy"
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text('sensitive = "ask"\n\n[history]\nkeep = 30  # enough\n')
    (root / ".cortex" / "policy" / "config.toml").write_text('[validate]\nignore = [\n  "key",\n]\n')
    loaded(PROGRAM)
    (root / ".cortex" / "policy" / "config.toml").chmod(0o600)
    code, *modules = loaded(PROGRAM)
    assert code == "0"
    read = {"cortex_policy.core.settings", "cortex_policy.core.toml", "cortex_policy.state.settings"}
    copied = OURS | {"_json", "fcntl", "gc", HASH, "cortex_policy.state.settings_cache"}
    assert set(modules) >= copied | read
    assert "tomllib" not in modules
    loaded(PROGRAM)
    code, *modules = loaded(PROGRAM)
    assert code == "0"
    assert set(modules) == copied


def test_a_check_with_a_pattern_loads_its_engine_and_nothing_of_python(root: Path) -> None:
    """No `re`, which takes longer than the rest of a check."""
    grant = root / ".cortex/policy/tools/git.json"
    grant.write_text(json.dumps(json.loads(grant.read_text()) | {"args": {"path": {"pattern": "^docs/"}}}))
    loaded(PROGRAM)
    code, *modules = loaded(PROGRAM)
    assert code == "0"
    engine = ("regex", "regex_automaton", "regex_character_reader", "regex_nodes", "regex_parser")
    assert set(modules) == OURS | {"_json", "fcntl", "gc", HASH} | {
        f"cortex_policy.core.ecma_{name}" for name in engine
    }


@pytest.mark.usefixtures("root")
def test_a_check_with_an_audit_log_loads_six_modules_more_than_one_with_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Allowed or denied, and nothing of Python that a check does not load."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    loaded(PROGRAM)
    more = {"cortex_policy.core.audit_chain", "cortex_policy.core.audit_event", "cortex_policy.core.json_text"}
    more |= {"cortex_policy.state.audit_log", "cortex_policy.state.audit_file", "cortex_policy.state.audit_record"}
    more |= {"cortex_policy.state.settings_cache"}
    for action, expected in (("tree", "0"), ("push", "10")):
        code, *modules = loaded(
            PROGRAM.replace("docs/x", "docs/x', '-q").replace('"tree"', f'"{action}"').replace("'", '"')
        )
        assert code == expected
        assert set(modules) == OURS | more | {"_json", "fcntl", "gc", HASH}
    assert len((tmp_path / "log").read_bytes().splitlines()) == 3


def test_a_setting_to_ask_costs_nothing_until_a_call_for_sensitive_data_comes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is four modules, and what reads and writes JSON for the audit log as well."""
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    loaded(PROGRAM)
    code, *modules = loaded(PROGRAM)
    assert code == "0"
    assert set(modules) == OURS | {"_json", "fcntl", "gc", HASH, "cortex_policy.state.settings_cache"}
    grant = root / ".cortex/policy/tools/git.json"
    grant.write_text(grant.read_text().replace('"internal"', '"sensitive"'))
    program = PROGRAM.replace('"docs/x"]', '"docs/x", "-q"]')
    loaded(program)
    code, *modules = loaded(program)
    assert code == "13"
    more = {
        "core.approvals",
        "core.audit_event",
        "core.json_text",
        "state.approval_check",
        "state.approval_store",
        "state.atomic_write",
        "state.settings_cache",
    }
    ours = {name for name in modules if name.startswith("cortex_policy")}
    assert ours == OURS | {f"cortex_policy.{name}" for name in more}


def test_a_required_stamp_costs_one_module(root: Path, tmp_path: Path) -> None:
    """And no `json`, which loads `re` and `enum`."""
    assert tmp_path.is_dir()
    (root / ".cortex" / "policy" / "config.toml").write_text('stamp = "require"\n')
    loaded(PROGRAM.replace('"check", "git", "tree", "--path", "docs/x"', '"stamp", "write", "--allow-widening"'))
    loaded(PROGRAM)
    code, *modules = loaded(PROGRAM)
    assert code == "0"
    assert "cortex_policy.state.stamp" in modules
    assert not {"json", "re", "enum", "tomllib"} & set(modules)


def test_a_check_that_asks_a_server_loads_our_modules_and_a_socket(root: Path, tmp_path: Path) -> None:
    """Neither redis-py nor Python's `socket`, which take longer than ten checks."""
    assert root.is_dir()
    key = tmp_path / "key"
    key.write_bytes(SECRET)
    key.chmod(0o600)
    directory = tmp_path / "config" / "cortex-policy"
    directory.mkdir(parents=True)
    with running_server() as server:
        text = f'[budgets]\nurl = "{server.url}"\nname = "x"\nkey_file = "{key}"\ntimeout_ms = 5000\n'
        (directory / "config.toml").write_text(text)
        loaded(PROGRAM.replace('"check", "git", "tree", "--path", "docs/x"', '"rate", "reset", "git", "--yes"'))
        loaded(PROGRAM)
        code, *modules = loaded(PROGRAM)
    more = {"connection", "keys", "one_shot_budgets", "protocol", "plausible_server_time", "primary_connection"}
    ours = {f"cortex_policy.state.shared_budgets.{name}" for name in more} | {
        "cortex_policy.core.budget_server", "cortex_policy.state.server_budgets_from_settings", "cortex_policy.state.settings_cache",
        "cortex_policy.state.shared_budgets",
    }  # fmt: skip
    assert code == "0"
    assert set(modules) == OURS | ours | {"_json", "_socket", "errno", "fcntl", "gc", HASH}


def test_no_command_loads_pydantic_before_a_document_fails() -> None:
    """It takes longer than most commands."""
    modules = loaded(
        "import sys, cortex_policy.cli.app as a, cortex_policy.cli.commands.validate_run; a.build_app(); print(*sys.modules)"
    )
    assert "cortex_policy.schema.rule_catalog" in modules
    assert "pydantic" not in modules


def test_validate_starts_without_typer_and_rich(root: Path) -> None:
    """They take longer than the work on one file."""
    modules = loaded(PROGRAM.replace('"check", "git", "tree", "--path", "docs/x"', f'"validate", "--root", "{root}"'))
    assert modules[modules.index("0") :][:1] == ["0"]
    assert "cortex_policy.schema.rule_catalog" in modules
    assert not {"typer", "rich", "pydantic", "filelock"} & set(modules)


def test_importing_the_package_loads_nothing_else() -> None:
    """Each public name is resolved on its first use."""
    program = "import sys; before = set(sys.modules); import cortex_policy; print(*(set(sys.modules) - before))"
    assert loaded(program) == ["cortex_policy"]


def test_public_names_resolve() -> None:
    """All that is promised is there, and nothing else."""
    import cortex_policy  # noqa: PLC0415 - after the test above

    assert all(getattr(cortex_policy, name) for name in cortex_policy.__all__)
    with pytest.raises(AttributeError, match="no attribute `nothing`"):
        _ = cortex_policy.nothing
