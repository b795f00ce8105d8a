"""The command table, and how Typer is run so that exit codes never lie."""

import os
from typing import Annotated, Any

import typer

from cortex_policy.checking import Call, Outcome
from cortex_policy.cli.approvals import approvals
from cortex_policy.cli.approve import approve, deny
from cortex_policy.cli.check import check
from cortex_policy.cli.completions import completions
from cortex_policy.cli.config import config_app
from cortex_policy.cli.copy import copy
from cortex_policy.cli.diff import diff
from cortex_policy.cli.edit import edit
from cortex_policy.cli.explain import explain
from cortex_policy.cli.fmt import fmt
from cortex_policy.cli.guard import guarded
from cortex_policy.cli.help import Command, Deciding, Group
from cortex_policy.cli.init import init
from cortex_policy.cli.list import list_grants
from cortex_policy.cli.log import log
from cortex_policy.cli.new import new
from cortex_policy.cli.rate import rate_app
from cortex_policy.cli.remove import remove
from cortex_policy.cli.rename import rename
from cortex_policy.cli.replay import replay
from cortex_policy.cli.resume import resume
from cortex_policy.cli.rule import rule
from cortex_policy.cli.schema import schema
from cortex_policy.cli.set import set_grant
from cortex_policy.cli.show import show
from cortex_policy.cli.stamp import stamp_app
from cortex_policy.cli.stop import stop
from cortex_policy.cli.suggest import suggest
from cortex_policy.cli.test import cases
from cortex_policy.cli.undo import undo
from cortex_policy.cli.validate import validate
from cortex_policy.core.model import UsageError
from cortex_policy.wording import printable, worded

PROGRAM = "cortex-policy"
USAGE = 2
DECIDING = (["check"], ["explain"])  # their exit codes are answers, and programs read them
_QUIETER = frozenset(("--json", "-q", "--quiet"))
_USAGE_ERROR: Any = typer.BadParameter.__base__  # Typer gives the base of its errors no public name before 0.28
app = typer.Typer(
    name=PROGRAM,
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("check", cls=Deciding, add_help_option=False)(check)
app.command("explain", cls=Deciding, add_help_option=False)(explain)
app.command("list", cls=Command)(list_grants)
app.command("show", cls=Command)(show)
app.command("diff", cls=Command)(diff)
app.command("edit", cls=Command)(edit)
app.command("init", cls=Command)(init)
app.command("new", cls=Command)(new)
app.command("set", cls=Command)(set_grant)
app.command("remove", cls=Command)(remove)
app.command("rename", cls=Command)(rename)
app.command("copy", cls=Command)(copy)
app.command("fmt", cls=Command)(fmt)
app.command("log", cls=Command)(log)
app.command("undo", cls=Command)(undo)
app.command("validate", cls=Command)(validate)
app.command("rule", cls=Command)(rule)
app.command("test", cls=Command)(cases)
app.command("replay", cls=Command)(replay)
app.command("suggest", cls=Command)(suggest)
app.command("stop", cls=Command)(stop)
app.command("resume", cls=Command)(resume)
app.command("approvals", cls=Command)(approvals)
app.command("approve", cls=Command)(approve)
app.command("deny", cls=Command)(deny)
app.command("schema", cls=Command)(schema)
app.command("completions", cls=Command)(completions)
app.add_typer(stamp_app, name="stamp")
app.add_typer(config_app, name="config")
app.add_typer(rate_app, name="rate")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's callback
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - 15 ms, and only this needs it

        typer.echo(version("cortex-policy"))
        raise typer.Exit


@app.callback()
def program(
    *, version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True,
                                             help="Print the version and exit.")] = False,
) -> None:  # fmt: skip
    """Check what a tool may do against its grant, and look after the grants.

    A grant is a JSON file, `.cortex/policy/tools/<id>.json`, in the directory you work in or one above it. Whatever
    cannot be decided is a no: only exit code 0 is yes.

    $ cortex-policy check git tree --path docs/x || exit
    $ cortex-policy list
    $ cortex-policy show git
    """


def run(words: list[str]) -> int:
    """Run the commands on these words and return the exit code."""
    for name in [name for name in os.environ if name.startswith("_") and "COMPLETE" in name]:
        del os.environ[name]  # they would make Typer print a completion script and exit 0
    return guarded(lambda: _run(words))


def _run(words: list[str]) -> int:
    command = typer.main.get_command(app)
    if words[:1] in DECIDING and words[1:] == ["--help"]:
        context = typer.Context(command, info_name=PROGRAM)
        deciding = command.get_command(context, words[0])  # type: ignore[attr-defined]
        typer.echo(deciding.get_help(typer.Context(deciding, info_name=words[0], parent=context)))
        return 0
    if words[:1] in DECIDING and words[1:] == ["--version"]:
        words = ["--version"]
    if words[:1] in (["--help"], ["--version"]) and words[1:]:  # else a wrapper's `"$@"` could make a call a 0
        typer.echo(f"{PROGRAM}: {words[0]} stands alone\nhint: see `{PROGRAM} --help`", err=True)
        return USAGE
    try:
        code = command.main(words, prog_name=PROGRAM, standalone_mode=False)
    except _USAGE_ERROR as error:
        _tell(words, error)
        return USAGE
    return code if isinstance(code, int) else 0


def _tell(words: list[str], error: Any) -> None:
    """Print an error of usage in the way that the words ask for: `check` is read by programs too."""
    if words[:1] not in DECIDING or not _QUIETER.intersection(words):
        typer.echo(_usage(error, words), err=True)
    elif "--json" in words and not {"-q", "--quiet"}.intersection(words):
        call, message = Call("", "", json=True), _usage(error, words).split("\n")[0].partition(": ")[2]
        typer.echo(worded(call, Outcome(None, None, UsageError(message), 0))[0], nl=False)


def _usage(error: Any, words: list[str]) -> str:
    """Word an error of usage as `check` words its own."""
    message = str(error.format_message())
    if message.startswith("Usage: "):  # no words at all: the whole help
        return message
    if near := getattr(error, "possibilities", None):  # options; worded as Typer words it for commands
        message = f"{error.message}. Did you mean {', '.join(map(repr, near))}?"
    context = error.ctx
    # an option without its value has lost its command
    command = context.command_path if context is not None else " ".join([PROGRAM, *words[: words[:1] in DECIDING]])
    message = " ".join(message.split()).removesuffix(".")
    return f"{command}: {printable(message[:1].lower() + message[1:])}\nhint: see `{command} --help`"
