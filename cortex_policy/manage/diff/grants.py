"""Compare two states of grants, and say what the changes mean."""

import os
from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.compare.grants import GrantComparison, compare_grants
from cortex_policy.core.compare.hook_rules import compare_hook_rules
from cortex_policy.core.compare.verdicts import SAME, combine_verdicts
from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES, decode_grant
from cortex_policy.core.engine import DEFAULTS
from cortex_policy.core.files_run_later import FileRunLater, find_writable_files_run_later
from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml
from cortex_policy.core.model import GRANT_NOT_FOUND, Grant, GrantError, Settings, UsageError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.diff.git_revisions import NoCommitsError, read_grant_and_hooks_texts_at_revision
from cortex_policy.manage.diff.settings import compare_settings_with_revision_or_none
from cortex_policy.manage.unsafe_files import summarize_unsafe_file_texts
from cortex_policy.state import Root
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, find_named_or_only_root
from cortex_policy.state.policy_files import check_grant_id_or_hooks_toml, raise_file_not_found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.hook_rules import HookRules
    from cortex_policy.manage.diff.git_revisions import TextOrError
    from cortex_policy.manage.listing import Track


class GrantVersion(Value):
    """One side of a diff; `grant` is None if it does not exist, or if it is invalid or unknown: `problem` says why."""

    grant: Grant | None
    problem: str = ""
    is_settings: bool = False  # the settings file, which is compared along with the grants
    is_known: bool = True
    rules: "HookRules | None" = None  # of `hooks.toml`, which is not a grant


ABSENT = GrantVersion(None)
UNKNOWN = GrantVersion(None, "its text is not kept", is_known=False)


class GrantDiff(Value):
    """The difference of one grant, and the files run by others that its new version lets the tool change."""

    name: str
    old: GrantVersion
    new: GrantVersion
    meaning: GrantComparison
    escalations: tuple[FileRunLater, ...]

    @property
    def status(self) -> str:
        """Added, removed, changed, or unchanged in meaning."""
        if self.meaning.verdict == SAME and self.old == self.new:
            return "unchanged"
        return "added" if self.old == ABSENT else "removed" if self.new == ABSENT else "changed"


class PolicyDiff(Value):
    """The grants that changed, how many did not, and warnings about unsafe files.

    The notes say what was compared, if it is not what the caller named.
    """

    changes: tuple[GrantDiff, ...]
    unchanged: int = 0
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The verdict on all changes together."""
        return combine_verdicts(change.meaning.verdict for change in self.changes)


def compare_ids_or_files(old: str, new: str, root: str | None = None) -> PolicyDiff:
    """Compare two grants, each named by its id or its file, or two `hooks.toml`; raise GrantError if one is missing."""
    (name, before, faults), (new_name, after, more) = _read_side(old, root), _read_side(new, root)
    if HOOKS_TOML in (name, new_name) and name != new_name:
        raise UsageError(
            f"`{old}` and `{new}` cannot be compared: only one of them is a grant",
            f"compare two grants, or two files called `{HOOKS_TOML}`",
        )
    change = compare_two_grant_versions(new_name, before, after, _settings_of_root(root))
    return PolicyDiff((change,), 0, tuple(summarize_unsafe_file_texts(list(dict.fromkeys([*faults, *more])))))


def _settings_of_root(named: str | None) -> Settings:
    """Return the settings of a root, or those of operators if there is no root."""
    path = None
    with suppress(GrantError):
        path = find_named_or_only_root(named).path
    return load_settings_for_grant_comparison(path)


def compare_grant_bytes(name: str, old: bytes | None, new: bytes | None, settings: Settings = DEFAULTS) -> GrantDiff:
    """Compare the old and new bytes of a grant, or of `hooks.toml`; None means no such file."""
    return compare_two_grant_versions(name, make_grant_version(name, old), make_grant_version(name, new), settings)


def wrap_settings_comparison_as_grant_diff(meaning: GrantComparison) -> GrantDiff:
    """Return the diff of a settings file, to be shown along with those of grants."""
    side = GrantVersion(None, is_settings=True)
    return GrantDiff("config.toml", side, side, meaning, ())


def make_policy_diff_since_revision(
    root: Root, revision: str, grant_id: str | None = None, track: "Track" = iter
) -> PolicyDiff:
    """Compare the current grants and `hooks.toml`, or one of them, with a git revision.

    Before the first commit there are none.
    """
    if grant_id is not None:
        check_grant_id_or_hooks_toml(grant_id)
    before, notes = _read_revision(root, revision, grant_id)
    after, faults = read_grant_and_hooks_texts_and_warnings(root, grant_id, track)
    if grant_id is not None and not before and not after:
        raise_file_not_found(root, grant_id)
    names = sorted({*before, *after})
    touched = [name for name in names if grant_id is not None or _is_other_text(before.get(name), after.get(name))]
    effective = load_settings_for_grant_comparison(root.path)
    changes = (
        compare_two_grant_versions(
            name, make_grant_version(name, before.get(name)), make_grant_version(name, after.get(name)), effective
        )
        for name in touched
    )
    settings = _settings_diffs(root, revision) if grant_id is None else ()
    return PolicyDiff(
        (*changes, *settings), len(names) - len(touched), tuple(summarize_unsafe_file_texts(faults)), notes
    )


def _settings_diffs(root: Root, revision: str) -> tuple[GrantDiff, ...]:
    """Return the diff of the project's settings, if it changes what a check answers."""
    meaning = compare_settings_with_revision_or_none(root, revision)
    return (wrap_settings_comparison_as_grant_diff(meaning),) if meaning is not None else ()


