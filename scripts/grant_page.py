"""The man page of a grant, made from its page in docs: the two cannot differ."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from manpages import roff, section, tagged, verbatim

from cortex_policy.cli.app import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parent.parent / "docs" / "grant.md"
FILES = (
    ("DIR/.cortex/policy/tools/ID.json", "A grant. DIR is the root."),
    ("DIR/.cortex/policy/grant.schema.json", "The schema for editors, as `cortex-policy schema --install` writes it."),
)
SEE_ALSO = ("check", "explain", "new", "rule", "schema", "set", "validate")
_BLOCK = re.compile(r"^```[a-z]*\n([\s\S]*?)^```$|((?:^(?!```).+\n)+)", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def grant_page(date: str) -> str:
    """Return the man page of a grant."""
    (_, first), *others = _sections(PAGE.read_text(encoding="utf-8"))
    pages = ",\n".join(f".BR {PROGRAM}\\-{name} (1)" for name in SEE_ALSO)
    sections = (
        section("NAME", f"{PROGRAM}\\-grant \\- what a grant of {PROGRAM} may hold"),
        section("DESCRIPTION", first),
        *(section(title.upper(), body) for title, body in others),
        section("FILES", tagged(FILES)),
        section("SEE ALSO", f"{pages},\n.BR {PROGRAM}\\-config (5)"),
    )
    title = f'.TH "{PROGRAM.upper()}\\-GRANT" "5" "{date}" "{PROGRAM}" "File Formats"\n.nh\n.ad l'
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
    return tagged((name.replace("`", ""), _sentences(cells)) for name, *cells in rows)


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
