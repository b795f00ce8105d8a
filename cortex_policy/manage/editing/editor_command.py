"""Find the editor of an operator, and the command that opens a file at a line."""

import os
import re
import shlex
import shutil

from cortex_policy.core.not_done_error import NotDoneError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FALLBACKS = ("sensible-editor", "editor", "nano", "vi", "ed")
_TAKES_PLUS = frozenset(("vi", "vim", "nvim", "nano", "pico", "emacs", "emacsclient", "mg", "joe", "micro", "kak"))
_IN_THE_TERMINAL = frozenset(("vi", "vim", "nvim", "nano", "pico", "mg", "joe", "micro", "kak", "ed"))
_DETACHING = re.compile(r"-[^-]*g|--(remote|server)")  # options of vim that hand the file to a window of its own
_TAKES_GOTO = frozenset(("code", "codium", "vscodium", "cursor", "windsurf"))
_JETBRAINS = ("idea", "pycharm", "webstorm", "phpstorm", "goland", "clion", "rider", "rubymine", "rustrover", "studio")
# the options that make an editor wait until the file is closed; without them it ends while the file is open
_WAITS = {
    **dict.fromkeys(
        (*_TAKES_GOTO, "subl", "atom", "zed", "zeditor", "mate", "bbedit", "gedit", "xed"), ("--wait", "-w")
    ),
    **dict.fromkeys(_JETBRAINS, ("--wait",)),
    **dict.fromkeys(("gvim", "gview", "mvim"), ("--nofork", "-f")),
    "kate": ("--block", "-b"),
}


def choose_editor_command(environment: "Mapping[str, str]", setting: str | None = None) -> list[str]:
    """Return the command of the operator's editor, else of an installed one; raise NotDoneError if there is none."""
    named = {"editor": setting or "", **{f"${name}": environment.get(name, "") for name in ("VISUAL", "EDITOR")}}
    for name, text in named.items():
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise NotDoneError(f"`{name}` cannot be read: {str(error).lower()}") from None
        if words:
            return words
    for name in FALLBACKS:
        if shutil.which(name, path=environment.get("PATH")):
            return [name]
    raise NotDoneError("no editor was found", "name one in `$VISUAL` or `$EDITOR`")


def make_editor_command_for_file(words: list[str], file: str, line: int) -> list[str]:
    """Return the command that opens a file and waits until it is closed, at a line if the editor can (0: no line)."""
    names = _editor_names(words[0])
    waits = next((flags for name, flags in _WAITS.items() if name in names), ())
    words = [*words, *(waits[:1] if not {*waits}.intersection(words) else [])]
    if _TAKES_GOTO & names:
        return [*words, *(["--goto", f"{file}:{line}"] if line else [file])]
    if line > 1 and _TAKES_PLUS & names:
        return [*words, f"+{line}", file]
    return [*words, file]


def is_terminal_editor(words: list[str]) -> bool:
    """Whether an editor is known to run in the terminal, so that it never ends while the file is open in it.

    The name by which it is called says that: vim called `evim` opens a window. Only `editor` stands for another name.
    """
    name = re.split("[.-]", os.path.basename(words[0]))[0]
    names = _editor_names(words[0]) if name == "editor" else {name}
    return bool(_IN_THE_TERMINAL & names) and not any(map(_DETACHING.match, words[1:]))


def _editor_names(word: str) -> set[str]:
    """Return the name of an editor, and of the program that a link of that name leads to, up to a dot or dash."""
    target = os.path.basename(os.path.realpath(shutil.which(word) or word))
    if target == "busybox":
        return set()
    return {re.split("[.-]", name)[0] for name in (os.path.basename(word), target)}
