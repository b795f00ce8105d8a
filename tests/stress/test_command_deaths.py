"""Whoever is killed while a root is stopped or resumed leaves a log that can be read, and a stop or none."""

from pathlib import Path

import pytest
from processes import DeathByDeath

from cortex_policy.manage.emergency_stop import resume_root_if_stopped, stop_root
from cortex_policy.manage.history.write_and_command_timeline import read_timeline
from cortex_policy.state import Root
from cortex_policy.state.control_command_record import CommandRecord


def commands_of(root: Root) -> list[tuple[str, bool]]:
    """Return the recorded commands, the last first, and whether each is finished; nothing in the history is broken."""
    timeline = read_timeline(root)
    assert timeline.corrupt_entries == ()
    return [(step.command, step.is_finished) for step in timeline.steps if isinstance(step, CommandRecord)]


@pytest.mark.forks
def test_a_resume_that_dies_is_not_lost(root: Path) -> None:
    """Killed at each system call: where the stop is gone, its end is in the log, as begun or as done."""
    found = Root(str(root), trusts_owner=True)
    stop, seen = root / ".cortex/policy/stop", set()
    death = DeathByDeath(lambda: resume_root_if_stopped(found))
    while not death.is_over:
        stop.touch()
        before = len([one for one in commands_of(found) if one[0] == "resume"])
        death.die()
        resumes = [one for one in commands_of(found) if one[0] == "resume"]
        if not stop.exists():
            assert len(resumes) == before + 1
            seen.add(resumes[0])
    assert seen == {("resume", False), ("resume", True)}


@pytest.mark.forks
def test_a_stop_that_dies_after_it_was_made_is_in_the_log(root: Path) -> None:
    """Its file says so while it lasts."""
    found = Root(str(root), trusts_owner=True)
    stop = root / ".cortex/policy/stop"
    death = DeathByDeath(lambda: stop_root(found, "leaked"))
    while not death.is_over:
        stop.unlink(missing_ok=True)
        death.die()
        if stop.exists():
            assert commands_of(found)[0] == ("stop", True)
