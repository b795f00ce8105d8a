"""Completion scripts: the words after each command, filled into a template for each shell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pages import Page, takes_value

from cortex_policy.cli.command_table import COMMANDS, PROGRAM
from cortex_policy.cli.commands.diff import DiffFailOn
from cortex_policy.cli.commands.replay import ReplayFailOn
from cortex_policy.cli.output.case_results import FORMATS as TRIAL_FORMATS
from cortex_policy.cli.output.problems import FORMATS
from cortex_policy.core.decode import DATA_CLASSES
from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.core.model import REASONS
from cortex_policy.core.settings import BY_NAME, CHOICE, PATH, SETTINGS, SWITCH, Setting
from cortex_policy.core.settings import CODES as CODES_KIND
from cortex_policy.library.event_delivery.event_requests import MODES
from cortex_policy.schema.rule_catalog import RULES

CODES = " ".join([*dict.fromkeys(rule.code.partition("-")[0] for rule in RULES), *(rule.code for rule in RULES)])
TEMPLATES = Path(__file__).parent / "templates"
# what a script offers for an argument: ids of grants or requests, the actions of that grant, or these words
OFFERS = {
    "grant": "ids", "grant_id": "ids", "grant_ids": "ids", "old": "ids", "new": "ids", "new_id": "",
    "action": "actions", "shell": "bash zsh fish", "paths": "files", "code": CODES,
    "agent": " ".join(AGENTS),
    "command": "",  # it is complete behind `--`: each template does that
    "name": " ".join(BY_NAME), "request_id": "requests", "value": "values", "logs": "files", "log": "files",
    "url": "",
    "words": " ".join(COMMANDS), "base": "files", "ours": "files", "theirs": "files",
}  # fmt: skip
# and of some commands: also `hooks.toml`, which has a stamp and a history as grants have
NAMED = {
    (command, name): "names" for command in ("undo", "log", "diff", "show") for name in ("grant", "grant_id", "old")
}
# and for the value of an option of a command
CHOICES = {
    ("validate", "select"): CODES, ("validate", "ignore"): CODES, ("validate", "output"): " ".join(FORMATS),
    ("set", "data_class"): " ".join(DATA_CLASSES), ("new", "data_class"): " ".join(DATA_CLASSES),
    ("test", "init"): "ids", ("test", "output"): " ".join(TRIAL_FORMATS), ("suggest", "grant_id"): "ids",
    ("replay", "proposed"): "trees", ("replay", "fail_on"): " ".join(ReplayFailOn),
    ("diff", "revision"): "sides", ("diff", "fail_on"): " ".join(DiffFailOn),
    ("show", "at"): "versions", ("undo", "to"): "versions",
    ("audit send", "mode"): " ".join(MODES), ("audit show", "grant_id"): "names", ("audit stats", "grant_id"): "names", ("audit show", "reason"): " ".join(map(str, REASONS)),
}  # fmt: skip
# how a shell takes these, the grants' ids, the versions of the stamp, the stamp or git's revisions, and these or a directory
CHOOSING = {
    "bash": {
        "": "choices='{}'",
        "ids": 'choices=" $(_cortex_policy_ids "$tools")"',  # never empty: nothing else is offered there
        "names": 'choices=" $(_cortex_policy_names "$tools")"',
        "versions": 'choices=" $(_cortex_policy_versions "$tools")"',
        "sides": 'choices=" stamp $(_cortex_policy_revisions "$tools")"',
        "trees": 'compopt -o plusdirs 2>/dev/null; choices=" $(_cortex_policy_revisions "$tools")"',
    },
    "_cortex-policy": {
        "": "_wanted values expl value compadd - {}; return",
        "ids": '_wanted grants expl grant compadd - ${(f)"$(_cortex_policy_ids $tools)"}; return',
        "names": '_wanted grants expl grant compadd - ${(f)"$(_cortex_policy_names $tools)"}; return',
        "versions": '_wanted versions expl version compadd - ${(f)"$(_cortex_policy_versions $tools)"}; return',
        "sides": '_wanted revisions expl revision compadd - stamp ${(f)"$(_cortex_policy_revisions $tools)"}; return',
        "trees": "_alternative 'revisions:revision:compadd - ${(f)\"$(_cortex_policy_revisions $tools)\"}'"
        " 'directories:directory:_directories'; return",
    },
    "fish": {"": ""},  # it takes them with the option
}
FISH = {
    "ids": "(__cortex_policy_ids)", "names": "(__cortex_policy_names)", "versions": "(__cortex_policy_versions)", "requests": "(__cortex_policy_requests)",
    "sides": "(echo stamp; __cortex_policy_revisions)", "trees": "(__cortex_policy_revisions; __fish_complete_directories)",
}  # fmt: skip
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
        f"completions/{name}": (TEMPLATES / name)
        .read_text()
        .replace("@valued@", " ".join(valued))
        .replace("@cases@", lines(top))
        .replace("@choices@", _cases_of_values(top, CHOOSING[name.rpartition(".")[2]]))
        .replace("@settings@", _settings(name))
        for name, lines in cases.items()
    }


def _settings(script: str) -> str:
    """Return what each setting may be, as the branches of a `case` or a `switch`."""
    line = _fish_setting if script.endswith(".fish") else "        {}) printf '%s' '{}' ;;".format
    return "\n".join(line(one.name, words) for one in SETTINGS if (words := _values(one)))


def _fish_setting(name: str, words: str) -> str:
    what = "__fish_complete_path (commandline -ct)" if words == "files" else f"string split ' ' '{words}'"
    return f"        case {name}\n            {what}"


def _values(setting: Setting) -> str:
    if setting.kind == CHOICE:
        return " ".join(map(str, setting.values))
    return {SWITCH: "true false", PATH: "files", CODES_KIND: CODES}.get(setting.kind, "")


def _offers(page: Page) -> list[str]:
    """Return what is offered for each word after the command."""
    if page.pages:
        return [" ".join(sub.words[-1] for sub in page.pages)]
    command = " ".join(page.below)
    return [
        NAMED.get((command, argument.name), OFFERS[argument.name])
        for argument in page.arguments
        for _ in range(_how_many(argument))
    ]


def _how_many(argument: Any) -> int:
    """Return how many words of an argument are completed; only the first of a command's."""
    return MOST_OFFERED if argument.nargs < 0 and argument.name != "words" else 1


