"""Find the grants that differ from their stamp, or `hooks.toml` if it does, and what was stamped."""

from cortex_policy.core import Value
from cortex_policy.core.model import Settings
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import (
    UNKNOWN,
    GrantDiff,
    PolicyDiff,
    compare_two_grant_versions,
    make_grant_version,
    read_grant_and_hooks_texts_and_warnings,
)
from cortex_policy.manage.history.texts_by_digest import find_texts_by_digest
from cortex_policy.manage.unsafe_files import summarize_unsafe_file_texts
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.policy_files import check_grant_id_or_hooks_toml, raise_file_not_found
from cortex_policy.state.stamp import Stamp, compute_content_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.manage.diff.git_revisions import TextOrError
    from cortex_policy.manage.listing import Track


class HandEdit(Value):
    """A grant that differs from its stamp: the digest and the text that were stamped, and what it is now.

    None means no grant; the text is None too if it is not kept.
    """

    id: str
    stamped: str | None
    old: bytes | None
    new: "TextOrError | None"

    @property
    def has_stamped_text(self) -> bool:
        """Whether what was stamped is known."""
        return self.stamped is None or self.old is not None

    def to_diff(self, settings: Settings) -> GrantDiff:
        """Return what the edit means; without the stamped text, all that is allowed now is widened."""
        before = make_grant_version(self.id, self.old) if self.has_stamped_text else UNKNOWN
        return compare_two_grant_versions(self.id, before, make_grant_version(self.id, self.new), settings)


def find_hand_edits(root: Root, stamp: Stamp | None, now: "Mapping[str, TextOrError | None]") -> tuple[HandEdit, ...]:
    """Return the grants that differ from the stamp, sorted by id, from what they are now."""
    stamped = stamp.digests if stamp is not None else {}
    edited = [
        name
        for name in sorted(now)
        if not (stamp is not None and stamp.accepts(name, _digest_of_text_or_error(now[name])))
    ]
    texts = find_texts_by_digest(root, [stamped[name] for name in edited if name in stamped])
    return tuple(
        HandEdit(name, stamped.get(name), texts.get(stamped.get(name, "")), now[name]) for name in edited
    )  # fmt: skip


def make_policy_diff_since_stamp(root: Root, grant_id: str | None = None, track: "Track" = iter) -> PolicyDiff:
    """Compare the current grants and `hooks.toml`, or one of them, with what was stamped.

    Raise NotDoneError if there is no stamp.
    """
    if grant_id is not None:
        check_grant_id_or_hooks_toml(grant_id)
    stamp = stamps.read_stamp(root)
    if stamp is None:
        hint = f"write one with `cortex-policy stamp write{format_root_option(root)}`"
        raise NotDoneError("there is no stamp to compare with", hint)
    found, faults = read_grant_and_hooks_texts_and_warnings(root, grant_id, track)
    names = {*found, *stamp.digests} if grant_id is None else {grant_id} & {*found, *stamp.digests}
    if grant_id is not None and not names:
        raise_file_not_found(root, grant_id)
    edits = find_hand_edits(root, stamp, {name: found.get(name) for name in names})
    settings = load_settings_for_grant_comparison(root.path)
    changes = [edit.to_diff(settings) for edit in edits]
    if grant_id is not None and not changes:
        same = make_grant_version(grant_id, found.get(grant_id))
        changes = [compare_two_grant_versions(grant_id, same, same)]
    return PolicyDiff(tuple(changes), len(names) - len(changes), tuple(summarize_unsafe_file_texts(faults)))


def _digest_of_text_or_error(found: "TextOrError | None") -> str | None:
    """Return the digest of a text, '' for a file that is not a text of a grant: no stamp has it."""
    return compute_content_digest(found) if isinstance(found, bytes) else None if found is None else ""
