"""`config`: what is set, where each value came from, and how to change it."""

import json as json_text
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortex_policy.cli.asking import WaitOption, is_attended, patience
from cortex_policy.cli.help import Command, Group
from cortex_policy.cli.options import JsonOption, RootOption
from cortex_policy.cli.report import print_rows
from cortex_policy.core.model import UsageError
from cortex_policy.core.settings import PROJECT, SYSTEM, USER
from cortex_policy.state.grants import find_root
from cortex_policy.state.writers import NotDone
from cortex_policy.wording import printable

if TYPE_CHECKING:
    from cortex_policy.core.settings import Standing, Written
    from cortex_policy.manage.settings import Target

COLUMNS = ("SETTING", "VALUE", "FROM", "HIDES")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the setting.", show_default=False)]
UserOption = Annotated[bool, typer.Option("--user", help="In your own file, as without any of these.")]
ProjectOption = Annotated[bool, typer.Option("--project", help="In the file of the root, which can only tighten.")]
SystemOption = Annotated[bool, typer.Option("--system", help="In the file of the machine, which is root's.")]
config_app = typer.Typer(cls=Group, no_args_is_help=True)


@config_app.callback()
def config() -> None:
    """Show and change settings, and say where each came from.

    The system's file, yours, the environment, options: the later wins. The project's file counts last, and only where
    it is stricter. The system's file may lock what it sets.
    """


@config_app.command("list", cls=Command)
def list_settings(root: RootOption = None, *, json: JsonOption = False) -> None:
    """List the settings, where each came from, and what it hid.

    `cortex-policy-config`(5) explains each.

    $ cortex-policy config list
    $ cortex-policy config list --json
    """
    from cortex_policy.manage.settings import known_root, listed  # noqa: PLC0415 - as everywhere in this module

    found = known_root(root)
    standing = listed(found)
    if json:
        members = {"root": found.path if found is not None else None, "settings": [_members(one) for one in standing]}
        typer.echo(json_text.dumps(members))
    else:
        print_rows(COLUMNS, [_cells(one) for one in standing])


@config_app.command(cls=Command)
def get(name: NameArgument, root: RootOption = None, *, json: JsonOption = False) -> None:
    """Print the value of a setting that counts.

    $ cortex-policy config get sensitive
    $ cortex-policy config get history.keep --json
    """
    from cortex_policy.manage.settings import known_root, listed, setting_of  # noqa: PLC0415

    setting = setting_of(name)
    standing = next(one for one in listed(known_root(root)) if one.setting is setting)
    if json:
        typer.echo(json_text.dumps(_members(standing)))
    elif standing.winner.value is not None:
        typer.echo(printable(_shown(standing.winner.value)))


@config_app.command("set", cls=Command)
def set_setting(
    name: NameArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What to set it to.", show_default=False)],
    root: RootOption = None,
    *,
    user: UserOption = False,
    project: ProjectOption = False,
    system: SystemOption = False,
    wait_seconds: WaitOption = 0.0,
) -> None:
    """Set a setting in a file; its comments stay.

    A list is written with commas between.

    $ cortex-policy config set require_path true
    $ cortex-policy config set sensitive ask --project
    $ cortex-policy config set validate.ignore scope-absent,key --project
    """
    from cortex_policy.manage.settings import put  # noqa: PLC0415

    target = _target(root, user=user, project=project, system=system)
    is_changed = put(target, name, value, patience(wait_seconds))
    said = f"`{name}` is `{value}` in `{target.file}`"
    typer.echo(printable(said if is_changed else f"nothing to do: {said}"))
    _tell_winner(target, name)


