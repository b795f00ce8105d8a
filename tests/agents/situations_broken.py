"""The situations in which something is broken: every call is denied until it is repaired."""

from collections.abc import Iterator

from tests.agents.guarded import Guarded
from tests.agents.scenes import Scene, Situation, all_allowed, one_after_another, would_be_allowed

KILLED = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
HANGING = "import time\ntime.sleep(600)\n"
HANGING_DISK = """\
import os, time
_open = os.open
def hang(path, *rest, **named):
    if str(path).endswith("hooks.toml"):
        time.sleep(600)
    return _open(path, *rest, **named)
os.open = hang
"""
CRASHED = "raise SystemExit(1)\n"
CLOSED_OUTPUTS = "import os\nos.close(1)\nos.close(2)\n"


def unreadable_grant(guarded: Guarded) -> Iterator[Scene]:
    """Deny what asks this grant, allow what asks another one."""
    guarded.grant("fs.write").chmod(0)
    yield one_after_another(guarded.write(runs=True)._replace(runs=False), guarded.shell(runs=True))
    guarded.grant("fs.write").chmod(0o644)
    yield one_after_another(guarded.write(runs=True))


def broken_grant(guarded: Guarded) -> Iterator[Scene]:
    """Deny what asks this grant, allow what asks another one."""
    with guarded.replaced(guarded.grant("fs.write"), "{"):
        yield one_after_another(guarded.write(runs=True)._replace(runs=False), guarded.shell(runs=True))
    yield one_after_another(guarded.write(runs=True))


def broken_rules(guarded: Guarded) -> Iterator[Scene]:
    """Deny everything until it is repaired."""
    rules = guarded.policy / "hooks.toml"
    with guarded.replaced(rules, "[[rule\n"):
        yield would_be_allowed(guarded)
    with guarded.replaced(rules, None):
        yield would_be_allowed(guarded)
    yield all_allowed(guarded)


def killed_hook(guarded: Guarded) -> Iterator[Scene]:
    """Deny everything while the program dies by SIGKILL, or ends with another code."""
    for text in (KILLED, CRASHED):
        with guarded.replaced(guarded.script, text):
            yield would_be_allowed(guarded)
    yield all_allowed(guarded)


def hanging_hook(guarded: Guarded) -> Iterator[Scene]:
    """Deny while the program, or the disk with the rules, never answers."""
    for text in (HANGING, HANGING_DISK + guarded.script.read_text()):
        with guarded.replaced(guarded.script, text):
            yield one_after_another(guarded.shell(runs=True)._replace(runs=False))
    yield all_allowed(guarded)


def missing_interpreter(guarded: Guarded) -> Iterator[Scene]:
    """Deny everything while Python, or the program, is gone."""
    for file in (guarded.python, guarded.script):
        with guarded.replaced(file, None):
            yield would_be_allowed(guarded)
    yield all_allowed(guarded)


def closed_outputs(guarded: Guarded) -> Iterator[Scene]:
    """Deny what is denied although the hook cannot say so."""
    with guarded.replaced(guarded.script, CLOSED_OUTPUTS + guarded.script.read_text()):
        yield one_after_another(guarded.shell(runs=False), guarded.write(runs=False))
    yield all_allowed(guarded)


def emergency_stop(guarded: Guarded) -> Iterator[Scene]:
    """Deny everything until `resume`."""
    guarded.command("stop", "--root", str(guarded.work), "--reason", "a drill")
    yield would_be_allowed(guarded)
    guarded.command("resume", "--root", str(guarded.work))
    yield all_allowed(guarded)


def full_disk(guarded: Guarded) -> Iterator[Scene]:
    """Deny what cannot be counted."""
    yield would_be_allowed(guarded)._replace(shared_memory="4k")
    yield all_allowed(guarded)


SITUATIONS: dict[str, Situation] = {
    "an unreadable grant": unreadable_grant,
    "a grant of broken JSON": broken_grant,
    "a broken `hooks.toml`": broken_rules,
    "a killed hook": killed_hook,
    "a hook that hangs": hanging_hook,
    "a missing interpreter": missing_interpreter,
    "closed outputs": closed_outputs,
    "an emergency stop": emergency_stop,
    "a full disk": full_disk,
}
