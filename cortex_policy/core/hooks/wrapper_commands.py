"""Which words of a command may be the names of programs that it starts (docs/hooks.md)."""

from cortex_policy.core.hooks.known_programs import (
    CLEAR_NAMES,
    FIND_STARTERS,
    GROUPS,
    INTERPRETERS,
    NOT_STARTERS,
    OPENERS,
    OPTIONS_WITH_COMMAND,
    SHELL,
    STARTERS,
)
from cortex_policy.core.hooks.simple_commands import ShellWord, SimpleCommand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.known_programs import InterpreterUsage

_ENDS_OF_ARGUMENTS = frozenset((";", "+"))  # of `find -exec`
_VERSION = "0123456789.-"
_PYTHON_BUILDS = frozenset(("", "t", "d", "m", "u", "w", "dbg"))
_REPLACED = frozenset("$*?[{")
_FLAGS = {"sudo": "-E -H -n -S -i", "env": "-i -0", "xargs": "-0 -r -t"}  # some options without a value


def strip_version(word: "ShellWord") -> str:
    """Return the name of a program without its version."""
    name = word.program_name()
    base = name.rstrip(_VERSION) or name
    is_python = base.startswith("python") and base[6:].strip(_VERSION) in _PYTHON_BUILDS
    return "python" if is_python else base


def find_interpreter_of_word_or_none(word: "ShellWord") -> "InterpreterUsage | None":
    """Return the usage of a program that can take commands, None for another one."""
    is_replaced = word.is_expanded and not _REPLACED.isdisjoint(word.program_name())
    if is_replaced or word.text.startswith("/proc/"):
        return SHELL  # it may be any program
    return INTERPRETERS.get(strip_version(word)) or OPENERS.get(word.program_name())


def is_surely_started_program(command: "SimpleCommand", place: int, at: int) -> bool:
    """Whether a word is surely the program that another one starts, not the value of an option."""
    return may_be_started_program(command, place, at) and not _may_have_value(
        command.words[at], command.words[place - 1]
    )


def may_be_started_program(command: "SimpleCommand", place: int, at: int) -> bool:
    """Whether a word may be the program that another one starts: after options, their values, what is assigned."""
    words = command.words
    if words[place - 1].text in FIND_STARTERS:
        return True
    pairs = zip(words[at + 1 : place], words[at:], strict=False)
    return all(
        word.text[:1] == "-"
        or "=" in word.text
        or word.text.isdecimal()
        or word.program_name() in STARTERS
        or _may_have_value(words[at], before)
        for word, before in pairs
    )


def _may_have_value(program: "ShellWord", option: "ShellWord") -> bool:
    text, flags = option.text, _FLAGS.get(program.program_name(), "").split()
    is_attached = len(text) > 2 and not text[1:].isalpha() and text[:2] != "--"  # noqa: PLR2004 - `-n1`, `-I{}`
    return text[:1] == "-" and text not in ("--", *flags) and not is_attached


def may_unknown_program_start_word(command: "SimpleCommand", place: int, at: int) -> bool:
    """Whether a program that is not known may start a word."""
    word, before = command.words[place], command.words[place - 1].text
    directory, slash, _ = word.text.rpartition("/")
    if strip_version(word) not in CLEAR_NAMES or (slash and not directory.endswith("bin")):
        return False
    is_value = before[:2] == "--" and before not in OPTIONS_WITH_COMMAND and "=" not in before
    return not is_value and not is_after_subcommand_starting_nothing(command, place, at)


def is_after_subcommand_starting_nothing(command: "SimpleCommand", place: int, at: int) -> bool:
    """Whether a word is the name of a package or of a shell: `uv pip install ipython`, `kubectl completion bash`."""
    texts = [word.text for word in command.words[at + 1 : place]]
    return not {*texts[:1], *(texts[1:2] if texts[0] in GROUPS else ())}.isdisjoint(NOT_STARTERS) if texts else False


def select_words_after_index(command: "SimpleCommand", at: int) -> "tuple[ShellWord, ...]":
    """Return the words after a program, up to where `find -exec` ends it."""
    words = command.words[at + 1 :]
    end = next((place for place, word in enumerate(words) if word.text in _ENDS_OF_ARGUMENTS), len(words))
    return words[:end]


def find_exec_commands(command: "SimpleCommand", at: int) -> "list[SimpleCommand]":
    """Return what `find` or `fd` starts: the command after each `-exec`."""
    words = command.words[at + 1 :]
    if command.words[at].program_name() != "find":
        words = tuple(part for word in words for part in _parts_of_fd_option(word))
    starts = [place + 1 for place, word in enumerate(words) if word.text in FIND_STARTERS]
    return [one for start in starts if (one := _command_of(command, words[start:])).words]


def _parts_of_fd_option(word: "ShellWord") -> "tuple[ShellWord, ...]":
    """Return `-x` and the program for `-xprogram`, and the same for `--exec=program`; else the word."""
    name, equals, value = word.text.partition("=")
    if name not in FIND_STARTERS or not equals:
        name, value = word.text[:2], word.text[2:]
    if name not in FIND_STARTERS or not value:
        return (word,)
    return tuple(ShellWord(**{**vars(word), "text": text}) for text in (name, value))


def _command_of(command: "SimpleCommand", words: "tuple[ShellWord, ...]") -> "SimpleCommand":
    """Return the command that `find` starts, up to its `;`."""
    end = next((at for at, word in enumerate(words) if word.text == ";"), len(words))
    return SimpleCommand(**{**vars(command), "words": words[:end]})
