"""Help and man pages list every exit code that a command answers, whatever is wrong around it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from cortex_policy.cli.exit_codes import DECIDING, list_exit_codes
from cortex_policy.core.model import REASONS
from tests.support.command import result_of, run_command

LINES = [
    "check git tree", "run git push -- true", "run git tree -- ./missing", "explain git tree", "list", "status", "doctor", "show git", "show git --at 1", "diff git model-gateway",
    "diff git --against HEAD", "edit git", "init", "new x --tool x --allow a --rate 3", "set git --rate 31 --allow-widening",
    "remove git --yes", "rename git other", "copy git other", "fmt", "fmt --check", "log", "undo", "validate", "rule",
    "test", "test --init git", "replay", "suggest", "stop", "resume", "approvals", "approve 1f0c9a7e", "deny 1f0c9a7e",
    "schema", "export --format wasm --out exported.wasm", "completions bash", "stamp show", "stamp verify", "stamp write --allow-widening", "stamp wait --timeout 0", "config list",
    "config get sensitive", "config path", "config set sensitive ask", "config unset sensitive", "rate show",
    "rate reset git --yes", "rate purge --yes", "audit show", "audit tail", "audit stats", "audit verify",
]  # fmt: skip
POLICY = Path(".cortex/policy")


def _settings() -> None:
    (POLICY / "config.toml").write_text("bogus = 1\n")


def _variable() -> None:
    os.environ["CORTEX_POLICY_BOGUS"] = "1"


def _state() -> None:
    Path(os.environ["CORTEX_POLICY_STATE_DIR"]).chmod(0o777)


def _log() -> None:
    os.environ["CORTEX_AUDIT_LOG"] = str(Path.cwd())


def _text() -> None:
    (POLICY / "tools/git.json").write_text("{")


def _modes() -> None:
    (POLICY / "tools").chmod(0o777)


def _grant() -> None:
    (POLICY / "tools/git.json").unlink()


def _stamp() -> None:
    run_command("stamp", "write", "--allow-widening")
    grant = json.loads((POLICY / "tools/git.json").read_text())
    (POLICY / "tools/git.json").write_text(json.dumps({**grant, "rate": {"perMinute": 29}}))
    os.environ["CORTEX_POLICY_STAMP"] = "require"


def _stop() -> None:
    (POLICY / "stop").touch()


def _root() -> None:
    os.environ["CORTEX_POLICY_ROOT"] = "/nowhere"


WRONG: list[Callable[[], None]] = [
    lambda: None, _settings, _variable, _state, _log, _text, _modes, _grant, _stamp, _stop, _root,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__.strip("_<>"))
@pytest.mark.parametrize("line", LINES)
@pytest.mark.usefixtures("root")
def test_a_code_that_is_answered_is_listed(line: str, wrong: Callable[[], None]) -> None:
    """The list may hold more than these situations show."""
    words = line.split()
    with patch.dict(os.environ):
        wrong()
        assert result_of(*words).returncode in {code for code, _ in list_exit_codes(words[0])}


@pytest.mark.parametrize("command", DECIDING)
def test_a_command_that_decides_lists_every_reason(command: str) -> None:
    """With 2, 70 and 130, and neither findings nor what is not done."""
    own = {126, 127} if command == "run" else set()
    assert {code for code, _ in list_exit_codes(command)} == {
        2,
        70,
        130,
        *own,
        *(reason.exit_code for reason in REASONS),
    }
    said = run_command(command, "--help").stdout
    assert "\n  23   grant differs from its stamp (stamp_mismatch)\n" in said
