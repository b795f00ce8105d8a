"""Find roots above the working directory, if there may be several: as for a worktree inside its repository."""

import os

from cortex_policy.core.model import ROOT_AMBIGUOUS, GrantError
from cortex_policy.state import Root
from cortex_policy.state.grants import find_named_or_only_root, list_possible_roots_at_or_above


def find_inner_root_and_paths_above(named: str | None = None) -> tuple[Root, list[str]]:
    """Find the root for what looks, proves or writes: of several the inner one. Return those above it, too.

    If there are several its owner is trusted, since a check in this directory must name the root.
    """
    roots = find_named_root_or_all_above(named)
    return roots[0], [root.path for root in roots[1:]]


def find_named_root_or_all_above(named: str | None = None) -> list[Root]:
    """Find the named root, or all roots above the working directory, the innermost first; raise GrantError."""
    try:
        return [find_named_or_only_root(named)]
    except GrantError as error:
        if error.reason is not ROOT_AMBIGUOUS:
            raise
    return [Root(path, trusts_owner=True) for path in list_possible_roots_at_or_above(os.getcwd())]


def raise_if_root_ambiguous(named: str | None) -> None:
    """Raise GrantError (root_ambiguous) if several roots are above and none is named; not if there is none."""
    try:
        if named is None:
            find_named_or_only_root()
    except GrantError as error:
        if error.reason is ROOT_AMBIGUOUS:
            raise
