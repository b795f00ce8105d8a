"""What a situation is made of: it yields scenes, and undoes what it changes for a scene before the next one."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tests.agents.guarded import Expected, Guarded


class Scene(NamedTuple):
    """A session: steps of calls, those of a sub-agent, and what the agent is started with."""

    steps: list[list[Expected]]
    sub_steps: Sequence[list[Expected]] = ()
    shared_memory: str = "64m"
    variables: tuple[tuple[str, str], ...] = ()


Situation = Callable[[Guarded], Iterator[Scene]]


def one_after_another(*calls: Expected) -> Scene:
    """Return a scene with one call in each answer of the model."""
    return Scene([[call] for call in calls])


def all_allowed(guarded: Guarded) -> Scene:
    """Return a scene with one allowed call of each kind."""
    return one_after_another(guarded.shell(runs=True), guarded.write(runs=True), guarded.mark(runs=True))


def would_be_allowed(guarded: Guarded) -> Scene:
    """Return the same calls, which something in the way denies."""
    scene = all_allowed(guarded)
    return Scene([[call._replace(runs=False) for call in step] for step in scene.steps])
