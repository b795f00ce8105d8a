"""The steps of an undo: each is one write of one grant."""

from cortex_policy.core import Value
from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.model import Settings
from cortex_policy.manage.diff.grants import compare_grant_bytes
from cortex_policy.manage.diff.unified import format_unified_diff
from cortex_policy.manage.editing.operations import WriteResult


class UndoStep(Value):
    """One write of an undo: the old and new bytes of a grant (None: no grant); a new id makes it a rename.

    If the old bytes are a hand edit, the new ones are what was stamped.
    """

    id: str
    old: bytes | None
    new: bytes | None
    mode: int = 0o644
    new_id: str = ""
    is_hand_edit: bool = False

    def preview(self, settings: Settings) -> WriteResult:
        """Return the result of the step under the settings, before it is made."""
        if self.new_id:
            return WriteResult(compare_grant_bytes(self.new_id, self.old, self.old), _rename_diff(self.id, self.new_id))
        return WriteResult(
            compare_grant_bytes(self.id, self.old, self.new, settings), format_unified_diff(self.id, self.old, self.new)
        )


def _rename_diff(grant_id: str, other: str) -> str:
    """Return the rename of a grant as git shows it."""
    old, new = (f".cortex/policy/tools/{name}.json" for name in (grant_id, other))
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"


def join_renames(steps: list[UndoStep]) -> tuple[UndoStep, ...]:
    """Join the removal of a text under one id and its return under another into a rename."""
    joined: dict[int, UndoStep] = {}
    alone: dict[tuple[bool, bytes], list[int]] = {}  # places of steps that remove or bring back a text
    for place, step in enumerate(steps):
        is_gone, text = step.new is None, step.old if step.new is None else step.new if step.old is None else None
        text = None if step.id == HOOKS_TOML else text  # it has one name only
        others = alone.get((not is_gone, text), []) if text is not None else []
        if others:
            first = others.pop(0)
            removed, restored = (step, joined[first]) if is_gone else (joined[first], step)
            joined[first] = UndoStep(removed.id, removed.old, None, restored.mode, restored.id)
            continue
        joined[place] = step
        if text is not None:
            alone.setdefault((is_gone, text), []).append(place)
    return tuple(joined.values())
