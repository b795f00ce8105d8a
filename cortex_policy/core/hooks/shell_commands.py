"""What a shell command may not be: a shell that stays open, or our own program where it changes something."""

_INTERPRETERS = frozenset((
    "sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "nu", "elvish", "xonsh", "pwsh",
    "powershell", "python", "pypy", "ipython", "node", "nodejs", "deno", "bun", "ruby", "irb", "perl", "php", "lua",
    "luajit", "r", "julia", "tclsh", "jshell", "ghci", "scala", "groovysh", "osascript", "$shell", "su", "login",
))  # fmt: skip
_STARTERS = frozenset((
    "env", "sudo", "doas", "exec", "command", "builtin", "nohup", "setsid", "time", "nice", "ionice", "stdbuf",
    "unbuffer", "busybox", "toybox", "timeout", "uv", "poetry", "pipenv", "run", "then", "do", "!",
    "if", "while", "until", "elif", "else", "coproc",
))  # fmt: skip
_ENDS = ("--version", "--help", "-V", "--test")  # options with which an interpreter reads nothing
_ENDS_OF_SOME = ("-v", "-h")  # a shell takes them for something else
_WITH_SHORT = frozenset(("node", "nodejs", "perl", "ruby", "php", "lua"))
_VERSION = "0123456789.-"
_PARTS = str.maketrans(dict.fromkeys(";&(){}`", "\n"))
_STREAMS = ("/dev/", "/proc/")  # an interpreter that reads one of these reads what comes from the agent
_SPECIAL = " \t\r\n;&|(){}<>"
PROGRAM_NAMES = ("cortex-policy", "cortex_policy")
READING = frozenset(("check", "enforce", "run", "explain", "list", "show", "validate", "test", "diff"))
# every other command of the program; a test compares them
CHANGING = frozenset((
    "approvals", "approve", "audit", "completions", "config", "copy", "deny", "doctor", "edit", "fmt", "help", "hook",
    "init", "log", "new", "rate", "remove", "rename", "replay", "resume", "rule", "schema", "serve", "set",
    "shell-init", "stamp", "status", "stop", "suggest", "undo",
))  # fmt: skip
_SEGMENTS = str.maketrans(dict.fromkeys(";&|", "\n"))
_BLANKS = str.maketrans(dict.fromkeys("'\"`=:,<>()", " "))
_EXPANDED = frozenset("$*?[{")  # a shell replaces a word that holds one of these
_IMPORTS = frozenset(("import", "from", "import_module", "__import__", "run_module"))
_UNQUOTED = str.maketrans({"'": "", '"': "", "\\": ""})


def shell_command_denial(command: str) -> str:
    """Return why a shell command is denied whatever a grant says, '' if it is not."""
    if "\0" in command:
        return "the command holds a NUL"
    if opens_shell(command):
        return (
            "the command only starts a shell or an interpreter, and no hook would see what that reads; give it a script"
            " or a command"
        )
    if may_change_policy(command):
        allowed = ", ".join(sorted(READING))
        return f"the command may change what checks this call; that program may only be run with: {allowed}"
    return ""


def opens_shell(command: str) -> bool:
    """Whether a command, or a part of it, is only a shell or an interpreter, bare or with options such as `-i`."""
    text = _without_quotes(command.replace("\\\n", "").replace("${", "$"))
    here = text.replace("<<<", "   ").find("<<")  # what follows that line is text
    end = text.find("\n", here) if here >= 0 else -1
    parts = text[: end if end >= 0 else None].replace("||", "\n").translate(_PARTS).split("\n")
    # what comes behind a `|` reads from a pipe
    return any(_is_open_shell(part.partition("|")[0]) for part in parts)


def _without_quotes(command: str) -> str:
    """Return a command without its quotes; what they keep from the shell becomes `_`."""
    shown, quote, is_escaped = list[str](), "", False
    for one in command:
        if is_escaped or (quote and one != quote and (one != "\\" or quote == "'")):
            shown.append("_" if one in _SPECIAL else one)
            is_escaped = False
        elif one == "\\":
            is_escaped = True
        elif one in "'\"":
            if not quote and shown[-1:] == ["$"]:
                shown.pop()  # `$'...'`
            quote = "" if quote else one
        else:
            shown.append(one)
    return "".join(shown)


def _is_open_shell(part: str) -> bool:
    """Whether a part of a command is an interpreter that reads what comes from the agent."""
    words, source = _without_redirections(part)
    if source and not source.startswith(_STREAMS):
        return False
    options = [word for word in words if word[:1] in ("-", "+")]
    names = [word for word in words if word not in options and "=" not in word and not word.isdecimal()]
    files = [word for word in names if not word.startswith(_STREAMS)]
    programs = [name for word in files if (name := _program_name(word)) not in _STARTERS]
    if "command" in words and options[:1] in (["-v"], ["-V"]):
        return False
    if not programs:
        return not {"sudo", "doas"}.isdisjoint(words) and any("i" in one or "s" in one for one in options)
    kinds = [program.rstrip(_VERSION) for program in programs]
    is_done = len(options) == 1 and options[0] in _ENDS + (_ENDS_OF_SOME if kinds[0] in _WITH_SHORT else ())
    return _INTERPRETERS.issuperset(kinds) and not is_done


def _without_redirections(part: str) -> tuple[list[str], str]:
    """Return the words of a part of a command, and the file that its input comes from, '' if there is none."""
    left, source = list[str](), ""
    before = ""
    for word in part.replace("<", " < ").replace(">", " > ").split():
        if word[:1] == "#":
            break
        if word not in ("<", ">"):
            if before == "<":
                source = word
            elif before != ">":
                left.append(word)
        before = word
    return left, source


def _program_name(word: str) -> str:
    """Return the name of a program, also in a quoted text with nothing but options behind it: `bash_-i`."""
    name, *options = word.rpartition("/")[2].casefold().split("_")
    return name if all(one[:1] in ("", "-", "+") for one in options) else word


def may_change_policy(command: str) -> bool:
    """Whether a command runs our program with anything but what only asks."""
    folded = command.casefold().replace("\\\n", "")
    texts = (folded, folded.translate(_UNQUOTED))
    if not any(name in text for text in texts for name in PROGRAM_NAMES):
        return False
    if any(map(_imports_policy, texts)):
        return True
    lines = (line for text in texts for line in text.translate(_SEGMENTS).split("\n"))
    return any(_changes_policy(line.translate(_BLANKS).split()) for line in lines)


def _changes_policy(words: list[str]) -> bool:
    for at, word in enumerate(words):
        if not any(_is_program(part) for part in word.split("/")):
            continue
        rest = words[at + 1 :]
        if not rest or rest[0] in READING:
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
    return any(_is_program(word) and before.rpartition(".")[2] in _IMPORTS for word, before in pairs)


def _is_program(part: str) -> bool:
    return part in PROGRAM_NAMES or part.removeprefix("-m").startswith(("cortex_policy.", *PROGRAM_NAMES[1:2]))