def _read_revision(root: Root, revision: str, grant_id: str | None) -> "tuple[dict[str, TextOrError], tuple[str, ...]]":
    try:
        return read_grant_and_hooks_texts_at_revision(root, revision, grant_id), ()
    except NoCommitsError as error:
        return {}, (f"{error.detail}: compared with no grants at all",)


def read_grant_texts_and_safety_warnings(
    root: Root, grant_id: str | None = None, track: "Track" = iter
) -> "tuple[dict[str, TextOrError], list[str]]":
    """Return the text of the current grants, and what is unsafe about their files, which only `check` refuses."""
    texts: dict[str, TextOrError] = {}
    trust = TrustCheck(root)
    with suppress(FileNotFoundError), PolicyDirectory(trust, "tools") as tools:
        faults = trust.sentences
        for name in track(tools.grant_ids()):
            if grant_id in {None, name}:
                tools.trust = trust.fresh_copy()  # each file has its own faults
                with suppress(FileNotFoundError):  # removed after the listing
                    texts[name] = _text_or_error(tools, f"{name}.json")
                faults += tools.trust.sentences
        return texts, faults
    return texts, trust.sentences


def read_grant_and_hooks_texts_and_warnings(
    root: Root, name: str | None = None, track: "Track" = iter
) -> "tuple[dict[str, TextOrError], list[str]]":
    """Return the same of the grants and `hooks.toml`, or of one of them."""
    texts, faults = read_grant_texts_and_safety_warnings(root, name, track)
    if name in {None, HOOKS_TOML}:
        trust = TrustCheck(root)
        with suppress(FileNotFoundError), PolicyDirectory(trust) as policy:
            texts[HOOKS_TOML] = _text_or_error(policy, HOOKS_TOML)
        faults = list(dict.fromkeys([*faults, *trust.sentences]))
    return texts, faults


def _text_or_error(directory: PolicyDirectory, file: str) -> "TextOrError":
    try:
        return directory.read(file, MAX_BYTES + 1)
    except GrantError as error:
        return error


def _read_side(word: str, root: str | None) -> tuple[str, GrantVersion, list[str]]:
    """Return the name and the text of one side, and what is unsafe about its file."""
    name = HOOKS_TOML if os.path.basename(word) == HOOKS_TOML else word
    if "/" in word or word.endswith(".json"):
        return name, make_grant_version(name, read_grant_file_bytes(word)), []
    check_grant_id_or_hooks_toml(word)
    where = find_named_or_only_root(root)
    found, faults = read_grant_and_hooks_texts_and_warnings(where, word)
    if word not in found:
        raise_file_not_found(where, word)
    return name, make_grant_version(name, found.get(word)), faults


def read_grant_file_bytes(name: str) -> bytes:
    """Read the text of a grant from any file; raise GrantError (grant_not_found)."""
    try:
        with open(name, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise GrantError(GRANT_NOT_FOUND, f"`{name}`: {format_os_error_cause(error)}") from None


def _is_other_text(old: "TextOrError | None", new: "TextOrError | None") -> bool:
    return not isinstance(old, bytes) or old != new


def make_grant_version(name: str, text_or_error: "TextOrError | None") -> GrantVersion:
    """Return a text of a grant or of `hooks.toml`, or its error, as one side of a diff."""
    if text_or_error is None:
        return ABSENT
    try:
        if not isinstance(text_or_error, bytes):
            return GrantVersion(None, text_or_error.detail)
        if name == HOOKS_TOML:
            return GrantVersion(None, rules=decode_hooks_toml(text_or_error))
        return GrantVersion(decode_grant(text_or_error))
    except GrantError as error:
        return GrantVersion(None, error.detail)


def compare_two_grant_versions(
    name: str, old: GrantVersion, new: GrantVersion, settings: Settings = DEFAULTS
) -> GrantDiff:
    """Compare two sides of a diff; a side without a grant allows nothing, so what may be new is widened."""
    if name == HOOKS_TOML:
        return GrantDiff(name, old, new, compare_hook_rules(old.rules, new.rules), ())
    named = find_writable_files_run_later(new.grant) if new.grant is not None else ()
    return GrantDiff(name, old, new, compare_grants(old.grant, new.grant, settings), named)
