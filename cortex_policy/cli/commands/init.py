"""`init`: create a root with an example grant."""

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
        str | None, typer.Option("--root", metavar="DIR", help="Create it in DIR, else in the working directory.")
    ] = None,
    *,
    pre_commit: Annotated[
        bool, typer.Option("--pre-commit", help="Create `.pre-commit-config.yaml` too, or print what to add to it.")
    ] = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Create `.cortex/policy/tools`, with an example grant.

    The harmless example is created if there is no grant yet. Nothing is overwritten. If a directory above is a root
    already, it creates none: two roots would be ambiguous.

    The pre-commit hooks check before each commit that the grants are valid, formatted and stamped, and report whether
    they allow more. They run the installed cortex-policy.

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
    next_lines = ["then enable the hooks:", "  pre-commit install"]
    if hooks.status == "made":
        return next_lines
    if hooks.status == "complete":
        return [f"nothing to do: the hooks are in `{hooks.file}`"]
    return [f"kept {hooks.file} as it is; put this under its `repos:`", "", *hooks.block.splitlines(), "", *next_lines]


def _result_lines(founded: "InitResult") -> list[str]:
    if not founded.created:
        return [f"nothing to do: `{founded.root.path}` is a root already"]
    from shlex import quote  # noqa: PLC0415 - only here

    where = f" --root {quote(founded.root.path)}" if founded.root.named else ""
    made = [f"made {path}" for path in founded.created]
    if f"{founded.root.tools}/example.json" not in founded.created:
        return [*made, f"list the grants with `cortex-policy list{where}`"]
    return [
        *made,
        "next, try the example, and make a grant of your own:",
        f"  cortex-policy check example read --path {'' if not where else quote(f'{founded.root.path}/')}docs/x{where}",
        f"  cortex-policy new git --allow tree --rate 30 --scope docs{where}",
    ]
