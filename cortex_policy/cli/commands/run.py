"""`run` for Typer: `main` handles plain command lines itself; both go to `decide_and_exec_or_exit`."""

from typing import Annotated, Any

import typer

from cortex_policy.check import Call
from cortex_policy.cli.commands import check_options as options
from cortex_policy.cli.common_options import declare_value_option
from cortex_policy.cli.options_from_function import fill_first_argument_by_calling
from cortex_policy.cli.output.call_wait_notice import make_call_wait_notifier_or_none
from cortex_policy.run import Run, decide_and_exec_or_exit


@fill_first_argument_by_calling(options.make_call_fields)
def run(
    fields: dict[str, Any],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND...", help="The command and its arguments, after `--`.", show_default=False),
    ] = None,
    *,
    wait: options.SingleWaitOption = None,
    for_each: Annotated[
        int,
        options.declare_flag_option("--for-each", sentence="Decide each path on stdin by itself; one path per line."),
    ] = 0,
    nul: Annotated[
        int, options.declare_flag_option("-0", sentence="With --for-each: paths end with NUL, not with a newline.")
    ] = 0,
    denied_exit: Annotated[
        list[str] | None, declare_value_option("N", "Exit code of a denial, 1 to 255, instead of 10-29.")
    ] = None,
    quiet: options.QuietFlag = 0,
) -> None:
    """Decide a call, and run a command if it is allowed.

    It decides like `check`. If the call is allowed, the process becomes COMMAND: same process id, input, outputs and
    environment. If the call is denied, the command does not run, and the exit code is that of the denial. The command
    is looked up before the call is decided; if the command is not found, nothing is counted.

    `{}` in COMMAND stands for the path of `--path`: the absolute path that was allowed, without links.

    With `--for-each`, each path on stdin is decided and counted by itself, and the command runs once for each path that
    is allowed. A denied path is reported, and the command still runs for the others. The exit code is 0 if every path
    is allowed and every command ends with 0. Otherwise it is the first exit code that is not 0, of a denial or of a
    command.

    COMMAND may itself end with the exit code of a denial; `--denied-exit` gives denials another exit code.

    $ cortex-policy run git tree --path docs/x -- cat {}
    $ cortex-policy run git tree --require-path --path docs/x -- ./tool --file={}
    $ cortex-policy run model-gateway chat --wait 30 --denied-exit 99 -- ./ask.sh
    $ find docs -print0 | cortex-policy run git tree --for-each -0 -- ls -d {}
    """
    call = Call(
        **fields,
        wait_seconds=options.get_single_wait_seconds(wait),
        quiet=options.is_single_flag_given("--quiet", quiet),
        command="run",
    )
    words = Run(
        call,
        tuple(command or ()),
        options.get_single_exit_code_or_none("--denied-exit", denied_exit),
        options.is_single_flag_given("--for-each", for_each),
        options.is_single_flag_given("-0", nul),
    )
    decide_and_exec_or_exit(words, make_call_wait_notifier_or_none(call))
