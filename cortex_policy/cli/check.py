"""`check`, read by Typer where the words are not plain; the answer comes from the same room."""

from typing import Annotated, TypeVar

import typer

from cortex_policy.checking import Call, answer, leave

T = TypeVar("T")
LONGEST_WAIT = 3600


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


def _wait(values: list[float] | None) -> float:
    seconds = _once("--wait", values, 0.0)
    if not 0 <= seconds <= LONGEST_WAIT:  # also refuses nan
        message = f"--wait takes 0 to {LONGEST_WAIT} seconds."
        raise typer.BadParameter(message)
    return seconds


def _switch(*names: str, sentence: str) -> object:
    return typer.Option(*names, count=True, metavar="", show_default=False, help=sentence)


def check(  # noqa: PLR0913 - the options of the contract
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="Id of the grant.", show_default=False)],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="What the tool would do.", show_default=False)],
    *,
    path: Annotated[list[str] | None, typer.Option(metavar="P", help="A path; several become `paths`.")] = None,
    arg: Annotated[list[str] | None, typer.Option(metavar="K=V", help="An argument of the call.")] = None,
    args: Annotated[list[str] | None, typer.Option(metavar="JSON|-", help="Arguments as one object.")] = None,
    root: Annotated[list[str] | None, typer.Option(metavar="DIR", help="What holds .cortex/policy.")] = None,
    wait: Annotated[list[float] | None, typer.Option(metavar="SECONDS", help="Wait so long for budget.")] = None,
    cost: Annotated[list[int] | None, typer.Option(metavar="N", min=1, help="Hits to take.")] = None,
    peek: Annotated[int, _switch("--peek", sentence="Decide, consume nothing.")] = 0,
    require_path: Annotated[int, _switch("--require-path", sentence="Deny a call without a path.")] = 0,
    explain: Annotated[int, _switch("--explain", sentence="Print the rule, the file and the hint.")] = 0,
    json: Annotated[int, _switch("--json", sentence="Print one line of JSON.")] = 0,
    quiet: Annotated[int, _switch("-q", "--quiet", sentence="Print nothing.")] = 0,
) -> None:
    """Decide a call, and count it if it is allowed.

    Exit 0 is yes, 10-19 is no, 20-29 could not decide: treat it as no.

    Example: cortex-policy check git tree --path docs/x || exit
    """
    call = Call(
        grant, action, tuple(path or ()), tuple(arg or ()), _text("--args", args), _text("--root", root),
        _wait(wait), _once("--cost", cost, 1), _flag("--peek", peek), _flag("--require-path", require_path),
        _flag("--explain", explain), _flag("--json", json), _flag("--quiet", quiet),
    )  # fmt: skip
    leave(answer(call))
