"""How many inputs a property is tried with: a fifth in an ordinary run, all of them in a storm."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import settings

USUAL = 100  # examples of a property that asks for no number
FEWEST = 30
Test = TypeVar("Test", bound=Callable[..., object])


def inputs(count: int, **options: Any) -> settings:
    """Return the settings of a property that a storm tries with so many inputs."""
    default = settings().max_examples
    return settings(max_examples=max(count, default) if default > USUAL else max(FEWEST, count // 5), **options)


def chance(count: int, **options: Any) -> Callable[[Test], Test]:
    """Try a property with many inputs, and with more in a storm: `-m "storm or chance" --hypothesis-profile=storm`."""

    def decorate(test: Test) -> Test:
        decorated: Test = pytest.mark.chance(inputs(count, **options)(test))
        return decorated

    return decorate
