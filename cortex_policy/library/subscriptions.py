"""Who wants to know of changes, and what changed: each grant's bytes against those of the last look."""

import os
from threading import Lock

from cortex_policy.core.compare.grants import compare
from cortex_policy.core.decode import is_grant_id
from cortex_policy.core.model import CortexPolicyError, Grant, GrantError, Value
from cortex_policy.library.file_identity import Identity, identity_of, lies_still
from cortex_policy.library.path_lookup import RootName
from cortex_policy.library.polling import report
from cortex_policy.state import Root
from cortex_policy.state.grants import read_grant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Callback = Callable[["GrantChanged"], object]

LOOKS_OF_ABSENCE = 2  # in a row: a checkout takes a file away before it puts it back


class GrantChanged(Value):
    """A grant's bytes were changed: its id, the SHA-256 of the old and the new ones, and what that means.

    A side is None where the grant is absent, or cannot be believed or read. The verdict is `same`, `narrowed`,
    `widened` or `both`: whatever is not `same` or `narrowed` may allow more.
    """

    id: str
    old: str | None
    new: str | None
    verdict: str


class _Seen(Value):
    """A grant as it was read; the identity is None where it may change unnoticed."""

    identity: Identity | None
    sha256: str | None
    grant: Grant | None


_NOTHING = _Seen(None, None, None)


class Subscriptions:
    """The subscribers of one root. Called, it looks for changes and tells of them."""

    def __init__(self, name: RootName) -> None:
        """Know how things stand now, so that whatever is written from here on is told."""
        self._name = name
        self._callbacks: list[Callback] = []
        self._lock = Lock()
        self._known: dict[str, _Seen] = {}
        self._missed: dict[str, int] = {}
        root = self._resolved()
        self._known = {grant_id: _read(root, grant_id) for grant_id in _listed(root)}

    def add(self, callback: "Callback") -> "Callable[[], None]":
        """Tell this one too; return what ends that."""

        def call(change: GrantChanged) -> object:  # another one each time that it subscribes
            return callback(change)

        with self._lock:
            self._callbacks.append(call)
        return lambda: self._remove(call)

    def _remove(self, call: "Callback") -> None:
        with self._lock:
            if call in self._callbacks:
                self._callbacks.remove(call)

    def __call__(self) -> None:
        """Look at each grant, and tell of each whose bytes are others."""
        for change in list(self._changes()):
            with self._lock:
                callbacks = tuple(self._callbacks)
            for callback in callbacks:
                try:
                    callback(change)
                except Exception as error:  # noqa: BLE001 - the others are told all the same
                    report(error)

    def _resolved(self) -> Root | None:
        """Return the root that its name leads to now; None where it is gone."""
        try:
            return self._name.resolve()
        except GrantError:
            return None

    def _changes(self) -> "Iterator[GrantChanged]":
        root = self._resolved()
        for grant_id in sorted({*_listed(root), *self._known}):
            known = self._known.get(grant_id, _NOTHING)
            if known.identity is not None and known.identity == _identity(root, grant_id):
                continue
            seen = _read(root, grant_id)
            if seen.sha256 is None and known.sha256 is not None:
                self._missed[grant_id] = self._missed.get(grant_id, 0) + 1
                if self._missed[grant_id] < LOOKS_OF_ABSENCE:
                    continue
            self._missed.pop(grant_id, None)
            self._known[grant_id] = seen
            if seen == _NOTHING:
                del self._known[grant_id]
            if seen.sha256 != known.sha256:
                yield GrantChanged(grant_id, known.sha256, seen.sha256, compare(known.grant, seen.grant).verdict)


def _listed(root: Root | None) -> list[str]:
    try:
        names = os.listdir(root.tools) if root is not None else []
    except OSError:
        return []
    return [name[:-5] for name in names if name.endswith(".json") and is_grant_id(name[:-5])]


def _identity(root: Root | None, grant_id: str) -> Identity | None:
    try:
        return identity_of(os.lstat(f"{root.tools}/{grant_id}.json")) if root is not None else None
    except OSError:
        return None


def _read(root: Root | None, grant_id: str) -> _Seen:
    identity = _identity(root, grant_id)
    kept = identity if identity is not None and lies_still(identity) else None
    try:
        grant = read_grant(root, grant_id) if root is not None else None
    except CortexPolicyError:
        grant = None
    if grant is None:
        return _Seen(kept, None, None)
    return _Seen(kept, grant.origin.sha256 if grant.origin is not None else None, grant)
