"""`approve` and `deny`: answer a request that waits for a human."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, YesOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.prompts import require_yes_answer
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.roots import raise_if_root_ambiguous

RequestArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the request, as the denial printed it.", show_default=False)
]


@add_quiet_option
def approve(
    request_id: RequestArgument,
    root: RootOption = None,
    *,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Allow one call that waits for a human, once.

    It shows the call and asks; without a terminal it needs `--yes`. The approval fits only this call: the same grant,
    unchanged, and the same action, arguments, paths, directory, cost and user. The approval ends with that call, or
    after the time that the setting `approvals.timeout_seconds` gives. The rate of the grant still applies.

    $ cortex-policy approve 1f0c9a7e
    $ cortex-policy approve 1f0c9a7e --yes --json
    """
    from cortex_policy.cli.output.approvals import format_request  # noqa: PLC0415 - no other command needs these
    from cortex_policy.manage.approvals import raise_if_request_closed, read_approval_request  # noqa: PLC0415

    raise_if_root_ambiguous(root)
    details = read_approval_request(request_id, root)
    raise_if_request_closed(details)
    if not yes:
        typer.echo(format_request(details), nl=False, err=True)
    require_yes_answer(f"approve {request_id}?", yes=yes)
    _answer_and_print(request_id, root, approved=True, json=json)


@add_quiet_option
def deny(
    request_id: RequestArgument,
    root: RootOption = None,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Tell the caller why.", show_default=False)
    ] = "",
    json: JsonOption = False,
) -> None:
    """Deny a call that waits for a human.

    It also revokes an approval that was not used yet. A `check` that waits for the answer ends at once. The same call
    is then denied without a new request, for the time that the setting `approvals.timeout_seconds` gives.

    $ cortex-policy deny 1f0c9a7e
    $ cortex-policy deny 1f0c9a7e --reason "not during the freeze"
    """
    _answer_and_print(request_id, root, approved=False, reason=reason, json=json)


def _answer_and_print(request_id: str, root: str | None, *, approved: bool, reason: str = "", json: bool) -> None:
    from cortex_policy.cli.output.approvals import request_to_json  # noqa: PLC0415 - as above
    from cortex_policy.manage.approvals import approve_or_deny_request  # noqa: PLC0415

    raise_if_root_ambiguous(root)
    result = approve_or_deny_request(request_id, root, approved=approved, reason=reason)
    details = result.request
    if json:
        print_json({"changed": result.is_changed, "request": request_to_json(details)})
        return
    call = f"{details.grant} {details.action}" if details.grant else details.action
    sentence = f"{details.status} {details.id}: {call}"
    typer.echo(escape_message_to_one_line(sentence if result.is_changed else f"nothing to do: {sentence}"))
