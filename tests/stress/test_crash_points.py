"""A process that is killed between any two system calls or stores opens no budget and stops nobody."""

from itertools import count
from pathlib import Path

import pytest
from processes import ALLOWED, DENIED, UNKNOWN, Death, DeathByDeath, answer, in_child

from cortex_policy.state import ledger_maintenance, mapped_file, read_boot_id
from cortex_policy.state import ledger_ring as rings
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.ledger import Ledger, open_or_make_budget_directory
from cortex_policy.state.ledger_ring import WINDOW_TICKS, BudgetFileKey
from cortex_policy.state.settings import find_state_directory
from tests.support.damage import flip_byte

pytestmark = pytest.mark.forks
ROOT = (1, 2)
LIMIT = 6
FRESH = count()


def name_of(tool: str) -> str:
    """Return the name of a tool's state file."""
    return BudgetFileKey(read_boot_id(), tool, "a").name


def directory() -> int:
    """Open the directory of the root."""
    return open_or_make_budget_directory(ROOT, read_boot_id(), find_state_directory())


def file_of(state: Path, tool: str) -> Path:
    """Return where a tool's state file is."""
    return next(path for path in state.iterdir() if path.is_dir()) / name_of(tool)


def take(tool: str, limit: int = LIMIT, cost: int = 1) -> int:
    """Take a hit in one shot."""
    return answer(lambda: Ledger(ROOT, find_state_directory()).take(tool, "a", limit, cost))


def drained(tool: str, services: list[FileBudgets], limit: int = LIMIT) -> list[int]:
    """Ask in all ways in turn until each has said no twice; return all answers."""
    answers: list[int] = []
    refused = 0
    while refused < 2:
        row = [answer(lambda service=service: service.hit(tool, "a", limit)) for service in services]
        row.append(take(tool, limit))
        answers += row
        refused += ALLOWED not in row
    return [*answers, in_child(lambda: Ledger(ROOT, find_state_directory()).take(tool, "a", limit))]


def mapped(tool: str, hits: int) -> FileBudgets:
    """Make a service that has a tool's file mapped, after some hits."""
    service = FileBudgets(ROOT)
    for _ in range(hits):
        assert service.hit(tool, "a", LIMIT)
    return service


def test_a_maker_that_dies_leaves_the_whole_budget() -> None:
    """Killed at each call of a first hit: at most that hit is lost, and no caller is told of an error."""
    tool = ""
    death = DeathByDeath(lambda: Ledger(ROOT, find_state_directory()).take(tool, "a", LIMIT))
    while not death.is_over:
        tool = f"made{next(FRESH)}"
        died = death.die()
        answers = drained(tool, [FileBudgets(ROOT), FileBudgets(ROOT)])
        assert set(answers) == {ALLOWED, DENIED}
        assert answers.count(ALLOWED) in ((LIMIT, LIMIT - 1) if died else (LIMIT - 1,))
    assert death.at > 10


@pytest.mark.parametrize("cost", [1, 3])
def test_a_hit_that_dies_is_counted_or_not_but_never_half(cost: int) -> None:
    """Killed at each call of a hit in one shot: its cost is taken or it is not."""
    tool = ""
    death = DeathByDeath(lambda: Ledger(ROOT, find_state_directory()).take(tool, "a", LIMIT, cost))
    while not death.is_over:
        tool = f"hit{next(FRESH)}"
        services = [mapped(tool, 2), mapped(tool, 0)]
        died = death.die()
        answers = drained(tool, services)
        assert set(answers) == {ALLOWED, DENIED}
        assert answers.count(ALLOWED) in ((LIMIT - 2, LIMIT - 2 - cost) if died else (LIMIT - 2 - cost,))


def test_a_torn_hit_of_many_exceeds_no_limit() -> None:
    """Killed while its cost is written around the end of the ring."""
    tool = ""
    death = DeathByDeath(lambda: Ledger(ROOT, find_state_directory()).take(tool, "a", LIMIT, LIMIT))
    while not death.is_over:
        tool = f"torn{next(FRESH)}"
        past(tool, 3, 3)
        service = FileBudgets(ROOT)
        service.hit(tool, "a", LIMIT)
        death.die()
        assert drained(tool, [service]).count(ALLOWED) <= LIMIT - 1


def past(tool: str, *costs: int) -> None:
    """Take hits longer than a window ago."""
    before = rings.read_ticks_since_boot
    rings.read_ticks_since_boot = lambda: before() - WINDOW_TICKS - 1
    try:
        for cost in costs:
            assert Ledger(ROOT, find_state_directory()).take(tool, "a", LIMIT, cost).consumed == cost
    finally:
        rings.read_ticks_since_boot = before
    assert Ledger(ROOT, find_state_directory()).peek(tool, "a", LIMIT).used == 0


