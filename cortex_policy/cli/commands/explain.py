"""`explain`: explain a decision rule by rule, without counting the call."""

from typing import Any

from cortex_policy.check import Call, decide_outcome_with_wait
from cortex_policy.cli.commands import check_options as options
from cortex_policy.cli.options_from_function import fill_first_argument_by_calling
from cortex_policy.cli.output.explanation import explain_and_render_outcome
from cortex_policy.render import write_rendered_call_and_exit


@fill_first_argument_by_calling(options.make_call_fields)
def explain(fields: dict[str, Any], *, json: options.JsonFlag = 0) -> None:
    """Explain, rule by rule, how a call is decided; count nothing.

    For each rule it prints the result and the line of the grant. For a denial it prints the nearest allowed value, what
    is still allowed, the command with which an operator can allow the call, and who may run that command. The exit code
    is that of the decision: only 0 means allowed.

    It also says which arguments were treated as paths. It points out a value that looks like a path and was not treated
    as a path.

    `check --explain` prints the same for a call that it counts.

    $ cortex-policy explain git tree --path docs/x
    $ cortex-policy explain git snippet --path docs/x --arg lines=400
    $ cortex-policy explain model-gateway chat --cost 90 --json
    """
    is_json = options.is_single_flag_given("--json", json)
    call = Call(**fields, peek=True, explain=True, json=is_json, command="explain")
    write_rendered_call_and_exit(explain_and_render_outcome(decide_outcome_with_wait(call)))
