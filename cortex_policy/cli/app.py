"""The table of commands, and how Typer runs them with reliable exit codes."""

import os
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortex_policy.cli.exit_codes import DECIDING
from cortex_policy.cli.exit_guard import run_guarded
from cortex_policy.cli.help import CommandWithExamples, DecisionCommand, GroupWithExamples
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import message_line
from cortex_policy.render import render

if TYPE_CHECKING:
    from collections.abc import Iterable

PROGRAM = "cortex-policy"
USAGE_ERROR = 2
# name of each command -> its module in `commands`, and its function or app there
COMMANDS = {
    "check": ("check", "check"),
    "enforce": ("check", "check"),
    "explain": ("explain", "explain"),
    "list": ("list", "list_grants"),
    "show": ("show", "show"),
    "diff": ("diff", "diff"),
    "edit": ("edit", "edit"),
    "init": ("init", "init"),
    "new": ("new", "new"),
    "set": ("set", "set_grant"),
    "remove": ("remove", "remove"),
    "rename": ("rename", "rename"),
    "copy": ("copy", "copy"),
    "fmt": ("fmt", "fmt"),
    "log": ("log", "log"),
    "undo": ("undo", "undo"),
    "validate": ("validate", "validate"),
    "rule": ("rule", "rule"),
    "test": ("test", "run_test_cases"),
    "replay": ("replay", "replay"),
    "suggest": ("suggest", "suggest"),
    "stop": ("stop", "stop"),
    "resume": ("resume", "resume"),
    "approvals": ("approvals", "approvals"),
    "approve": ("approve", "approve"),
    "deny": ("approve", "deny"),
    "schema": ("schema", "schema"),
    "completions": ("completions", "completions"),
    "stamp": ("stamp", "stamp_app"),
    "config": ("config", "config_app"),
    "rate": ("rate", "rate_app"),
    "audit": ("audit", "audit_app"),
}
ALIASES = {"enforce": "check"}
_OUTPUT_OPTIONS = frozenset(("--json", "-q", "--quiet"))
_USAGE_ERROR: Any = typer.BadParameter.__base__  # Typer gives the base of its errors no public name before 0.28


def _print_version(is_given: bool) -> None:  # noqa: FBT001 - Typer's callback
    if is_given:
        from importlib.metadata import version  # noqa: PLC0415 - 15 ms, and only this needs it

        typer.echo(version("cortex-policy"))
        raise typer.Exit


def build_app(names: "Iterable[str]" = COMMANDS) -> typer.Typer:
    """Return the app with only these commands: loading all of them takes as long as loading Typer."""
    app = typer.Typer(
        name=PROGRAM, cls=GroupWithExamples, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )  # fmt: skip
    app.callback()(program_options)
    for name in names:
        module, attribute = COMMANDS[name]
        found = getattr(import_module(f"cortex_policy.cli.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        elif name in DECIDING:
            app.command(name, cls=DecisionCommand, add_help_option=False, help=_help_text(name, found.__doc__))(found)
        else:
            app.command(name, cls=CommandWithExamples)(found)
    return app


def _help_text(name: str, docstring: str) -> str:
    """Return the help of a command; an alias has the help of its original under its own name."""
    text, original = cleandoc(docstring), ALIASES.get(name)
    if original is None:
        return text
    text = text.replace(f"{PROGRAM} {original} ", f"{PROGRAM} {name} ").replace(f"`{original}", f"`{name}")
    return f"The same command as `{original}`.\n\n{text}"


def program_options(
    *, version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True,
                                             help="Print the version and exit.")] = False,
) -> None:  # fmt: skip
    """Check what a tool may do against its grant, and look after the grants.

    A grant is a JSON file, `.cortex/policy/tools/<id>.json`, in the directory you work in or one above it. Only exit
    code 0 means allowed: a call that cannot be decided is denied.

    $ cortex-policy check git tree --path docs/x || exit
    $ cortex-policy list
    $ cortex-policy show git
    """


def run_typer(words: list[str]) -> int:
    """Run one command line with Typer and return its exit code."""
    for name in [name for name in os.environ if name.startswith("_") and "COMPLETE" in name]:
        del os.environ[name]  # they would make Typer print a completion script and exit 0
    noted: list[bool] = []
    return run_guarded(lambda: _invoke(words, noted), lambda: is_decision_command(words) or any(noted))


def is_decision_command(words: list[str]) -> bool:
    """Return whether the exit code of this command line is a decision."""
    return bool(words) and words[0] in DECIDING


def _invoke(words: list[str], noted: list[bool]) -> int:
    command = typer.main.get_command(build_app(words[:1] if words and words[0] in COMMANDS else COMMANDS))
    if is_decision_command(words) and words[1:] == ["--help"]:
        context = typer.Context(command, info_name=PROGRAM)
        deciding = command.get_command(context, words[0])  # type: ignore[attr-defined]
        typer.echo(deciding.get_help(typer.Context(deciding, info_name=words[0], parent=context)))
        return 0
    if is_decision_command(words) and words[1:] == ["--version"]:
        words = ["--version"]
    if words[:1] in (["--help"], ["--version"]) and words[1:]:  # else a wrapper's `"$@"` could make a call a 0
        typer.echo(f"{PROGRAM}: use {words[0]} on its own\nhint: see `{PROGRAM} --help`", err=True)
        return USAGE_ERROR
    try:
        code = command.main(words, prog_name=PROGRAM, standalone_mode=False, obj=noted)
    except _USAGE_ERROR as error:
        _print_usage_error(words, error)
        return USAGE_ERROR
    return code if isinstance(code, int) else 0


def _print_usage_error(words: list[str], error: Any) -> None:
    """Print a usage error in the format asked for: programs read the output of `check` too."""
    if not is_decision_command(words) or not _OUTPUT_OPTIONS.intersection(words):
        typer.echo(_usage_error_text(error, words), err=True)
    elif "--json" in words and not {"-q", "--quiet"}.intersection(words):
        from cortex_policy.check import Call, CallOutcome  # noqa: PLC0415 - only an error of a decision needs it

        call, message = Call("", "", json=True), _usage_error_text(error, words).split("\n")[0].partition(": ")[2]
        typer.echo(render(CallOutcome(call, None, None, UsageError(message), 0)).out, nl=False)


def _usage_error_text(error: Any, words: list[str]) -> str:
    """Return a usage error in the style of `check`."""
    message = str(error.format_message())
    if message.startswith("Usage: "):  # no words at all: the whole help
        return message
    if near := getattr(error, "possibilities", None):  # options; worded as Typer words it for commands
        message = f"{error.message}. Did you mean {', '.join(map(repr, near))}?"
    context = error.ctx
    # an option without its value has lost its command
    command = context.command_path if context is not None else " ".join([PROGRAM, *words[: is_decision_command(words)]])
    message = " ".join(message.split()).removesuffix(".")
    return f"{command}: {message_line(message[:1].lower() + message[1:])}\nhint: see `{command} --help`"
