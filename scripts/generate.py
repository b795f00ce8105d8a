"""Write man pages, completions, hooks and README's reference: python scripts/generate.py [--check]."""

import re
import sys
from pathlib import Path

from manpages import man_page, settings_page
from pages import Page, top_page
from shells import completions

from cortex_policy.cli.exit_codes import exit_codes
from cortex_policy.core.settings import SETTINGS
from cortex_policy.manage.init.pre_commit import hooks_manifest
from cortex_policy.schema.catalog import RULES

TOP = Path(__file__).parent.parent
START, END = "<!-- reference: made by scripts/generate.py -->", "<!-- end of reference -->"


def reference(top: Page) -> str:
    """Return README's reference: the commands, the exit codes, the settings and the rules."""
    lines = ["| command | what it does |", "|---|---|"]
    lines += [f"| `{page.usage}` | {page.sentence} |" for page in top.every() if not page.pages]
    lines += ["", "| exit code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in exit_codes()]
    lines += ["", "| setting | value | default | set by | what it is |", "|---|---|---|---|---|"]
    for one in SETTINGS:
        places = ", ".join(one.places)
        lines.append(f"| `{one.name}` | {one.expected} | {one.default_text} | {places} | {one.sentence} |")
    lines += ["", "| rule of `validate` | severity | what it finds |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{rule.code}` | {rule.severity} | {rule.sentence} |" for rule in RULES)])


def newest_date(changelog: str) -> str:
    """Return the day in the first heading of a changelog that has one: each man page has it, and no clock is asked."""
    found = re.search(r"^## \[[^]]+\] - ([0-9]{4}-[0-9]{2}-[0-9]{2})$", changelog, re.MULTILINE)
    return found[1] if found else sys.exit("CHANGELOG.md: no heading has a date, as in `## [Unreleased] - 2026-11-30`")


def generated() -> dict[str, str]:
    """Return every generated file by its path."""
    top = top_page()
    date = newest_date((TOP / "CHANGELOG.md").read_text())
    readme = (TOP / "README.md").read_text()
    head, tail = readme.split(START)[0], readme.split(END)[1]
    return {
        **{f"man/man1/{page.name}.1": man_page(page, date) for page in [top, *top.pages]},
        "man/man5/cortex-policy-config.5": settings_page(date),
        **completions(top),
        ".pre-commit-hooks.yaml": hooks_manifest(),
        "README.md": f"{head}{START}\n\n{reference(top)}\n\n{END}{tail}",
    }


def drifted() -> dict[str, str]:
    """Return the right text of each file that is missing or differs."""
    return {
        name: text
        for name, text in generated().items()
        if not (TOP / name).exists() or (TOP / name).read_text() != text
    }


def main(words: list[str]) -> None:
    """Write what differs, or with --check name it and exit 1."""
    stale = drifted()
    if words == ["--check"]:
        sys.exit(f"made from an older state, run scripts/generate.py: {', '.join(stale)}" if stale else 0)
    for name, text in stale.items():
        (TOP / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
