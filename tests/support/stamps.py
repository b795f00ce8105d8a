"""Stamp the grants of a root, as most tests begin."""

from cortex_policy.manage.stamp.write import write_stamp
from cortex_policy.state import Root
from cortex_policy.state.stamp import Stamp


def agree(_: object) -> None:
    """Say yes, whatever it means."""


def stamp_grants(root: Root) -> Stamp:
    """Accept the grants as they are now."""
    return write_stamp(root, agree).stamp
