"""How Typer runs the commands of the table, with reliable exit codes."""

import gc
from importlib import import_module
from inspect import cleandoc
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortex_policy.cli.command_classes import (
    CheckCommand,
    CommandWithExamples,
    DecisionCommand,
    ProgramGroup,
    RunCommand,
)
from cortex_policy.cli.command_errors import Invocation, run_to_exit_code
from cortex_policy.cli.command_table import ALIASES, COMMANDS, PROGRAM
from cortex_policy.cli.common_options import RootOption
from cortex_policy.cli.exit_codes import DECIDING, starts_with_decision_command
from cortex_policy.cli.usage_errors import USAGE_ERROR, print_help_without_decision, print_usage_error
from cortex_policy.core.text import escape_message_to_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

HELP_OPTIONS = ("--help", "-h")
VERSION_OPTIONS = ("--version", "-V")
_MAX_WIDTH = 80
_DECISION_COMMANDS = {"explain": DecisionCommand, "run": RunCommand}
_GARBAGE_OBJECTS = 200_000  # new objects after which the collector looks for cycles
_NO_VARIABLE = "="  # of no environment: a real one could make Typer print a completion script and exit 0
_USAGE_ERROR: Any = typer.BadParameter.__base__  # Typer gives the base of its errors no public name before 0.28


def _print_version(is_given: bool) -> None:  # noqa: FBT001 - Typer's callback
    if is_given:
        from importlib.metadata import version  # noqa: PLC0415 - 15 ms, and only this needs it

        typer.echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


def build_app(names: "Iterable[str]" = COMMANDS) -> typer.Typer:
    """Return the app with only these commands: loading all of them takes as long as loading Typer."""
    app = typer.Typer(
        name=PROGRAM, cls=ProgramGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": list(HELP_OPTIONS), "terminal_width": _help_width()},
    )  # fmt: skip
    app.callback()(_program_options)
    for name in names:
        module, attribute, _ = COMMANDS[name]
        command = getattr(import_module(f"cortex_policy.cli.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        elif name in DECIDING:
            kind, text = _DECISION_COMMANDS.get(name, CheckCommand), _command_help_text(name, command.__doc__)
            app.command(name, cls=kind, add_help_option=False, help=text)(command)
        else:
            app.command(name, cls=CommandWithExamples)(command)
    return app


def _command_help_text(name: str, docstring: str) -> str:
    """Return the help of a command; an alias has the help of its original under its own name."""
    text, original = cleandoc(docstring), ALIASES.get(name)
    if original is None:
        return text
    text = text.replace(f"{PROGRAM} {original} ", f"{PROGRAM} {name} ").replace(f"`{original}", f"`{name}")
    return f"The same command as `{original}`.\n\n{text}"


def _help_width() -> int:
    """Return the width of help; Typer's own is at least 50, however narrow the terminal is."""
    return min(get_terminal_size().columns, _MAX_WIDTH) - 2


def _program_options(
    *,
    root: RootOption = None,  # read by `_move_root_option`: here for help
    version: Annotated[bool, typer.Option(*VERSION_OPTIONS, callback=_print_version, is_eager=True,
                                          help="Print the version and exit.")] = False,
) -> None:  # fmt: skip
    """Check calls of tools against grants, and manage the grants.

    A grant is a JSON file, `.cortex/policy/tools/<id>.json`, in the directory you work in or one above it. Only exit
    code 0 means allowed: a call that cannot be decided is denied.

    $ cortex-policy check git tree --path docs/x --require-path || exit
    $ cortex-policy list
    $ cortex-policy show git
    """


def run_typer(words: list[str]) -> int:
    """Run one command line with Typer and return its exit code.

    Its `Invocation` is complete once the command has read its options: `CommandWithExamples.invoke` does that.
    """
    # a grant of 1 MiB has half a million values without cycles: the collector would look at them again and again
    gc.set_threshold(_GARBAGE_OBJECTS, 100, 100)
    words = _move_root_option(words)
    invocation = Invocation(changes=starts_with_decision_command(words))
    return run_to_exit_code(lambda: _run_app(words, invocation), invocation)


def _move_root_option(words: list[str]) -> list[str]:
    """Move `--root DIR` from before a command to its options: every command reads it there."""
    value, rest = None, words
    if words[:1] == ["--root"] and len(words) > 1:
        value, rest = words[1], words[2:]
    elif words and words[0].startswith("--root="):
        value, rest = words[0].partition("=")[2], words[1:]
    if value is None or not rest or rest[0].startswith("-"):
        return words
    options = next((at for at, word in enumerate(rest) if word.startswith("-")), len(rest))
    return [*rest[:options], f"--root={value}", *rest[options:]]


def _needed_commands(first: str, words: list[str]) -> "Iterable[str]":
    """Return the commands to load; help of the program needs none."""
    if words in [[], *([option] for option in HELP_OPTIONS + VERSION_OPTIONS)]:
        return ()
    return [first] if first in COMMANDS and first != "help" else COMMANDS


def _run_app(words: list[str], invocation: Invocation) -> int:
    """Parse and run words with only the commands that they may need; return the exit code, also for usage errors."""
    first = words[0] if words else ""
    command = typer.main.get_command(build_app(_needed_commands(first, words)))
    if starts_with_decision_command(words) and words[1:] == ["--help"]:
        context = typer.Context(command, info_name=PROGRAM, **command.context_settings)
        deciding = command.get_command(context, first)  # type: ignore[attr-defined]
        typer.echo(deciding.get_help(typer.Context(deciding, info_name=first, parent=context)))
        return 0
    if starts_with_decision_command(words) and words[1:] == ["--version"]:
        words = ["--version"]
    if first.startswith("-") and words[1:]:  # else a wrapper's `"$@"` could make a call a 0
        about = f"{words[1]} " if words[1] in COMMANDS else ""
        wanted = "name a command after `--root DIR`" if first.startswith("--root") else f"use `{first}` on its own"
        typer.echo(f"{PROGRAM}: {escape_message_to_one_line(wanted)}\nhint: see `{PROGRAM} {about}--help`", err=True)
        return USAGE_ERROR
    try:
        code = command.main(words, PROGRAM, _NO_VARIABLE, standalone_mode=False, obj=invocation)
    except _USAGE_ERROR as error:
        if starts_with_decision_command(words) and getattr(error, "option_name", "") in HELP_OPTIONS:
            print_help_without_decision(words, error)
        else:
            print_usage_error(words, error)
        return USAGE_ERROR
    return code if isinstance(code, int) else 0
