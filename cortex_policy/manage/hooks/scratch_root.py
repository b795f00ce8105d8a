"""A root that exists only while a hook is tried: one grant, one rule, and nothing of the user."""

import json
import os
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.hooks.scratch_state import remove_state_of_root
from cortex_policy.manage.stamp.write import write_stamp
from cortex_policy.state import Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TOOL = GRANT = "hook_doctor"
INSIDE = "inside"  # the scope of the grant
_ACTION = "write"
_GRANT_TEXT = json.dumps({
    "tool": GRANT, "actions": [_ACTION], "rate": {"perMinute": 1000}, "args": {"path": {"type": "string"}},
    "fsScope": [INSIDE],
})  # fmt: skip
_RULES_TEXT = f"""\
format = 1
unmapped = "deny"

[[rule]]
tools = ["{TOOL}"]
grant = "{GRANT}"
action = "{_ACTION}"
"""


class ScratchRoot:
    """The files of the root, to be broken and repaired."""

    def __init__(self, path: str) -> None:
        """Make the root at a path below which only the caller can write."""
        self.root: Root = Root(path, trusts_owner=True)
        self.rules_file: str = f"{self.root.policy_path}/hooks.toml"
        self.grant_file: str = f"{self.root.tools_path}/{GRANT}.json"
        for directory in (path, f"{path}/.cortex", self.root.policy_path, self.root.tools_path, f"{path}/{INSIDE}"):
            os.mkdir(directory, 0o700)
        self.repair()
        write_stamp(self.root, lambda _: None)  # a setting may require it

    def repair(self) -> None:
        """Write the grant and the rules as they should be."""
        _write_private_file(self.grant_file, _GRANT_TEXT)
        _write_private_file(self.rules_file, _RULES_TEXT)

    def add_file(self, name: str, text: str) -> str:
        """Add a file beside the root, and return its path."""
        file = f"{os.path.dirname(self.root.path)}/{name}"
        os.makedirs(os.path.dirname(file), 0o700, exist_ok=True)
        _write_private_file(file, text)
        return file

    def break_rules(self) -> None:
        """Put into the rules what nobody can read."""
        _write_private_file(self.rules_file, "[[rule")

    def hide_grant(self) -> None:
        """Make the grant unreadable, for the superuser too."""
        _write_private_file(self.grant_file, "{")
        os.chmod(self.grant_file, 0)


def _write_private_file(file: str, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o600)
        stream.write(text)


@contextmanager
def open_scratch_root() -> "Iterator[ScratchRoot]":
    """Make such a root, and remove it with its rate state whatever happens; raise NotDoneError if the disk refuses."""
    try:
        directory = TemporaryDirectory(prefix=f"cortex-policy-hook-{os.getpid()}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise NotDoneError(f"no temporary directory: {format_os_error_cause(error)}", "see TMPDIR") from None
    with directory as top:
        scratch = ScratchRoot(f"{os.path.realpath(top)}/root")
        try:
            yield scratch
        finally:
            remove_state_of_root(scratch.root)
