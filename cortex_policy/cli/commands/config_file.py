"""`config set | unset | path | edit`: commands on one settings file, and the options that name it."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, ResumeOption, RootOption, WaitOption, WideningOption
from cortex_policy.cli.options_from_function import fill_first_argument_by_calling
from cortex_policy.cli.output.printing import print_json, warn_if_command_not_logged
from cortex_policy.cli.output.settings import format_setting_as_typed, setting_to_json
from cortex_policy.cli.prompts import is_interactive, make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root, find_inner_root_or_none
from cortex_policy.core.model import GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import PROJECT, SYSTEM, USER
from cortex_policy.core.text import escape_message_to_one_line, escape_unprintable

if TYPE_CHECKING:
    from cortex_policy.core.settings import EffectiveSetting, SettingValue
    from cortex_policy.manage.settings.write import SettingsFile

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the setting.", show_default=False)]
UserOption = Annotated[bool, typer.Option("--user", help="Use your own settings; this is the default.")]
ProjectOption = Annotated[bool, typer.Option("--project", help="Use the project's settings, which can only restrict.")]
SystemOption = Annotated[bool, typer.Option("--system", help="Use the system's settings (root only).")]


def _settings_file_of_options(
    root: RootOption = None, *, user: UserOption = False, project: ProjectOption = False, system: SystemOption = False
) -> "SettingsFile":
    from cortex_policy.manage.settings.write import SettingsFile  # noqa: PLC0415 - no other command needs it

    if user + project + system > 1:
        raise UsageError("`--user`, `--project` and `--system` cannot be combined", "use one of them")
    if project:
        return SettingsFile(PROJECT, find_inner_root(root))
    return SettingsFile(SYSTEM if system else USER, find_inner_root_or_none(root))


@add_quiet_option
@fill_first_argument_by_calling(_settings_file_of_options)
def set_setting(
    target: "SettingsFile",
    name: NameArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The new value.", show_default=False)],
    *,
    allow_widening: WideningOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Set a setting in a file; its comments stay.

    Separate the items of a list by commas. If more would be allowed than before, or less would be recorded, it asks for
    confirmation, as `set` does for grants.

    $ cortex-policy config set require_path true
    $ cortex-policy config set sensitive ask --project
    $ cortex-policy config set validate.ignore scope-absent,key --project
    """
    from cortex_policy.cli.confirm import make_widening_prompt_for_grant_diff  # noqa: PLC0415 - as everywhere in this module
    from cortex_policy.manage.settings.write import write_setting_to_file  # noqa: PLC0415

    done = write_setting_to_file(
        target,
        name,
        value,
        make_widening_prompt_for_grant_diff(allowed=allow_widening, json=json),
        make_lock_wait_options_with_notice(wait_seconds),
    )
    warn_if_command_not_logged("config set", done.unrecorded)
    effective = _effective_setting(target, name)
    if json:
        print_json(_write_result_to_json(target, name, effective, is_changed=done.is_changed))
        return
    nothing = f"nothing to do: `{name}` is `{value}` in `{target.file}` already"
    typer.echo(escape_message_to_one_line(f"set `{name}` to `{value}` in `{target.file}`" if done else nothing))
    _print_if_overridden(target, effective)


