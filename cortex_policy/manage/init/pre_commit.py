"""The hooks of pre-commit: one table for `.pre-commit-hooks.yaml` and for the configuration that `init` makes.

scripts/generate.py writes `.pre-commit-hooks.yaml`.
"""

import os
import re
from contextlib import suppress
from textwrap import indent, wrap
from typing import NamedTuple

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import read_up_to
from cortex_policy.state.atomic_write import create_file_atomically
from cortex_policy.state.safe_directories import open_directory_without_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.state import Root

CONFIGURATION = ".pre-commit-config.yaml"
MADE, KEPT, COMPLETE = "made", "kept", "complete"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# a grant that is a link is refused, and has to be reported
_TYPES = ("types: []", "types_or: [file, symlink]")
_OF_GRANTS = ("files: (^|/)\\.cortex/policy/tools/[^/]+\\.json$", *_TYPES)
_OF_GRANTS_AND_RULES = ("files: (^|/)\\.cortex/policy/(tools/[^/]+\\.json|hooks\\.toml)$", *_TYPES)
# a commit that only deletes grants has no files to check, and would skip a hook that filters by files
_ALWAYS = ("always_run: true", "pass_filenames: false")


class Hook(NamedTuple):
    """One hook: what it runs, when, and whether it takes a root rather than the files of a commit."""

    id: str
    name: str
    description: str
    entry: str
    when: tuple[str, ...]
    takes_root: bool = True


PRE_COMMIT_HOOKS = (
    Hook(
        "cortex-policy-validate", "grants are valid",
        "Look for what is wrong with the grants and the `hooks.toml` of a commit; show the line, and how to fix it."
        " The path of a file gives its root.",
        "cortex-policy validate",
        # one process, which forks if that is faster: several would not see two grants that share a budget
        (*_OF_GRANTS_AND_RULES, "require_serial: true"), takes_root=False,
    ),
    Hook(
        "cortex-policy-fmt", "grants are laid out canonically",
        "Show what `cortex-policy fmt` would reformat. It writes nothing: a write moves the stamp, which would have"
        " to be staged too.",
        "cortex-policy fmt --check --diff",
        (*_OF_GRANTS, "pass_filenames: false"),
    ),
    Hook(
        "cortex-policy-test", "grants decide as their cases say",
        "Run the cases of the grants, `.cortex/policy/tests/*.cases.toml`; a grant without cases is reported, and"
        " passes.",
        "cortex-policy test",
        (*_ALWAYS, "stages: [pre-commit, pre-merge-commit, pre-push, manual]"),
    ),
    Hook(
        "cortex-policy-stamp", "grants match stamp.json, as staged",
        "Refuse grants that were changed, added, renamed or deleted by hand and not stamped since, and a stamp that was"
        " not staged with them.",
        "cortex-policy stamp verify",
        (*_ALWAYS, "stages: [pre-commit, pre-merge-commit, pre-push, manual]"),
    ),
    Hook(
        "cortex-policy-widen", "no grant allows more than HEAD (else SKIP=cortex-policy-widen)",
        "Refuse a commit that allows more than the one before, until somebody means it and skips this hook. Before the"
        " first commit nothing was allowed.",
        "cortex-policy diff --against HEAD --fail-on widened",
        (*_ALWAYS, "stages: [pre-commit, manual]"),
    ),
)  # fmt: skip


class HookConfiguration(Value):
    """The configuration file of pre-commit, whether it was made, kept or is complete, and the hooks for it."""

    file: str
    status: str
    block: str


def make_pre_commit_manifest() -> str:
    """Return the text of `.pre-commit-hooks.yaml`."""
    return "\n".join(line for hook in PRE_COMMIT_HOOKS for line in _manifest_lines(hook))


def find_writable_repository(path: str) -> str:
    """Return the top of the git repository around a directory; raise NotDoneError if it is not writable."""
    top = path
    while not os.path.lexists(f"{top.rstrip('/')}/.git"):
        if top == "/":
            raise NotDoneError(
                f"`{path}` is not in a git repository", "make one with `git init`, then run the command again"
            )
        top = os.path.dirname(top)
    may_write = os.access(top, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    if not may_write and not os.path.lexists(f"{top.rstrip('/')}/{CONFIGURATION}"):
        raise NotDoneError(f"`{top}` cannot be written to")
    return top


def create_pre_commit_configuration(root: "Root", top: str) -> HookConfiguration:
    """Write a configuration with the hooks of a root at the top of its repository; keep an existing one."""
    file, below = f"{top.rstrip('/')}/{CONFIGURATION}", os.path.relpath(root.path, top)
    block = indent(_hooks_block(below), "  ")
    try:
        directory = open_directory_without_links(top)
        try:
            create_file_atomically(directory, CONFIGURATION, f"repos:\n{block}".encode())
        except FileExistsError:
            return _existing_configuration(file, below, directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise NotDoneError(f"`{file}` cannot be written: {format_os_error_cause(error)}") from None
    return HookConfiguration(file, MADE, block)


def read_pre_commit_configuration_or_empty(top: str) -> str:
    """Return the configuration at the top of a repository as text; '' if there is none, or it cannot be read."""
    with suppress(OSError):
        directory = open_directory_without_links(top)
        try:
            return _read_configuration_in(directory)
        finally:
            os.close(directory)
    return ""


def _read_configuration_in(directory: int) -> str:
    """Read the configuration in a directory; a link is not followed: another user may have chosen its target."""
    with suppress(OSError):
        descriptor = os.open(CONFIGURATION, _READ, dir_fd=directory)
        try:
            return read_up_to(descriptor, MAX_BYTES).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    return ""


def _existing_configuration(file: str, below: str, directory: int) -> HookConfiguration:
    text = _read_configuration_in(directory)
    expected = [f"id: {hook.id}" for hook in PRE_COMMIT_HOOKS] + [line.strip() for line in _argument_lines(below)]
    status = COMPLETE if all(line in text for line in expected) else KEPT
    around = re.search(r"^( *)- repo:", text, re.MULTILINE)  # the items of a list have one indentation
    return HookConfiguration(file, status, indent(_hooks_block(below), around[1] if around else "  "))


def _hooks_block(below: str) -> str:
    """Return the hooks of a root for a configuration; they run the installed program."""
    lines = ["- repo: local", "  hooks:"]
    for hook in PRE_COMMIT_HOOKS:
        lines += [f"    - id: {hook.id}", f"      name: {hook.name}", f"      entry: {hook.entry}"]
        lines += _argument_lines(below) if hook.takes_root else []
        lines += [f"      {line}" for line in ("language: system", *hook.when)]
    return "\n".join([*lines, ""])


def _argument_lines(below: str) -> list[str]:
    return [] if below == os.curdir else [f'      args: [--root, "{"".join(map(_escape_letter, below))}"]']


def _escape_letter(letter: str) -> str:
    return letter if letter.isprintable() and letter not in '"\\' else f"\\U{ord(letter):08x}"


def _manifest_lines(hook: Hook) -> list[str]:
    description = wrap(hook.description, 116, initial_indent="    ", subsequent_indent="    ")
    lines = ["description: >-", *description, f"entry: {hook.entry}", "language: python", *hook.when]
    more = [line if line.startswith(" ") else f"  {line}" for line in lines]
    return [f"- id: {hook.id}", f"  name: {hook.name}", *more, "  minimum_pre_commit_version: 3.2.0", ""]
