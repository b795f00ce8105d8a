"""`explain`: explain a decision rule by rule, without counting the call."""

from typing import Annotated

import typer

from cortex_policy.check import Call, decide_call
from cortex_policy.cli.commands import check_options
from cortex_policy.cli.options import JSON_HELP, ROOT_HELP
from cortex_policy.cli.output.explanation import render_explanation
from cortex_policy.render import write_and_exit


def explain(  # noqa: PLR0913 - the options of a call
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="Id of the grant.", show_default=False)],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="What the tool would do.", show_default=False)],
    *,
    path: Annotated[
        list[str] | None, check_options.value_option("P", "A path of the call, as typed; repeatable.")
    ] = None,
    arg: Annotated[
        list[str] | None, check_options.value_option("K=V", "Another argument of the call; repeatable.")
    ] = None,
    args: Annotated[
        list[str] | None, check_options.value_option("JSON|-", "Arguments as one JSON object; - reads it from stdin.")
    ] = None,
    root: Annotated[list[str] | None, check_options.value_option("DIR", ROOT_HELP)] = None,
    cost: Annotated[list[str] | None, check_options.value_option("N", "Count as N calls instead of one.")] = None,
    require_path: Annotated[
        int, check_options.flag_option("--require-path", sentence="Deny a call that names no path.")
    ] = 0,
    json: Annotated[int, check_options.flag_option("--json", sentence=JSON_HELP)] = 0,
) -> None:
    """Explain a decision rule by rule, and count nothing.

    For each rule it prints the result and the line of the grant. For a denial it prints the nearest allowed value, what
    is still allowed, the operator's command, and who may run it. The exit code is that of the decision: only 0 means
    allowed.

    `check --explain` prints the same for a call that it counts.

    $ cortex-policy explain git tree --path docs/x
    $ cortex-policy explain git snippet --path docs/x --arg lines=400
    $ cortex-policy explain model-gateway chat --cost 90 --json
    """
    call = Call(
        grant,
        action,
        tuple(path or ()),
        tuple(arg or ()),
        check_options.single_text("--args", args),
        check_options.single_text("--root", root),
        cost=check_options.single_cost(cost),
        peek=True,
        require_path=check_options.single_flag("--require-path", require_path),
        explain=True,
        json=check_options.single_flag("--json", json),
        command="explain",
    )
    write_and_exit(render_explanation(decide_call(call)))