def _choice(page: Page, option: Any) -> str:
    """Return what is offered for the value of an option, '' where nothing is known of it."""
    return CHOICES.get((" ".join(page.below), option.name)) or " ".join(getattr(option.type, "choices", ()))


def _cases_of_values(top: Page, how: dict[str, str]) -> str:
    """Return a case for each option whose values are known: the option, and the command it is of."""
    known = {
        f"{name} {' '.join(page.below)}": words
        for page in top.every()
        for option in page.options
        if (words := _choice(page, option))
        for name in option.opts
    }
    return "\n".join(
        f"        '{both} '*) {how.get(words, how['']).replace('{}', words)} ;;"
        for both, words in sorted(known.items())
    )


def _names(option: Any) -> list[str]:
    return sorted(option.opts, key=len)


def _cases(top: Page, case: Callable[[Page], list[str]]) -> str:
    """Return a `case` whose longest patterns come first."""
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
    depth, path = len(page.below), "".join(f" {word}" for word in page.below)
    lines = [
        _fish(f"__cortex_policy_at 0{path}", f"-a {sub.words[-1]} -d {_fish_quoted(_phrase(sub.sentence))}")
        for sub in page.pages
    ]
    for count, words in enumerate([] if page.pages else _offers(page)):
        actions = f"(__cortex_policy_actions (__cortex_policy_plain)[{depth + 1}])"
        values = f"(__cortex_policy_values (__cortex_policy_plain)[{depth + 1}])"
        known = FISH | {"actions": actions, "values": values}
        offered = known.get(words, words)
        what = "-F" if words == "files" else f"-a '{offered}'"
        lines.append(_fish(f"__cortex_policy_at {count}{path}", what))
    condition = f"__cortex_policy_in{path}" if depth else "__cortex_policy_at 0"
    return [*lines, *(_fish(condition, _fish_option(page, option)) for option in page.options)]


def _fish(condition: str, what: str) -> str:
    return f"complete -c {PROGRAM} -n '{condition}' {what}"


def _fish_option(page: Page, option: Any) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in _names(option))
    return f"{names}{_fish_value(page, option)} -d {_fish_quoted(_phrase(option.help))}"


def _fish_value(page: Page, option: Any) -> str:
    if not takes_value(option):
        return ""
    if option.name in DIRECTORIES:
        return " -x -a '(__fish_complete_directories)'"
    if words := _choice(page, option):
        return f" -x -a '{FISH.get(words, words)}'"
    return " -rF" if option.name in FILES else " -x"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