@config_app.command(cls=Command)
def unset(
    name: NameArgument,
    root: RootOption = None,
    *,
    user: UserOption = False,
    project: ProjectOption = False,
    system: SystemOption = False,
    wait_seconds: WaitOption = 0.0,
) -> None:
    """Remove a setting from a file.

    $ cortex-policy config unset require_path
    $ cortex-policy config unset sensitive --project
    """
    from cortex_policy.manage.settings import drop  # noqa: PLC0415

    target = _target(root, user=user, project=project, system=system)
    is_changed = drop(target, name, patience(wait_seconds))
    said = f"`{name}` is not set in `{target.file}`"
    typer.echo(printable(said if is_changed else f"nothing to do: {said}"))


@config_app.command(cls=Command)
def path(
    root: RootOption = None,
    *,
    user: UserOption = False,
    project: ProjectOption = False,
    system: SystemOption = False,
) -> None:
    """Print the path of a settings file, whether it is there or not.

    $ cortex-policy config path
    $ cortex-policy config path --project
    """
    typer.echo(printable(_target(root, user=user, project=project, system=system).file))


@config_app.command(cls=Command)
def edit(
    root: RootOption = None,
    *,
    user: UserOption = False,
    project: ProjectOption = False,
    system: SystemOption = False,
    wait_seconds: WaitOption = 0.0,
) -> None:
    """Edit a settings file, and install it when it is valid.

    It opens `editor` of the settings, `$VISUAL` or `$EDITOR` on a private copy. A text that is not saved is left and
    named.

    $ cortex-policy config edit
    $ cortex-policy config edit --project
    """
    from cortex_policy.cli.terminal import Terminal  # noqa: PLC0415
    from cortex_policy.manage.editors import chosen  # noqa: PLC0415
    from cortex_policy.manage.settings import editor  # noqa: PLC0415
    from cortex_policy.manage.settings_sessions import edit as run  # noqa: PLC0415

    target = _target(root, user=user, project=project, system=system)
    if not is_attended():
        raise NotDone("nobody is there to edit: it needs a terminal", "use `cortex-policy config set`")
    terminal = Terminal(chosen(os.environ, editor(target.root)), os.path.basename(target.file))
    outcome = run(target, patience(wait_seconds), terminal)
    if outcome.word == "cancelled":
        raise NotDone("cancelled")
    if outcome.word == "saved":
        typer.echo(printable(f"saved `{target.file}`"))


def _target(root: str | None, *, user: bool, project: bool, system: bool) -> "Target":
    from cortex_policy.manage.settings import Target, known_root  # noqa: PLC0415

    if user + project + system > 1:
        raise UsageError("`--user`, `--project` and `--system` exclude each other", "name one of them")
    if project:
        return Target(PROJECT, find_root(root))
    return Target(SYSTEM if system else USER, known_root(root))


def _tell_winner(target: "Target", name: str) -> None:
    """Say what counts instead, where what was set does not."""
    from cortex_policy.manage.settings import listed  # noqa: PLC0415

    winner = next(one.winner for one in listed(target.root) if one.setting.name == name)
    if winner.place != target.place:
        typer.echo(printable(f"note: {_from(winner)} says `{_shown(winner.value)}`, and that counts"), err=True)


def _from(written: "Written") -> str:
    return f"`{written.source}`" if written.source else "the default"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, dict):
        return " ".join(f"{name}={','.join(codes)}" for name, codes in value.items())
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _cells(standing: "Standing") -> tuple[str, ...]:
    winner = standing.winner
    origin = f"{winner.place}: {winner.source}" if winner.source else winner.place
    hides = ", ".join(f"{_shown(one.value)} ({one.place}: {one.source})" for one in standing.hidden)
    return (standing.setting.name, _shown(winner.value), f"{origin}{' (locked)' * standing.is_locked}", hides)


def _members(standing: "Standing") -> dict[str, object]:
    return {
        "name": standing.setting.name,
        **_written(standing.winner),
        "locked": standing.is_locked,
        "hidden": [_written(one) for one in standing.hidden],
    }


def _written(one: "Written") -> dict[str, object]:
    return {"value": one.value, "place": one.place, "source": one.source or None}
