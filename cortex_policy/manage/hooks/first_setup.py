"""`hook init`: the first rules for the agents of a user, and each grant that they name and that does not exist."""

import os
import shutil
from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.files_run_later import find_writable_files_run_later
from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.core.model import CortexPolicyError, Grant, Rate
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.scopes import normalize_scope_cached
from cortex_policy.manage.diff.grants import PolicyDiff
from cortex_policy.manage.editing.results import WriteResult, preview_change
from cortex_policy.manage.hooks.first_rules import make_first_grant_texts, make_first_rules_text
from cortex_policy.manage.hooks.targets import find_agent_directory_of_user
from cortex_policy.manage.transaction.recovery import check_file_stamped
from cortex_policy.manage.transaction.writer import make_write_error, open_grants_for_write, open_grants_read_only
from cortex_policy.state import Root
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.stamp import read_stamp
from cortex_policy.state.writer_lock import LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cortex_policy.manage.transaction.read_only_grant_files import GrantFiles

    ShowAndAsk = Callable[
        ["FirstSetup"], None
    ]  # prints the change, but not for JSON, and asks; raises if the answer is no
    Read = Callable[[str], bytes | None]

PROGRAMS: dict[str, tuple[str, ...]] = {
    "claude": ("claude",), "codex": ("codex",), "gemini": ("gemini",), "cursor": ("cursor-agent", "cursor"),
    "copilot": ("copilot",), "vscode": ("code",),
}  # fmt: skip
USUAL_SCOPES = ("docs", "src", "tests")  # if the root has no directory yet
MAX_SCOPES = 50


class FirstSetup(Value):
    """What `hook init` writes for some agents: a step for each grant that does not exist, and one for the rules, last.

    `version` is that of the stamp before, 0 without a stamp. The error is the one that stopped the rest.
    """

    agents: tuple[str, ...]
    version: int
    steps: tuple[WriteResult, ...]
    error: CortexPolicyError | None = None

    @property
    def diff(self) -> PolicyDiff:
        """What all steps mean together."""
        return PolicyDiff(tuple(step.change for step in self.steps))


def find_installed_agents(environment: "Mapping[str, str]") -> tuple[str, ...]:
    """Return the agents that have a directory of settings, or a program on the path."""
    return tuple(agent for agent in AGENTS if _has_program(agent, environment) or _has_directory(agent, environment))


def _has_program(agent: str, environment: "Mapping[str, str]") -> bool:
    path = environment.get("PATH", "")
    return any(shutil.which(program, path=path) is not None for program in PROGRAMS[agent])


def _has_directory(agent: str, environment: "Mapping[str, str]") -> bool:
    with suppress(NotDoneError):  # there is no home directory, or a variable names none
        return agent != "vscode" and os.path.isdir(
            find_agent_directory_of_user(agent, environment)
        )  # it shares that of `copilot`
    return False


def preview_first_setup(root: Root, agents: tuple[str, ...]) -> FirstSetup:
    """Return what `write_first_setup` would write, without a lock; raise NotDoneError if there are rules already."""
    with open_grants_read_only(root) as files:
        return _plan_setup(files, agents)[1]


def write_first_setup(
    root: Root, agents: tuple[str, ...], show_and_ask: "ShowAndAsk", lock_wait: LockWait
) -> FirstSetup:
    """Write the first rules and the grants that they name, each as one version; ask for consent once.

    Nothing is overwritten. After an error the finished steps stay; to continue, run the same again. Raise as the
    preview does.
    """
    with open_grants_for_write(root, lock_wait, "hook init") as writer:
        texts, setup = _plan_setup(writer.grants, agents)
        show_and_ask(setup)
        written: list[WriteResult] = []
        for step, (name, text) in zip(setup.steps, texts.items(), strict=True):
            try:
                version = writer.write(name, None, text)
            except (CortexPolicyError, OSError) as error:
                if not written:
                    raise
                return FirstSetup(agents, setup.version, tuple(written), make_write_error(error))
            written.append(WriteResult(step.change, step.diff, version))
        return FirstSetup(agents, setup.version, tuple(written))


def _plan_setup(files: "GrantFiles", agents: tuple[str, ...]) -> tuple[dict[str, bytes], FirstSetup]:
    """Return the text of each file to write, and what they mean; raise what a write would raise."""
    texts = _first_texts(files.root, agents, files.read)
    for name in texts:
        check_file_stamped(files, name, None)
    stamp = read_stamp(files.root)
    steps = tuple(preview_change(files.root, name, None, text) for name, text in texts.items())
    return texts, FirstSetup(agents, stamp.version if stamp is not None else 0, steps)


def _first_texts(root: Root, agents: tuple[str, ...], read: "Read") -> dict[str, bytes]:
    """Return the text of each file to write, the rules last; raise NotDoneError if there are rules already."""
    if read(HOOKS_TOML) is not None:
        hint = f"change it with `cortex-policy hook edit{format_root_option(root)}`"
        raise NotDoneError(f"`{HOOKS_TOML}` exists already", hint)
    rules = make_first_rules_text(agents).encode()
    named = {rule.grant for rule in decode_hooks_toml(rules).rules}
    grants = make_first_grant_texts(find_safe_write_scopes(root))
    missing = {name: text.encode() for name, text in grants.items() if name in named and read(name) is None}
    return missing | {HOOKS_TOML: rules}


def find_safe_write_scopes(root: Root) -> tuple[str, ...]:
    """Return the directories of a root in which nothing lies that others run later, as far as their names tell."""
    names: list[str] = []
    with suppress(OSError), os.scandir(root.path) as entries:  # a root that cannot be listed has the usual ones
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return tuple(name for name in names if _is_writable_scope(name))[:MAX_SCOPES] or USUAL_SCOPES


def _is_writable_scope(name: str) -> bool:
    is_scope = not name.startswith(".") and normalize_scope_cached(name) == name and name.isprintable()
    return is_scope and not find_writable_files_run_later(Grant("", "-", ("write",), Rate(1), {}, fs_scope=(name,)))
