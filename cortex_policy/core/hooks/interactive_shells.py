"""Whether a command starts a shell, or another program, that takes commands from what the agent sends later.

No hook sees what is typed into such a program (docs/hooks.md). What cannot be understood counts as one.
"""

from cortex_policy.core.hooks.known_programs import (
    CONTAINERS,
    DATA,
    DATA_STARTERS,
    FIND_STARTERS,
    INTERPRETERS,
    MANAGERS,
    PROMPTS,
    SHELL,
    STARTERS,
    STREAM_OPTIONS,
    TAKES_COMMAND_TEXT,
    ProgramWords,
)
from cortex_policy.core.hooks.shell_syntax import MAX_NESTING, parse_simple_commands
from cortex_policy.core.hooks.simple_commands import (
    COPIERS,
    QUIET,
    ShellSyntaxError,
    ShellWord,
    SimpleCommand,
    copies_later_input,
    is_stream,
    may_filter_run_later_input,
    may_input_come_later,
)
from cortex_policy.core.hooks.wrapper_commands import (
    find_exec_commands,
    find_interpreter_of_word_or_none,
    is_after_subcommand_starting_nothing,
    is_surely_started_program,
    may_be_started_program,
    may_unknown_program_start_word,
    select_words_after_index,
    strip_version,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cortex_policy.core.hooks.known_programs import InterpreterUsage

_ENDS = frozenset(("--version", "--help", "-V", "--test"))  # options with which an interpreter reads nothing
_ENDS_OF_SOME = frozenset(("-v", "-h"))  # a shell takes them for something else
_WITH_SHORT = frozenset(("node", "nodejs", "perl", "ruby", "php", "lua", "luajit"))
_FINDERS = frozenset(("find", "fd", "fdfind"))
_APPENDING = frozenset(("xargs", "parallel"))
_BUILTINS = frozenset((".", "source", "eval", "trap"))
_RUN_BUILTINS = frozenset(("time", "builtin", "command"))
_RUN_LATER = ("exec", "editor", "pager")
_INTERACTIVE_COMMANDS = frozenset(("exec", "run", "attach", "start", "debug"))
_INTERACTIVE_OPTIONS = frozenset(("--interactive", "--tty", "--stdin"))
_SPECIAL_OF_SHELLS = frozenset(";&|<>")
_SPECIAL = frozenset(" \t\n;&|<>()")


def starts_interactive_shell(text: str, depth: int = 0) -> bool:
    """Whether a command starts what takes commands from the agent; raise ShellSyntaxError if it cannot be read."""
    if depth > MAX_NESTING:
        raise ShellSyntaxError
    return any(_is_open_command(command, depth) for command in parse_simple_commands(text))


def _is_open_command(command: "SimpleCommand", depth: int) -> bool:
    words, at = command.words, command.program_index()
    if any(_opens_by_assigned_value(word.text, depth) for word in words if "=" in word.text):
        return True
    if at == len(words):
        return False
    if (command.is_substituted and copies_later_input(command)) or may_filter_run_later_input(command):
        return True
    return _takes_commands(command, at, depth) or _starts_open_program(command, at, depth)


def _opens_by_assigned_value(text: str, depth: int) -> bool:
    name, _, value = text.rpartition("=")
    if name == "PYTHONINSPECT":
        return bool(value)
    return name.casefold().endswith(_RUN_LATER) and _opens_in_text(value, depth, is_command=False)


def _opens_in_text(text: str, depth: int, *, is_command: bool) -> bool:
    """Whether a word opens a shell if it is a command; if it may as well be prose, only by its first words."""
    try:
        if is_command:
            return starts_interactive_shell(text, depth + 1)
        commands = [one for one in parse_simple_commands(text) if one.program_index() < len(one.words)]
    except ShellSyntaxError:
        return is_command
    programs = [(one, one.words[one.program_index()]) for one in commands]
    known = [one for one, word in programs if not word.is_expanded and strip_version(word) in INTERPRETERS]
    return depth > MAX_NESTING or any(_takes_commands(one, one.program_index(), depth + 1) for one in known)


def _opens_when_run(words: "Sequence[ShellWord]", depth: int) -> bool:
    """Whether the text that words make opens a shell; the output of a program that writes settings is trusted."""
    if any(_writes_any_text(one) for word in words for one in word.inner if one.has_program()):
        return True  # `eval "$(echo sh)"`
    if any("$()" in word.text and not word.inner for word in words):
        return True  # the shell outside replaces it: `bash -c "eval $(echo sh)"`
    return _opens_in_text(" ".join(word.text for word in words).replace("$()", ""), depth, is_command=True)


def _writes_any_text(command: "SimpleCommand") -> bool:
    """Whether what a command writes may be any text: it copies, or it starts a shell or what copies."""
    first, *rest = (word.program_name() for word in command.words[command.program_index() :])
    names = (first, *(rest if first in STARTERS else ()))
    return any(name in QUIET or name in COPIERS or INTERPRETERS.get(name) is SHELL for name in names)


def _takes_commands(command: "SimpleCommand", at: int, depth: int) -> bool:
    """Whether the program at a place is one that takes commands, by its own words."""
    word, rest = command.words[at], command.words[at + 1 :]
    name = word.program_name()
    if word.text in DATA:
        return False
    if name in (".", "source"):
        return any(map(is_stream, rest[:1])) and may_input_come_later(command)
    if name in ("eval", "trap"):
        return _opens_when_run(rest if name == "eval" else rest[:1], depth)
    usage = find_interpreter_of_word_or_none(word)
    if usage is None or (name in _APPENDING and _appends_to_data(command, at)):
        return False
    return _reads_agent_commands(command, at, usage, depth)


def _appends_to_data(command: "SimpleCommand", at: int) -> bool:
    """Whether what is sent becomes the arguments of a program that runs none of them: `xargs grep x`."""
    places = range(at + 1, len(command.words))
    return any(command.words[one].text in DATA and is_surely_started_program(command, one, at) for one in places)


def _reads_agent_commands(command: "SimpleCommand", at: int, usage: "InterpreterUsage", depth: int) -> bool:
    words = select_words_after_index(command, at)
    base = strip_version(command.words[at])
    ends = _ENDS | (_ENDS_OF_SOME if base in _WITH_SHORT else frozenset())
    if len(words) == 1 and words[0].text in ends:
        return False
    if not ProgramWords(
        usage, lambda text: _opens_in_text(text, depth, is_command=True), is_python=base.endswith("python")
    ).reads_commands_from_stdin(words, is_stream):
        return False
    is_terminal = base == "xargs" and any(word.text == "--open-tty" or word.text[:2] == "-o" for word in words)
    return usage.has_terminal or is_terminal or may_input_come_later(command)


def _starts_open_program(command: "SimpleCommand", at: int, depth: int) -> bool:
    """Whether a program that starts others, or that is not known, starts one that takes commands."""
    program = command.words[at]
    if _runs_commands_from_stream(command):
        return may_input_come_later(command)
    if program.text in DATA:
        return _data_starts_program(command, at, depth)
    if _asks_for_prompt(command, at) and may_input_come_later(command):
        return True
    rest = command.words[at + 1 :]
    is_question = program.program_name() == "command" and bool(rest) and rest[0].text in ("-v", "-V")
    is_interpreter = strip_version(program) in INTERPRETERS
    return not is_question and not is_interpreter and _is_any_open_behind(command, at, depth)


def _runs_commands_from_stream(command: "SimpleCommand") -> bool:
    """Whether a program takes a file of commands from its input: `make -f -`."""
    if any(word.program_name() == "tar" for word in command.words):
        return False
    pairs = zip(command.words, command.words[1:], strict=False)
    is_option = any(word.text in STREAM_OPTIONS and is_stream(after) for word, after in pairs)
    return is_option or any(word.text.endswith("=-") for word in command.words)


def _asks_for_prompt(command: "SimpleCommand", at: int) -> bool:
    """Whether the words of a program ask for a prompt: `poetry shell`, `docker exec -it x`."""
    texts = [word.text for word in command.words[at + 1 :]]
    if texts and texts[-1] in PROMPTS:
        return True
    if command.words[at].program_name() not in CONTAINERS or _INTERACTIVE_COMMANDS.isdisjoint(texts):
        return False
    letters = [text[1:] for text in texts if text[:1] == "-" and text[:2] != "--"]
    is_told = any({*"itd"}.issuperset(one) and one not in ("", "d") for one in letters)
    return is_told or "attach" in texts or not _INTERACTIVE_OPTIONS.isdisjoint(texts)


def _is_any_open_behind(command: "SimpleCommand", at: int, depth: int) -> bool:
    words = command.words
    if words[at].program_name() in _FINDERS:
        return _finder_starts_program(command, at, depth)
    for place in range(at + 1, len(words)):
        if words[place].text in DATA and is_surely_started_program(command, place, at):
            return _data_starts_program(command, place, depth)
        if words[place].program_name() in _FINDERS and _finder_starts_program(command, place, depth):
            return True
        if _is_open_program_at(command, place, at, depth):
            return True
    return False


def _finder_starts_program(command: "SimpleCommand", at: int, depth: int) -> bool:
    """Whether `find` starts, with one of its `-exec`, what takes commands: what is after each is a command."""
    if depth > MAX_NESTING:
        raise ShellSyntaxError
    return any(
        _takes_commands(one, 0, depth + 1) or may_filter_run_later_input(one) or _starts_open_program(one, 0, depth + 1)
        for one in find_exec_commands(command, at)
    )


def _data_starts_program(command: "SimpleCommand", at: int, depth: int) -> bool:
    words, starters = command.words, DATA_STARTERS.get(command.words[at].text, frozenset())
    aliases = (word.text.partition("!")[2] for word in words[at:] if word.text[:1] == "!" or "=!" in word.text)
    if starters and any(text and _opens_in_text(text, depth, is_command=True) for text in aliases):
        return True
    places = [place for place, word in enumerate(words) if place > at and word.text in starters]
    behind = range(places[0] + 1, len(words)) if places else ()
    return any(
        _takes_commands(command, place, depth) or _opens_in_text(words[place].text, depth, is_command=False)
        for place in behind
    )


def _is_open_program_at(command: "SimpleCommand", place: int, at: int, depth: int) -> bool:
    """Whether a word after a program is the start of a program that takes commands."""
    name, word = command.words[at].program_name(), command.words[place]
    before = command.words[place - 1].text
    is_text = any(one.program_name() in TAKES_COMMAND_TEXT for one in command.words[at:place])
    if is_text and before[:1] == "-" and before[-1:] == "S" and not _SPECIAL_OF_SHELLS.isdisjoint(word.text):
        return True  # `env -S` splits a text, but knows no redirections
    if word.text[:1] == "-":
        value = word.text.partition("=")[2] if word.text[:2] == "--" else word.text[2:]
        is_code = word.text.startswith(("-S", "-c", "--split-string", "--command"))
        return is_text and is_code and bool(value) and _opens_in_text(value, depth, is_command=True)
    is_starter = name in STARTERS or is_text or before in FIND_STARTERS
    if is_starter and "=" in word.text and any(_writes_any_text(one) for one in word.inner if one.has_program()):
        return True  # without quotes, what it writes may have a second word: `env x=$(cat y)`
    if (is_text and "$" in word.text) or not _SPECIAL.isdisjoint(word.text.replace("$()", "")):
        return _opens_in_text(word.text, depth, is_command=is_text)
    is_starter |= name in MANAGERS and not is_after_subcommand_starting_nothing(command, place, at)
    if not is_starter and not may_unknown_program_start_word(command, place, at):
        return False
    is_next = may_be_started_program(command, place, at)
    if is_next and name in _RUN_BUILTINS and word.program_name() in _BUILTINS:
        return _takes_commands(command, place, depth)
    is_known = not word.is_expanded or strip_version(word) in INTERPRETERS or is_next
    return is_known and find_interpreter_of_word_or_none(word) is not None and _takes_commands(command, place, depth)
