"""`hook status`: which agents have a hook."""

from typing import TYPE_CHECKING

from cortex_policy.cli.options import JsonOption, RootOption, TableOption
from cortex_policy.cli.output.printing import print_json, print_rows
from cortex_policy.cli.roots import find_inner_root

if TYPE_CHECKING:
    from cortex_policy.manage.hooks.status import SettingsFileStatus

COLUMNS = ("AGENT", "LEVEL", "EXISTS", "FILE")


def status(root: RootOption = None, *, output: TableOption = None, json: JsonOption = False) -> None:
    """Show the settings files in which agents look for hooks.

    $ cortex-policy hook status
    $ cortex-policy hook status --json
    """
    from cortex_policy.manage.hooks.status import hook_statuses  # noqa: PLC0415 - no other command needs it

    files = list(hook_statuses(find_inner_root(root).path))
    if json:
        print_json({"files": [{name: getattr(one, name) for name in one.__match_args__} for one in files]})
    else:
        print_rows(COLUMNS, [_row(one) for one in files], output)


def _row(one: "SettingsFileStatus") -> tuple[str, ...]:
    return (one.agent, one.level, "yes" if one.exists else "no", one.file)
