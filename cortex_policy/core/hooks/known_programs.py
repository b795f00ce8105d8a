"""What programs do with their words: which of them run what they read on their standard input (docs/hooks.md)."""

from cortex_policy.core import Value
from cortex_policy.core.hooks.simple_commands import make_word_set

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cortex_policy.core.hooks.simple_commands import ShellWord


class InterpreterUsage(Value):
    """With which words a program has something to run, and without which it takes commands from its input.

    `values` are the options that take a value, by letter or whole, `attached` those whose value is never the next word,
    `code` those whose value is what runs: a shell command if `is_shell`. It reads commands in spite of a file with
    `opens`, and none with `closes` or that many `operands` (0: operands make no difference). If `has_terminal`, it asks
    the terminal, wherever its input comes from.
    """

    values: frozenset[str] = frozenset()
    code: frozenset[str] = frozenset()
    opens: frozenset[str] = frozenset()
    closes: frozenset[str] = frozenset()
    operands: int = 1
    attached: frozenset[str] = frozenset()
    is_shell: bool = False
    has_terminal: bool = False


def _usage(values: str = "", code: str = "", opens: str = "", closes: str = "", operands: int = 1) -> InterpreterUsage:
    return InterpreterUsage(
        make_word_set(values), make_word_set(code), make_word_set(opens), make_word_set(closes), operands
    )


def _shell(values: str, code: str, opens: str, operands: int = 1) -> InterpreterUsage:
    return InterpreterUsage(
        make_word_set(values), make_word_set(code), make_word_set(opens), operands=operands, is_shell=True
    )


def _usages_by_name(rows: "Iterable[tuple[str, InterpreterUsage]]") -> dict[str, InterpreterUsage]:
    return {name: usage for names, usage in rows for name in names.split()}


