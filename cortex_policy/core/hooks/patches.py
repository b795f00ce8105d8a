"""The text of `apply_patch`: the files that it names, alone or inside a shell command (docs/hooks.md)."""

from cortex_policy.core.hooks import InputError

BEGIN, END = "*** begin patch", "*** end patch"
_FILES = ("*** add file:", "*** update file:", "*** delete file:")
_MOVE = "*** move to:"
_END_OF_FILE = "*** end of file"
_PROGRAMS = ("apply_patch", "applypatch")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_EXPANDED = '$`\\"'  # what a shell may change in a text that is not quoted
_LINES = "$`'"  # what of that may become lines


def list_files_of_patch(text: str) -> list[str]:
    """Return each file that a patch adds, changes, deletes or moves to; raise InputError if it does not parse.

    INVARIANT: a line that any reader may take for the name of a file counts as one, so no reader finds another file.
    """
    lines = text.strip().split("\n")
    if len(lines) < 2 or _fold_line(lines[0]) != BEGIN or _fold_line(lines[-1]) != END:  # noqa: PLR2004 - its two ends
        raise InputError(f"a patch begins with `{BEGIN}` and ends with `{END}`, in any case")
    files: list[str] = []
    for line in lines[1:-1]:
        if line[:1] in ("+", "-"):
            is_known = bool(files)
        elif name := _file_in_line(line, is_move=bool(files)):
            files.append(name)
            is_known = True
        else:
            is_context = line[:1] in ("", " ", "\r") or line.startswith("@@")
            is_known = _fold_line(line) == _END_OF_FILE or (is_context and not _fold_line(line).startswith("*** "))
        if not is_known:
            raise InputError(f"a line of the patch cannot be read: `{line[:80]}`")
    if not files:
        raise InputError("the patch names no file")
    return files


def _fold_line(line: str) -> str:
    return line.strip().casefold()


def _file_in_line(line: str, *, is_move: bool) -> str:
    """Return the file that a line names, '' if it names none; raise InputError for an empty name."""
    stripped, folded = line.strip(), _fold_line(line)
    for mark in (*_FILES, *((_MOVE,) if is_move else ())):
        if folded.startswith(mark):
            name = stripped[len(mark) :].strip()
            if not name:
                raise InputError("a file in the patch has no name")
            return name
    return ""


def require_patch_in_shell_command(command: str) -> str:
    """Return the patch in a shell command; raise InputError if anything but `apply_patch` precedes it."""
    folded = command.casefold()
    if len(folded) != len(command):
        raise InputError("the place of the patch in a command cannot be found exactly")
    start, end = folded.index(BEGIN), folded.rfind(END)  # a line before the last one may be the content of a file
    if end < start:
        raise InputError(f"the patch in a command does not end with `{END}`")
    changeable = _characters_shell_expands(command[:start])
    patch = command[start : end + len(END)]
    for name in list_files_of_patch(patch):
        if any(one in changeable for one in name):
            raise InputError("the shell may change the name of a file in the patch: quote the word after `<<`")
    if any(one in changeable for one in patch if one in _LINES):
        raise InputError("the shell may add lines to the patch: quote the word after `<<`")
    return patch


def _characters_shell_expands(before: str) -> str:
    """Return the characters that the shell may act on in a patch, by what precedes it.

    Raises InputError if that is not `apply_patch` alone.
    """
    text = before.strip()
    rest = next((text[len(one) :].lstrip() for one in _PROGRAMS if text.startswith(one)), text)
    is_argument = not text or (rest != text and rest in ("", "'", '"'))
    if is_argument:
        return "'" if rest == "'" else _EXPANDED
    word = rest.removeprefix("<<").removeprefix("-").strip()
    bare = word[1:-1] if word[:1] in ("'", '"') and word[-1:] == word[:1] else word.removeprefix("\\")
    is_here_document = rest != text and rest.startswith("<<") and before.rstrip(" \t\r").endswith("\n")
    if not is_here_document or not bare or not _WORD.issuperset(bare):
        raise InputError("only `apply_patch` may precede a patch in a command: pass the patch in a call of its own")
    return _EXPANDED if bare == word else ""
