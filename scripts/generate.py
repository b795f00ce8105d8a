"""Write man pages, completions and README's reference from the commands: python scripts/generate.py [--check]."""

import re
import sys
from pathlib import Path
from typing import Any

import typer

from cortex_policy.cli.app import app
from cortex_policy.core.model import REASONS

TOP = Path(__file__).parent.parent
TEMPLATES = Path(__file__).parent / "templates"
PROGRAM = "cortex-policy"
# what stands after a command, by the names of its arguments
WORDS = {"grant": "ids", "grant_id": "ids", "action": "actions", "shell": "bash zsh fish"}
EXIT_CODES = (
    ("1", "findings: what was verified differs"),
    ("2", "usage"),
    ("3", "not done, nothing was changed"),
    ("70", "a bug in this program; every exit code but 0 is a no"),
    ("130", "interrupted"),
)


class Page:
    """One command as the generator sees it: its words, its parameters, its sentences, its subcommands."""

    def __init__(self, command: Any, words: tuple[str, ...]) -> None:
        """Read the command."""
        self.words = words
        self.name = "-".join(words)
        self.context = typer.Context(command, info_name=" ".join(words))
        self.params = command.get_params(self.context)
        paragraphs = (command.help or "").strip().split("\n\n")
        self.sentence, self.paragraphs = paragraphs[0], paragraphs[1:]
        self.pages = [Page(sub, (*words, name)) for name, sub in sorted(getattr(command, "commands", {}).items())]

    @property
    def options(self) -> list[Any]:
        """The options, without the arguments."""
        return [param for param in self.params if param.param_type_name == "option"]

    @property
    def arguments(self) -> list[Any]:
        """The arguments."""
        return [param for param in self.params if param.param_type_name == "argument"]

    @property
    def flags(self) -> list[str]:
        """Every spelling of every option."""
        return sorted({name for option in self.options for name in option.opts})

    @property
    def usage(self) -> str:
        """The one line of usage."""
        words = [argument.metavar or argument.name.upper() for argument in self.arguments]
        options = ["[OPTIONS]"] if self.options else []
        return " ".join([*self.words, *options, *words, *(["COMMAND"] if self.pages else [])])


def takes_value(option: Any) -> bool:
    """Whether an option stands before a value."""
    return not (option.is_flag or option.count)


def every(page: Page) -> list[Page]:
    """Return a page and all below it."""
    return [page, *(found for sub in page.pages for found in every(sub))]


