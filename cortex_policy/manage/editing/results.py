"""What a change of a grant means, and whether it was written."""

from cortex_policy.core import Value
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.manage.diff.grants import GrantDiff, compare_grant_bytes
from cortex_policy.manage.diff.unified import format_unified_diff
from cortex_policy.manage.transaction.version_after_write import NOT_WRITTEN, Version
from cortex_policy.state import Root
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison


class WriteResult(Value):
    """The result for one grant: what the change means, its unified diff, and the version of the stamp."""

    change: GrantDiff
    diff: str
    version: Version = NOT_WRITTEN

    @property
    def is_written(self) -> bool:
        """Whether the grant was written, with its stamp or without."""
        return self.version is not NOT_WRITTEN


class FormatResult(Value):
    """The result of formatting one grant, or the error that prevented it."""

    id: str
    write: WriteResult | None
    error: CortexPolicyError | None = None

    @property
    def differs(self) -> bool:
        """Whether its layout is not the canonical one, or was not before the write."""
        return self.write is not None and bool(self.write.diff)


def preview_change(root: Root, name: str, old: bytes | None, new: bytes | None) -> WriteResult:
    """Return what it means to replace one text of a grant, or of `hooks.toml`, by another; None is an absent file."""
    change = compare_grant_bytes(name, old, new, load_settings_for_grant_comparison(root.path))
    return WriteResult(change, format_unified_diff(name, old, new))
