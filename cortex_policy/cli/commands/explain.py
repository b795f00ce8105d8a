"""`explain`: explain a decision rule by rule, without counting the call."""

from cortex_policy.check import Call, decide_call
from cortex_policy.cli.commands import check_options as options
from cortex_policy.cli.options import GrantArgument
from cortex_policy.cli.output.explanation import render_explanation
from cortex_policy.render import write_and_exit


def explain(  # noqa: PLR0913 - the options of a call
    grant: GrantArgument,
    action: options.ActionArgument,
    *,
    path: options.PathOption = None,
    arg: options.ArgOption = None,
    args: options.ArgsOption = None,
    root: options.RootOption = None,
    cost: options.CostOption = None,
    require_path: options.RequirePathFlag = 0,
    json: options.JsonFlag = 0,
) -> None:
    """Explain a decision rule by rule, and count nothing.

    For each rule it prints the result and the line of the grant. For a denial it prints the nearest allowed value, what
    is still allowed, the operator's command, and who may run it. The exit code is that of the decision: only 0 means
    allowed.

    It says which arguments were treated as paths, and names a value that looks like a path and was not.

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
        options.single_text("--args", args),
        options.single_text("--root", root),
        cost=options.single_cost(cost),
        peek=True,
        require_path=options.single_flag("--require-path", require_path),
        explain=True,
        json=options.single_flag("--json", json),
        command="explain",
    )
    write_and_exit(render_explanation(decide_call(call)))
