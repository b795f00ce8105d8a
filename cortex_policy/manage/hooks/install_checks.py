"""What must hold before a hook is installed, and what is left to do after that."""

import os
import subprocess

from cortex_policy.core import Value
from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import OTHER_VARIABLES, PREFIX, SHARED_VARIABLES
from cortex_policy.core.text import format_os_error_cause, join_words_that_fit
from cortex_policy.manage.hooks.guarded_paths import add_guarded_paths, preview_add_guarded_paths
from cortex_policy.manage.hooks.hook_entry import find_interpreter_and_script
from cortex_policy.manage.hooks.targets import (
    AGENT_FILES,
    MANAGED,
    PROJECT,
    USER,
    HookTarget,
    find_agent_directory_of_user,
)
from cortex_policy.state import (
    Root,
    find_home_directory_or_empty,
    find_system_and_user_settings_directories,
    may_hold_settings,
)
from cortex_policy.state.grants_errors import format_root_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_TRIAL_SECONDS = 15
_STEPS = {
    (
        "codex",
        "user",
    ): "trust the hook in `/hooks` of Codex, now and after each change; until then Codex silently skips it",
    ("copilot", "project"): "trust the folder when Copilot CLI asks: elsewhere it does not run the hook",
    ("gemini", "project"): "trust the folder when Gemini CLI asks: elsewhere it does not run the hook",
}
_CLAUDE_VERSION = "check the version of Claude Code: before 2.1.295 it runs the call if the hook fails"


class Step(Value):
    """What is left to do by a person, and the command for it, '' if there is none."""

    sentence: str
    command: str = ""


def check_no_settings_in_environment(environment: "Mapping[str, str]") -> None:
    """Raise NotDoneError if a variable gives a setting, or names a settings file, that the hook will not see."""
    names = [name for name in environment if name.startswith(PREFIX) and name not in OTHER_VARIABLES]
    names += [name for name in SHARED_VARIABLES if name in environment]
    if names:
        words = join_words_that_fit(tuple(f"`{name}`" for name in sorted(names)))
        raise NotDoneError(
            f"the hook ignores settings in the environment: {words}",
            "unset these variables; `cortex-policy config set` writes settings that the hook sees",
        )
    directory, usual = (
        find_system_and_user_settings_directories()[1],
        f"{find_home_directory_or_empty()}/.config/cortex-policy",
    )
    if environment.get("XDG_CONFIG_HOME", "").startswith("/") and directory != usual:
        for one in filter(may_hold_settings, (directory, usual)):
            message = f"the hook ignores `XDG_CONFIG_HOME`, and there are settings in `{one}`"
            raise NotDoneError(message, "unset XDG_CONFIG_HOME")


def check_program_starts() -> None:
    """Raise NotDoneError unless the program starts as a hook does: isolated, and without any variable."""
    python, script = find_interpreter_and_script()
    try:
        done = subprocess.run(
            ["/usr/bin/env", "-i", python, "-I", script, "--version"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=_TRIAL_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        why = format_os_error_cause(error)
    else:
        if done.returncode == 0:
            return
        lines = done.stdout.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        why = lines[-1]
    raise NotDoneError(
        f"`{python} -I {script}` does not run: {why}", "install cortex-policy in an environment of its own"
    )


def find_paths_not_guarded_by_default(
    target: HookTarget, path: str, environment: "Mapping[str, str]"
) -> tuple[str, ...]:
    """Return what `guard` of hooks.toml needs for a settings file, whose real path is given.

    It needs the file and its directory, unless they are where agents have them by default: the hook guards those names
    anyway. Of a file behind a link it needs the path.
    """
    variable = AGENT_FILES[target.agent].variable
    paths = [path] if path != target.file else []
    if target.level == MANAGED:
        paths += [target.file, os.path.dirname(target.file)]
    elif target.level == USER and environment.get(variable, ""):
        paths += [target.file, find_agent_directory_of_user(target.agent, environment)]
    return tuple(dict.fromkeys(paths))


def check_paths_can_be_guarded(root: Root, paths: tuple[str, ...]) -> None:
    """Raise what `guard_paths_if_rules_exist` would raise, and write nothing."""
    if paths and _has_hooks_file(root):
        preview_add_guarded_paths(root, paths)


def guard_paths_if_rules_exist(root: Root, paths: tuple[str, ...]) -> None:
    """Add paths to `guard` of the hooks.toml of a root; without that file every call is denied anyway."""
    if paths and _has_hooks_file(root):
        add_guarded_paths(root, paths)


def _has_hooks_file(root: Root) -> bool:
    """Whether a root has a hooks.toml."""
    return os.path.lexists(f"{root.policy_path}/{HOOKS_TOML}")


def list_steps_left_to_do(target: HookTarget, root: Root, paths: tuple[str, ...]) -> list[Step]:
    """Return what a person has to do until the agent's calls are checked; `paths` are to be guarded."""
    steps = []
    if not _has_hooks_file(root):
        command = f"cortex-policy hook init{format_root_option(root)}"
        steps.append(Step(f"every call is denied until there is a {HOOKS_TOML}", command))
    if not _has_hooks_file(root) and paths:
        files = join_words_that_fit(tuple(f"`{path}`" for path in paths))
        steps.append(Step(f"after that, run this command again, so that the hook guards {files}"))
    if (sentence := _STEPS.get((target.agent, target.level))) is not None:
        steps.append(Step(sentence))
    if target.agent == "claude":
        steps.append(Step(_CLAUDE_VERSION, "claude --version"))
    if target.level == PROJECT:
        steps.append(
            Step("on other machines, install this program at the same path: until then every call is denied there")
        )
    return steps
