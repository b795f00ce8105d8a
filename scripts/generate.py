"""Write man pages, completions, hooks, the reference and the picture: python scripts/generate.py [--check]."""

import json
import re
import sys
from pathlib import Path

from format_pages import FORMAT_PAGES, format_page
from manpages import man_page, settings_page
from pages import Page, top_page
from picture import picture
from shells import completions

from cortex_policy.cli.exit_codes import list_exit_codes
from cortex_policy.core.settings import SETTINGS
from cortex_policy.manage.init.pre_commit import make_pre_commit_manifest
from cortex_policy.schema.editor_schema import make_editor_schema
from cortex_policy.schema.rule_catalog import RULES

TOP = Path(__file__).parent.parent
MADE_BY = "<!-- made by scripts/generate.py -->"


def reference(top: Page) -> str:
    """Return the page of all commands, exit codes, settings and rules."""
    lines = ["# Reference", "", MADE_BY, "", "## Commands", "", "| command | what it does |", "|---|---|"]
    lines += [f"| `{page.usage}` | {page.sentence} |" for page in top.every() if not page.pages]
    lines += ["", "## Exit codes", "", "Only 0 means allowed.", "", "| exit code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in list_exit_codes()]
    lines += ["", "## Settings", "", "[settings.md](settings.md) explains sources and precedence.", ""]
    lines += ["| setting | value | default | set by | what it is |", "|---|---|---|---|---|"]
    for one in SETTINGS:
        places = ", ".join(one.places)
        lines.append(f"| `{one.name}` | {one.expected} | {one.default_text} | {places} | {one.sentence} |")
    lines += ["", "## Rules of `validate`", "", "`cortex-policy rule CODE` explains one.", ""]
    lines += ["| rule | severity | what it finds |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{rule.code}` | {rule.severity} | {rule.sentence} |" for rule in RULES), ""])


def newest_date(changelog: str) -> str:
    """Return the day in the first heading of a changelog that has one: each man page has it, and no clock is asked."""
    match = re.search(r"^## \[[^]]+\] - ([0-9]{4}-[0-9]{2}-[0-9]{2})$", changelog, re.MULTILINE)
    return match[1] if match else sys.exit("CHANGELOG.md: no heading has a date, as in `## [Unreleased] - 2026-11-30`")


def generated_files() -> dict[str, str]:
    """Return every generated file by its path."""
    top = top_page()
    date = newest_date((TOP / "CHANGELOG.md").read_text())
    return {
        **{f"man/man1/{page.name}.1": man_page(page, top, date) for page in top.every()},
        "man/man5/cortex-policy-config.5": settings_page(date),
        **{f"man/man5/cortex-policy-{page.name}.5": format_page(page, date) for page in FORMAT_PAGES},
        **completions(top),
        ".pre-commit-hooks.yaml": make_pre_commit_manifest(),
        "cortex_policy/schema/grant.schema.json": json.dumps(make_editor_schema(), indent=2) + "\n",
        "docs/reference.md": reference(top),
        "docs/first-steps.svg": picture(),
    }


def drifted_files() -> dict[str, str]:
    """Return the right text of each file that is missing or differs."""
    return {
        name: text
        for name, text in generated_files().items()
        if not (TOP / name).exists() or (TOP / name).read_text() != text
    }


def main(words: list[str]) -> None:
    """Write what differs, or with --check name it and exit 1."""
    stale = drifted_files()
    if words == ["--check"]:
        sys.exit(f"made from an older state, run scripts/generate.py: {', '.join(stale)}" if stale else 0)
    for name, text in stale.items():
        (TOP / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
