"""Man pages, from the commands and from the tables below (contracts, section 6)."""

import re
from collections.abc import Iterable

from pages import Page

from cortex_policy.cli.app import PROGRAM
from cortex_policy.cli.exit_codes import exit_codes

Entries = Iterable[tuple[str, str]]
FILES = (
    (
        "DIR/.cortex/policy/tools/ID.json",
        "A grant. DIR is the root: the one directory that holds .cortex/policy, at or above the working directory.",
    ),
    ("DIR/.cortex/policy/stamp.json", "The stamp of the grants."),
    ("DIR/.cortex/policy/.lock", "Locked by whoever writes grants or stamp."),
    ("DIR/.cortex/policy/stop", "An emergency stop: while this name exists, every check of the root is a no."),
    ("/etc/cortex-policy/stop", "The same for every check on the host."),
    ("/run/user/UID/cortex-policy", "Rate state, where /run/user/UID is the user's own, with mode 0700."),
    ("/dev/shm/cortex-policy-UID", "Rate state elsewhere. On macOS it is in ~/Library/Caches/cortex-policy."),  # noqa: S108 - only named
)
ENVIRONMENT = (
    ("CORTEX_POLICY_ROOT", "The absolute path of the root; `--root` wins over it."),
    ("CORTEX_POLICY_STATE_DIR", "The absolute path of the directory of rate state."),
    ("CORTEX_POLICY_*, CORTEX_AUDIT_LOG", "Not built yet: where any other is set, `cortex-policy check` answers 27."),
)


def man_page(page: Page, date: str) -> str:
    """Return one man page; the page of a group tells of its subcommands."""
    purpose = page.sentence[0].lower() + page.sentence[1:].rstrip(".")
    codes = exit_codes(page.below[0] if page.below else None)
    sections = (
        section("NAME", f"{roff(page.name)} \\- {roff(purpose)}"),
        section(
            "SYNOPSIS", "\n.br\n".join(_literal(sub.usage.replace("[OPTIONS]", "[OPTION]...")) for sub in _told(page))
        ),
        section("DESCRIPTION", _prose(page)),
        section("COMMANDS", _subcommands(page) if page.below else _pages_of_commands(page)),
        section("ARGUMENTS", tagged((argument.metavar, argument.help) for argument in page.arguments)),
        section("OPTIONS", tagged(map(page.described, page.options))),
        section("EXAMPLES", _verbatim(line for sub in _told(page) for line in sub.examples)),
        section("EXIT STATUS", tagged((str(code), meaning) for code, meaning in codes)),
        *(_places() if page.has_root else ()),
        section("SEE ALSO", _see_also(page)),
    )
    title = f'.TH "{roff(page.name.upper())}" "1" "{date}" "{PROGRAM}" "User Commands"\n.nh\n.ad l'
    return "\n".join([title, *filter(None, sections)]) + "\n"


def _places() -> tuple[str, str]:
    return section("FILES", tagged(FILES)), section("ENVIRONMENT", tagged(ENVIRONMENT))


def section(title: str, body: str) -> str:
    """Return a section, or nothing where it would be empty."""
    return f".SH {title}\n{body}" if body else ""


def tagged(entries: Entries) -> str:
    """Return tagged paragraphs: a name in bold, what it stands for, and what it is."""
    return "\n".join(f".TP\n{_literal(name)}\n{roff(text)}" for name, text in entries)


def roff(text: str) -> str:
    """Escape text for a man page; what stands in backticks becomes bold."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", escaped)
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in escaped.split("\n"))


def _literal(words: str) -> str:
    """Set words bold, and placeholders, which are all capitals, italic."""
    parts = re.split(r"(\b(?<!_)[A-Z]+(?![\w*])(?:=[A-Z]+)?(?:\|-)?)", words)
    return "".join(f"\\f{'I' if at % 2 else 'B'}{roff(part)}\\fR" for at, part in enumerate(parts) if part)


def _told(page: Page) -> list[Page]:
    return [sub for sub in page.every() if not sub.pages] if page.below else [page]


def _prose(page: Page) -> str:
    return "\n.PP\n".join(map(roff, [page.sentence, *page.paragraphs]))


def _pages_of_commands(page: Page) -> str:
    return tagged((" ".join(sub.below), f"{sub.sentence} See `{sub.name}`(1).") for sub in page.pages)


def _subcommands(page: Page) -> str:
    return "\n".join(
        f".SS {roff(' '.join(sub.words))}\n{_prose(sub)}\n{tagged(map(sub.described, sub.options))}"
        for sub in page.pages
    )


def _verbatim(lines: Iterable[str]) -> str:
    text = "\n".join(roff(line) for line in lines)
    return f".nf\n{text}\n.fi" if text else ""


def _see_also(page: Page) -> str:
    names = [PROGRAM] if page.below else [sub.name for sub in page.pages]
    return ",\n".join(f".BR {roff(name)} (1)" for name in names)
