"""The help of commands: prose, then the examples of the docstring line by line, then options."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

from cortex_policy.cli.exit_codes import changes_something, exit_codes

_PROMPT = "$ "


def split_examples(text: str | None) -> tuple[list[str], list[str]]:
    """Split a docstring into its paragraphs and its examples, which are the lines after a `$`."""
    paragraphs = (text or "").strip().split("\n\n")
    prose = [paragraph for paragraph in paragraphs if not paragraph.startswith(_PROMPT)]
    examples = [paragraph for paragraph in paragraphs if paragraph.startswith(_PROMPT)]
    return prose, [line.removeprefix(_PROMPT) for paragraph in examples for line in paragraph.split("\n")]


class _ExamplesHelp:
    """Help with an `Examples` section; Typer itself joins the lines of a paragraph."""

    help: str | None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the arguments' names without Typer's braces."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]  # type: ignore[misc]

    def format_help_text(self, _: Any, formatter: Any) -> None:
        """Write the prose, then the examples."""
        prose, examples = split_examples(self.help)
        for paragraph in prose:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(paragraph)
        if examples:
            _write_section(formatter, "Examples", examples)


def _write_section(formatter: Any, title: str, lines: list[str]) -> None:
    with formatter.section(title):
        for line in lines:
            formatter.write(f"  {line}\n")


class CommandWithExamples(_ExamplesHelp, TyperCommand):
    """A command that records before it runs whether it does more than print."""

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        if isinstance(ctx.obj, list):
            ctx.obj.append(changes_something(ctx.command_path.partition(" ")[2], ctx.params))
        return super().invoke(ctx)


class GroupWithExamples(_ExamplesHelp, TyperGroup):
    """A group of commands."""


class DecisionCommand(CommandWithExamples):
    """A command whose exit code is the decision: its help ends with all exit codes."""

    def format_epilog(self, _: Any, formatter: Any) -> None:
        """Write the exit codes."""
        _write_section(formatter, "Exit codes", [f"{code:<4} {meaning}" for code, meaning in exit_codes(self.name)])
