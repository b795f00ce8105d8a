"""Stamp the grants of a root, as most tests begin, and look at the stamp."""

from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.stamp.write import write_stamp
from cortex_policy.state import Root
from cortex_policy.state.stamp import Stamp, read_stamp


def agree(_: object) -> None:
    """Say yes, whatever it means."""


def stamp_grants(root: Root) -> Stamp:
    """Accept the grants as they are now."""
    return write_stamp(root, agree).stamp


def stamp_version(root: Root) -> int:
    """Return the version of the stamp, which must belong to the grants."""
    stamp = read_stamp(root)
    assert stamp is not None
    assert find_stamp_mismatches(root) == ()
    assert not stamp.pending
    return stamp.version
