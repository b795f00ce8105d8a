"""`stop`: no to every call of a root, at once."""

from typing import Annotated

import typer

from cortex_policy.cli.options import JsonOption, RootOption
from cortex_policy.cli.report import print_hints, print_json, stop_members
from cortex_policy.core.text import printable
from cortex_policy.manage import stopping
from cortex_policy.state.grants import find_root
from cortex_policy.state.stop import resuming


def stop(
    root: RootOption = None,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever is denied.", show_default=False)
    ] = "",
    json: JsonOption = False,
) -> None:
    """Deny every call, at once, until `resume`.

    Every check of this root answers 15, whatever else is wrong with it, and a check that waits ends within a second.
    Grants can be read and changed meanwhile. The stop is the file `.cortex/policy/stop`: its name alone is what stops,
    its first line is the reason, and whoever owns it made it. A stop that stands already stays as it is.

    The whole host is stopped by `sudo mkdir -p /etc/cortex-policy && sudo touch /etc/cortex-policy/stop`, until that
    file is removed.

    $ cortex-policy stop
    $ cortex-policy stop --reason "the token leaked" --root /srv/repo
    """
    found = find_root(root)
    done = stopping.stop(found, reason)
    if json:
        members = {"root": found.path, "changed": done.is_changed, "stopped": stop_members(done.stop)}
        print_json(members)
        return
    sentence = done.stop.sentence
    typer.echo(printable(f"stopped {sentence}" if done.is_changed else f"nothing to do: stopped {sentence}"))
    is_lost = reason and (not done.is_changed or done.stop.reason is None)
    lost = f"your reason is not kept; a reason is the first line of `{done.stop.file}`" if is_lost else ""
    print_hints([f"end it with `{resuming(found)}`", lost])
