"""`stop`: deny every call of a root at once."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption
from cortex_policy.cli.output.printing import print_hints, print_json, warn_if_command_not_logged
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage import emergency_stop
from cortex_policy.state.emergency_stop import format_resume_command_of_root
from cortex_policy.state.local_times import localize_times_if_terminal
from cortex_policy.state.roots import find_named_root_or_all_above

if TYPE_CHECKING:
    from cortex_policy.state import Root


@add_quiet_option
def stop(
    root: RootOption = None,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="The reason, shown with each denial.", show_default=False)
    ] = "",
    json: JsonOption = False,
) -> None:
    """Deny every call, at once, until `resume`.

    Every check of this root exits with 15, even if something else is wrong too. A waiting check ends within a second.
    Grants can still be read and changed. The stop is the file `.cortex/policy/stop`. It denies as long as this file
    exists. The first line of the file is the reason, and the owner of the file is who made the stop. An existing stop
    is not changed. Without `--root`, the command stops every root at or above the working directory, and prints these
    roots.

    To stop the whole host, run `sudo mkdir -p /etc/cortex-policy && sudo touch /etc/cortex-policy/stop`. That stop ends
    when the file is removed.

    $ cortex-policy stop
    $ cortex-policy stop --reason "the token leaked" --root /srv/repo
    """
    result: list[tuple[Root, emergency_stop.StopResult]] = []
    failed: list[CortexPolicyError] = []
    roots = find_named_root_or_all_above(root)
    for policy_root in roots:
        try:
            result.append((policy_root, emergency_stop.stop_root(policy_root, reason)))
        except CortexPolicyError as error:  # stop the others anyway
            failed.append(error)
    if json and result:
        first, *others = [_stop_to_json(*one) for one in result]
        print_json({**first, "others": others})
    for one in () if json else result:
        _print_result(*one, reason, is_one=len(roots) == 1)
    for _, done in result:
        warn_if_command_not_logged("stop", done.unrecorded)
    if failed:
        raise failed[0]


def _stop_to_json(root: "Root", result: emergency_stop.StopResult) -> dict[str, object]:
    return {"root": root.path, "changed": result.is_changed, "stopped": emergency_stop.stop_to_json(result.stop)}


def _print_result(root: "Root", result: emergency_stop.StopResult, reason: str, *, is_one: bool) -> None:
    sentence = localize_times_if_terminal(result.stop.sentence if is_one else f"{result.stop.sentence}: {root.path}")
    typer.echo(
        escape_message_to_one_line(f"stopped {sentence}" if result.is_changed else f"nothing to do: stopped {sentence}")
    )
    is_lost = reason and (not result.is_changed or result.stop.reason is None)
    lost = f"your reason was not saved; write it in the first line of `{result.stop.file}`" if is_lost else ""
    print_hints([f"end it with `{format_resume_command_of_root(root)}`", lost])
