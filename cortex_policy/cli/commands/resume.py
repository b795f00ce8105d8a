"""`resume`: end an emergency stop."""

import sys

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption
from cortex_policy.cli.output.printing import print_hints, print_json, warn_if_command_not_logged
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage import emergency_stop
from cortex_policy.state.grants import find_named_or_only_root
from cortex_policy.state.local_times import localize_times_if_terminal


@add_quiet_option
def resume(root: RootOption = None, *, json: JsonOption = False) -> None:
    """End the emergency stop of a root.

    It does not ask. It prints who made the stop, when and why. It does not end a stop of the whole host; `list` also
    shows such a stop.

    $ cortex-policy resume
    $ cortex-policy resume --json --root /srv/repo
    """
    policy_root = find_named_or_only_root(root)
    result, remaining = (
        emergency_stop.resume_root_if_stopped(policy_root),
        emergency_stop.find_active_stops(policy_root),
    )
    warn_if_command_not_logged("resume", result.unrecorded)
    if json:
        members = {
            "root": policy_root.path,
            "changed": result.is_changed,
            "ended": emergency_stop.stop_to_json(result.stop),
        }
        print_json({**members, "stopped": emergency_stop.stop_to_json(remaining[0] if remaining else None)})
        return
    ended = (
        f"resumed; it was stopped {localize_times_if_terminal(result.stop.sentence)}"
        if result.stop is not None
        else "resumed"
    )
    typer.echo(
        escape_message_to_one_line(
            ended if result.is_changed else f"nothing to do: there is no stop in {policy_root.path}"
        )
    )
    for stop in remaining:
        typer.echo(
            escape_message_to_one_line(localize_times_if_terminal(f"still stopped {stop.sentence}", sys.stderr)),
            err=True,
        )
    print_hints(stop.hint_if_not_resumable for stop in remaining)
