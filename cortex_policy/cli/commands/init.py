"""`init`: create a root with an example grant."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, WaitOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.grants_errors import format_root_option

if TYPE_CHECKING:
    from cortex_policy.manage.init.root import InitResult


@add_quiet_option
def init(
    root: Annotated[
        str | None, typer.Option("--root", metavar="DIR", help="Where to create it; default: the working directory.")
    ] = None,
    *,
    pre_commit: Annotated[
        bool, typer.Option("--pre-commit", help="Create `.pre-commit-config.yaml` too, or print what to add to it.")
    ] = False,
    git: Annotated[
        bool, typer.Option("--git", help="Let git merge the stamp: write `.gitattributes`, and settings of this clone.")
    ] = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Create `.cortex/policy/tools`, with an example grant.

    The harmless example is created if there is no grant yet. Nothing is overwritten. If a directory above is a root
    already, nothing is created, because two roots would be ambiguous.

    With `--pre-commit`, hooks check before each commit that the grants are valid, formatted and stamped, and report
    whether the grants allow more. The hooks run the installed cortex-policy.

    Every write changes the stamp, so git reports a conflict between two branches even if they changed different grants.
    With `--git`, git asks this program to merge the stamp. The settings for this are in `.git/config`, so run
    `cortex-policy init --git` once in each clone.

    $ cortex-policy init
    $ cortex-policy init --pre-commit --git
    $ cortex-policy init --root /srv/repo
    """
    from cortex_policy.manage.init.root import init_root  # noqa: PLC0415 - no other command needs it

    result = init_root(root, make_lock_wait_options_with_notice(wait_seconds), with_hooks=pre_commit, with_driver=git)
    if json:
        print_json(_result_to_json(result))
        return
    for line in [*_result_lines(result), *_pre_commit_lines(result), *_merge_driver_lines(result)]:
        typer.echo(escape_message_to_one_line(line))


def _result_to_json(result: "InitResult") -> dict[str, object]:
    hooks, driver = result.hooks, result.driver
    return {
        "changed": bool(result.created or (driver is not None and driver.changed_settings)),
        "root": result.root.path,
        "made": list(result.created),
        "hooks": {"file": hooks.file, "status": hooks.status, "block": hooks.block} if hooks is not None else None,
        "git": {
            "file": driver.file,
            "status": driver.status,
            "attribute": driver.attribute,
            "settings": dict(driver.settings),
        }
        if driver is not None
        else None,
    }


def _pre_commit_lines(result: "InitResult") -> list[str]:
    hooks = result.hooks
    if hooks is None:
        return []
    next_lines = ["then enable the hooks:", "  pre-commit install"]
    if hooks.status == "made":
        return next_lines
    if hooks.status == "complete":
        return [f"nothing to do: the hooks are in `{hooks.file}`"]
    return [f"kept {hooks.file} as it is; put this under its `repos:`", "", *hooks.block.splitlines(), "", *next_lines]


def _merge_driver_lines(result: "InitResult") -> list[str]:
    driver = result.driver
    if driver is None:
        return []
    kept = (
        [f"kept {driver.file} as it is; add this line to it:", f"  {driver.attribute}"]
        if driver.status == "kept"
        else []
    )
    if not driver.changed_settings:
        return kept or ["nothing to do: git already merges the stamp with this program"]
    return [
        *kept,
        "set in the settings of this clone:",
        *(f"  {name}={value}" for name, value in driver.changed_settings),
    ]


def _result_lines(result: "InitResult") -> list[str]:
    if not result.created:
        return [f"nothing to do: `{result.root.path}` is a root already"]
    from shlex import quote  # noqa: PLC0415 - only here

    where = format_root_option(result.root)
    lines = [f"made {path}" for path in result.created]
    if f"{result.root.tools_path}/example.json" not in result.created:
        return [*lines, f"list the grants with `cortex-policy list{where}`"]
    return [
        *lines,
        "next, try the example, and make a grant of your own:",
        f"  cortex-policy check example read --path {'' if not where else quote(f'{result.root.path}/')}docs/x{where}",
        f"  cortex-policy new git --allow tree --rate 30 --scope docs{where}",
    ]
