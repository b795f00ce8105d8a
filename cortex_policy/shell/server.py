"""The co-process of a shell: it reads command lines from one named pipe, and writes the answers to another one.

It is started by the function of the shell (init.bash, init.zsh), holds nothing of the shell's, and ends with it, or
when the program is upgraded. A script that was sourced before the upgrade then starts the new one: if what they say to
each other changes, it needs another name than `shell-serve`.
"""

import fcntl
import os
import select
import signal
import termios
import time

from cortex_policy.shell.check_request import CheckRequest, decode_request_if_complete
from cortex_policy.shell.shell_working_directory import ShellDirectory
from cortex_policy.shell.words_answerer import WordsAnswerer
from cortex_policy.state import find_default_rate_state_directory
from cortex_policy.state.ledger import open_or_make_private_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.shell.words_answerer import ParseWords

PREFIX = "shell-"
QUESTIONS, ANSWERS = "questions", "answers"
PROGRAM = b" --."  # the answer after the number, to a line that the program must answer itself
IDLE_SECONDS = 600
_WRITE_SECONDS = 1.0  # until the shell has read an answer
_PAUSE_SECONDS = 0.002
_MAX_REQUEST = 1 << 16
# what fits into a pipe at once: zsh waits without limit for the rest of what it has begun to read
_MAX_ANSWER = (1 << 16) - 24
_OTHER_VARIABLES = ("HOME", "XDG_CONFIG_HOME", "TRACEPARENT")  # that a decision or its record depends on
_ZSH_KINDS = ("scalar", "integer", "float", "array", "association")
_PADDED = ("left", "right")
_OPEN = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
_MAX_DESCRIPTORS = 1 << 16


def serve_shell(argv: list[str], parse_words: "ParseWords") -> int:
    """Answer the shell that the words name by its process id and the name of its directory, until it ends."""
    shell, name = int(argv[0]), argv[1]
    _detach_from_shell()
    process = os.pidfd_open(shell)
    parent = open_or_make_private_directory(
        find_default_rate_state_directory(), None, find_default_rate_state_directory()
    )
    _remove_leftovers(parent)
    os.mkdir(name, 0o700, dir_fd=parent)
    try:
        directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=parent)
        # INVARIANT: questions last: once it is there, everything is
        pipes = [_make_and_open_pipe(pipe, directory) for pipe in (ANSWERS, QUESTIONS)]
        _Server(shell, process, pipes[1], pipes[0], WordsAnswerer(parse_words)).run()
    finally:
        _remove_shell_directory(name, parent)
    return 0


def _detach_from_shell() -> None:
    """Close the shell's files, some of which may be locks, and leave its terminal and its signals."""
    os.closerange(3, _MAX_DESCRIPTORS)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o077)


def _make_and_open_pipe(name: str, directory: int) -> int:
    os.mkfifo(name, 0o600, dir_fd=directory)
    pipe = os.open(name, _OPEN, dir_fd=directory)
    if fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) < _MAX_ANSWER:
        raise OSError("pipes are small, since this user has too many")
    return pipe


def _is_from_shell(name: str) -> bool:
    """Whether the shell says by itself that it exports such a variable, or not."""
    return (name.startswith("CORTEX_") and name.isascii() and name.isidentifier()) or name in _OTHER_VARIABLES


def _is_exported(attributes: str, value: str) -> bool:
    """Whether a child of the shell gets such a variable, and as it is: no array; raise ValueError if that is not sure.

    zsh has words like `scalar-export`; children do not get what was exported without a value, which looks as if empty.
    bash has letters after `+`, and `-` if there is none of this name: any other variable may be a local one that hides
    one that children get (init.bash).
    """
    if attributes.startswith(_ZSH_KINDS):
        is_exported = "export" in attributes and attributes.startswith(_ZSH_KINDS[:3])
        # what children get is not cut or filled
        if any(word in attributes for word in _PADDED) or (is_exported and not value):
            raise ValueError(attributes)
        return is_exported
    if attributes in ("", "-"):  # an unset one of zsh or bash
        return False
    if attributes[0] == "+" and "x" in attributes and "a" not in attributes.lower():
        return True
    raise ValueError(attributes)


