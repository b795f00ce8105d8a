"""What the text of a broken stamp says of the two sides of a merge."""

import pytest

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.stamp.merge_sides import MergeSides, scan_merge_sides_in_text_or_none
from cortex_policy.state.stamp import Stamp, encode_stamp

OURS, THEIRS = Stamp(4, {"a": "sha256:2", "b": "sha256:1"}, {}), Stamp(6, {"a": "sha256:1", "b": "sha256:3"}, {})
HEAD = '<<<<<<< HEAD\n  "version": 4,\n  "checksum": "sha256:x",\n'
TAIL = '=======\n  "version": 6,\n  "checksum": "sha256:y",\n>>>>>>> one\n'
REST = '  "grants": {\n\n    "a": "sha256:2",\n\n    "b": "sha256:3"\n\n  }\n}\n'


def test_lines_that_git_merged_are_of_both_sides() -> None:
    """Each digest was stamped on one of them; the version is told apart."""
    both = {"a": "sha256:2", "b": "sha256:3"}
    assert scan_merge_sides_in_text_or_none(f"{{\n{HEAD}{TAIL}{REST}".encode(), "x") == MergeSides(
        Stamp(4, both, {}), Stamp(6, both, {}), None
    )
    base = '||||||| 1f0c9a7\n  "version": 3,\n  "checksum": "sha256:z",\n'
    found = scan_merge_sides_in_text_or_none(f"{{\n{HEAD}{base}{TAIL}{REST}".encode(), "x")
    assert found == MergeSides(Stamp(4, both, {}), Stamp(6, both, {}), Stamp(3, both, {}))


def test_lines_that_a_union_merge_joined_are_separated() -> None:
    """`merge=union` keeps both lines of a conflict."""
    text = REST.replace('    "b"', '    "b": "sha256:1",\n    "b"')
    found = scan_merge_sides_in_text_or_none(f'{{\n  "version": 4,\n  "version": 6,\n{text}'.encode(), "x")
    assert found == MergeSides(
        Stamp(6, {"a": "sha256:2", "b": "sha256:1"}, {}), Stamp(6, {"a": "sha256:2", "b": "sha256:3"}, {}), None
    )


def test_the_rules_of_hooks_are_of_both_sides_too() -> None:
    """A grant may be called `hooks`: it is told from the member that the stamp has for `hooks.toml`."""
    text = REST.replace('"b"', '"hooks"').replace("  }\n}", '  },\n  "hooks": "sha256:7"\n}')
    both = {"a": "sha256:2", "hooks": "sha256:3", HOOKS_TOML: "sha256:7"}
    assert scan_merge_sides_in_text_or_none(f"{{\n{HEAD}{TAIL}{text}".encode(), "x") == MergeSides(
        Stamp(4, both, {}), Stamp(6, both, {}), None
    )


def test_a_pending_write_counts() -> None:
    """A reader would accept either of its digests."""
    pending = Stamp(4, OURS.grant_digests, {"a": ("sha256:2", None), "c": (None, "sha256:5")})
    found = scan_merge_sides_in_text_or_none(
        b"<<<<<<< ours\n" + encode_stamp(pending) + b"=======\n" + encode_stamp(THEIRS) + b">>>>>>> theirs\n", "x"
    )
    assert found == MergeSides(pending, THEIRS, None)


@pytest.mark.parametrize(
    "text", ["", "{", "<<<<<<< ours\n", '{"format": 1, "version": 7}', '{"checksum": "sha256:1", "grants": {}}']
)
def test_a_text_without_grants_has_no_sides(text: str) -> None:
    """The checksum is none, and there is nothing to accept."""
    assert scan_merge_sides_in_text_or_none(text.encode(), "x") is None


def test_a_newer_format_is_left_alone() -> None:
    """It may say what this program cannot read."""
    with pytest.raises(NotDoneError, match="of format 2"):
        scan_merge_sides_in_text_or_none(encode_stamp(OURS).replace(b'"format": 1', b'"format": 2'), "x")


def test_a_name_that_cannot_be_an_id_is_dropped() -> None:
    """It would break the stamp again."""
    long = "a" * 129
    found = scan_merge_sides_in_text_or_none(encode_stamp(OURS).replace(b'"a"', f'"{long}"'.encode()), "x")
    assert found is not None
    assert set(found.ours.grant_digests) == {"b"}
