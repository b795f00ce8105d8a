"""Completion scripts: what stands after each command, filled into a template for each shell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pages import Page, takes_value

from cortex_policy.cli.app import PROGRAM
from cortex_policy.cli.formats import FORMATS
from cortex_policy.core.decode import DATA_CLASSES
from cortex_policy.core.settings import BY_NAME
from cortex_policy.schema.rules import RULES

CODES = " ".join([*dict.fromkeys(rule.code.partition("-")[0] for rule in RULES), *(rule.code for rule in RULES)])
TEMPLATES = Path(__file__).parent / "templates"
# what a script offers for an argument: grant ids, the actions of that grant, or these words
OFFERS = {
    "grant": "ids", "grant_id": "ids", "grant_ids": "ids", "old": "ids", "new": "ids", "new_id": "",
    "action": "actions", "shell": "bash zsh fish", "paths": "files", "code": CODES,
    "name": " ".join(BY_NAME), "value": "", "logs": "files", "log": "files",
}  # fmt: skip
# and for the value of an option
CHOICES = {"select": CODES, "ignore": CODES, "output": " ".join(FORMATS), "data_class": " ".join(DATA_CLASSES)}
MOST_OFFERED = 8  # of an argument that may be repeated
FILES, DIRECTORIES = ("path",), ("root",)


def completions(top: Page) -> dict[str, str]:
    """Return each shell's script by its path."""
    valued = sorted(
        {name for page in top.every() for option in page.options if takes_value(option) for name in option.opts}
    )
    cases: dict[str, Callable[[Page], str]] = {
        "cortex-policy.bash": lambda page: _cases(page, _bash_case),
        "_cortex-policy": lambda page: _cases(page, _zsh_case),
        "cortex-policy.fish": lambda page: "\n".join(line for sub in page.every() for line in _fish_lines(sub)),
    }
    return {
        f"cortex_policy/completions/{name}": (TEMPLATES / name)
        .read_text()
        .replace("@valued@", " ".join(valued))
        .replace("@cases@", lines(top))
        .replace("@choices@", _chosen(top, name))
        for name, lines in cases.items()
    }


def _offers(page: Page) -> list[str]:
    """Return what is offered for each word after the command."""
    if page.pages:
        return [" ".join(sub.words[-1] for sub in page.pages)]
    return [
        OFFERS[argument.name] for argument in page.arguments for _ in range(MOST_OFFERED if argument.nargs < 0 else 1)
    ]


def _chosen(top: Page, name: str) -> str:
    """Return a case for each option whose values are known words, for a shell whose script has this name."""
    known = {
        option: CHOICES[one.name]
        for page in top.every()
        for one in page.options
        if one.name in CHOICES
        for option in one.opts
    }
    what = "choices='{}' ;;" if name.endswith("bash") else "_wanted values expl value compadd - {}; return ;;"
    return "\n".join(f"        {option}) {what.format(words)}" for option, words in sorted(known.items()))


def _names(option: Any) -> list[str]:
    return sorted(option.opts, key=len)


def _cases(top: Page, case: Callable[[Page], list[str]]) -> str:
    """Return a `case` whose longest patterns stand first."""
    pages = sorted(top.every(), key=lambda page: -len(page.words))
    return "\n".join(f"        {line}" for page in pages for line in [_pattern(page), *case(page)])


def _pattern(page: Page) -> str:
    return f"'{' '.join(page.below)} '*)" if page.below else "*)"


def _places(page: Page, offers: list[str]) -> str:
    """Return what is offered, at the index that is the number of plain words on the line."""
    return "offered=(" + " ".join(f"'{words}'" for words in [*([""] * len(page.below)), *offers]) + ")"


def _bash_case(page: Page) -> list[str]:
    flags = " ".join(name for option in page.options for name in _names(option))
    return [f"    {_places(page, _offers(page))}", f"    flags='{flags}'", "    ;;"]


def _zsh_case(page: Page) -> list[str]:
    flags = [_zsh_word(name, option.help) for option in page.options for name in _names(option)]
    commands = [_zsh_word(sub.words[-1], sub.sentence) for sub in page.pages]
    lines = [f"    {_places(page, ['commands'] if commands else _offers(page))}", *_zsh_array("flags", flags)]
    return [*lines, *(_zsh_array("subcommands", commands) if commands else []), "    ;;"]


def _zsh_array(name: str, words: list[str]) -> list[str]:
    return [f"    {name}=(", *(f"        {word}" for word in words), "    )"]


def _zsh_word(word: str, sentence: str) -> str:
    """Return what `_describe` takes: a word, a colon, its description."""
    return "'" + f"{word}:{_phrase(sentence)}".replace("'", "'\\''") + "'"


def _phrase(sentence: str) -> str:
    """Return a sentence as shells show it, beside many others: no full stop, no backticks."""
    return sentence.rstrip(".").replace("`", "")


def _fish_lines(page: Page) -> list[str]:
    depth, said = len(page.below), "".join(f" {word}" for word in page.below)
    lines = [
        _fish(f"__cortex_policy_at 0{said}", f"-a {sub.words[-1]} -d {_fish_quoted(_phrase(sub.sentence))}")
        for sub in page.pages
    ]
    for count, words in enumerate([] if page.pages else _offers(page)):
        actions = f"(__cortex_policy_actions (__cortex_policy_plain)[{depth + 1}])"
        offered = {"ids": "(__cortex_policy_ids)", "actions": actions}.get(words, words)
        what = "-F" if words == "files" else f"-a '{offered}'"
        lines.append(_fish(f"__cortex_policy_at {count}{said}", what))
    condition = f"__cortex_policy_in{said}" if depth else "__cortex_policy_at 0"
    return [*lines, *(_fish(condition, _fish_option(option)) for option in page.options)]


def _fish(condition: str, what: str) -> str:
    return f"complete -c {PROGRAM} -n '{condition}' {what}"


def _fish_option(option: Any) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in _names(option))
    return f"{names}{_fish_value(option)} -d {_fish_quoted(_phrase(option.help))}"


def _fish_value(option: Any) -> str:
    if not takes_value(option):
        return ""
    if option.name in DIRECTORIES:
        return " -x -a '(__fish_complete_directories)'"
    if option.name in CHOICES:
        return f" -x -a '{CHOICES[option.name]}'"
    return " -rF" if option.name in FILES else " -x"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
