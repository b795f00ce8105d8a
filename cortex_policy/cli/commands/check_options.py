"""The options of a call, each given once, with the values that `main` accepts too."""

from typing import Annotated, Any, TypeVar

import typer

from cortex_policy.check import MAX_WAIT_SECONDS, parse_number_option_or_none
from cortex_policy.cli.common_options import JSON_HELP, ROOT_HELP, GrantArgument, declare_value_option
from cortex_policy.run import MAX_EXIT_CODE, parse_denied_exit_code_or_none

T = TypeVar("T")


def _single_value(name: str, values: list[T] | None, default: T) -> T:
    """Return the single value of an option, or its default; Typer would take the last of several."""
    if values and len(values) > 1:
        message = f"{name} is given twice."
        raise typer.BadParameter(message)
    return values[0] if values else default


def get_single_text_or_none(name: str, values: list[str] | None) -> str | None:
    """Return the value of a text option, None if it is not given."""
    return _single_value(name, values, "") if values else None


def is_single_flag_given(name: str, count: int) -> bool:
    """Return whether a flag is given; raise if it is given twice."""
    return _single_value(name, [True] * count, default=False)


def get_single_wait_seconds(values: list[str] | None) -> float:
    """Return the seconds of `--wait`."""
    seconds = parse_number_option_or_none("--wait", _single_value("--wait", values, "0"))
    if seconds is None:
        message = f"--wait takes 0 to {MAX_WAIT_SECONDS} seconds."
        raise typer.BadParameter(message)
    return seconds


def _single_cost_value(values: list[str] | None) -> int:
    """Return the number of `--cost`."""
    cost = parse_number_option_or_none("--cost", _single_value("--cost", values, "1"))
    if cost is None:
        message = "--cost takes an integer of at least 1."
        raise typer.BadParameter(message)
    return int(cost)


def get_single_exit_code_or_none(name: str, values: list[str] | None) -> int | None:
    """Return an exit code that is not 0, None if it is not given."""
    text = get_single_text_or_none(name, values)
    code = parse_denied_exit_code_or_none(text) if text is not None else None
    if text is not None and code is None:
        message = f"{name} takes an integer from 1 to {MAX_EXIT_CODE}."
        raise typer.BadParameter(message)
    return code


def declare_flag_option(*names: str, sentence: str) -> object:
    """Declare a flag; it is counted so that a second one is noticed."""
    return typer.Option(*names, count=True, metavar="", show_default=False, help=sentence)


ActionArgument = Annotated[str, typer.Argument(metavar="ACTION", help="The action of the tool.", show_default=False)]
PathOption = Annotated[list[str] | None, declare_value_option("P", "A path of the call, as typed; repeatable.")]
ArgOption = Annotated[list[str] | None, declare_value_option("K=V", "Another argument of the call; repeatable.")]
ArgsOption = Annotated[
    list[str] | None, declare_value_option("JSON|-", "Arguments as one JSON object; - reads it from stdin.")
]
SingleRootOption = Annotated[list[str] | None, declare_value_option("DIR", ROOT_HELP)]
CostOption = Annotated[list[str] | None, declare_value_option("N", "Count as N calls instead of one.")]
RequirePathFlag = Annotated[int, declare_flag_option("--require-path", sentence="Deny a call that names no path.")]
SingleWaitOption = Annotated[
    list[str] | None, declare_value_option("SECONDS", "Wait up to SECONDS for budget, 0 to 3600.")
]
QuietFlag = Annotated[int, declare_flag_option("-q", "--quiet", sentence="Print nothing; the exit code is the answer.")]
JsonFlag = Annotated[int, declare_flag_option("--json", sentence=JSON_HELP)]


def make_call_fields(  # noqa: PLR0913 - the options that every command for a call has
    grant: GrantArgument,
    action: ActionArgument,
    *,
    path: PathOption = None,
    arg: ArgOption = None,
    args: ArgsOption = None,
    root: SingleRootOption = None,
    cost: CostOption = None,
    require_path: RequirePathFlag = 0,
) -> dict[str, Any]:
    """Return the fields of a call that these options set."""
    return {
        "grant_id": grant,
        "action": action,
        "paths": tuple(path or ()),
        "arg_words": tuple(arg or ()),
        "args_json": get_single_text_or_none("--args", args),
        "root": get_single_text_or_none("--root", root),
        "cost": _single_cost_value(cost),
        "require_path": is_single_flag_given("--require-path", require_path),
    }
