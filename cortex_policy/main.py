"""Entry point: plain `check` words go straight to the decision, everything else goes to Typer.

One module of more than 250 lines, as each module costs a check time.
"""

import gc
import os
import sys

from cortex_policy import AUDIT_MODULES, DECISION_MODULES, import_from_bytecode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Never

    from cortex_policy.check import Call, Notice
    from cortex_policy.run import Run

INTERNAL_ERROR = 70
INTERRUPTED = 130
DENIED_TO_AGENT = 2
CHECK_NAMES = ("check", "enforce")
HOOK_COMMANDS = ("install", "uninstall", "status", "doctor", "edit", "init", "serve")  # Typer's; others are agents
HOOK_MODULES = (  # each after those that it needs
    "core/__init__", "core/model", "core/decode", "core/hooks/__init__", "core/hooks/denial_outputs",
    "core/hooks/payload", "state/__init__", "hook",
)  # fmt: skip
HELP = (["--help"], ["-h"])
_COMMON_FLAGS = {"--require-path": "require_path", "--quiet": "quiet", "-q": "quiet"}
_CHECK_FLAGS = {**_COMMON_FLAGS, "--peek": "peek", "--explain": "explain", "--json": "json"}
_RUN_FLAGS = {**_COMMON_FLAGS, "--for-each": "for_each", "-0": "nul"}
_LIST_OPTIONS = {"--path": "paths", "--arg": "arg_words"}
_NUMBER_OPTIONS = {"--wait": "wait_seconds", "--cost": "cost"}
_CHECK_OPTIONS = {"--args": "args_json", "--root": "root", **_NUMBER_OPTIONS}  # each at most once
_RUN_OPTIONS = {**_CHECK_OPTIONS, "--denied-exit": "denied_exit"}


def main() -> "Never":
    """Run the command line of this process and exit with its code."""
    code, message = INTERNAL_ERROR, ""
    try:
        if _is_call_of_agent(sys.argv[1:]):
            _answer_agent_and_exit(sys.argv[2:])
        _open_standard_descriptors()
        code = run_command_line(sys.argv[1:])
    except BaseException as error:  # noqa: BLE001 - any other error is a bug and must not end as 0 or 1
        if _is_interrupt(error):
            code = INTERRUPTED
        else:
            message = _format_internal_error(error)
    _print_and_exit(code, message)


def run_command_line(argv: list[str]) -> int:
    """Run one command line and return its exit code; a plain check ends the process itself.

    Modules are imported inside functions: if one of ours cannot be loaded, `main` reports that as an internal error.
    """
    if argv[:1] and argv[0] in CHECK_NAMES:
        gc.disable()  # a check ends before there is much to collect, and a collection takes 2 % of it
        _load_modules_of_check("check")
        call = parse_check_argv_or_none(argv[1:], argv[0])
        if call is not None:
            _answer_call_and_exit(call)
        gc.enable()
    if argv[:1] == ["run"]:
        gc.disable()  # as for a check, unless a list of paths may have no end
        _load_modules_of_check("check", "program_exec", "run")
        run_words = parse_run_argv_or_none(argv[1:])
        if run_words is None or run_words.for_each:
            gc.enable()
        if run_words is not None:
            from cortex_policy.run import decide_and_exec_or_exit  # noqa: PLC0415 - see the docstring

            decide_and_exec_or_exit(run_words, _make_wait_notice(run_words.call))
    without_typer = _WITHOUT_TYPER.get(argv[0]) if argv else None
    code = without_typer(argv[1:]) if without_typer is not None else None
    if code is not None:
        return code
    from cortex_policy.cli.app import run_typer  # noqa: PLC0415 - loads Typer

    return run_typer(argv)


def _validate_plain_words(words: list[str]) -> int | None:
    """Validate by plain words, and return the exit code; None for others."""
    from cortex_policy.cli.command_errors import Invocation, run_to_exit_code  # noqa: PLC0415
    from cortex_policy.cli.commands.validate_argv import parse_validate_argv_or_none  # noqa: PLC0415 - see `run_command_line`
    from cortex_policy.cli.commands.validate_run import run_validate  # noqa: PLC0415

    options = parse_validate_argv_or_none(words)
    if options is None:
        return None
    gc.disable()  # validating ten thousand grants makes no reference cycles
    return run_to_exit_code(lambda: run_validate(options), Invocation(changes=options.fix, is_json=options.json))