def test_an_edit_of_the_limit_that_dies_loses_no_hit() -> None:
    """Killed at each call while a file is replaced by a larger one that others have mapped the old one of."""
    tool = ""
    death = DeathByDeath(lambda: Ledger(ROOT, find_state_directory()).take(tool, "a", 50))
    while not death.is_over:
        tool = f"edit{next(FRESH)}"
        services = [mapped(tool, 2), mapped(tool, 2)]
        died = death.die()
        answers = drained(tool, services)
        assert set(answers) == {ALLOWED, DENIED}
        assert answers.count(ALLOWED) in ((LIMIT - 4, LIMIT - 5) if died else (LIMIT - 5,))
        assert drained(tool, services, 50).count(ALLOWED) == 50 - LIMIT if not died else True


def test_a_kill_while_damage_is_handled_frees_no_budget(state: Path) -> None:
    """Killed at each call while the damaged file is replaced: others notice it, or find it closed."""
    tool = ""
    death = DeathByDeath(lambda: Ledger(ROOT, find_state_directory()).take(tool, "a", LIMIT))
    while not death.is_over:
        tool = f"damage{next(FRESH)}"
        services = [mapped(tool, 2), mapped(tool, 2)]
        flip_byte(file_of(state, tool), 8 * rings.AT_SLOT_BITS)
        died = death.die()
        # the header is not what a mapped hit looks at: these may use what is left, but never more
        answers = drained(tool, services)
        assert answers.count(ALLOWED) <= LIMIT - 4
        assert answers.count(UNKNOWN) <= (1 if died else 0)
        assert take(tool) == DENIED


def test_a_kill_while_a_budget_is_dropped_drops_all_or_nothing() -> None:
    """Killed at each call: one budget or a second one, and no service counts on in a file that is gone."""
    tool = ""

    def drop() -> bool:
        return ledger_maintenance.remove_budget(directory(), name_of(tool))

    death = DeathByDeath(drop)
    while not death.is_over:
        tool = f"drop{next(FRESH)}"
        services = [mapped(tool, 2), mapped(tool, 2)]
        died = death.die()
        answers = drained(tool, services)
        assert set(answers) == {ALLOWED, DENIED}
        assert answers.count(ALLOWED) in ((LIMIT - 4, LIMIT) if died else (LIMIT,))


def test_a_kill_during_a_sweep_harms_no_budget() -> None:
    """Killed at each call of a sweep over idle and live files that services have mapped."""
    idle = live = ""
    death = DeathByDeath(lambda: ledger_maintenance.remove_idle_budgets(directory(), rings.read_ticks_since_boot()))
    while not death.is_over:
        idle, live = f"idle{next(FRESH)}", f"live{next(FRESH)}"
        services = [mapped(live, 2), mapped(live, 0)]
        past(idle, *[1] * LIMIT)
        for service in services:
            files = {tool: service._map_file(tool, "a") for tool in (idle, live)}
            service._kept = {
                tool: {"a": (mapped_file.make_hit_function(file), file)} for tool, file in files.items() if file
            }
        death.die()
        assert drained(idle, services).count(ALLOWED) == LIMIT
        assert drained(live, services).count(ALLOWED) == LIMIT - 2
        for tool in (idle, live):
            ledger_maintenance.remove_budget(directory(), name_of(tool))
    assert death.at > 20


class Store:
    """Words of a mapped file that kill the process before the store they are told."""

    def __init__(self, words: memoryview, death: Death) -> None:
        self.words = words
        self.death = death

    def __getitem__(self, index: int) -> int:
        return self.words[index]

    def __setitem__(self, index: int, value: int) -> None:
        self.death.step()
        self.words[index] = value


@pytest.mark.parametrize("at", range(4))
def test_a_service_that_dies_between_its_stores_is_counted_or_not(at: int) -> None:
    """Killed before and between the stores of a mapped hit: the ring is longer than any limit."""
    tool = f"stores{at}"
    other = mapped(tool, 2)

    def work() -> bool:
        service = mapped(tool, 0)
        assert service.hit(tool, "a", LIMIT)
        file, death = service._map_file(tool, "a"), Death(at)
        assert file is not None
        file.words, file.slots = Store(file.words, death), Store(file.slots, death)  # type: ignore[assignment]
        service._kept[tool]["a"] = mapped_file.make_hit_function(file), file
        return service.hit(tool, "a", LIMIT) and service.hit(tool, "a", LIMIT)

    assert in_child(work) == (ALLOWED if at > 3 else -9)
    answers = drained(tool, [other])
    assert set(answers) == {ALLOWED, DENIED}
    assert answers.count(ALLOWED) == LIMIT - 3 - (at // 2)


def test_files_of_killed_creators_are_swept(state: Path) -> None:
    """No more files than live keys."""
    left: set[str] = set()
    death = DeathByDeath(lambda: Ledger(ROOT, find_state_directory()).take("orphan", "a", LIMIT))
    while not death.is_over:
        death.die()
        left |= {path.name for path in state.rglob(".new-*")}
        ledger_maintenance.remove_budget(directory(), name_of("orphan"))
    assert left
    ledger_maintenance.remove_idle_budgets(directory(), rings.read_ticks_since_boot())
    assert not list(state.rglob(".new-*"))
