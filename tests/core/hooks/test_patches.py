"""A patch names every file that it touches, and what does not parse is denied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.hooks.patches import list_files_of_patch, require_patch_in_shell_command
from cortex_policy.core.hooks.tool_inputs import InputError

BODY = "*** Add File: a b.txt\n+x\n+*** Delete File: no\n*** Update File: c\n*** Move to: d/e\n@@ def\n-one\n+1\n ctx\n\n*** End of File\n*** Delete File: f"
PATCH = f"*** Begin Patch\n{BODY}\n*** End Patch"


def test_each_file_is_named_once_and_in_order() -> None:
    """Added, updated, moved to, deleted."""
    assert list_files_of_patch(PATCH) == ["a b.txt", "c", "d/e", "f"]
    assert list_files_of_patch(f"\n{PATCH}\n") == ["a b.txt", "c", "d/e", "f"]
    assert list_files_of_patch(PATCH.replace("\n", "\r\n")) == ["a b.txt", "c", "d/e", "f"]


def test_a_line_that_a_lenient_reader_takes_for_a_name_counts() -> None:
    """Codex reads over blanks and case."""
    text = "*** begin patch\n*** Update file:x\n@@\n  *** delete FILE:  y  \n*** End PATCH"
    assert list_files_of_patch(text) == ["x", "y"]


@pytest.mark.parametrize(
    "text",
    [
        "", "x", PATCH.removesuffix("*** End Patch"), PATCH.removeprefix("*** Begin Patch"), f"x\n{PATCH}", f"{PATCH}\nx",
        "*** Begin Patch\n*** End Patch", "*** Begin Patch", "*** Begin Patch\n+x\n*** End Patch",
        "*** Begin Patch\n*** Add File:\n+x\n*** End Patch", "*** Begin Patch\n*** Rename File: x\n*** End Patch",
        "*** Begin Patch\n*** Move to: x\n*** End Patch", "*** Begin Patch\n*** Add File: x\nrm -rf y\n*** End Patch",
        "*** Begin Patch\n*** Update File: x\n *** End Patch\n*** Delete File: y\n*** End Patch",
        "*** Begin Patch\n*** Environment ID: x\n*** Add File: x\n+x\n*** End Patch",
    ],
)  # fmt: skip
def test_an_invalid_patch_is_refused(text: str) -> None:
    """Its files would have to be guessed."""
    with pytest.raises(InputError):
        list_files_of_patch(text)


@pytest.mark.parametrize(
    "command",
    [
        f"apply_patch <<'EOF'\n{PATCH}\nEOF\n", f'apply_patch <<"EOF"\n{PATCH}\nEOF', f"apply_patch <<EOF\n{PATCH}\nEOF",
        f"  apply_patch <<-'E_1'\n{PATCH}\nE_1\necho ok", f"apply_patch '{PATCH}'", f'apply_patch "{PATCH}"',
        f"applypatch << 'EOF'\n{PATCH}\nEOF", f"apply_patch {PATCH}", PATCH, f"apply_patch <<\\EOF\n{PATCH}\nEOF",
    ],
)  # fmt: skip
def test_a_patch_is_found_behind_apply_patch(command: str) -> None:
    """As a here-document, or as a word."""
    assert list_files_of_patch(require_patch_in_shell_command(command)) == ["a b.txt", "c", "d/e", "f"]


def test_a_file_may_hold_the_marks_of_a_patch() -> None:
    """Its lines begin with `+`; the patch goes on behind them."""
    patch = "*** Begin Patch\n*** Add File: a\n+*** Begin Patch\n+*** End Patch\n*** Delete File: b\n*** End Patch"
    assert list_files_of_patch(require_patch_in_shell_command(f"apply_patch <<'EOF'\n{patch}\nEOF")) == ["a", "b"]


@pytest.mark.parametrize(
    "command",
    [
        f"cd x && apply_patch <<'EOF'\n{PATCH}\nEOF", f"bash -lc apply_patch <<'EOF'\n{PATCH}\nEOF", f"cat <<'EOF'\n{PATCH}\nEOF",
        f"apply_patch x <<'EOF'\n{PATCH}\nEOF", f"apply_patch <<'EOF' && rm x\n{PATCH}\nEOF", f"apply_patchx <<'EOF'\n{PATCH}\nEOF",
        f"apply_patch <<'EOF'\n{PATCH}\nEOF\napply_patch <<'EOF'\n{PATCH}\nEOF", "apply_patch <<'EOF'\n*** Begin Patch\nEOF",
        f"echo; apply_patch <<'EOF'\n{PATCH}\nEOF", f"apply_patch <<''\n{PATCH}\n", f"apply_patch <<'EOF' {PATCH}\nEOF",
        f"apply_patch <<$(x)\n{PATCH}\n", f"\u0130 {PATCH}", f"/usr/bin/apply_patch <<'EOF'\n{PATCH}\nEOF",
    ],
)  # fmt: skip
def test_anything_before_apply_patch_is_refused(command: str) -> None:
    """The patch would start in another directory, or be something else."""
    with pytest.raises(InputError):
        require_patch_in_shell_command(command)


def test_a_name_that_the_shell_may_change_is_refused() -> None:
    """Only a quoted word after `<<` keeps it as it is."""
    patch = PATCH.replace("a b.txt", "$id.tsx")
    assert "$id.tsx" in list_files_of_patch(require_patch_in_shell_command(f"apply_patch <<'EOF'\n{patch}\nEOF"))
    for before, behind in (("<<EOF\n", "\nEOF"), ('"', '"'), ("", "")):
        with pytest.raises(InputError, match="quote"):
            require_patch_in_shell_command(f"apply_patch {before}{patch}{behind}")
    with pytest.raises(InputError, match="quote"):
        require_patch_in_shell_command("apply_patch '" + PATCH.replace("a b.txt", "a'$x'b") + "'")


@pytest.mark.parametrize("text", ["$(printf '\\n*** Delete File: x')", "`cat names`", "$X"])
def test_what_the_shell_puts_into_a_patch_is_refused(text: str) -> None:
    """It may be the name of another file, on a line of its own."""
    patch = f"*** Begin Patch\n*** Add File: a\n+{text}\n*** End Patch"
    assert list_files_of_patch(require_patch_in_shell_command(f"apply_patch <<'EOF'\n{patch}\nEOF")) == ["a"]
    for before, behind in (("<<EOF\n", "\nEOF"), ('"', '"'), ("", "")):
        with pytest.raises(InputError, match="add lines"):
            require_patch_in_shell_command(f"apply_patch {before}{patch}{behind}")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1).filter(str.strip), min_size=1))
def test_no_name_is_lost(names: list[str]) -> None:
    """Whatever it holds."""
    lines = [f"*** Add File: {name}\n+*** Delete File: x" for name in names]
    text = "\n".join(["*** Begin Patch", *lines, "*** End Patch"])
    assert list_files_of_patch(text) == [name.strip() for name in names]
