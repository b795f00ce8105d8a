"""The stamps that a merge brought together: exact ones from git, or what the text of a broken stamp says."""

import re
from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.decode import HOOKS_TOML, MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.git_merges import read_both_sides_of_merge_or_none, read_versions_of_conflict_or_none
from cortex_policy.manage.stamp.write_steps import find_highest_version_in_text
from cortex_policy.manage.transaction.stamp_file import require_no_unknown_stamp_members
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import is_grant_id
from cortex_policy.state.stamp import Stamp

_PATH = ".cortex/policy/stamp.json"
_DIGEST = r'"(sha256:[^"]*)"'
_GRANT = re.compile(rf'"([A-Za-z0-9][A-Za-z0-9._-]*)"\s*:\s*{_DIGEST}')
_HOOKS = re.compile(rf'"hooks"\s*:\s*{_DIGEST}')
_PENDING = re.compile(rf'"([A-Za-z0-9][A-Za-z0-9._-]*)"\s*:\s*\[\s*(?:null|{_DIGEST})\s*,\s*(?:null|{_DIGEST})\s*\]')
_MARKERS = {"<": "ours", "|": "base", "=": "theirs", ">": "all"}
_MARKER = re.compile(r"([<|=>])\1{6}(?!\1)")


class MergeSides(Value):
    """Our stamp, the one merged into it, and the one before both, None if it is unknown."""

    ours: Stamp
    theirs: Stamp
    base: Stamp | None


def read_merge_sides_or_none(root: Root, data: bytes, *, is_broken: bool) -> MergeSides | None:
    """Return the sides of a merge, None if there was none.

    Git has them exactly while the stamp is not merged. Otherwise they are in the text of a broken
    stamp, or they are the parents of the merge that is being made, or that the last commit made.
    """
    file = stamps.make_stamp_path(root.path)
    with suppress(NotDoneError):  # there is no git, or it lacks an object
        if (versions := read_versions_of_conflict_or_none(root, _PATH)) is not None:
            return _sides_of(*versions, file)
    if is_broken:
        return scan_merge_sides_in_text_or_none(data, file)
    with suppress(NotDoneError):
        if (pair := read_both_sides_of_merge_or_none(root, _PATH)) is not None:
            return _sides_of(None, *pair, file)
    return None


def _sides_of(base: bytes | None, ours: bytes | None, theirs: bytes | None, file: str) -> MergeSides | None:
    before, first, second = (_read_side(text, file) for text in (base, ours, theirs))
    first, second = first or second, second or first
    return MergeSides(first, second, before) if first is not None and second is not None else None


def _read_side(text: bytes | None, file: str) -> Stamp | None:
    """Return a stamp of git's; what cannot be decoded is read as far as it can."""
    if text is None:
        return None
    try:
        stamp = stamps.parse_stamp(text)
    except MalformedError:
        return _scan_stamp_text(text.decode("utf-8", "replace"), file)
    require_no_unknown_stamp_members(stamp, file)
    return stamp


def scan_merge_sides_in_text_or_none(data: bytes, file: str) -> MergeSides | None:
    """Return the sides in a text with conflict markers, or in one that was merged line by line; None if there is none.

    Each digest in it was stamped on one side; a text without markers may have two for a grant.
    """
    parts: dict[str, list[str]] = {"base": [], "ours": [], "theirs": []}
    side, has_base = "all", False
    for line in data.decode("utf-8", "replace").splitlines(keepends=True):
        if marker := _MARKER.match(line):
            side = _MARKERS[marker[1]]
            has_base |= side == "base"
            continue
        for name, lines in parts.items():
            if side in {"all", name}:
                lines.append(line)
    ours, theirs = (
        _scan_stamp_text("".join(parts["ours"]), file),
        _scan_stamp_text("".join(parts["theirs"]), file, is_last=True),
    )
    if not ours.digests and not theirs.digests:
        return None
    return MergeSides(ours, theirs, _scan_stamp_text("".join(parts["base"]), file) if has_base else None)


def _scan_stamp_text(text: str, file: str, *, is_last: bool = False) -> Stamp:
    """Return what a text says, decodable or not; of two digests of a grant the first one, or the last."""
    version = find_highest_version_in_text(text.encode("utf-8", "replace"), file)
    start = re.search(r'"grants"\s*:\s*\{', text)  # the checksum before it is not a grant
    begin = start.end() if start else 0
    end = max(text.find("}", begin), 0) or len(text)  # what follows the grants is the digest of `hooks.toml`
    pairs = [pair for pair in _GRANT.findall(text, begin, end) if is_grant_id(pair[0])]
    pairs += [(HOOKS_TOML, digest) for digest in _HOOKS.findall(text, end)]
    digests = dict(pairs if is_last else reversed(pairs))
    pending = {name: (old or None, new or None) for name, old, new in _PENDING.findall(text)}
    return Stamp(version, digests, pending)
