"""Man pages, from the commands and from the tables below."""

import re
from collections.abc import Iterable

from pages import Page

from cortex_policy.cli.command_table import GROUPS, PROGRAM
from cortex_policy.cli.exit_codes import list_exit_codes
from cortex_policy.core.settings import LOCKED, PROJECT, SETTINGS, SYSTEM, Setting, map_settings_by_variable_name
from cortex_policy.state import SYSTEM_SETTINGS

Entries = Iterable[tuple[str, str]]
FILES = (
    (
        "DIR/.cortex/policy/tools/ID.json",
        "A grant. DIR is the root: the one directory that holds .cortex/policy, at or above the working directory.",
    ),
    ("DIR/.cortex/policy/stamp.json", "The stamp of the grants."),
    ("DIR/.cortex/policy/.lock", "Locked by a command that writes grants or the stamp."),
    ("DIR/.cortex/policy/stop", "An emergency stop: while this name exists, every check of the root is denied."),
    ("/etc/cortex-policy/stop", "The same for every check on the host."),
    ("STATE/approvals.jsonl", "Calls that wait for a human, and the answers; STATE is the directory of rate state."),
    ("/dev/shm/cortex-policy-UID", "Rate state. On macOS it is in ~/Library/Caches/cortex-policy."),  # noqa: S108 - only named
)
ENVIRONMENT = (
    ("CORTEX_POLICY_ROOT", "The absolute path of the root; `--root` wins over it."),
    ("CORTEX_POLICY_STATE_DIR", "The absolute path of the directory of rate state."),
    ("CORTEX_POLICY_*", "Settings, see `cortex-policy-config`(5); an unknown one makes every check fail with 27."),
    ("CORTEX_AUDIT_LOG", "The absolute path of the audit log, if no setting names one."),
    ("CORTEX_HITL_STORE", "The absolute path of the file of waiting calls, if no setting names one."),
    (
        "CORTEX_HITL_TIMEOUT_MS",
        "How long they wait, if no setting says so; in milliseconds, rounded down to seconds.",
    ),
)
SETTINGS_FILES = (
    (f"{SYSTEM_SETTINGS}/config.toml", "The settings of the system; only root writes them."),
    (
        "~/.config/cortex-policy/config.toml",
        "The settings of the user; below XDG_CONFIG_HOME if that is absolute, and on macOS in ~/Library/Application Support.",
    ),
    ("DIR/.cortex/policy/config.toml", "Use the project's settings, which can only restrict."),
)
SETTINGS_TEXT = (
    "Settings hold for all grants of a root, a user or a system. They are in TOML files and in the environment. Any error in them, also an unknown key, makes every check fail with exit code 27: no setting is skipped.",
    "Settings come from the system's file, the user's file, the environment and options; later sources override earlier ones, except for settings that the system's file lists in `locked`. The project's file and options are applied last, even to locked settings, but only if they are stricter.",
    "A variable is named after its setting: `history.keep` is `CORTEX_POLICY_HISTORY_KEEP`. An empty variable is an error, because its meaning is unclear; unset it.",
    "A file is trusted if it is a plain file of at most 64 KiB, not a link, that belongs to its user (the system's to root) and that nobody else can write. `cortex-policy config list` shows each value in effect, its source and what it overrides.",
)
SETTINGS_EXAMPLE = (
    f'{LOCKED} = ["sensitive"]  # in the system\'s file',
    'sensitive = "ask"',
    "",
    "[history]",
    "keep = 30",
    "",
    "[validate]  # in the project's file",
    'ignore = ["scope-absent"]',
    "",
    "[validate.suppress]",
    '"legacy-*.json" = ["key", "tool-id"]',
    '".cortex/policy/tools/git.json" = ["scope-link"]',
)


def man_page(page: Page, top: Page, date: str) -> str:
    """Return one man page; the page of a group lists its subcommands."""
    purpose = page.sentence[0].lower() + page.sentence[1:].rstrip(".")
    codes = list_exit_codes(page.below[0] if page.below else None)
    sections = (
        section("NAME", f"{roff(page.name)} \\- {roff(purpose)}"),
        section(
            "SYNOPSIS",
            "\n.br\n".join(_literal(sub.usage.replace("[OPTIONS]", "[OPTION]...")) for sub in _leaf_pages(page)),
        ),
        section("DESCRIPTION", _prose(page)),
        section("COMMANDS", _subcommands(page) if page.below else _pages_of_commands(page)),
        section("ARGUMENTS", tagged_paragraphs((argument.metavar, argument.help) for argument in page.arguments)),
        section("OPTIONS", tagged_paragraphs(page.described_options)),
        section("EXAMPLES", verbatim(line for sub in _leaf_pages(page) for line in sub.examples)),
        section("EXIT STATUS", tagged_paragraphs((str(code), meaning) for code, meaning in codes)),
        *(_places() if page.has_root else ()),
        section("SEE ALSO", _see_also(page, top)),
    )
    title = f'.TH "{roff(page.name.upper())}" "1" "{date}" "{PROGRAM}" "User Commands"\n.nh\n.ad l'
    return "\n".join([title, *filter(None, sections)]) + "\n"


