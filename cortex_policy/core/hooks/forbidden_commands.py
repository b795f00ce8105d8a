"""What a shell command may not be: a shell that stays open, or our own program where it changes something."""

from cortex_policy.core.hooks.interactive_shells import starts_interactive_shell
from cortex_policy.core.hooks.shell_syntax import parse_simple_commands
from cortex_policy.core.hooks.simple_commands import ShellSyntaxError

_STARTERS = frozenset((
    "env", "sudo", "doas", "exec", "command", "builtin", "nohup", "setsid", "time", "nice", "ionice", "stdbuf",
    "unbuffer", "busybox", "toybox", "timeout", "uv", "poetry", "pipenv", "run", "then", "do", "!",
    "if", "while", "until", "elif", "else", "coproc",
))  # fmt: skip
UNREADABLE = "the command cannot be read: a quote or a parenthesis has no end, or they are nested too deep"
_APPENDING = frozenset(("xargs", "parallel"))
_VERSION = "0123456789.-"
PROGRAM_NAMES = ("cortex-policy", "cortex_policy")
READING = frozenset(("check", "enforce", "run", "explain", "list", "show", "validate", "test", "diff"))
# every other command of the program; a test compares them
CHANGING = frozenset((
    "approvals", "approve", "audit", "completions", "config", "copy", "deny", "doctor", "edit", "export", "fmt",
    "help", "hook", "init", "log", "mcp", "new", "rate", "remove", "rename", "replay", "resume", "rule", "schema",
    "serve", "set", "shell-init", "stamp", "status", "stop", "suggest", "undo",
))  # fmt: skip
_SEGMENTS = str.maketrans(dict.fromkeys(";&|", "\n"))
_BLANKS = str.maketrans(dict.fromkeys("'\"`=:,<>()", " "))
_EXPANDED = frozenset("$*?[{")  # a shell replaces a word that holds one of these
_IMPORTS = frozenset(("import", "from", "import_module", "__import__", "run_module"))
_UNQUOTED = str.maketrans({"'": "", '"': "", "\\": ""})


def find_forbidden_command_denial_text(command: str) -> str:
    """Return why a shell command is denied whatever a grant says, '' if it is not."""
    if "\0" in command:
        return "the command holds a NUL"
    if may_run_changing_subcommand(command):
        allowed = ", ".join(sorted(READING))
        return f"the command may change the program that checks this call; this program may only be run with: {allowed}"
    return _open_shell_denial_text(command)


def _open_shell_denial_text(command: str) -> str:
    try:
        if starts_interactive_shell(command):
            return (
                "the command starts a shell, an interpreter or another program that reads commands, and no hook"
                " sees what that program reads; give it a script, a command or a file, and put quotes around variables"
            )
    except ShellSyntaxError:
        if "*** begin patch" not in command.casefold():  # its quotes are those of a patch
            return UNREADABLE
    return ""


def may_run_changing_subcommand(command: str) -> bool:
    """Whether a command runs our program with anything but what only asks."""
    folded = command.casefold().replace("\\\n", "")
    texts = (folded, folded.translate(_UNQUOTED), _decoded_text(command).casefold())
    if not any(name in text for text in texts for name in PROGRAM_NAMES):
        return False
    if any(map(_imports_policy, texts)):
        return True
    lines = (line for text in texts for line in text.translate(_SEGMENTS).split("\n"))
    return any(_changes_policy(line.translate(_BLANKS).split()) for line in lines)


def _decoded_text(command: str) -> str:
    """Return the simple commands of a command as lines, if it has `$'...'`, which can spell any name."""
    if "$'" not in command:
        return ""
    try:
        return "\n".join(" ".join(word.text for word in one.words) for one in parse_simple_commands(command))
    except ShellSyntaxError:
        return ""  # such a command is denied for that


def _changes_policy(words: list[str]) -> bool:
    for at, word in enumerate(words):
        if not any(_is_our_program(part) for part in word.split("/")):
            continue
        rest = words[at + 1 :]
        if rest[:1] and rest[0] in READING:
            continue
        if not _APPENDING.isdisjoint(words[:at]):
            return True  # what is after it is not known
        if not rest:
            continue
        is_module = at > 0 and words[at - 1][:1] == "-" and words[at - 1].endswith("m")
        is_run = is_module or all(one in _STARTERS or one[:1] == "-" or one.isdecimal() for one in words[:at])
        unclear = rest if is_run else rest[:1]  # a word that the shell replaces
        if not all(map(_EXPANDED.isdisjoint, unclear)) or (is_run and rest[0][:1] != "-"):
            return True
        if not CHANGING.isdisjoint(rest):
            return True
    return False


def _imports_policy(text: str) -> bool:
    """Whether a command runs Python that loads our program."""
    words = text.translate(_BLANKS).translate(_SEGMENTS).split()
    if not any(word.rpartition("/")[2].rstrip(_VERSION) in ("python", "pypy", "ipython") for word in words):
        return False
    pairs = zip(words[1:], words, strict=False)
    return any(_is_our_program(word) and before.rpartition(".")[2] in _IMPORTS for word, before in pairs)


def _is_our_program(part: str) -> bool:
    return part in PROGRAM_NAMES or part.removeprefix("-m").startswith(("cortex_policy.", *PROGRAM_NAMES[1:2]))
