"""`config`: show settings and their sources, and change them."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.command_classes import CommandWithExamples, GroupWithExamples
from cortex_policy.cli.commands import config_file
from cortex_policy.cli.commands.config_file import NameArgument
from cortex_policy.cli.common_options import JsonOption, RootOption, TableOption
from cortex_policy.cli.output.printing import print_json, print_table_or_tsv
from cortex_policy.cli.output.settings import format_setting_as_typed, setting_to_json
from cortex_policy.cli.roots import find_inner_root_or_none
from cortex_policy.core.text import escape_unprintable

if TYPE_CHECKING:
    from cortex_policy.core.settings import EffectiveSetting

COLUMNS = ("SETTING", "VALUE", "FROM", "HIDES")
config_app: typer.Typer = typer.Typer(cls=GroupWithExamples, no_args_is_help=True)


@config_app.callback()
def config_group() -> None:
    """Show and change settings, and show where each came from.

    The sources are the system's file, your file, the environment and options; each source overrides those before it.
    The project's file is applied last, and only where it is stricter. The system's file may lock what it sets.
    """


@config_app.command("list", cls=CommandWithExamples)
def list_settings(root: RootOption = None, *, output: TableOption = None, json: JsonOption = False) -> None:
    """List the settings, their sources, and what they override.

    `-` means that a setting is not set. Invalid settings are listed first; the exit code is then 27, as it is for every
    check. `cortex-policy-config`(5) explains each setting.

    $ cortex-policy config list
    $ cortex-policy config list --json
    """
    from cortex_policy.cli.output.problems.json_report import problem_to_json  # noqa: PLC0415 - as everywhere in this module
    from cortex_policy.cli.output.problems.text import format_problem_blocks  # noqa: PLC0415
    from cortex_policy.manage.settings.effective import resolve_settings_and_errors  # noqa: PLC0415
    from cortex_policy.manage.settings_problems import make_problem_of_settings_error  # noqa: PLC0415

    policy_root = find_inner_root_or_none(root)
    resolved, errors = resolve_settings_and_errors(policy_root)
    problems = [make_problem_of_settings_error(error) for error in errors]
    if json:
        print_json({
            "root": policy_root.path if policy_root is not None else None,
            "settings": [setting_to_json(one) for one in resolved],
            "problems": [problem_to_json(one) for one in problems],
        })  # fmt: skip
    else:
        for text in format_problem_blocks(problems):
            typer.echo(text, err=True)
        print_table_or_tsv(COLUMNS, [_setting_row(one) for one in resolved], output)
    if errors:
        raise typer.Exit(errors[0].exit_code)


@config_app.command(cls=CommandWithExamples)
def get(name: NameArgument, root: RootOption = None, *, json: JsonOption = False) -> None:
    """Print the effective value of a setting.

    $ cortex-policy config get sensitive
    $ cortex-policy config get history.keep --json
    """
    from cortex_policy.manage.settings.effective import find_setting_definition, resolve_settings  # noqa: PLC0415

    setting = find_setting_definition(name)
    resolved = next(one for one in resolve_settings(find_inner_root_or_none(root)) if one.setting is setting)
    if json:
        print_json(setting_to_json(resolved))
    elif resolved.effective.value is not None:
        typer.echo(escape_unprintable(format_setting_as_typed(resolved.effective.value)))


config_app.command("set", cls=CommandWithExamples)(config_file.set_setting)
config_app.command("unset", cls=CommandWithExamples)(config_file.unset_setting)
config_app.command("path", cls=CommandWithExamples)(config_file.print_settings_file_path)
config_app.command("edit", cls=CommandWithExamples)(config_file.edit)


def _setting_row(resolved: "EffectiveSetting") -> tuple[str, ...]:
    winner = resolved.effective
    origin = f"{winner.place}: {winner.source}" if winner.source else winner.place
    overridden = ", ".join(
        f"{format_setting_as_typed(one.value)} ({one.place}: {one.source})" for one in resolved.overridden
    )
    return (
        resolved.setting.name,
        _value_cell_text(winner.value),
        f"{origin}{' (locked)' * resolved.is_locked}",
        overridden,
    )


def _value_cell_text(value: object) -> str:
    """Return a value for the table, in which nothing is blank."""
    return "-" if value is None else str(value) if value in ([], {}) else format_setting_as_typed(value)