def _serve_shell(words: list[str]) -> int:
    """Answer a shell until it ends, as the script of `shell-init` asks for it."""
    from cortex_policy.shell.server import serve_shell  # noqa: PLC0415 - see `run_command_line`

    return serve_shell(words, parse_check_argv_or_none)


def _print_shell_script(words: list[str]) -> int | None:
    """Print the script of the shell that the words name alone, and return the exit code; None for other words."""
    from cortex_policy.shell.init_script import SHELLS, print_init_script  # noqa: PLC0415 - see `run_command_line`

    return print_init_script(words[0]) if words in [[shell] for shell in SHELLS] else None


# by these words the program may start without Typer, unless the function returns None
_WITHOUT_TYPER = {"validate": _validate_plain_words, "shell-serve": _serve_shell, "shell-init": _print_shell_script}


def _is_call_of_agent(argv: list[str]) -> bool:
    """Whether the words are those of a hook that answers an agent, or wrong words in such a line."""
    if argv[:1] != ["hook"] or argv[1:] in HELP:
        return False
    word = argv[1] if argv[1:] else ""
    return word not in HOOK_COMMANDS and not _is_mistyped_command(word)


def _is_mistyped_command(word: str) -> bool:
    """Whether a person has mistyped a command of `hook`: agents do not run their hooks on a terminal."""
    if not os.isatty(0):
        return False
    from cortex_policy.core.hooks.payload import AGENTS  # noqa: PLC0415 - see `run_command_line`

    return word not in AGENTS


def _answer_agent_and_exit(argv: list[str]) -> "Never":
    """Answer an agent, and exit: if that is not possible at all, then with a denial."""
    gc.disable()  # a run of it while modules are loaded takes as long as five of them
    why = ""
    try:
        import_from_bytecode(*HOOK_MODULES)
        from cortex_policy.hook import answer_agent_and_exit  # noqa: PLC0415 - see `run_command_line`

        answer_agent_and_exit(argv, _open_standard_descriptors(), _format_internal_error)
    except BaseException as error:  # noqa: BLE001 - every way out is a denial
        why = _format_internal_error(error)
    try:
        from cortex_policy.core.hooks.denial_outputs import make_denial_outputs  # noqa: PLC0415 - as above

        os.write(1, make_denial_outputs(argv[0] if argv else "", why)[0])
    finally:
        _print_and_exit(DENIED_TO_AGENT, why)


def _load_modules_of_check(*files: str) -> None:
    import_from_bytecode(*DECISION_MODULES, *files)
    if "CORTEX_AUDIT_LOG" in os.environ:
        import_from_bytecode(*AUDIT_MODULES)


def _answer_call_and_exit(call: "Call") -> "Never":
    """Decide a call, print what it asks for, and exit with its code; a silent allow loads no renderer."""
    from cortex_policy.check import decide_outcome_with_wait  # noqa: PLC0415 - see `run_command_line`

    outcome = decide_outcome_with_wait(call, _make_wait_notice(call))
    if outcome.is_silent:
        os._exit(outcome.exit_code)
    import_from_bytecode("core/text", "render")
    from cortex_policy.render import render_outcome_unless_silent, write_rendered_call_and_exit  # noqa: PLC0415

    if call.explain:
        from cortex_policy.cli.output.explanation import explain_and_render_outcome  # noqa: PLC0415 - few calls ask for it

        write_rendered_call_and_exit(explain_and_render_outcome(outcome))
    write_rendered_call_and_exit(render_outcome_unless_silent(outcome))


def _make_wait_notice(call: "Call") -> "Notice | None":
    if not call.wait_seconds:
        return None
    gc.enable()  # it may decide again and again for an hour
    from cortex_policy.cli.output.call_wait_notice import make_call_wait_notifier_or_none  # noqa: PLC0415 - few calls wait

    return make_call_wait_notifier_or_none(call)


