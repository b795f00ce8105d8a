"""Words of a shell command that may become the name of a guarded file, or move a directory with such files."""

from cortex_policy.core.hooks import InputError
from cortex_policy.core.hooks.globs import expand_braces
from cortex_policy.core.hooks.guarded_files import (
    HOLDERS,
    PLACES,
    find_guarded_components,
    fold_path,
    format_guarded_name_denial,
)
from cortex_policy.core.hooks.shell_syntax import parse_simple_commands
from cortex_policy.core.hooks.simple_commands import ShellSyntaxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.simple_commands import SimpleCommand

_WILD = frozenset("*?[{")
_NAMES: tuple[tuple[str, ...], ...] = tuple(tuple(place.split("/")) for place in PLACES if place not in HOLDERS)
# they leave what they name where it is
_LOOKING = frozenset((
    "ls", "ll", "dir", "tree", "stat", "file", "cat", "head", "tail", "wc", "grep", "egrep", "fgrep", "rg", "ag", "ack",
    "find", "fd", "du", "diff", "cmp", "test", "[", "[[", "cd", "pushd", "echo", "printf", "basename", "dirname",
    "realpath", "readlink", "for", "mkdir",
))  # fmt: skip
_LOOKING_GIT = frozenset(("add", "status", "diff", "log", "show", "commit", "ls-files", "blame", "grep"))


def find_expandable_command_denial_text(command: str) -> str:
    """Return why a command is denied: a word that the shell expands, or a directory that it may move; else ''."""
    try:
        commands = parse_simple_commands(command)
    except ShellSyntaxError:
        return ""  # such a command is denied for that
    return next(filter(None, map(_denial, commands)), "")


def _denial(command: "SimpleCommand") -> str:
    words = [*command.words, *([command.source] if command.source is not None else [])]
    is_looking = _is_looking(command)
    for word in words:
        has_wildcard = not _WILD.isdisjoint(word.pattern)
        for text in _alternatives(word.pattern) if has_wildcard else (word.text,):
            parts = [part for part in fold_path(text).split("/") if part not in ("", ".")]
            if found := find_guarded_components(parts) or (_matched_name(parts) if has_wildcard else ()):
                return format_guarded_name_denial(found)
            if not is_looking and parts and any(_may_match(parts[-1], name) for name in HOLDERS):
                return format_guarded_name_denial((parts[-1],))
    return ""


def _alternatives(text: str) -> list[str]:
    try:
        return expand_braces(text)
    except InputError:
        return [".*"]  # too many to look at


def _is_looking(command: "SimpleCommand") -> bool:
    at = command.program_index()
    texts = [word.text for word in command.words[at:]]
    if not texts or command.words[at].program_name() != "git":
        return not texts or command.words[at].program_name() in _LOOKING
    return len(texts) > 1 and texts[1] in _LOOKING_GIT


def _matched_name(parts: list[str]) -> tuple[str, ...]:
    """Return the guarded name that components with wildcards may be, at any depth; () if none."""
    tails = [parts[at:] for at in range(len(parts))]
    return next((name for name in _NAMES for tail in tails if _is_matched(tail, name)), ())


def _is_matched(parts: list[str], name: tuple[str, ...]) -> bool:
    pairs = list(zip(parts, name, strict=False))
    is_wild = any(not _WILD.isdisjoint(part) for part, _ in pairs)
    return len(pairs) == len(name) and is_wild and all(_may_match(part, one) for part, one in pairs)


def _may_match(pattern: str, name: str) -> bool:
    """Whether a shell may expand a pattern to a name; a set of characters counts as any of them."""
    if name[:1] == "." and pattern[:1] != ".":
        return False
    while (start := pattern.find("[")) >= 0 and (end := pattern.find("]", start + 2)) >= 0:
        pattern = f"{pattern[:start]}?{pattern[end + 1 :]}"
    at, star, back = 0, -1, 0
    place = 0
    while place < len(name):
        one = pattern[at : at + 1]
        if one == "*":
            star, back, at = at, place, at + 1
        elif one and one in ("?", name[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            back += 1
            at, place = star + 1, back
        else:
            return False
    return not pattern[at:].strip("*")