def roff(text: str) -> str:
    """Escape text for a man page."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in escaped.split("\n"))


def man_page(page: Page, released: str) -> str:
    """Return one man page; a group tells of its subcommands."""
    title = page.name.upper()
    lines = [f'.TH "{roff(title)}" "1" "{released}" "{PROGRAM}" "User Commands"', ".SH NAME"]
    lines += [f"{roff(page.name)} \\- {roff(page.sentence[0].lower() + page.sentence[1:].rstrip('.'))}", ".SH SYNOPSIS"]
    told = [sub for sub in every(page) if len(page.words) > 1 or sub is page]
    lines += [f".B {roff(sub.usage)}\n.br" for sub in told]
    lines += [".SH DESCRIPTION", roff(page.sentence)]
    for paragraph in page.paragraphs:
        lines += [".PP", roff(paragraph)]
    for sub in told:
        lines += [f".SH OPTIONS OF {roff(' '.join(sub.words).upper())}" if sub is not page else ".SH OPTIONS"]
        lines += [roff(sub.sentence)] if sub is not page else []
        lines += [part for option in sub.options for part in _described(sub, option)]
    if len(page.words) == 1:
        lines += [
            ".SH COMMANDS",
            *(part for sub in page.pages for part in (".TP", f".B {sub.words[-1]}", roff(sub.sentence))),
        ]
    lines += [".SH EXIT STATUS", *(part for code, text in exit_codes() for part in (".TP", f".B {code}", roff(text)))]
    lines += [
        ".SH SEE ALSO",
        ", ".join(f".BR {roff(name)} (1)" for name in _neighbours(page)).replace(", .BR", " ,\n.BR"),
    ]
    return "\n".join(lines) + "\n"


def _described(page: Page, option: Any) -> list[str]:
    names, text = option.get_help_record(page.context) or ("", "")
    return [".TP", f".B {roff(names)}", roff(text)]


def _neighbours(page: Page) -> list[str]:
    return [PROGRAM] if len(page.words) > 1 else [sub.name for sub in page.pages]


def exit_codes() -> list[tuple[str, str]]:
    """Return every exit code with its meaning, in order."""
    reasons = [(str(reason.exit_code), f"{reason.message} ({reason})") for reason in REASONS]
    return sorted([*reasons, *EXIT_CODES], key=lambda pair: int(pair[0]))


def bash_cases(top: Page, variable: str) -> str:
    """Return what bash and zsh offer after each command."""
    lines = [
        f"        '') {variable}='{' '.join(sub.words[-1] for sub in top.pages)}' options='{' '.join(top.flags)}' ;;"
    ]
    for page in top.pages:
        lines.append(f"        {page.words[-1]})")
        flags = sorted({flag for sub in every(page) for flag in sub.flags})
        lines.append(f"            options='{' '.join(flags)}'")
        for count, words in enumerate(_words_after(page)):
            value = {"ids": '$(_cortex_policy_ids "$tools")', "actions": '$(_cortex_policy_actions "$tools" "@first@")'}
            first = "${plain[0]}" if variable == "words" else "$plain[1]"
            lines.append(
                f'            ((${{#plain[@]}} == {count})) && {variable}="{value.get(words, words).replace("@first@", first)}"'
            )
        lines.append("            ;;")
    return "\n".join(lines)


def _words_after(page: Page) -> list[str]:
    if page.pages:
        return [" ".join(sub.words[-1] for sub in page.pages)]
    return [WORDS[argument.name] for argument in page.arguments]


def fish_cases(top: Page) -> str:
    """Return what fish offers after each command."""
    return "\n".join(line for page in every(top) for line in _fish_lines(page))


def _fish_lines(page: Page) -> list[str]:
    words = page.words[1:]
    depth, said = len(words), "".join(f" {word}" for word in words)
    offers = [
        (f"__cortex_policy_at {depth}{said}", sub.words[-1], f" -d {_quoted(sub.sentence)}") for sub in page.pages
    ]
    for count, offered in enumerate([] if page.pages else _words_after(page)):
        actions = f"(__cortex_policy_actions (__cortex_policy_plain)[{depth + 1}])"
        source = {"ids": "(__cortex_policy_ids)", "actions": actions}.get(offered, offered)
        offers.append((f"__cortex_policy_at {depth + count}{said}", source, ""))
    lines = [f"complete -c {PROGRAM} -n '{where}' -a '{what}'{why}" for where, what, why in offers]
    condition = f"__cortex_policy_in{said}" if depth else "__cortex_policy_at 0"
    return [*lines, *(_fish_option(option, condition) for option in page.options)]


def _fish_option(option: Any, condition: str) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.opts)
    value = "" if not takes_value(option) else " -rF" if option.name in {"path", "root"} else " -x"
    return f"complete -c {PROGRAM} -n '{condition}' {names}{value} -d {_quoted(option.help or '')}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def completions(top: Page) -> dict[str, str]:
    """Return each shell's script."""
    valued = sorted(
        {name for page in every(top) for option in page.options if takes_value(option) for name in option.opts}
    )
    cases = {
        "cortex-policy.bash": bash_cases(top, "words"),
        "_cortex-policy": bash_cases(top, "candidates"),
        "cortex-policy.fish": fish_cases(top),
    }
    return {
        f"cortex_policy/completions/{name}": (TEMPLATES / name)
        .read_text()
        .replace("@valued@", " ".join(valued))
        .replace("@cases@", lines)
        for name, lines in cases.items()
    }


def reference(top: Page) -> str:
    """Return README's reference: the commands and the exit codes."""
    lines = ["| command | what it does |", "|---|---|"]
    lines += [f"| `{page.usage}` | {page.sentence} |" for page in every(top)[1:] if not page.pages]
    lines += ["", "| exit code | meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| {code} | {text} |" for code, text in exit_codes())])


def generated() -> dict[str, str]:
    """Return every generated file by its path."""
    top = Page(typer.main.get_command(app), (PROGRAM,))
    released = re.search(r"^## \[[0-9][^]]*\] - (\S+)", (TOP / "CHANGELOG.md").read_text(), re.MULTILINE)
    date = released[1] if released else ""
    readme = (TOP / "README.md").read_text()
    start, end = "<!-- reference: made by scripts/generate.py -->", "<!-- end of reference -->"
    head, tail = readme.split(start)[0], readme.split(end)[1]
    return {
        **{f"man/{page.name}.1": man_page(page, date) for page in [top, *top.pages]},
        **completions(top),
        "README.md": f"{head}{start}\n\n{reference(top)}\n\n{end}{tail}",
    }


def main(words: list[str]) -> None:
    """Write what differs, or with --check name it and exit 1."""
    drifted = [
        name for name, text in generated().items() if not (TOP / name).exists() or (TOP / name).read_text() != text
    ]
    if words == ["--check"]:
        sys.exit(f"made from an older state, run scripts/generate.py: {', '.join(drifted)}" if drifted else 0)
    for name in drifted:
        (TOP / name).write_text(generated()[name])


if __name__ == "__main__":
    main(sys.argv[1:])
