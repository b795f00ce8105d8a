"""The classes of commands for Typer: what each does before it runs, how it reads its words, and what its help adds."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

from cortex_policy.cli.command_errors import Invocation
from cortex_policy.cli.command_table import GROUPS, PROGRAM
from cortex_policy.cli.exit_codes import is_changing_parsed_command, list_exit_codes
from cortex_policy.cli.help import ExamplesHelp, split_examples, write_commands, write_section
from cortex_policy.run import split_argv_at_double_dash


class CommandWithExamples(ExamplesHelp, TyperCommand):
    """A command that records before it runs whether it does more than print."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, after noting whether it changes something and whether errors go out as JSON."""
        if isinstance(ctx.obj, Invocation):
            ctx.obj.changes |= is_changing_parsed_command(ctx.command_path.partition(" ")[2], ctx.params)
            ctx.obj.is_json = bool(ctx.params.get("json")) and not ctx.params.get("quiet")
        return super().invoke(ctx)


class GroupWithExamples(ExamplesHelp, TyperGroup):
    """A command with commands of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Leave suggestions to `usage_errors`."""
        super().__init__(*args, **{**options, "suggest_commands": False})

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with its whole first sentence, which Typer would cut."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = {name: split_examples(found.help)[0][0] for name, found in commands if found}
        write_commands(formatter, {"Commands": rows})


class ProgramGroup(GroupWithExamples):
    """The program: its commands are listed by what they are for."""

    def format_commands(self, _: Any, formatter: Any) -> None:
        """Write a section for each group of the table, which need not be loaded."""
        write_commands(
            formatter,
            {title: {name: summary for name, (*_, summary) in commands.items()} for title, commands in GROUPS.items()},
        )

    def format_epilog(self, _: Any, formatter: Any) -> None:
        """Say where to read on."""
        formatter.write_paragraph()
        formatter.write_text(f"`{PROGRAM} help COMMAND` explains a command, with examples.")


class DecisionCommand(CommandWithExamples):
    """A command whose exit code is the decision: its help ends with all exit codes.

    `--help` is not among its options: with other words it would end with 0, which means allowed.
    """

    def help_records(self, ctx: Any) -> dict[str, list[tuple[str, str]]]:
        """Add a record for `--help`, which exits with a code of its own here."""
        records = super().help_records(ctx)
        return records | {
            "Options": [
                *records["Options"],
                ("-h, --help", "Print this help; the exit code is 0 only if there are no other words."),
            ]
        }

    def format_epilog(self, _: Any, formatter: Any) -> None:
        """Write the exit codes."""
        write_section(formatter, "Exit codes", [f"{code:<4} {meaning}" for code, meaning in list_exit_codes(self.name)])


class CheckCommand(DecisionCommand):
    """`check`, which takes a call in words, or requests from a file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; GRANT and ACTION may only be missing if a file has the calls."""
        words, _ = split_argv_at_double_dash(args)
        if any(word.partition("=")[0] in ("--batch", "--request") for word in words):
            for param in self.params:
                param.required = False
        return super().parse_args(ctx, args)


class _TakesCommand:
    """A command whose last words, after `--`, are another one, and never options of this program."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the arguments' names with `--` before the command."""
        *pieces, command = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [*pieces, "--", command.strip("[]")]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words before `--`, and take those after it as they are."""
        words, command = split_argv_at_double_dash(args)
        rest: list[str] = super().parse_args(ctx, words)  # type: ignore[misc]
        if ctx.params["command"] or not command:
            ctx.fail("The command goes after `--`.")
        ctx.params["command"] = list(command)
        return rest


class RunCommand(_TakesCommand, DecisionCommand):
    """A command that decides, and runs another one."""


class ProxyCommand(_TakesCommand, CommandWithExamples):
    """A command that runs another one, and decides later."""