SHELL = _shell("o O C --rcfile --init-file --init-command", "c", "i s -noexit /k")
SHELL_NAMES = (
    "sh bash rbash dash ash zsh ksh mksh yash oksh loksh posh osh ysh hush fish csh tcsh nu elvish xonsh pwsh "
    "powershell $shell"
)
# shells and languages, whatever their version
INTERPRETERS = _usages_by_name((
    (f"{SHELL_NAMES} es rc cmd", SHELL),
    ("python pypy", _usage("W X", "c m", "i")),
    ("ipython bpython ptpython ptipython", _usage("", "c m", "i")),
    ("node nodejs", _usage(
        "r C --require --import --loader --experimental-loader --conditions --env-file", "e p --eval --print",
        "i --interactive inspect",
    )),
    ("deno bun", _usage(opens="repl")),
    ("ruby", InterpreterUsage(make_word_set("r I C E"), make_word_set("e"), attached=make_word_set("i K T W x F 0"))),
    (
        "perl",
        InterpreterUsage(
            code=make_word_set("e E"), opens=make_word_set("d"), attached=make_word_set("i 0 l m M F x I C D")
        ),
    ),
    ("php", _usage("d c z t", "r B R E F f", "a")),
    ("lua luajit", _usage("l", "e", "i")),
    ("r", _usage("", "e f", "", "--file --args")),
    ("julia", _usage("", "e E", "i")),
    ("guile racket", _usage("", "c e s", "i")),
    ("erl", _usage(closes="-noshell -noinput")),
    ("expect", _usage("", "c", "i")),
    ("irb pry tclsh wish jshell scala groovysh osascript clisp sbcl ocaml", _usage("", "e x --eval --execute")),
    ("utop clj clojure swift fsi csi gp coqtop rscript octave", _usage("", "e x --eval --execute")),
    ("gnuplot maxima sage swipl ts-node tsx kotlin kotlinc", _usage("", "e x --eval --execute")),
))  # fmt: skip
_EDITORS = "vi vim nvim view vimdiff emacs nano pico joe micro mc ranger less more most visudo vipw vigr sudoedit"
# what else takes commands, of its own or for a shell
OPENERS = _usages_by_name((
    ("xargs parallel", _usage("", "", "o --open-tty", "a ::: ::::", 0)),
    ("at batch", _usage("q", "", "", "f l d c", 0)),
    ("crontab", _usage("u", "", "e", "l r")),
    ("su", _shell("g G s w", "c --command --session-command", "", 0)),
    ("script", _shell("T I O B E o m", "c --command", "", 0)),
    ("runuser", _shell("g G s u w", "c --command", "l --login -")),
    ("sg", _shell("", "c", "", 2)),
    ("newgrp login", _usage(operands=0)),
    ("sudo doas run0", _usage("u g h p C D R T U r t", "", "", "l v k K V --list --validate --version")),
    ("ssh slogin autossh", _usage("b c D E e F I i J L l m O o p Q R S W w B", "", "", "N V", 2)),
    ("mosh telnet ftp sftp ncftp lftp", _usage("P p o", "b c e f", operands=0)),
    ("chroot", _usage(operands=2)),
    ("unshare fakeroot nsenter", _usage("t S G --target")),
    ("machinectl", _usage(opens="shell login")),
    ("tmux screen byobu zellij dtach abduco", _usage("", "", "", (
        "d --detach ls -ls -list list-sessions list-windows list-panes has-session kill-session kill-server send-keys "
        "capture-pane X"
    ), 0)),
    ("nix-shell", _usage("p I A", "--run --command", operands=0)),
    ("gdb lldb jdb", _usage("", "", "", "-batch --batch", 0)),
    ("bc dc", _usage("", "e --expression", operands=0)),
    ("ed ex pdb ipdb pudb socat systemd-nspawn", _usage(operands=0)),
    ("iex ghci", _usage("S", "e", operands=0)),
    ("dotnet", _usage(opens="fsi")),
    ("rails", _usage(opens="c console db dbconsole")),
    ("nix", _shell("", "c --command", "develop shell repl")),
    ("systemd-run", _usage(opens="S --shell")),
    ("psql", _usage("d h p U v", "c f l --command --file --list", operands=0)),
    ("mysql mariadb mongosh mongo", _usage("u h P D", "e --execute --eval", operands=0)),
    ("sqlite3 duckdb", _usage(operands=2)),
    (_EDITORS, InterpreterUsage(closes=make_word_set("--batch --script --headless"), operands=0, has_terminal=True)),
))  # fmt: skip
# they run what is after their options and perhaps another word
STARTERS = make_word_set(
    "env sudo doas run0 exec command builtin nohup setsid time nice ionice stdbuf unbuffer busybox toybox timeout "
    "chrt taskset setarch linux64 linux32 prlimit numactl rlwrap strace ltrace flock watch xargs parallel chroot "
    "unshare nsenter fakeroot runuser setpriv systemd-run systemd-nspawn machinectl pkexec firejail bwrap "
    "dbus-run-session xvfb-run ssh-agent sg choom"
)
TAKES_COMMAND_TEXT = make_word_set("env script su sg runuser flock watch ssh parallel xargs nix-shell")
# names that are hardly anything else after a program that is not known
CLEAR_NAMES = make_word_set(SHELL_NAMES) | make_word_set(
    "python pypy ipython bpython ptpython node nodejs irb pry ruby perl lua luajit julia jshell ghci tclsh ts-node"
)
# they start programs too, but some of their words are names of packages
MANAGERS = make_word_set(
    "uv uvx pipx npx bunx bundle conda mamba micromamba pdm hatch tox mise asdf poetry pipenv direnv nix nix-shell"
)
STREAM_OPTIONS = make_word_set("-f -P --file --script run")  # of what runs: `make -f -`, `go run -`
PYTHON_PROMPTS = make_word_set("code pdb asyncio idlelib pty ipython bpython ptpython ptipython xonsh")
PROMPTS = make_word_set("repl console shell dbshell tinker shell_plus")  # as a last word: `poetry shell`
CONTAINERS = make_word_set("docker podman nerdctl kubectl oc lxc incus docker-compose")
# their words are data
DATA = make_word_set(
    ": true false echo printf test [ [[ which whereis type hash man info apropos whatis ls ll dir tree stat file "
    "cat head tail wc grep egrep fgrep zgrep rg ag ack awk gawk mawk nawk sed cd pushd popd pwd mkdir rmdir rm cp "
    "mv ln touch chmod chown chgrp du df git gh hub svn hg apt apt-get aptitude apt-cache dpkg yum dnf pacman apk "
    "brew port snap pip pip3 pipx npm yarn pnpm gem cargo rustup go ps pgrep pkill killall kill pidof export "
    "unset set declare typeset local readonly alias unalias return exit break continue shift getopts read mapfile "
    "readarray umask ulimit date seq sleep sort uniq cut tr tee diff cmp comm jq yq curl wget tar zip unzip gzip "
    "gunzip for case select basename dirname realpath readlink md5sum sha256sum ruff mypy pytest make cmake ninja "
    "let logger"
)
# the words of some of them that start others
DATA_STARTERS = {
    "git": make_word_set("-x --exec run foreach"),
    **dict.fromkeys(("npm", "yarn", "pnpm"), make_word_set("exec x dlx")),
}
FIND_STARTERS = make_word_set("-exec -execdir -ok -okdir -x -X --exec --exec-batch")
OPTIONS_WITH_COMMAND = make_word_set("-- --exec --command --cmd --shell --run")
GROUPS = make_word_set("pip python tool env compose")  # of subcommands: `uv pip install`
# subcommands whose operand is the name of a package or a shell
NOT_STARTERS = make_word_set(
    "install add create remove uninstall upgrade update search info show list pull push build tag completion "
    "completions init hook download reinstall outdated pin use"
)


