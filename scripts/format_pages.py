"""The man pages of files, made from their pages in docs: the two cannot differ."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from manpages import roff, section, tagged_paragraphs, verbatim

from cortex_policy.cli.app import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parent.parent / "docs"


class FormatPage(NamedTuple):
    """What a man page of section 5 has besides the page in docs: its name, what it is about, its files, others to read."""

    name: str
    about: str
    source: str
    files: tuple[tuple[str, str], ...]
    see_also: tuple[str, ...]
    others: tuple[str, ...]


FORMAT_PAGES = (
    FormatPage(
        "grant",
        f"what a grant of {PROGRAM} may hold",
        "grant.md",
        (
            ("DIR/.cortex/policy/tools/ID.json", "A grant. DIR is the root."),
            (
                "DIR/.cortex/policy/grant.schema.json",
                "The schema for editors, as `cortex-policy schema --install` writes it.",
            ),
        ),
        ("check", "explain", "new", "rule", "schema", "set", "validate"),
        ("config", "hooks"),
    ),
    FormatPage(
        "hooks",
        f"the rules of agents' hooks in {PROGRAM}",
        "hooks.md",
        (("DIR/.cortex/policy/hooks.toml", "The rules. DIR is the root."),),
        ("check", "hook", "rule", "validate"),
        ("config", "grant"),
    ),
)
_BLOCK = re.compile(r"^```[a-z]*\n([\s\S]*?)^```$|((?:^(?!```).+\n)+)", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def format_page(page: FormatPage, date: str) -> str:
    """Return the man page of a format of files."""
    (_, first), *others = _sections((DOCS / page.source).read_text(encoding="utf-8"))
    links = [f".BR {PROGRAM}\\-{name} (1)" for name in page.see_also]
    links += [f".BR {PROGRAM}\\-{name} (5)" for name in page.others]
    sections = (
        section("NAME", f"{PROGRAM}\\-{page.name} \\- {page.about}"),
        section("DESCRIPTION", first),
        *(section(title.upper(), body) for title, body in others),
        section("FILES", tagged_paragraphs(page.files)),
        section("SEE ALSO", ",\n".join(links)),
    )
    title = f'.TH "{PROGRAM.upper()}\\-{page.name.upper()}" "5" "{date}" "{PROGRAM}" "File Formats"\n.nh\n.ad l'
    return "\n".join([title, *sections]) + "\n"


def _sections(page: str) -> "Iterator[tuple[str, str]]":
    """Yield each heading of a page in Markdown, and what is below it, as roff."""
    for part in re.split("^#+ ", page, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        yield title, "\n".join(_with_paragraphs(_blocks(body)))


def _blocks(body: str) -> "Iterator[str]":
    """Yield the paragraphs, lists, tables and blocks of code of a section."""
    for code, text in _BLOCK.findall(body):
        if code:
            yield verbatim(f"  {line}".rstrip() for line in code.splitlines())
        elif text.startswith("|"):
            yield _table(text)
        elif text.startswith("- "):
            yield _list(text)
        else:
            yield _prose(text)


def _with_paragraphs(blocks: "Iterator[str]") -> "Iterator[str]":
    for index, block in enumerate(blocks):
        yield f".PP\n{block}" if index and not block.startswith(".TP") else block


def _table(text: str) -> str:
    """Return the rows of a table as tagged paragraphs: the first cell is the tag."""
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines()[2:]]
    return tagged_paragraphs((name.replace("`", ""), _sentences(cells)) for name, *cells in rows)


def _sentences(cells: list[str]) -> str:
    return " ".join(f"{cell[:1].upper()}{cell[1:].rstrip('.')}." for cell in map(_plain, cells))


def _list(text: str) -> str:
    items = re.split(r"^- ", text, flags=re.MULTILINE)[1:]
    return "\n".join(f".TP\n\\(bu\n{_prose(item)}" for item in items)


def _prose(text: str) -> str:
    return roff(_plain(" ".join(text.split())))


def _plain(text: str) -> str:
    """Return a text without links and bold type."""
    return _LINK.sub(lambda link: link[1], text).replace("**", "")
