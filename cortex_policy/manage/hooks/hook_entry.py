"""What is written into an agent's settings: the command of its hook, with a time limit and the fail-closed switch."""

import os
import sys
import sysconfig

from cortex_policy.core import Value
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.operator_commands import quote_for_shell
from cortex_policy.manage.hooks.disabling_settings import HOOK_NAME
from cortex_policy.manage.hooks.targets import AGENT_FILES, MANAGED, PROJECT, HookTarget
from cortex_policy.manage.hooks.watchdog import make_watchdog_prefix_words, wrap_in_watchdog
from cortex_policy.state import compute_sha256_hex, find_home_directory_or_empty

DEADLINE_SECONDS = 8
TIMEOUT_SECONDS = 20  # of the agent; the wrapper's watchdog is between the two
PROJECT_VARIABLE = "CLAUDE_PROJECT_DIR"  # set by the agent for its hooks, out of reach of the model
PROJECT_AGENTS = ("claude", "gemini", "cursor", "copilot")  # those that set it
_EVENTS = {"gemini": "BeforeTool", "cursor": "preToolUse", "copilot": "preToolUse"}
_VERSIONED = ("cursor", "copilot")
_UNSAFE = "$`\\"  # some shell, or an agent, replaces them even in quotes


class HookEntry(Value):
    """An entry for the list of an event, with the members that its document must have besides `hooks`."""

    event: str
    value: "dict[str, object]"
    others: "dict[str, object]"

    @property
    def handler(self) -> "dict[str, object]":
        """The part that runs the command."""
        handlers = self.value.get("hooks")
        return handlers[0] if isinstance(handlers, list) else self.value


def make_hook_entry_for_target(target: HookTarget, root: str) -> HookEntry:
    """Return the entry for a settings file; raise NotDoneError if its level cannot have one that is safe."""
    agent = target.agent
    words = make_hook_command_words(target, root)
    handler = _make_handler(agent, words, is_shell=target.level == PROJECT)
    value: dict[str, object] = {"matcher": ".*" if agent == "gemini" else "*", "hooks": [handler]}
    is_flat = agent in ("cursor", "copilot", "vscode")
    return HookEntry(
        _EVENTS.get(agent, "PreToolUse"), handler if is_flat else value, make_required_settings_members(target)
    )


def make_required_settings_members(target: HookTarget) -> "dict[str, object]":
    """Return the members besides `hooks` that a settings file must have, or the hook would not run.

    A project cannot switch hooks off where Gemini's managed settings switch them on.
    """
    if target.agent in _VERSIONED:
        return {"version": 1}
    return {"hooksConfig": {"enabled": True}} if (target.agent, target.level) == ("gemini", MANAGED) else {}


def make_hook_command_words(target: HookTarget, root: str) -> tuple[str, ...]:
    """Return the command of a hook: absolute paths, no variable but HOME, and a tag that no other line has.

    Managed settings are for all users, so HOME is left out: each has its own from the system. The root of a project is
    the variable that its agent sets; only a shell replaces it.
    """
    if target.level == PROJECT and target.agent not in PROJECT_AGENTS:
        raise NotDoneError(
            f"{AGENT_FILES[target.agent].title} does not tell a hook in which project it runs", "use `--user`"
        )
    python, script = find_interpreter_and_script()
    home = () if target.level == MANAGED else (f"HOME={_require_home()}",)
    words = ("/usr/bin/env", "-i", *home, python, "-I", script, "hook", target.agent)
    where = f"${PROJECT_VARIABLE}" if target.level == PROJECT else root
    for word in (*words, root):
        if not word.isprintable() or set(_UNSAFE) & set(word):
            raise NotDoneError(f"`{word}` has characters that a shell may expand", "use a path without them")
    return (*words, "--root", where, "--deadline", str(DEADLINE_SECONDS), "--install", make_hook_tag_for_target(target))


def make_hook_tag_for_target(target: HookTarget) -> str:
    """Return the tag of the line in a settings file: the same again for the same file."""
    return f"{target.agent}-{target.level}-{compute_sha256_hex(os.fsencode(target.file))[:8]}"


def find_interpreter_and_script() -> tuple[str, str]:
    """Return the interpreter and the script of this installation; raise NotDoneError if it has no script."""
    script = os.path.join(sysconfig.get_path("scripts"), "cortex-policy")
    if not os.path.isabs(sys.executable) or not os.path.exists(script):
        raise NotDoneError(
            f"`{script}` does not exist", "install cortex-policy with pip, and run the installed program"
        )
    return sys.executable, script


def find_script_directory() -> str:
    """Return the directory that Codex is told for managed hooks: that of the script."""
    return os.path.dirname(find_interpreter_and_script()[1])


def to_shell_command(words: "tuple[str, ...]") -> str:
    """Return words as a command line for any shell; the variable of the project stays one."""
    variable = f"${PROJECT_VARIABLE}"
    return " ".join(f'"{word}"' if word == variable else quote_for_shell(word) for word in words)


def _make_handler(agent: str, words: "tuple[str, ...]", *, is_shell: bool) -> "dict[str, object]":
    """Return the handler of an agent: one simple command where its switch fails closed, else with the wrapper."""
    line = to_shell_command(words)
    if agent == "claude":
        # INVARIANT: no `args`: Cursor runs the hooks of Claude's settings without them, and `/usr/bin/env` alone would
        # print every variable
        return {"type": "command", "command": line, "timeout": TIMEOUT_SECONDS, "onFailure": "block"}
    if agent == "cursor":
        return {"command": line, "timeout": TIMEOUT_SECONDS, "failClosed": True}
    wrapped = wrap_in_watchdog(line)
    if agent == "copilot":
        program, *arguments = (*make_watchdog_prefix_words(), *words)
        command = {"command": wrapped} if is_shell else {"exec": program, "args": arguments}
        return {"type": "command", **command, "timeoutSec": TIMEOUT_SECONDS}
    if agent == "gemini":
        return {"type": "command", "name": HOOK_NAME, "command": wrapped, "timeout": TIMEOUT_SECONDS * 1000}
    return {"type": "command", "command": wrapped, "timeout": TIMEOUT_SECONDS}


def _require_home() -> str:
    home = find_home_directory_or_empty()
    if not home:
        raise NotDoneError("the home directory is not known", "set HOME to an absolute path")
    return home
