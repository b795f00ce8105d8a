"""Chance that a seed repeats on every Python: only `random()`, whose values no version has changed."""

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")


class Chance:
    """Makes choices; the same seed makes the same ones."""

    def __init__(self, seed: str) -> None:
        """Begin with a seed."""
        self._random = random.Random(seed).random  # noqa: S311 - it must repeat

    def number(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        return low + int(self._random() * (high - low + 1))

    def is_true(self, share: float) -> bool:
        """Return True in this share of the cases."""
        return self._random() < share

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of some items."""
        return items[self.number(0, len(items) - 1)]

    def some(self, items: Sequence[Item], low: int, high: int) -> list[Item]:
        """Return between `low` and `high` items, each perhaps several times."""
        return [self.pick(items) for _ in range(self.number(low, high))]

    def subset(self, items: Sequence[Item], share: float) -> list[Item]:
        """Return each item with this chance, in their order."""
        return [item for item in items if self.is_true(share)]

    def made(self, makers: "Sequence[Callable[[Chance], Any]]") -> Any:
        """Return what one of some functions makes."""
        return self.pick(makers)(self)

    def random(self) -> float:
        """Return a number from 0 to 1, as `random.Random` does."""
        return self._random()

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of some items, as `random.Random` does."""
        return self.pick(items)