def _remove_shell_directory(name: str, parent: int) -> None:
    """Remove the directory of a shell, as far as it is there."""
    for path in (f"{name}/{QUESTIONS}", f"{name}/{ANSWERS}"):
        try:
            os.unlink(path, dir_fd=parent)
        except OSError:
            continue
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return


def _remove_leftovers(parent: int) -> None:
    """Remove the directories of shells that have ended: their co-process was killed."""
    for name in os.listdir(parent):
        number = name.removeprefix(PREFIX).partition(".")[0]
        if name.startswith(PREFIX) and number.isdigit() and not os.path.exists(f"/proc/{number}"):
            _remove_shell_directory(name, parent)


class _Server:
    """Reads the requests of one shell from a pipe, and writes the answers to another."""

    def __init__(self, shell: int, process: int, questions: int, answers: int, answerer: WordsAnswerer) -> None:
        self._context, self._process = ShellDirectory(shell, __file__), process
        self._requests, self._answers = questions, answers
        self._answerer = answerer
        self._variables: list[str] | None = None  # as the shell said them; unknown until the first request
        self._data = b""
        self._last_text: bytes | None = None
        self._is_replaced = False
        self._request = CheckRequest([], None, is_terminal=False)  # that the last text holds

    def run(self) -> None:
        """Answer until the shell ends, asks nothing for ten minutes, or the program is another one."""
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        poll.register(self._process, select.POLLIN)
        only_a_request = [(self._requests, select.POLLIN)]
        while poll.poll(IDLE_SECONDS * 1000) == only_a_request and self._read_requests():
            number, _, text = self._data.partition(b"\0")
            if text != self._last_text and not self._take_request(text):
                continue
            self._data = b""
            self._write_answer(number + self._answer(self._request))
            if self._is_replaced:
                self._wait_until_read()
                return
            self._context.watch()

    def _take_request(self, text: bytes) -> bool:
        """Take another request than the last one; return False if more of it is to come."""
        request = decode_request_if_complete(text)
        if request is None:
            return False
        self._last_text, self._request = text, request
        return True

    def _read_requests(self) -> bool:
        """Read what is there; return False if it is not what our function sends."""
        self._data += os.read(self._requests, _MAX_REQUEST)
        return len(self._data) <= _MAX_REQUEST

    def _answer(self, request: CheckRequest) -> bytes:
        """Return what follows the number in an answer."""
        try:
            if request.variables is None:
                return PROGRAM
            if request.variables != self._variables:
                self._set_variables(request.variables)
            is_same_place = self._context.enter_directory()
            if not is_same_place and self._context.is_program_replaced():
                self._is_replaced = True
                return PROGRAM
            rendered = self._answerer.answer(
                request.words, is_terminal=request.is_terminal, is_same_place=is_same_place
            )
        except Exception:  # noqa: BLE001 - the program says what is wrong
            return PROGRAM
        if rendered is None:
            return PROGRAM
        if not rendered.out and not rendered.err:
            return b" %02d." % rendered.exit_code
        text = f" {rendered.exit_code:02}+{rendered.out}\0{rendered.err}\0"
        data = text.encode("utf-8", "backslashreplace")
        return data if len(data) <= _MAX_ANSWER else PROGRAM

    def _set_variables(self, variables: list[str]) -> None:
        """Make the environment what it would be for the program: a field holds a name, its attributes and its value."""
        self._variables = None  # until all are set
        for name in filter(_is_from_shell, list(os.environ)):
            del os.environ[name]
        for variable in variables:
            name, _, rest = variable.partition("=")
            attributes, _, value = rest.partition("=")
            if _is_exported(attributes, value):
                os.environ[name] = value
        self._variables = variables
        self._answerer.forget()

    def _wait_until_read(self) -> None:
        """Wait until the shell has read the last answer: it is gone with the last process that has the pipe."""
        end, nothing = time.monotonic() + _WRITE_SECONDS, bytes(4)
        while fcntl.ioctl(self._answers, termios.FIONREAD, nothing) != nothing and time.monotonic() < end:
            time.sleep(_PAUSE_SECONDS)

    def _write_answer(self, data: bytes) -> None:
        """Write an answer; an end that the shell does not read in time is left out, which it notices."""
        while data:
            try:
                data = data[os.write(self._answers, data) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._answers, select.POLLOUT)
                if not poll.poll(_WRITE_SECONDS * 1000):
                    return