def settings_page(date: str) -> str:
    """Return the man page of the settings."""
    sections = (
        section("NAME", f"{PROGRAM}\\-config \\- settings of {PROGRAM}"),
        section("DESCRIPTION", "\n.PP\n".join(map(roff, SETTINGS_TEXT))),
        section("SETTINGS", tagged_paragraphs((one.name, _describe(one)) for one in SETTINGS)),
        section(
            LOCKED.upper(),
            roff(f"`{LOCKED}`, in the {SYSTEM}'s file alone, is a list of settings that this file sets."),
        ),
        section("EXAMPLES", verbatim(SETTINGS_EXAMPLE)),
        section("FILES", tagged_paragraphs(SETTINGS_FILES)),
        section("SEE ALSO", f".BR {roff(PROGRAM)} (1),\n.BR {roff(PROGRAM)}\\-config (1)"),
    )
    title = f'.TH "{roff(PROGRAM.upper())}\\-CONFIG" "5" "{date}" "{PROGRAM}" "File Formats"\n.nh\n.ad l'
    return "\n".join([title, *sections]) + "\n"


def _describe(setting: Setting) -> str:
    """Say what a setting does, its values, and where it may be set."""
    default = f" Without it: {setting.default_text}." if setting.default_text else ""
    variable = f" Its variable is `{setting.variable}`." if setting.variable in map_settings_by_variable_name() else ""
    places = "the project alone" if setting.places == (PROJECT,) else ", ".join(setting.places)
    return f"{setting.sentence} It is {setting.expected}.{default} Set by: {places}.{variable}"


def _places() -> tuple[str, str]:
    return section("FILES", tagged_paragraphs(FILES)), section("ENVIRONMENT", tagged_paragraphs(ENVIRONMENT))


def section(title: str, body: str) -> str:
    """Return a section, or nothing if it would be empty."""
    return f".SH {title}\n{body}" if body else ""


def tagged_paragraphs(entries: Entries) -> str:
    """Return tagged paragraphs: a name in bold, its placeholder, and what it is."""
    return "\n".join(f".TP\n{_literal(name)}\n{roff(text)}" for name, text in entries)


def roff(text: str) -> str:
    """Escape text for a man page; text in backticks becomes bold."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", escaped)
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in escaped.split("\n"))


def _literal(words: str) -> str:
    """Set words bold, and placeholders, which are all capitals, italic."""
    parts = re.split(r"(\b(?<!_)[A-Z]+(?![\w*])(?:=[A-Z]+)?(?:\|-)?)", words)
    return "".join(f"\\f{'I' if at % 2 else 'B'}{roff(part)}\\fR" for at, part in enumerate(parts) if part)


def _leaf_pages(page: Page) -> list[Page]:
    return [sub for sub in page.every() if not sub.pages] if page.below else [page]


def _prose(page: Page) -> str:
    return "\n.PP\n".join(map(roff, [page.sentence, *page.paragraphs]))


def _pages_of_commands(page: Page) -> str:
    pages = {sub.below[0]: sub for sub in page.pages}
    return "\n".join(
        f".SS {title}\n{tagged_paragraphs(_see(pages[name]) for name in names)}" for title, names in GROUPS.items()
    )


def _see(page: Page) -> tuple[str, str]:
    return " ".join(page.below), f"{page.sentence} See `{page.name}`(1)."


def _subcommands(page: Page) -> str:
    return "\n".join(
        f".SS {roff(' '.join(sub.words))}\n{_prose(sub)}\n{tagged_paragraphs(sub.described_options)}"
        for sub in page.pages
    )


def verbatim(lines: Iterable[str]) -> str:
    """Return lines that are printed as they are."""
    text = "\n".join(roff(line) for line in lines)
    return f".nf\n{text}\n.fi" if text else ""


def _see_also(page: Page, top: Page) -> str:
    """Return the pages that a reader of this one may want next: its group, or those of what it is a part of."""
    group = next((names for names in GROUPS.values() if page.below and page.below[0] in names), {})
    near = [sub for sub in top.pages if sub.below[0] in group] if len(page.below) == 1 else []
    family = [sub for sub in top.every() if page.below and sub.below[:1] == page.below[:1]]
    pages = [top, *family, *near] if page.below else page.pages
    names = [name for name in dict.fromkeys(sub.name for sub in pages) if name != page.name]
    return ",\n".join(f".BR {roff(name)} (1)" for name in names)
