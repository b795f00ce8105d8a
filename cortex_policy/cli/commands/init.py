"""`init`: make a root, with an example to try."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.options import JsonOption
from cortex_policy.cli.output.table import print_json
from cortex_policy.cli.prompts import WaitOption, lock_wait
from cortex_policy.core.text import printable

if TYPE_CHECKING:
    from cortex_policy.manage.init.root import InitResult


def init(
    root: Annotated[
        str | None, typer.Option("--root", metavar="DIR", help="Make it in DIR, else in the working directory.")
    ] = None,
    *,
    pre_commit: Annotated[
        bool, typer.Option("--pre-commit", help="Make `.pre-commit-config.yaml` too, or print what to put in it.")
    ] = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Make `.cortex/policy/tools`, with an example grant.

    The example is harmless, and made where there is no grant yet. Nothing is overwritten. Where a directory above is a
    root already it makes none: two would be ambiguous.

    The hooks of pre-commit look at the grants before each commit: are they valid, laid out, stamped, and do they allow
    more? They run cortex-policy as it is installed.

    $ cortex-policy init
    $ cortex-policy init --pre-commit
    $ cortex-policy init --root /srv/repo
    """
    from cortex_policy.manage.init.root import init_root  # noqa: PLC0415 - no other command needs it

    founded = init_root(root, lock_wait(wait_seconds), with_hooks=pre_commit)
    if json:
        print_json(_result_to_json(founded))
        return
    for line in [*_result_lines(founded), *_hook_lines(founded)]:
        typer.echo(printable(line))


def _result_to_json(founded: "InitResult") -> dict[str, object]:
    hooks = founded.hooks
    return {
        "changed": bool(founded.created),
        "root": founded.root.path,
        "made": list(founded.created),
        "hooks": {"file": hooks.file, "status": hooks.status, "block": hooks.block} if hooks is not None else None,
    }


def _hook_lines(founded: "InitResult") -> list[str]:
    hooks = founded.hooks
    if hooks is None:
        return []
    next_lines = ["then let the hooks run before each commit:", "  pre-commit install"]
    if hooks.status == "made":
        return next_lines
    if hooks.status == "complete":
        return [f"nothing to do: the hooks stand in `{hooks.file}`"]
    return [f"kept {hooks.file} as it is; put this under its `repos:`", "", *hooks.block.splitlines(), "", *next_lines]


def _result_lines(founded: "InitResult") -> list[str]:
    if not founded.created:
        return [f"nothing to do: `{founded.root.path}` is a root already"]
    from shlex import quote  # noqa: PLC0415 - only here

    where = f" --root {quote(founded.root.path)}" if founded.root.named else ""
    made = [f"made {path}" for path in founded.created]
    if f"{founded.root.tools}/example.json" not in founded.created:
        return [*made, f"see what is there with `cortex-policy list{where}`"]
    return [
        *made,
        "next, try the example, and make a grant of your own:",
        f"  cortex-policy check example read --path {'' if not where else quote(f'{founded.root.path}/')}docs/x{where}",
        f"  cortex-policy new git --allow tree --rate 30 --scope docs{where}",
    ]
