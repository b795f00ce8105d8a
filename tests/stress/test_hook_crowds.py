"""Agents that ask at once, by one to three installed lines for each call: each call takes exactly one hit."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import ended, start

from cortex_policy.hook_decision import decide_denial_text
from tests.support.hooks import Scene, make_scene

AGENTS_AT_ONCE = 8
TAGS = ("user", "project", "local")
CallDelivery = tuple[str, str]  # the id of a call, and the tag of a line


@pytest.fixture
def scene(root: Path, tmp_path: Path) -> Scene:
    """Make a root whose rate has room for all."""
    scene = make_scene(root, tmp_path)
    scene.write_grant(rate={"perMinute": 100_000})
    return scene


def deliveries_of(calls: int, dice: random.Random) -> list[CallDelivery]:
    """Return one to three deliveries of each call, those of one call near each other."""
    all_of_them = [
        (number + 3 * dice.random(), f"call-{number}", tag)
        for number in range(calls)
        for tag in dice.sample(TAGS, dice.randint(1, len(TAGS)))
    ]
    return [(call, tag) for _, call, tag in sorted(all_of_them)]


def ask_at_once(deliveries: list[CallDelivery], ask: Callable[[CallDelivery], bool]) -> None:
    """Deal the deliveries to agents that ask at once; all must be allowed."""
    hands = [deliveries[first::AGENTS_AT_ONCE] for first in range(AGENTS_AT_ONCE)]
    children = [start(lambda hand=hand: all(map(ask, hand))) for hand in hands]  # type: ignore[misc]
    assert [ended(child) for child in children] == [0] * AGENTS_AT_ONCE


def ask_in_process(scene: Scene) -> Callable[[CallDelivery], bool]:
    """Return what decides a delivery as the child of a hook does."""

    def ask(delivery: CallDelivery) -> bool:
        call, tag = delivery
        return (
            decide_denial_text(scene.payload("claude", call=call), "claude", str(scene.root), tag, lambda _: None) == ""
        )

    return ask


def ask_by_hook(scene: Scene) -> Callable[[CallDelivery], bool]:
    """Return what lets a whole hook answer a delivery."""

    def ask(delivery: CallDelivery) -> bool:
        call, tag = delivery
        words = ["claude", "--root", str(scene.root), "--deadline", "60", "--install", tag]
        return scene.ask("claude", scene.payload("claude", call=call), words).code == 0

    return ask


def test_each_call_of_eight_agents_takes_one_hit(scene: Scene) -> None:
    """However its deliveries race."""
    ask_at_once(deliveries_of(100, random.Random()), ask_in_process(scene))
    assert scene.used() == 100


def test_each_call_takes_one_hit_of_whole_hooks(scene: Scene) -> None:
    """As agents start them."""
    ask_at_once(deliveries_of(20, random.Random()), ask_by_hook(scene))
    assert scene.used() == 20


@pytest.mark.storm
@pytest.mark.parametrize("run", range(5))
def test_a_thousand_calls_take_a_thousand_hits(scene: Scene, run: int) -> None:
    """Exactly."""
    ask_at_once(deliveries_of(1000, random.Random(run)), ask_in_process(scene))
    assert scene.used() == 1000


@pytest.mark.storm
def test_a_hundred_calls_take_a_hundred_hits_of_whole_hooks(scene: Scene) -> None:
    """Within the minute that the rate looks back."""
    ask_at_once(deliveries_of(100, random.Random()), ask_by_hook(scene))
    assert scene.used() == 100


def test_a_loop_of_eight_agents_that_repeats_one_id_is_counted_each_time(scene: Scene) -> None:
    """By one line: two deliveries by the same line are two calls."""
    ask_at_once([("call-1", "user")] * 200, ask_in_process(scene))
    assert scene.used() == 200


def test_two_lines_that_repeat_one_id_take_the_hits_of_one(scene: Scene) -> None:
    """The n-th delivery by one line and the n-th by the other are one call."""
    ask_at_once([("call-1", tag) for _ in range(100) for tag in TAGS[:2]], ask_in_process(scene))
    assert scene.used() == 100


def test_agents_never_get_more_than_the_rate(scene: Scene) -> None:
    """Half of the calls are denied, whatever lines deliver them."""
    scene.write_grant(rate={"perMinute": 50})
    ask = ask_in_process(scene)
    deliveries = deliveries_of(100, random.Random())
    hands = [deliveries[first::AGENTS_AT_ONCE] for first in range(AGENTS_AT_ONCE)]
    children = [start(lambda hand=hand: bool([ask(one) for one in hand])) for hand in hands]  # type: ignore[misc]
    assert [ended(child) for child in children] == [0] * AGENTS_AT_ONCE
    assert scene.used() == 50
