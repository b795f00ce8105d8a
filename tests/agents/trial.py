"""Try a guarded agent in a situation, and say what went wrong."""

from typing import NamedTuple

from tests.agents import situations, situations_broken
from tests.agents.guarded import Expected, Guarded
from tests.agents.scenes import Scene
from tests.agents.session import Session, run_session

SITUATIONS = {**situations.SITUATIONS, **situations_broken.SITUATIONS}


class Trial(NamedTuple):
    """How often calls were denied and allowed as they should be, and what went wrong."""

    denied: int
    allowed: int
    faults: list[str]


def try_situation(title: str, guarded: Guarded) -> Trial:
    """Play every scene of a situation."""
    denied = allowed = 0
    faults: list[str] = []
    try:
        for scene in SITUATIONS[title](guarded):
            calls = [call for step in [*scene.steps, *scene.sub_steps] for call in step if call.files]
            faults += _play(scene, guarded, calls)
            allowed += sum(call.runs is not False for call in calls if call.files[0].exists())
            denied += sum(call.runs is not True for call in calls if not call.files[0].exists())
    except AssertionError as error:  # what a situation finds by itself
        faults.append(str(error))
    return Trial(denied, allowed, faults)


def _play(scene: Scene, guarded: Guarded, calls: list[Expected]) -> list[str]:
    session = run_session(
        guarded.program,
        [[call.call for call in step] for step in scene.steps],
        [[call.call for call in step] for step in scene.sub_steps],
        shared_memory=scene.shared_memory,
        **dict(scene.variables),
    )
    faults = [] if session.code == 0 else [f"the agent ended with {session.code}"]
    for results, steps in ((session.results, scene.steps), (session.sub_results, scene.sub_steps)):
        wanted = sum(len(step) for step in steps)
        if len(results) != wanted:
            faults.append(f"the model got {len(results)} results of {wanted} calls")
    return faults + [_fault(call, session) for call in calls if not call.is_right()]


def _fault(call: Expected, session: Session) -> str:
    happened = "was denied" if call.runs else "ran"
    return f"{call.call} {happened}: {[text[:300] for text in session.results + session.sub_results]}"
