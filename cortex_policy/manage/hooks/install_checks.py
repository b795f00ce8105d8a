"""What must hold before a hook is installed, and what is left to do after that."""

import os
import subprocess

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import OTHER_VARIABLES, PREFIX, SHARED_VARIABLES
from cortex_policy.core.text import join_words, os_error_text
from cortex_policy.manage.hooks.entry import installed_program
from cortex_policy.manage.hooks.targets import AGENT_FILES, MANAGED, PROJECT, HookTarget
from cortex_policy.state import Root, home_directory, may_hold_settings, settings_directories
from cortex_policy.state.grants_errors import root_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HOOKS = "hooks.toml"
_TRIAL_SECONDS = 15
_STEPS = {
    (
        "codex",
        "user",
    ): "Codex skips it without a word until you trust it in `/hooks`, and again after each change of it",
    ("copilot", "project"): "Copilot CLI runs it only in a folder that you trust: answer yes when it asks",
    ("gemini", "project"): "Gemini CLI runs it only in a folder that you trust: answer yes when it asks",
}
_CLAUDE_VERSION = "Claude Code before 2.1.295 does not know `onFailure`: a hook that fails would let the call run"


class Step(Value):
    """What is left to do by a person, and the command for it, '' if there is none."""

    sentence: str
    command: str = ""


def check_environment(environment: "Mapping[str, str]") -> None:
    """Raise NotDoneError if a variable gives a setting, or names a settings file, that the hook will not see."""
    names = [name for name in environment if name.startswith(PREFIX) and name not in OTHER_VARIABLES]
    names += [name for name in SHARED_VARIABLES if name in environment]
    if names:
        words = join_words(tuple(f"`{name}`" for name in sorted(names)))
        raise NotDoneError(
            f"the hook does not see what the environment sets: {words}",
            "unset them; `cortex-policy config set` writes settings that the hook sees",
        )
    directory, usual = settings_directories()[1], f"{home_directory()}/.config/cortex-policy"
    if environment.get("XDG_CONFIG_HOME", "").startswith("/") and directory != usual:
        for one in filter(may_hold_settings, (directory, usual)):
            message = f"the hook does not see `XDG_CONFIG_HOME`, and there are settings in `{one}`"
            raise NotDoneError(message, "unset XDG_CONFIG_HOME")


def check_program() -> None:
    """Raise NotDoneError unless the program starts as a hook does: isolated, and without any variable."""
    python, script = installed_program()
    try:
        done = subprocess.run(
            ["/usr/bin/env", "-i", python, "-I", script, "--version"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=_TRIAL_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        why = os_error_text(error)
    else:
        if done.returncode == 0:
            return
        lines = done.stdout.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        why = lines[-1]
    raise NotDoneError(
        f"`{python} -I {script}` does not run: {why}", "install cortex-policy in an environment of its own"
    )


def guarded_additions(target: HookTarget, path: str, environment: "Mapping[str, str]") -> tuple[str, ...]:
    """Return what `guard` of hooks.toml needs for a settings file, whose real path is given: file and directory.

    Nothing where agents have their settings by default: the hook guards those names anyway.
    """
    variable = AGENT_FILES[target.agent].variable
    is_moved = target.level == MANAGED or (target.level != PROJECT and bool(environment.get(variable, "")))
    if not is_moved and path == target.file:
        return ()
    paths = (target.file, path) if path == target.file else (target.file, path, os.path.dirname(path))
    return tuple(dict.fromkeys((*paths, os.path.dirname(target.file)) if is_moved else paths))


def remaining_steps(target: HookTarget, root: Root) -> list[Step]:
    """Return what a person has to do until the agent's calls are checked."""
    steps = []
    if not os.path.exists(f"{root.policy}/{HOOKS}"):
        steps.append(
            Step(f"every call is denied until there is a {HOOKS}", f"cortex-policy hook init{root_option(root)}")
        )
    if (sentence := _STEPS.get((target.agent, target.level))) is not None:
        steps.append(Step(sentence))
    if target.agent == "claude":
        steps.append(Step(_CLAUDE_VERSION, "claude --version"))
    if target.level == PROJECT:
        steps.append(
            Step("the line names the Python of this machine: elsewhere every call is denied until it is installed")
        )
    return steps
