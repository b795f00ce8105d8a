"""A hook that is killed between any two system calls, or within a write, never lets a call go uncounted."""

from itertools import count
from pathlib import Path

import pytest
from processes import DeathByDeath

from cortex_policy.core.model import Budget
from cortex_policy.state.calls_seen_by_several_hooks import CallDelivery
from cortex_policy.state.ledger import Ledger

pytestmark = pytest.mark.forks
ROOT = (1, 2)
LIMIT = 100


@pytest.mark.parametrize("is_first", [True, False], ids=["new table", "old table"])
def test_a_call_whose_first_delivery_dies_is_counted(state: Path, is_first: bool) -> None:
    """At most once too often; and the next call that two lines deliver takes one hit."""
    numbers = count()
    name = ""

    def deliver(call: str, tag: str) -> Budget:
        return Ledger(ROOT, str(state), CallDelivery(call.encode(), tag)).take(name, "write", LIMIT)

    death = DeathByDeath(lambda: deliver("call", "user"))
    while not death.is_over:
        name = f"tool-{next(numbers)}"
        if is_first:
            for table in state.rglob(".deliveries"):
                table.unlink()
        else:
            deliver("before", "user")
        before = Ledger(ROOT, str(state)).peek(name, "write", LIMIT).used
        died = death.die()
        second = deliver("call", "project")
        assert second.consumed or second.repeat
        used = second.used - before
        assert used == 1 or (died and used == 2), (death.at, used)
        for tag, is_repeat in (("user", False), ("project", True)):
            assert deliver("after", tag).repeat is is_repeat
    assert death.at > 20