class ProgramWords:
    """Reads the words of one program."""

    def __init__(
        self, usage: InterpreterUsage, starts_interactive_shell: "Callable[[str], bool]", *, is_python: bool
    ) -> None:
        """Take how the program is used, and what says whether the text of a command opens a shell."""
        self._usage, self._opens_shell, self._is_python = usage, starts_interactive_shell, is_python
        self._is_opened = self._has_code = False
        self._operands = 0

    def reads_commands_from_stdin(self, words: "Sequence[ShellWord]", is_stream: "Callable[[ShellWord], bool]") -> bool:
        """Whether the program takes commands from its input."""
        rest = iter(words)
        for word in rest:
            if word.may_vanish:
                if self._has_code:
                    return True  # it may be the code
                continue
            if is_stream(word) and (word.text != "-" or not self._usage.is_shell):
                return True
            is_option = word.text[:1] in ("-", "+") and len(word.text) > 1
            verdict = self._take_option(word.text, rest) if is_option else self._take_operand(word.text)
            if verdict is not None:
                return verdict
        return True

    def _take_operand(self, text: str) -> bool | None:
        usage = self._usage
        if self._has_code:
            return self._is_open_code(text)
        if text in usage.closes:
            return False
        if text in usage.opens:
            return self._take_opening_word()
        self._operands += text != "-"
        return self._is_opened if 0 < usage.operands <= self._operands else None

    def _take_opening_word(self) -> bool | None:
        """Take a word that opens: a shell may still get the text of a command."""
        self._is_opened = True
        return None if self._usage.is_shell else True

    def _take_option(self, text: str, rest: "Iterator[ShellWord]") -> bool | None:
        """Read an option; return whether the program takes commands, None if that is not decided yet."""
        usage = self._usage
        for name, value in _readings_of_option(text):
            if name in usage.closes:
                return False
            if _is_opening(name, value, usage):
                if self._take_opening_word():
                    return True
            elif name in usage.code:
                return self._take_code(value, rest)
            elif name in usage.values or name in usage.attached:
                if name in usage.values and not value:
                    next(rest, None)
                return None
        return None

    def _take_code(self, value: str, rest: "Iterator[ShellWord]") -> bool | None:
        if self._usage.is_shell and not value.startswith("="):
            self._has_code = True  # the next word that is not an option; the rest of the letters are options
            return next(
                (False for name, _ in _readings_of_option(f"-{value}") if value and name in self._usage.closes), None
            )
        following = None if value.removeprefix("=") else next(rest, None)
        if following is not None and following.may_vanish:
            return True
        word = value.removeprefix("=") or (following.text if following is not None else "")
        if word[:1] == "$" and word[1:].isidentifier():  # the text of a variable
            return True
        return self._is_open_code(word) if word else True

    def _is_open_code(self, text: str) -> bool:
        if self._usage.is_shell:
            return self._opens_shell(text)
        return self._is_python and text.partition(".")[0].casefold() in PYTHON_PROMPTS


def _is_opening(name: str, value: str, usage: InterpreterUsage) -> bool:
    if name == "d" and value[:1] == ":":  # `perl -d:NYTProf`
        return False
    return name in usage.opens or (len(name) > 1 and name.casefold() in usage.opens)


def _readings_of_option(text: str) -> "Iterator[tuple[str, str]]":
    """Yield each option in a word, with what follows it there: a whole one, then letters."""
    name, equals, value = text.partition("=")
    yield name, equals + value
    if not text.startswith("--"):
        yield from ((one, text[at + 2 :]) for at, one in enumerate(text[1:]))
