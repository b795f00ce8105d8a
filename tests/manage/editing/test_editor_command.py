"""The operator's editor is found, and told the line where it is known to take one."""

import os
import shlex
from pathlib import Path

import pytest

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.editing.editor_command import (
    choose_editor_command,
    is_terminal_editor,
    make_editor_command_for_file,
)


def program(directory: Path, name: str, target: str = "") -> Path:
    """Put a program there, or a link to one."""
    file = directory / name
    if target:
        file.symlink_to(target)
    else:
        file.touch(mode=0o755)
    return file


def test_visual_comes_before_editor() -> None:
    """VISUAL before EDITOR, with arguments; blank ones are none."""
    assert choose_editor_command({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert choose_editor_command({"VISUAL": " ", "EDITOR": "'/my editors/ed' -p x"}) == ["/my editors/ed", "-p", "x"]
    with pytest.raises(NotDoneError, match="`\\$EDITOR` cannot be read: no closing quotation"):
        choose_editor_command({"EDITOR": "'vi"})


def test_an_installed_editor_is_the_fallback(tmp_path: Path) -> None:
    """The first of the list; without any, how to name one."""
    with pytest.raises(NotDoneError) as caught:
        choose_editor_command({"PATH": str(tmp_path)})
    assert "$EDITOR" in caught.value.hint
    for name in ("ed", "nano"):
        program(tmp_path, name)
        assert choose_editor_command({"PATH": str(tmp_path)}) == [name]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["vi"], ["vi", "+3", "F"]),
        (["/usr/bin/nvim", "-n"], ["/usr/bin/nvim", "-n", "+3", "F"]),
        (["vim.tiny"], ["vim.tiny", "+3", "F"]),
        (["emacs-nox", "-nw"], ["emacs-nox", "-nw", "+3", "F"]),
        (["ed"], ["ed", "F"]),
        (["sudo", "vi"], ["sudo", "vi", "F"]),
        (["code"], ["code", "--wait", "--goto", "F:3"]),
        (["code", "-w"], ["code", "-w", "--goto", "F:3"]),
        (["code-insiders"], ["code-insiders", "--wait", "--goto", "F:3"]),
        (["subl"], ["subl", "--wait", "F"]),
        (["subl", "-w"], ["subl", "-w", "F"]),
        (["/opt/idea.sh", "-e"], ["/opt/idea.sh", "-e", "--wait", "F"]),
        (["gvim"], ["gvim", "--nofork", "F"]),
        (["kate", "-b"], ["kate", "-b", "F"]),
        (["/my/own"], ["/my/own", "F"]),
    ],
)
def test_a_known_editor_opens_at_the_line(words: list[str], expected: list[str]) -> None:
    """Others are given the file and nothing that they may take for another."""
    assert make_editor_command_for_file(words, "F", 3) == expected


def test_a_name_is_followed_to_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `editor` leads to nano; but busybox calls itself vi and takes no line."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    program(tmp_path, "nano")
    program(tmp_path, "editor", "nano")
    assert make_editor_command_for_file(["editor"], "F", 3) == ["editor", "+3", "F"]
    program(tmp_path, "busybox")
    program(tmp_path, "vi", "busybox")
    assert make_editor_command_for_file(["vi"], "F", 3) == ["vi", "F"]


def test_without_a_problem_the_editor_gets_no_line() -> None:
    """The first line is where every editor starts."""
    assert make_editor_command_for_file(["vi"], "F", 0) == make_editor_command_for_file(["vi"], "F", 1) == ["vi", "F"]
    assert make_editor_command_for_file(["code"], "F", 0) == ["code", "--wait", "F"]


@pytest.mark.parametrize("editor", ["vi", "/usr/bin/vim.tiny -n", "nvim", "nano --view", "ed", "vim -c 'set magic'"])
def test_an_editor_in_the_terminal_ends_when_the_file_is_closed(editor: str) -> None:
    """However soon that is."""
    assert is_terminal_editor(shlex.split(editor))


@pytest.mark.parametrize(
    "editor", ["vim -g", "vim -Og", "vim --remote", "gvim", "evim", "code --wait", "my-own", "sudo vi"]
)
def test_an_editor_that_may_be_elsewhere_may_end_before(
    editor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known of it, or it has a window; what its name leads to does not count."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    program(tmp_path, "vim.gtk3")
    for name in ("gvim", "evim"):
        program(tmp_path, name, "vim.gtk3")
    assert not is_terminal_editor(shlex.split(editor))


def test_the_name_that_a_system_gives_its_editor_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`editor` may lead to nano, or to a window."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for target, expected in (("nano", True), ("gedit", False)):
        program(tmp_path, target)
        link = program(tmp_path, "editor", target)
        assert is_terminal_editor(["editor"]) is expected
        link.unlink()
