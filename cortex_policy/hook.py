"""The process of one hook call: read what an agent sends before it runs a tool, and answer (docs/hooks.md).

A child decides, and the parent answers: it touches no file of the policy, so that nothing can make it wait. Every way
out is a denial but one: the child has decided in time, said so in a whole message, and ended well.

One module of more than 250 lines, as each module costs a hook time.
"""

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` loads `enum`, which costs 6 ms
import os
import time

from cortex_policy import DECISION_MODULES, import_from_bytecode
from cortex_policy.core import Value
from cortex_policy.core.hooks.denial_outputs import NO_OPINION, escape_reason_for_model, make_denial_outputs
from cortex_policy.core.hooks.payload import AGENTS, MAX_BYTES
from cortex_policy.state import read_up_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Never

    Decide = Callable[[Callable[[str], object]], str]
    ErrorText = Callable[[BaseException], str]

ANY_AGENT = "auto"  # the payload alone says which; for tests
DEADLINE_SECONDS = 8.0
MAX_DEADLINE_SECONDS = 3600.0
MAX_TAG_LENGTH = 64
_DIGITS = frozenset("0123456789")
_TAG_CHARACTERS = _DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-")
_HOOK_DECISION_MODULES = (  # each after those that it needs
    "core/hooks/guarded_files", "core/hooks/tool_inputs", "core/hooks/hook_rules", "core/hooks/ruling",
    "state/calls_seen_by_several_hooks", "state/hooks_file", "hook_decision",
)  # fmt: skip
_SHELL_MODULES = (  # as above
    "core/hooks/simple_commands", "core/hooks/known_programs", "core/hooks/word_scanner", "core/hooks/shell_syntax",
    "core/hooks/wrapper_commands", "core/hooks/interactive_shells", "core/hooks/forbidden_commands",
)  # fmt: skip
_FIELDS = {"--root": "root", "--deadline": "deadline_seconds", "--install": "tag"}
DENIED = 2
INPUT_SECONDS = 2.0
OUTPUT_SECONDS = 1.0  # for a denial that nobody reads
MAX_MESSAGE = 1 << 14
# the child's message: a line with the agent of the payload, once it is known, then one of the two others
_AGENT, _PASS, _DENY = b"agent:", b"pass", b"deny:"
_NO_REASON = b"denied: the reason cannot be said\n"
_VARIABLES = ("CORTEX_", "PYTHON", "XDG_")
# INVARIANT: a timer that repeats: a signal that comes just before a system call does not interrupt it
_REPEAT_SECONDS = 0.05
_MAX_DESCRIPTORS = 1 << 16
_DEADLY_SIGNALS = tuple(
    getattr(_signal, name)
    for name in (
        "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGVTALRM", "SIGPROF", "SIGIO",
    )
)  # fmt: skip


class HookWordsError(ValueError):
    """The words are not those of an installed line: every call of a tool is denied; says why."""


class HookWords(Value):
    """The words of an installed line; `agent` is '' if the payload alone says which it is."""

    agent: str
    root: str
    deadline_seconds: float = DEADLINE_SECONDS
    tag: str = ""


def answer_agent_and_exit(argv: list[str], closed: list[int], error_text: "ErrorText") -> "Never":
    """Answer one hook call and exit: 0 if the policy has no objection, else 2.

    `closed` are those of the descriptors 0-2 that were closed, `error_text` describes a bug.
    """
    for name in [name for name in os.environ if name.startswith(_VARIABLES)]:
        del os.environ[name]
    process = HookProcess(find_first_word_if_agent_or_empty(argv), error_text)
    try:
        process.handle_signals()
        if closed:
            process.deny("the agent runs this hook with a closed standard input, output or error")
        process.answer(parse_hook_argv(argv))
    except HookWordsError as error:
        process.deny(str(error))
    except BaseException as error:  # noqa: BLE001 - every way out is a denial
        process.deny(format_uncaught_error(error, error_text))
    process.deny("no answer was found")


class HookProcess:
    """One process that answers an agent, and its child."""

    def __init__(self, agent: str, error_text: "ErrorText") -> None:
        """Take the agent that the command line names, '' for none."""
        self._agent, self._error_text = agent, error_text
        self._process, self._child = os.getpid(), 0
        self._message = b""
        self._late = "it did not end in time"

    def handle_signals(self) -> None:
        """Deny on each signal that would end this process without an answer."""
        _signal.signal(_signal.SIGALRM, lambda *_: self.deny(self._late))
        for number in _DEADLY_SIGNALS:
            _signal.signal(number, lambda *_: self.deny("the hook was stopped by a signal before it had decided"))
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # else the child cannot be waited for
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGALRM, *_DEADLY_SIGNALS))

    def answer(self, words: HookWords) -> "Never":
        """Read the call of a tool, let a child decide it, and answer what it says."""
        end = time.monotonic() + words.deadline_seconds
        self._set_timer(min(INPUT_SECONDS, words.deadline_seconds), "the agent did not end its input in time")
        data = read_up_to(0, MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            self.deny(f"the agent sent more than {MAX_BYTES >> 20} MiB")
        # before the fork: in the child, modules take half as much time again
        import_from_bytecode(*DECISION_MODULES, *_HOOK_DECISION_MODULES)
        if b'"command"' in data or b'"cmd"' in data:  # what is not loaded here is loaded once it is needed
            import_from_bytecode(*_SHELL_MODULES)
        from cortex_policy.hook_decision import decide_denial_text  # noqa: PLC0415 - once signals are handled

        late = f"the policy was not read and applied within {words.deadline_seconds:g} s; try again later, once"
        self._set_timer(max(end - time.monotonic(), _REPEAT_SECONDS), late)
        reader = self._fork(
            lambda tell_agent: decide_denial_text(data, words.agent, words.root, words.tag, tell_agent),
            words.deadline_seconds + 1,
        )
        while part := os.read(reader, MAX_MESSAGE):
            self._message += part
            if len(self._message) > MAX_MESSAGE:
                self.deny("the hook's own message is too long")
        _, status = os.waitpid(self._child, 0)
        self._child = 0  # its number may be another process's now
        self._answer_message(status)

    def _set_timer(self, seconds: float, late: str) -> None:
        self._late = late
        _signal.setitimer(_signal.ITIMER_REAL, seconds, _REPEAT_SECONDS)

    def _fork(self, decide: "Decide", seconds: float) -> int:
        """Start the child that decides, for so long at most; return the end of a pipe that gets its message."""
        reader, writer = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            self._decide(decide, seconds, writer)
        os.close(writer)
        return reader

    def _decide(self, decide: "Decide", seconds: float, writer: int) -> "Never":
        code = 1
        try:
            for number in (_signal.SIGALRM, *_DEADLY_SIGNALS):
                _signal.signal(number, _signal.SIG_DFL)
            _signal.setitimer(_signal.ITIMER_REAL, seconds)  # ends it if the parent was killed
            close_all_descriptors_except(writer)
            try:
                reason = decide(lambda agent: _write_all(writer, b"%s%s\n" % (_AGENT, agent.encode())))
            except Exception as error:  # noqa: BLE001 - a bug denies
                reason = format_uncaught_error(error, self._error_text)
            _write_all(
                writer, _DENY + escape_reason_for_model(reason).encode("utf-8", "backslashreplace") if reason else _PASS
            )
            code = 0
        finally:
            os._exit(code)

    def _answer_message(self, status: int) -> "Never":
        _, verdict = self._split_message()
        if status == 0 and verdict == _PASS:
            self._pass()
        if verdict.startswith(_DENY):
            self.deny(verdict[len(_DENY) :].decode("utf-8", "replace"))
        self.deny("the process that applies the policy ended without an answer; try again once")

    def _pass(self) -> "Never":
        """Answer that the policy has no objection, and exit with 0."""
        try:
            is_written = os.write(1, NO_OPINION) == len(NO_OPINION)
        except OSError:
            is_written = False
        if is_written:
            os._exit(0)
        self.deny("the hook's standard output cannot be written")

    def deny(self, reason: str) -> "Never":
        """Answer that the call is denied, and exit with 2; only the first of several denials is written."""
        if os.getpid() != self._process:  # a signal came before the child had its own handlers
            os._exit(1)
        try:
            for number in _DEADLY_SIGNALS:
                _signal.signal(number, _signal.SIG_IGN)
            _signal.signal(_signal.SIGALRM, lambda *_: os._exit(DENIED))
            _signal.setitimer(_signal.ITIMER_REAL, OUTPUT_SECONDS, _REPEAT_SECONDS)
            self._kill_child()
            try:
                output, error = make_denial_outputs(self._split_message()[0], reason)
            except Exception:  # noqa: BLE001 - out of memory: the exit code alone would let the call run in some agents
                output, error = b"", _NO_REASON
            _write_once(2, error)
            _write_once(1, output)
        finally:
            os._exit(DENIED)

    def _kill_child(self) -> None:
        if self._child:
            try:
                os.kill(self._child, _signal.SIGKILL)
            except OSError:
                return  # it has ended

    def _split_message(self) -> tuple[str, bytes]:
        """Return the agent that the payload is of, else the one that the command line names, and the verdict."""
        head, newline, rest = self._message.partition(b"\n")
        told = head.removeprefix(_AGENT).decode("ascii", "replace")
        is_told = bool(newline) and head.startswith(_AGENT) and told in ("", *AGENTS)
        return (told, rest) if is_told else (self._agent, self._message)


def format_uncaught_error(error: BaseException, error_text: "ErrorText") -> str:
    """Say what the system did not give to the hook, or where this program has a bug."""
    if isinstance(error, OSError):
        return f"the hook could not run: {(error.strerror or 'an error of the system').lower()}; try again later, once"
    return "the hook could not run: out of memory" if isinstance(error, MemoryError) else error_text(error)


def format_bug_by_type(error: BaseException) -> str:
    """Say that this program has a bug, without its place in the code."""
    return f"the hook could not run: a bug in this program ({type(error).__name__})"


def close_all_descriptors_except(descriptor: int) -> None:
    """Close all descriptors but one: an agent waits until every process has closed its pipes."""
    os.closerange(0, descriptor)
    os.closerange(descriptor + 1, _MAX_DESCRIPTORS)
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _write_once(descriptor: int, data: bytes) -> None:
    try:
        os.write(descriptor, data)
    except OSError:
        return  # closed or full: the exit code says it as well


def find_first_word_if_agent_or_empty(argv: list[str]) -> str:
    """Return the agent that the words name, '' if they name none."""
    return argv[0] if argv and argv[0] in AGENTS else ""


def parse_hook_argv(argv: list[str]) -> HookWords:
    """Parse the words after `hook`; raise HookWordsError for any others than an installed line has."""
    agent = find_first_word_if_agent_or_empty(argv)
    if not agent and argv[:1] != [ANY_AGENT]:
        raise _words_error(f"it must name an agent: {', '.join(AGENTS)}")
    fields: dict[str, str] = {}
    rest = iter(argv[1:])
    for word in rest:
        option, equals, after = word.partition("=")
        value = after if equals else next(rest, None)
        name = _FIELDS.get(option)
        if name is None or value is None or name in fields:
            raise _words_error(f"`{option}` is unknown, given twice, or lacks its value")
        fields[name] = value
    root = fields.get("root", "")
    if not root.startswith("/"):
        raise _words_error("it must name the directory of the policy, `--root` with an absolute path")
    return HookWords(agent, root, _parse_seconds(fields.get("deadline_seconds")), _parse_tag(fields.get("tag")))


def _parse_seconds(text: str | None) -> float:
    if text is None:
        return DEADLINE_SECONDS
    whole, _, fraction = text.partition(".")
    seconds = float(text) if whole and _DIGITS.issuperset(whole + fraction) else 0.0
    if not 0 < seconds <= MAX_DEADLINE_SECONDS:
        raise _words_error(f"`--deadline` must be more than 0 and at most {MAX_DEADLINE_SECONDS:.0f} seconds")
    return seconds


def _parse_tag(text: str | None) -> str:
    if text is not None and not (0 < len(text) <= MAX_TAG_LENGTH and _TAG_CHARACTERS.issuperset(text)):
        raise _words_error(f"`--install` must be letters, digits, `.`, `_` and `-`, at most {MAX_TAG_LENGTH}")
    return text or ""


def _words_error(why: str) -> HookWordsError:
    return HookWordsError(
        f"the command line of this hook is wrong: {why}. No call of a tool passes until an operator has installed "
        "the hook again with `cortex-policy hook install`"
    )
