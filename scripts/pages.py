"""The commands as the generators see them: one walk of the Typer app."""

from typing import TYPE_CHECKING, Any

import typer

from cortex_policy.cli.app import HELP_OPTIONS, build_app
from cortex_policy.cli.command_table import PROGRAM
from cortex_policy.cli.help import split_examples

if TYPE_CHECKING:
    from collections.abc import Iterator


class Page:
    """One command: its words, its parameters, its prose and examples, its subcommands."""

    def __init__(self, command: Any, words: tuple[str, ...]) -> None:
        """Read the command."""
        self.words = words
        self.name = "-".join(words)
        self.context = typer.Context(command, info_name=" ".join(words), help_option_names=list(HELP_OPTIONS))
        params = command.get_params(self.context)
        self.options = [param for param in params if param.param_type_name == "option"]
        self.arguments = [param for param in params if param.param_type_name == "argument"]
        (self.sentence, *self.paragraphs), self.examples = split_examples(command.help)
        self.pages = [Page(sub, (*words, name)) for name, sub in sorted(getattr(command, "commands", {}).items())]

    @property
    def below(self) -> tuple[str, ...]:
        """The words after the program's name."""
        return self.words[1:]

    @property
    def usage(self) -> str:
        """The one line of usage."""
        return " ".join([*self.words, *self.context.command.collect_usage_pieces(self.context)])

    def every(self) -> "Iterator[Page]":
        """Walk this page and all below it."""
        yield self
        for page in self.pages:
            yield from page.every()

    @property
    def has_root(self) -> bool:
        """Whether it reads the files of a root."""
        return any(option.name == "root" for page in self.every() for option in page.options)

    @property
    def described_options(self) -> list[tuple[str, str]]:
        """How help names each option, and what it says of it."""
        described: list[tuple[str, str]] = self.context.command.help_records(self.context)["Options"]
        return described


def top_page() -> Page:
    """Read the whole app."""
    return Page(typer.main.get_command(build_app()), (PROGRAM,))


def takes_value(option: Any) -> bool:
    """Whether an option comes before a value."""
    return not (option.is_flag or option.count)