def _print_and_exit(code: int, message: str) -> "Never":
    """Print a message to stderr and exit with a code, even if stderr cannot be written."""
    try:
        os.write(2, message.encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused an error: it may come between a descriptor's closing and the note that it is closed."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _format_internal_error(error: BaseException) -> str:
    """Return one line that reports a bug: the place in the code and the error."""
    trace, position = error.__traceback__, ""
    while trace is not None:
        position = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    detail = f"{str(error)!a:.200}".replace("[", "\\x5b")  # escaped: it may quote user input
    return f"cortex-policy: a bug in this program at {position}: {type(error).__name__}: {detail}\n"


def _open_standard_descriptors() -> list[int]:
    """Open each of descriptors 0-2 that is closed, else the ledger file could get number 2 and the denial's text.

    Return those.
    """
    closed = []
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            closed.append(descriptor)
    return closed


def parse_check_argv_or_none(argv: list[str], command: str = "check") -> "Call | None":
    """Parse the words after `check`; return None for anything not plain, which Typer then parses."""
    from cortex_policy.check import Call  # noqa: PLC0415

    fields = _parse_call_fields(argv, _CHECK_FLAGS, _CHECK_OPTIONS)
    return Call(command=command, **fields) if fields is not None else None


def parse_run_argv_or_none(argv: list[str]) -> "Run | None":
    """Parse the words after `run`; return None for anything not plain, which Typer then parses."""
    from cortex_policy.check import Call  # noqa: PLC0415
    from cortex_policy.run import Run, parse_denied_exit_code_or_none, split_argv_at_double_dash  # noqa: PLC0415

    words, command = split_argv_at_double_dash(argv)
    fields = _parse_call_fields(words, _RUN_FLAGS, _RUN_OPTIONS)
    if fields is None or not command:
        return None
    if "denied_exit" in fields:
        fields["denied_exit"] = parse_denied_exit_code_or_none(fields["denied_exit"])
        if fields["denied_exit"] is None:
            return None
    own = {name: fields.pop(name) for name in ("denied_exit", "for_each", "nul") if name in fields}
    return Run(Call(command="run", **fields), command, **own)


def _parse_call_fields(argv: list[str], flags: "dict[str, str]", options: "dict[str, str]") -> "dict[str, Any] | None":
    """Return the fields of a call, None if the words are not plain."""
    names: list[str] = []
    fields: dict[str, Any] = {}
    rest = iter(argv)
    for word in rest:
        if not word.startswith("-"):
            names.append(word)
        elif not _parse_option(word, rest, fields, flags, options):
            return None
    if len(names) != 2 or not _parse_numbers(fields):  # noqa: PLR2004 - a grant and an action
        return None
    fields["grant_id"], fields["action"] = names
    return fields


def _parse_numbers(fields: "dict[str, Any]") -> bool:
    """Give the options that are numbers their values; return False if one is not a number in its range."""
    if fields.keys().isdisjoint(_NUMBER_OPTIONS.values()):
        return True
    from cortex_policy.check import parse_number_option_or_none  # noqa: PLC0415 - see `run_command_line`

    for option, field in _NUMBER_OPTIONS.items():
        if field in fields:
            fields[field] = parse_number_option_or_none(option, fields[field])
            if fields[field] is None:
                return False
    return True


def _parse_option(
    word: str, rest: "Iterator[str]", fields: "dict[str, Any]", flags: "dict[str, str]", options: "dict[str, str]"
) -> bool:
    """Add one option to the fields of the call; return False if it is unknown, repeated or not plain."""
    if word in flags:
        name = flags[word]
        is_first = name not in fields
        fields[name] = True
        return is_first
    word, equals, after = word.partition("=")
    value: str | None = after if equals else next(rest, None)
    if value is None or (value.startswith("-") and not equals and value != "-"):
        return False
    if word in _LIST_OPTIONS:
        fields[_LIST_OPTIONS[word]] = (*fields.get(_LIST_OPTIONS[word], ()), value)
        return True
    field = options.get(word)
    if field is None or field in fields:
        return False
    fields[field] = value
    return True
