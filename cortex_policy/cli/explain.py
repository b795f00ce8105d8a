"""`explain`: the whole way of a decision, which consumes nothing."""

from typing import Annotated

import typer

from cortex_policy.checking import Call, answer, leave
from cortex_policy.cli import words
from cortex_policy.cli.options import JSON_HELP, ROOT_HELP


def explain(  # noqa: PLR0913 - the options of a call
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="Id of the grant.", show_default=False)],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="What the tool would do.", show_default=False)],
    *,
    path: Annotated[list[str] | None, words.option("P", "A path of the call, as typed; repeatable.")] = None,
    arg: Annotated[list[str] | None, words.option("K=V", "Another argument of the call; repeatable.")] = None,
    args: Annotated[
        list[str] | None, words.option("JSON|-", "Arguments as one JSON object; - reads it from stdin.")
    ] = None,
    root: Annotated[list[str] | None, words.option("DIR", ROOT_HELP)] = None,
    cost: Annotated[list[str] | None, words.option("N", "Count as N calls instead of one.")] = None,
    require_path: Annotated[int, words.switch("--require-path", sentence="Deny a call that names no path.")] = 0,
    json: Annotated[int, words.switch("--json", sentence=JSON_HELP)] = 0,
) -> None:
    """Explain a decision rule by rule, and count nothing.

    Each rule says how it went, and by which line of the grant. For a no it says what comes nearest, what is still
    allowed, the operator's command, and who may run it. The exit code is that of the decision: only 0 is yes.

    `check --explain` says the same of a call that it counts. `--help` is understood
    only as the sole word after `explain`.

    $ cortex-policy explain git tree --path docs/x
    $ cortex-policy explain git snippet --path docs/x --arg lines=400
    $ cortex-policy explain model-gateway chat --cost 90 --json
    """
    call = Call(
        grant, action, tuple(path or ()), tuple(arg or ()), words.text("--args", args), words.text("--root", root),
        cost=words.cost(cost), peek=True, require_path=words.flag("--require-path", require_path), explain=True,
        json=words.flag("--json", json), command="explain",
    )  # fmt: skip
    leave(answer(call))
