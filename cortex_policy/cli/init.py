"""`init`: make a root, with an example to try."""

import json as json_text
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.asking import WaitOption, patience
from cortex_policy.cli.options import JsonOption
from cortex_policy.wording import printable

if TYPE_CHECKING:
    from cortex_policy.manage.founding import Founded


def init(
    root: Annotated[
        str | None, typer.Option("--root", metavar="DIR", help="Make it in DIR, else in the working directory.")
    ] = None,
    *,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Make `.cortex/policy/tools`, with an example grant.

    The example is harmless, and made where there is no grant yet. Nothing is overwritten. Where a directory above is a
    root already it makes none: two would be ambiguous.

    $ cortex-policy init
    $ cortex-policy init --root /srv/repo
    """
    from cortex_policy.manage.founding import found  # noqa: PLC0415 - no other command needs it

    founded = found(root, patience(wait_seconds))
    if json:
        made = {"changed": bool(founded.made), "root": founded.root.path, "made": list(founded.made)}
        typer.echo(json_text.dumps(made))
        return
    for line in _lines(founded):
        typer.echo(printable(line))


def _lines(founded: "Founded") -> list[str]:
    if not founded.made:
        return [f"nothing to do: `{founded.root.path}` is a root already"]
    from shlex import quote  # noqa: PLC0415 - only here

    where = f" --root {quote(founded.root.path)}" if founded.root.named else ""
    made = [f"made {path}" for path in founded.made]
    if not made[-1].endswith(".json"):
        return [*made, f"see what is there with `cortex-policy list{where}`"]
    return [
        *made,
        "next, try the example, and make a grant of your own:",
        f"  cortex-policy check example read --path {'' if not where else quote(f'{founded.root.path}/')}docs/x{where}",
        f"  cortex-policy new git --allow tree --rate 30 --scope docs{where}",
    ]
