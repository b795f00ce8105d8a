"""The words of one command in a shell, and whether its standard input is what the agent sends later.

That may come directly, or through other commands (docs/hooks.md).
"""

from cortex_policy.core import Value
from cortex_policy.core.path_arguments import collapse_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

AGENT, PIPE, OTHER = "agent", "pipe", "other"  # where a command's standard input comes from
PROCESS = "$<"  # in the text of a word: the name of a file that commands write or read
_STREAMS = frozenset(("stdin", "fd", "tty", "pts", "tcp", "udp", "console", "ptmx"))
_REPLACED = frozenset("$*?[{~")


def make_word_set(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


# they copy their input, unless they get a file: the filters with a pattern, a second word
FILTERS = make_word_set(
    "cat head tail sort uniq wc rev tac nl paste fold fmt base64 base32 xxd od hexdump strings gzip gunzip zcat bzip2 "
    "xz zstd iconv column expand unexpand pv sponge dos2unix"
)
PATTERN_FILTERS = make_word_set("perl ruby sed awk gawk mawk nawk grep egrep fgrep zgrep rg ag ack jq yq cut")
READERS = make_word_set("tr tee dd read mapfile readarray xargs parallel nc ncat netcat socat telnet ssh")
QUIET = make_word_set(
    ": true false echo printf ls pwd date env printenv whoami id hostname uname set history yes seq git"
)
_LANGUAGES = frozenset(("sed", "awk", "gawk", "mawk", "nawk"))
_SEPARATORS = str.maketrans(dict.fromkeys(";&|<>(){}/'\"", " "))
_FLAGS = frozenset("rnEivlhosRqHwxzcS")
_DECODERS = frozenset(("base64", "base32", "gzip", "xz", "zstd", "bzip2"))
COPIERS = FILTERS | PATTERN_FILTERS | READERS


class ShellSyntaxError(ValueError):
    """A command cannot be read: quotes or parentheses without an end, or too many inside of each other."""


class ShellWord(Value):
    """A word without its quotes.

    `is_expanded`: the shell replaces a part of it. `may_vanish`: it is nothing but unquoted expansions. `inner` are the
    commands whose output it gets (`$(...)`, `<(...)`). `pattern` is '' or the text of an expanded word, with `*`
    for what is not known.
    """

    text: str
    is_expanded: bool = False
    may_vanish: bool = False
    inner: "tuple[SimpleCommand, ...]" = ()
    pattern: str = ""

    def program_name(self) -> str:
        """Return the name of a program without its directory, in lower case."""
        return self.text.rpartition("/")[2].casefold().removesuffix(".exe")


class SimpleCommand(Value):
    """A program with its words.

    Its input comes from the agent, from a pipe that `feeders` may write to, or from the file, text or descriptor
    `source`, which is None for a text.
    """

    words: tuple[ShellWord, ...]
    origin: str = AGENT
    source: ShellWord | None = None
    feeders: "tuple[SimpleCommand, ...]" = ()
    is_substituted: bool = False  # its output becomes a part of a command

    def program_index(self) -> int:
        """Return the place of the program, after what is assigned for it; the number of words if there is none."""
        for at, word in enumerate(self.words):
            name, equals, _ = word.text.partition("=")
            if not equals or not name.rstrip("+").partition("[")[0].isidentifier():
                return at
        return len(self.words)

    def has_program(self) -> bool:
        """Whether it is more than what is assigned."""
        return self.program_index() < len(self.words)


def is_stream(word: "ShellWord") -> bool:
    """Whether a word names standard input, or another file that is not a text."""
    text = word.text
    if text == "-":
        return True
    if text[:1] not in ("/", "~", ".") or not ("dev" in text or "proc" in text):
        return False
    parts = collapse_path(text.replace("~", "/")).split("/")
    return ("dev" in parts and not _STREAMS.isdisjoint(parts)) or ("proc" in parts and "fd" in parts)


def may_input_come_later(command: "SimpleCommand") -> bool:
    """Whether a command's input may be what the agent sends."""
    if command.origin == AGENT:
        return True
    if command.origin == PIPE:
        return not command.feeders or not all(map(_writes_only_own_data, command.feeders))
    source = command.source
    return source is not None and (is_stream(source) or (source.is_expanded and source.text != PROCESS))


def copies_later_input(command: "SimpleCommand") -> bool:
    """Whether a command gives what the agent sends to the shell that replaces it by its output."""
    at = command.program_index()
    return (
        command.words[at].program_name() in COPIERS
        and may_input_come_later(command)
        and not _writes_only_own_data(command)
    )


def _writes_only_own_data(command: "SimpleCommand") -> bool:
    """Whether what a command writes cannot come from the agent."""
    at = command.program_index()
    if at == len(command.words):
        return True
    arguments = command.words[at + 1 :]
    if any(word.text != "-" and is_stream(word) for word in arguments):
        return False
    if command.words[at].program_name()[:1] == "$":
        return False  # it may be any program, with text that was read before
    if command.origin == PIPE:
        return True  # what feeds it is looked at as well
    if command.origin != AGENT:
        return not may_input_come_later(command)
    is_copier = command.words[at].program_name() in COPIERS
    return _has_own_source(command.words[at], arguments) and (is_copier or not _has_copier_in_code(arguments))


def _has_own_source(program: "ShellWord", arguments: "Sequence[ShellWord]") -> bool:
    """Whether a program has its own source of what it writes, by its words."""
    name = program.program_name()
    operands = _operands(arguments)
    if name in QUIET and (name != "env" or not arguments):
        return True
    if name in READERS:
        return name == "dd" and any(word.text.startswith("if=") for word in operands)
    if any(word.text == "-" for word in operands):
        return False
    if name not in COPIERS:
        copiers = (at for at, word in enumerate(arguments) if word.program_name() in COPIERS)
        at = next(copiers, None)
        if at is not None:
            return _has_own_source(arguments[at], arguments[at + 1 :])
    if name in COPIERS:
        flags = _flags_of(name)
        pairs = zip(arguments, (None, *arguments), strict=False)
        operands = [word for word, before in pairs if _is_file(word, before, flags)]
    elif arguments or "/" in program.text:
        return True  # it reads what its words say, or it is a script
    has_code = any(_is_code_option(word.text) for word in arguments)
    return len(operands) > (name in PATTERN_FILTERS and not has_code)


def _has_copier_in_code(arguments: "Sequence[ShellWord]") -> bool:
    """Whether the text of a command, after `-c` or `-S`, has the name of a copier: `bash -c 'cat -'`."""
    pairs = zip(arguments[1:], arguments, strict=False)
    codes = (word.text for word, before in pairs if before.text[:1] == "-" and before.text[-1] in "cS")
    return any(not COPIERS.isdisjoint(code.translate(_SEPARATORS).split()) for code in codes)


def may_filter_run_later_input(command: "SimpleCommand") -> bool:
    """Whether a filter with a language of its own, which can start programs, reads what the agent sends."""
    at = command.program_index()
    name, arguments = command.words[at].program_name(), command.words[at + 1 :]
    is_filter = name in _LANGUAGES or (
        name in ("perl", "ruby") and any(_reads_each_line(one.text) for one in arguments)
    )
    is_told = any(word.text.startswith(("BEGIN", "--")) and "getline" not in word.text for word in arguments)
    return is_filter and not is_told and may_input_come_later(command) and not _writes_only_own_data(command)


def _reads_each_line(option: str) -> bool:
    """Whether an option of Perl or Ruby is `-n` or `-p`, perhaps among others."""
    letters = option[1:] if option[:1] == "-" else ""
    end = next((at for at, one in enumerate(letters) if one in "rIMmxCeEFT."), len(letters))
    return not {"n", "p"}.isdisjoint(letters[:end])


def _is_code_option(text: str) -> bool:
    return text.startswith(("--expression", "--file")) or (text[:1] == "-" and text[1:].isalpha() and text[-1] in "ef")


def _flags_of(name: str) -> frozenset[str]:
    """Return the letters of a filter's options that take no value, as far as that is sure."""
    if name in _DECODERS:
        return frozenset("d")
    return _FLAGS if name in PATTERN_FILTERS and name != "cut" else frozenset()


def _operands(arguments: "Sequence[ShellWord]") -> "list[ShellWord]":
    return [word for word in arguments if not word.may_vanish and (word.text[:1] != "-" or word.text == "-")]


def _is_file(word: "ShellWord", before: "ShellWord | None", flags: frozenset[str]) -> bool:
    """Whether a word is surely no option and no value of one (`head -n 3`); `flags` are options without values."""
    option = "" if before is None or before.text[:1] != "-" else before.text.removeprefix("--").removeprefix("-")
    is_attached = len(option) > 1 and not option.isalpha()  # `-F:`, `-i.bak`
    is_cluster = len(option) > 1 and option[-1] in flags
    return bool(_operands((word,))) and (is_attached or is_cluster or flags.issuperset(option))
