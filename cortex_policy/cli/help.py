"""The help of commands: prose, then the examples of the docstring line by line, then options."""

from typing import Any

_PROMPT = "$ "


def split_examples(text: str | None) -> tuple[list[str], list[str]]:
    """Split a docstring into its paragraphs and its examples, which are the lines after a `$`."""
    paragraphs = (text or "").strip().split("\n\n")
    prose = [paragraph for paragraph in paragraphs if not paragraph.startswith(_PROMPT)]
    examples = [paragraph for paragraph in paragraphs if paragraph.startswith(_PROMPT)]
    return prose, [line.removeprefix(_PROMPT) for paragraph in examples for line in paragraph.split("\n")]


class ExamplesHelp:
    """Help with an `Examples` section; Typer itself joins the lines of a paragraph."""

    help: str | None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the arguments' names without Typer's braces."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]  # type: ignore[misc]

    def help_records(self, ctx: Any) -> dict[str, list[tuple[str, str]]]:
        """Return what help says of each argument and option."""
        records = {"argument": list[tuple[str, str]](), "option": list[tuple[str, str]]()}
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            if record := param.get_help_record(ctx):
                records[param.param_type_name].append(record)
        return {"Arguments": records["argument"], "Options": records["option"]}

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options."""
        for title, records in self.help_records(ctx).items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_help_text(self, _: Any, formatter: Any) -> None:
        """Write the prose, then the examples."""
        prose, examples = split_examples(self.help)
        for paragraph in prose:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(paragraph)
        if examples:
            write_section(formatter, "Examples", examples)


def write_commands(formatter: Any, groups: dict[str, dict[str, str]]) -> None:
    """Write a section for each group of commands, with the first sentence of each command."""
    width = max(len(name) for commands in groups.values() for name in commands)
    for title, commands in groups.items():
        with formatter.section(title):
            formatter.write_dl([(name.ljust(width), summary) for name, summary in commands.items()])


def write_section(formatter: Any, title: str, lines: list[str]) -> None:
    """Write a section of lines that are not joined."""
    with formatter.section(title):
        for line in lines:
            formatter.write(f"  {line}\n")
