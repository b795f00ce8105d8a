"""What a hook is put through: each trial says what its agent must do, and prepares what the line meets."""

import os
from concurrent.futures import ThreadPoolExecutor, wait

from cortex_policy.core import Value
from cortex_policy.core.hooks.payload import CANARY
from cortex_policy.manage.hooks.agent_behaviour import is_call_blocked
from cortex_policy.manage.hooks.hook_command import (
    MAX_SECONDS,
    HookCommand,
    LineRun,
    kill_running_hook_commands,
    run_hook_command,
)
from cortex_policy.manage.hooks.hook_entry import PROJECT_VARIABLE
from cortex_policy.manage.hooks.scratch_root import INSIDE, TOOL, ScratchRoot, open_scratch_root
from cortex_policy.manage.hooks.trial_payload import make_trial_payload
from cortex_policy.manage.signals import hold_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

_POLL_SECONDS = 0.05
_HANG = f"import time\ntime.sleep({2 * MAX_SECONDS})\n"  # in place of the program
_HANGING_DISK = """\
import os, sys, time
real = os.open
def hang(path, *rest, **named):
    if str(path).endswith("hooks.toml"):
        time.sleep(120)
    return real(path, *rest, **named)
os.open = hang
with open({program!r}) as file:
    exec(compile(file.read(), {program!r}, "exec"))
"""  # our program, on a disk that hangs
_EVIL = "import os\nos.write(1, b'{}\\n')\nos._exit(0)\n"  # a module that allows everything if anybody imports it


class HookTrial(Value):
    """What was tried, whether the agent had to block, how the line ended and whether the agent would block then."""

    name: str
    must_block: bool
    run: LineRun
    is_blocked: bool


def run_trials_of_hook(line: HookCommand, root: str) -> "Iterator[HookTrial]":
    """Put a line through all trials; a signal kills what runs.

    They run in a thread: an exception of a signal while a program starts would leave that one behind.
    """
    with hold_signals() as leave_if_received, open_scratch_root() as scratch, ThreadPoolExecutor(1) as thread:
        trials = _all_trials(line, root, scratch)
        try:
            while trial := _result_of(thread.submit(next, trials, None), leave_if_received):
                yield trial
        finally:
            trials.close()


def _all_trials(line: HookCommand, root: str, scratch: ScratchRoot) -> "Generator[HookTrial]":
    yield _try_canary(line, root)
    yield from _try_scratch_root(line, scratch)
    yield from _try_broken_programs(line, scratch)


def _result_of(trial: "Future[HookTrial | None]", leave_if_received: "Callable[[], None]") -> HookTrial | None:
    try:
        while wait([trial], _POLL_SECONDS).not_done:
            leave_if_received()
    finally:
        _kill_until_done([trial])
    return trial.result()


def _kill_until_done(trials: "Sequence[Future[Any]]") -> None:
    """Kill the lines of trials that nobody waits for; again and again, as one may be about to start."""
    while wait(trials, 0).not_done:
        kill_running_hook_commands()
        wait(trials, _POLL_SECONDS)


def _try_canary(line: HookCommand, root: str) -> HookTrial:
    """Run the line as it is, for the tool name that is always denied and never counted."""
    payload = make_trial_payload(line.agent, CANARY, {}, root)
    return _trial_of_run(
        "canary", line, run_hook_command(line, payload, root, {PROJECT_VARIABLE: root}), must_block=True
    )


def _try_scratch_root(line: HookCommand, scratch: ScratchRoot) -> "Iterator[HookTrial]":
    """Run the line for a root that exists only for this, whole and broken."""
    line = line.with_root(scratch.root.path)
    yield _try_call("allowed call", line, scratch, must_block=False)
    yield _try_call("denied call", line, scratch, inside=False)
    yield from _try_variables(line, scratch)
    scratch.break_rules()
    yield _try_call("broken hooks.toml", line, scratch)
    scratch.repair()
    scratch.hide_grant()
    yield _try_call("unreadable grant", line, scratch)
    scratch.repair()


def _try_broken_programs(line: HookCommand, scratch: ScratchRoot) -> "Iterator[HookTrial]":
    """Run the line with a program that hangs, is on a disk that hangs, or does not exist; at once, as they are slow."""
    line = line.with_root(scratch.root.path)
    programs = {
        "hanging disk": scratch.add_file("hanging-disk.py", _HANGING_DISK.format(program=line.program)),
        "hanging program": scratch.add_file("hanging.py", _HANG),
        "missing program": f"{scratch.root.path}/missing",
    }
    with ThreadPoolExecutor() as executor:
        trials = [
            executor.submit(_try_call, name, line.with_program(program), scratch) for name, program in programs.items()
        ]
        try:
            for trial in trials:
                yield trial.result()
        finally:
            _kill_until_done(trials)


def _try_variables(line: HookCommand, scratch: ScratchRoot) -> "Iterator[HookTrial]":
    """Start the agent with variables that would change the answer if the hook believed them."""
    modules, state = os.path.dirname(scratch.add_file("modules/sitecustomize.py", _EVIL)), f"{scratch.root.path}/state"
    os.mkdir(state, 0o700)
    variables = {"PYTHONPATH": modules, "CORTEX_POLICY_STATE_DIR": state, "CORTEX_POLICY_ROOT": "/"}
    yield _try_call("hostile PYTHONPATH", line, scratch, variables, inside=False)
    allowed = _try_call("state directory", line, scratch, variables, must_block=False)
    yield HookTrial(**{**vars(allowed), "is_blocked": allowed.is_blocked or bool(os.listdir(state))})


def _try_call(
    name: str, line: HookCommand, scratch: ScratchRoot, variables: "Mapping[str, str] | None" = None, *,
    inside: bool = True, must_block: bool = True,
) -> HookTrial:  # fmt: skip
    root = scratch.root.path
    inputs: dict[str, object] = {"path": f"{root}/{INSIDE if inside else 'outside'}/file"}
    payload = make_trial_payload(line.agent, TOOL, inputs, root)
    run = run_hook_command(line, payload, root, {PROJECT_VARIABLE: root, **(variables or {})})
    return _trial_of_run(name, line, run, must_block=must_block)


def _trial_of_run(name: str, line: HookCommand, run: LineRun, *, must_block: bool) -> HookTrial:
    return HookTrial(name, must_block, run, is_call_blocked(line.agent, run.end))
