"""`check`, read by Typer where the words are not plain; the answer comes from the same room."""

from typing import Annotated, TypeVar

import typer

from cortex_policy.checking import LONGEST_WAIT, Call, answer, leave, number
from cortex_policy.cli.options import JSON_HELP, ROOT_HELP

T = TypeVar("T")


def _once(name: str, values: list[T] | None, default: T) -> T:
    """Return the one value of an option; Typer itself would take the last of several."""
    if values and len(values) > 1:
        message = f"{name} is given twice."
        raise typer.BadParameter(message)
    return values[0] if values else default


def _text(name: str, values: list[str] | None) -> str | None:
    return _once(name, values, "") if values else None


def _flag(name: str, count: int) -> bool:
    return _once(name, [True] * count, default=False)


def _wait(values: list[str] | None) -> float:
    seconds = number("--wait", _once("--wait", values, "0"))
    if seconds is None:
        message = f"--wait takes 0 to {LONGEST_WAIT} seconds."
        raise typer.BadParameter(message)
    return seconds


def _cost(values: list[str] | None) -> int:
    cost = number("--cost", _once("--cost", values, "1"))
    if cost is None:
        message = "--cost takes an integer of at least 1."
        raise typer.BadParameter(message)
    return int(cost)


def _option(metavar: str, sentence: str) -> object:
    return typer.Option(metavar=metavar, help=sentence)


def _switch(*names: str, sentence: str) -> object:
    return typer.Option(*names, count=True, metavar="", show_default=False, help=sentence)


def check(  # noqa: PLR0913 - the options of the contract
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="Id of the grant.", show_default=False)],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="What the tool would do.", show_default=False)],
    *,
    path: Annotated[list[str] | None, _option("P", "A path of the call, as typed; repeatable.")] = None,
    arg: Annotated[list[str] | None, _option("K=V", "Another argument of the call; repeatable.")] = None,
    args: Annotated[list[str] | None, _option("JSON|-", "Arguments as one JSON object; - reads it from stdin.")] = None,
    root: Annotated[list[str] | None, _option("DIR", ROOT_HELP)] = None,
    wait: Annotated[list[str] | None, _option("SECONDS", "Wait at most so long for budget, 0 to 3600.")] = None,
    cost: Annotated[list[str] | None, _option("N", "Count as N calls instead of one.")] = None,
    peek: Annotated[int, _switch("--peek", sentence="Decide, but count nothing.")] = 0,
    require_path: Annotated[int, _switch("--require-path", sentence="Deny a call that names no path.")] = 0,
    explain: Annotated[
        int, _switch("--explain", sentence="Also print the rule that decided, and the grant's file.")
    ] = 0,
    json: Annotated[int, _switch("--json", sentence=JSON_HELP)] = 0,
    quiet: Annotated[int, _switch("-q", "--quiet", sentence="Print nothing; the exit code is the answer.")] = 0,
) -> None:
    """Decide a call, and count it if it is allowed.

    Only exit code 0 is yes. 10-19 is no; 20-29 could not decide, which is a no as well. A no says on stderr which rule
    denied and what would be allowed.

    `--help` and `--version` are understood only as the sole word after `check`.

    $ cortex-policy check git tree --path docs/x || exit
    $ cortex-policy check git tree --path docs/x --peek --json
    $ cortex-policy check git snippet --path docs/x --arg lines=40
    $ cortex-policy check git search --args '{"path": "docs", "repo": "x"}'
    $ cortex-policy check model-gateway chat --wait 30 --cost 2
    $ cortex-policy check git tree --root /srv/repo -q && echo yes
    """
    call = Call(
        grant, action, tuple(path or ()), tuple(arg or ()), _text("--args", args), _text("--root", root),
        _wait(wait), _cost(cost), _flag("--peek", peek), _flag("--require-path", require_path),
        _flag("--explain", explain), _flag("--json", json), _flag("--quiet", quiet),
    )  # fmt: skip
    leave(answer(call))
