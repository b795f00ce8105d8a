"""Subscriptions to changes: each grant's bytes are compared with those of the last look."""

import os
from threading import Lock

from cortex_policy.core import Value
from cortex_policy.core.compare.grants import compare_grants
from cortex_policy.core.decode import parse_grant_file_name
from cortex_policy.core.model import CortexPolicyError, Grant, GrantError
from cortex_policy.library.file_identity import Identity, is_timestamp_settled, make_identity
from cortex_policy.library.root_path_lookup import UnresolvedRoot
from cortex_policy.library.store_thread import report_thread_error
from cortex_policy.state import Root
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants import read_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Callback = Callable[["GrantChanged"], object]

ABSENCES_TO_REPORT = 2  # in a row: a checkout takes a file away before it puts it back


class GrantChanged(Value):
    """A change of a grant: its id, the SHA-256 of the old and of the new bytes, and what the change means.

    `old` or `new` is None if the grant is missing, or cannot be trusted or read. `verdict` is `same`, `narrowed`,
    `widened` or `both`: after `widened` and `both`, the grant may allow more.
    """

    id: str
    old: str | None
    new: str | None
    verdict: str


class _GrantState(Value):
    """A grant as it was read. `identity` is None if a change might not be noticed."""

    identity: Identity | None
    sha256: str | None
    grant: Grant | None


_ABSENT = _GrantState(None, None, None)


class Subscriptions:
    """The subscribers of one root. Each call looks for changes and reports them."""

    def __init__(self, name: UnresolvedRoot) -> None:
        """Read all grants, so that every later write is reported."""
        self._name = name
        self._callbacks: list[Callback] = []
        self._lock = Lock()
        self._known: dict[str, _GrantState] = {}
        self._absences: dict[str, int] = {}
        root = self._resolve_root()
        self._known = {grant_id: _read_grant_state(root, grant_id) for grant_id in _list_grant_ids(root)}

    def add(self, callback: "Callback") -> "Callable[[], None]":
        """Add a subscriber; return a function that removes it."""

        def forward(change: GrantChanged) -> object:
            """Call the subscriber; a new function for each subscription, so that one of two equal ones can end."""
            return callback(change)

        with self._lock:
            self._callbacks.append(forward)
        return lambda: self._remove_callback(forward)

    def _remove_callback(self, forward: "Callback") -> None:
        with self._lock:
            if forward in self._callbacks:
                self._callbacks.remove(forward)

    def __call__(self) -> None:
        """Report each grant whose bytes have changed."""
        for change in list(self._find_changes()):
            with self._lock:
                callbacks = tuple(self._callbacks)
            for callback in callbacks:
                try:
                    callback(change)
                except Exception as error:  # noqa: BLE001 - the others are still called
                    report_thread_error(error)

    def _resolve_root(self) -> Root | None:
        """Return the root that the name leads to now, None if there is none."""
        try:
            return self._name.resolve()
        except GrantError:
            return None

    def _find_changes(self) -> "Iterator[GrantChanged]":
        root = self._resolve_root()
        for grant_id in sorted({*_list_grant_ids(root), *self._known}):
            known = self._known.get(grant_id, _ABSENT)
            if known.identity is not None and known.identity == _identity_of_grant(root, grant_id):
                continue
            state = _read_grant_state(root, grant_id)
            if state.sha256 is None and known.sha256 is not None:
                self._absences[grant_id] = self._absences.get(grant_id, 0) + 1
                if self._absences[grant_id] < ABSENCES_TO_REPORT:
                    continue
            self._absences.pop(grant_id, None)
            self._known[grant_id] = state
            if state == _ABSENT:
                del self._known[grant_id]
            if state.sha256 != known.sha256:
                settings = load_settings_for_grant_comparison(root.path if root is not None else None)
                verdict = compare_grants(known.grant, state.grant, settings).verdict
                yield GrantChanged(grant_id, known.sha256, state.sha256, verdict)


def _list_grant_ids(root: Root | None) -> list[str]:
    try:
        names = os.listdir(root.tools_path) if root is not None else []
    except OSError:
        return []
    return list(filter(None, map(parse_grant_file_name, names)))


def _identity_of_grant(root: Root | None, grant_id: str) -> Identity | None:
    try:
        return make_identity(os.lstat(f"{root.tools_path}/{grant_id}.json")) if root is not None else None
    except OSError:
        return None


def _read_grant_state(root: Root | None, grant_id: str) -> _GrantState:
    identity = _identity_of_grant(root, grant_id)
    stable = identity if identity is not None and is_timestamp_settled(identity) else None
    try:
        grant = read_grant(root, grant_id) if root is not None else None
    except CortexPolicyError:
        grant = None
    if grant is None:
        return _GrantState(stable, None, None)
    return _GrantState(stable, grant.origin.sha256 if grant.origin is not None else None, grant)
