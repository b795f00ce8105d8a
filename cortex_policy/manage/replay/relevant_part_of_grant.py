"""The part of a grant that matters to one past call: replaying takes time linear in the log and in the grant."""

from cortex_policy.core.engine import strip_scope_slash_or_none
from cortex_policy.core.model import Grant
from cortex_policy.core.scopes import index_scopes
from cortex_policy.manage.replay.decision_without_rate import iterate_resolved_paths_in_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class GrantParts:
    """A grant with an index of its actions and scopes."""

    def __init__(self, grant: Grant) -> None:
        """Build the index once."""
        self._grant = grant
        self._actions, self._scopes = frozenset(grant.actions), index_scopes(grant.fs_scope)
        # INVARIANT: one scope of a grant with scopes is always kept: without scopes, all paths would be allowed
        self._one_scope = tuple(filter(strip_scope_slash_or_none, grant.fs_scope))[:1] or grant.fs_scope[:1]

    def relevant_part(self, data: "dict[str, Any]") -> Grant:
        """Return a grant that answers this call as the whole grant does, for the same reason."""
        grant, action = self._grant, data["action"]
        names = (name for name in data["args"] if isinstance(name, str))
        return Grant(
            grant.id,
            grant.tool,
            (action,) if action in self._actions else (),
            grant.rate,
            {name: grant.args[name] for name in names if name in grant.args},
            grant.data_class,
            self._scopes_for(data) if grant.fs_scope else (),
        )

    def _scopes_for(self, data: "dict[str, Any]") -> tuple[str, ...]:
        spellings = [
            path
            for recorded in iterate_resolved_paths_in_event(data)
            for path in (recorded.normalized, recorded.resolved_inside)
        ]
        outermost = (self._scopes.find_outermost_around(path) for path in spellings if path is not None)
        return tuple(dict.fromkeys((*self._one_scope, *(scope for scope in outermost if scope is not None))))