@add_quiet_option
@fill_first_argument_by_calling(_settings_file_of_options)
def unset_setting(
    target: "SettingsFile",
    name: NameArgument,
    *,
    allow_widening: WideningOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Remove a setting from a file.

    If more would be allowed than before, it asks for confirmation, as `config set` does.

    $ cortex-policy config unset require_path
    $ cortex-policy config unset sensitive --project
    """
    from cortex_policy.cli.confirm import make_widening_prompt_for_grant_diff  # noqa: PLC0415
    from cortex_policy.manage.settings.write import remove_setting_from_file  # noqa: PLC0415

    done = remove_setting_from_file(
        target,
        name,
        make_widening_prompt_for_grant_diff(allowed=allow_widening, json=json),
        make_lock_wait_options_with_notice(wait_seconds),
    )
    warn_if_command_not_logged("config unset", done.unrecorded)
    if json:
        print_json(_write_result_to_json(target, name, _effective_setting(target, name), is_changed=done.is_changed))
        return
    nothing = f"nothing to do: `{name}` is not set in `{target.file}`"
    typer.echo(escape_message_to_one_line(f"removed `{name}` from `{target.file}`" if done else nothing))


@fill_first_argument_by_calling(_settings_file_of_options)
def print_settings_file_path(target: "SettingsFile", *, json: JsonOption = False) -> None:
    """Print the path of a settings file, even if it does not exist.

    $ cortex-policy config path
    $ cortex-policy config path --project
    $ cortex-policy config path --system --json
    """
    if json:
        print_json({**_file_to_json(target), "exists": os.path.lexists(target.file)})
        return
    typer.echo(escape_unprintable(target.file))


@fill_first_argument_by_calling(_settings_file_of_options)
def edit(target: "SettingsFile", *, resume: ResumeOption = False, wait_seconds: WaitOption = 0.0) -> None:
    """Edit a settings file, and save it if it is valid.

    It opens a private copy in your editor. The setting `editor`, `$VISUAL` or `$EDITOR` names the editor. If the text
    is not saved, it is kept in a file, and the path of this file is printed.

    $ cortex-policy config edit
    $ cortex-policy config edit --project
    $ cortex-policy config edit --resume
    """
    from cortex_policy.cli.edit_terminal import EditScreen  # noqa: PLC0415
    from cortex_policy.manage.editing.editor_command import choose_editor_command  # noqa: PLC0415
    from cortex_policy.manage.settings.editor_session import edit_settings_file_in_editor as run  # noqa: PLC0415
    from cortex_policy.manage.settings.effective import find_configured_editor  # noqa: PLC0415

    if not is_interactive():
        raise NotDoneError("an editor needs a terminal", "use `cortex-policy config set`")
    terminal = EditScreen(
        choose_editor_command(os.environ, find_configured_editor(target.root)), os.path.basename(target.file)
    )
    outcome = run(target, make_lock_wait_options_with_notice(wait_seconds), terminal, resume=resume)
    if outcome.status == "cancelled":
        raise NotDoneError("cancelled")
    if outcome.status == "saved":
        typer.echo(escape_message_to_one_line(f"saved `{target.file}`"))


def _effective_setting(target: "SettingsFile", name: str) -> "EffectiveSetting | None":
    """Return a setting after the write; None, with a warning on stderr, if settings elsewhere are invalid."""
    from cortex_policy.manage.settings.effective import resolve_settings  # noqa: PLC0415

    try:
        return next(one for one in resolve_settings(target.root) if one.setting.name == name)
    except GrantError as error:  # this one was written all the same
        typer.echo(escape_message_to_one_line(f"warning: every check is denied: {error.detail}"), err=True)
        typer.echo(escape_message_to_one_line(f"hint: {error.hint}"), err=True)
        return None


def _file_to_json(target: "SettingsFile") -> dict[str, object]:
    return {"file": target.file, "place": target.place}


def _write_result_to_json(
    target: "SettingsFile", name: str, effective: "EffectiveSetting | None", *, is_changed: bool
) -> dict[str, object]:
    setting = setting_to_json(effective) if effective is not None else None
    return {**_file_to_json(target), "name": name, "changed": is_changed, "effective": setting}


def _print_if_overridden(target: "SettingsFile", effective: "EffectiveSetting | None") -> None:
    """Print a note if another source overrides what was set."""
    if effective is not None and (winner := effective.effective).place != target.place:
        typer.echo(
            escape_message_to_one_line(
                f"note: the value in force is `{format_setting_as_typed(winner.value)}`, from {_source_text(winner)}"
            ),
            err=True,
        )


def _source_text(written: "SettingValue") -> str:
    return f"`{written.source}`" if written.source else "the default"
