"""What must hold before a hook is installed."""

from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks import install_checks
from cortex_policy.manage.hooks.install_checks import check_program_starts, find_paths_not_guarded_by_default
from cortex_policy.manage.hooks.targets import MANAGED, PROJECT, USER, HookTarget
from tests.support.agent_settings import settings_of
from tests.support.command import result_of


def test_a_program_that_needs_a_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook has none: each call would be denied."""
    script = tmp_path / "cortex-policy"
    script.write_text("import os, sys\nsys.exit(0 if os.environ.get('PYTHONPATH') else 'no module named x')\n")
    monkeypatch.setenv("PYTHONPATH", "/x")
    monkeypatch.setattr(install_checks, "find_interpreter_and_script", lambda: ("/usr/bin/env", str(script)))
    with pytest.raises(NotDoneError, match="does not run"):
        check_program_starts()


def test_the_installed_program_runs_as_a_hook_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the caller's environment is."""
    monkeypatch.setenv("PYTHONPATH", "/no/such")
    check_program_starts()


@pytest.mark.usefixtures("agents_home")
def test_a_program_that_does_not_start_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the agent stay as they are."""
    monkeypatch.setattr(install_checks, "find_interpreter_and_script", lambda: ("/usr/bin/env", "/no/such/program"))
    result = result_of("hook", "install", "codex", "--yes")
    assert result.returncode == 3
    assert "does not run" in result.stderr
    assert not settings_of("codex").exists()


@pytest.mark.parametrize(
    ("target", "path", "variables", "expected"),
    [
        (HookTarget("claude", USER, "/h/.claude/settings.json"), "/h/.claude/settings.json", {}, ()),
        (HookTarget("claude", PROJECT, "/r/.claude/settings.json"), "/r/.claude/settings.json", {"CLAUDE_CONFIG_DIR": "/c"}, ()),
        (HookTarget("claude", USER, "/h/.claude/settings.json"), "/h/dot/c.json", {}, ("/h/dot/c.json",)),
        (HookTarget("claude", USER, "/c/settings.json"), "/c/settings.json", {"CLAUDE_CONFIG_DIR": "/c"}, ("/c/settings.json", "/c")),
        (
            HookTarget("copilot", USER, "/c/hooks/cortex-policy.json"), "/c/hooks/cortex-policy.json", {"COPILOT_HOME": "/c"},
            ("/c/hooks/cortex-policy.json", "/c"),
        ),
        (HookTarget("cursor", MANAGED, "/etc/cursor/hooks.json"), "/etc/cursor/hooks.json", {}, ("/etc/cursor/hooks.json", "/etc/cursor")),
    ],
)  # fmt: skip
def test_paths_that_are_not_guarded_by_name_are_added(
    target: HookTarget, path: str, variables: dict[str, str], expected: tuple[str, ...]
) -> None:
    """The file and the directory that was moved; of a link the file behind it."""
    assert find_paths_not_guarded_by_default(target, path, variables) == expected
