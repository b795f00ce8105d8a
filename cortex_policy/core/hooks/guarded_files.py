"""Files that switch a hook or its policy off, or hold secrets: no tool of an agent may touch them (docs/hooks.md)."""

from cortex_policy.core.path_arguments import collapse_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cortex_policy.core.hooks.hook_rules import HookRules
    from cortex_policy.core.hooks.payload import ToolCall

# our own list of tools that only read: they may read what is guarded, but no secrets
READERS = frozenset((
    "Read", "Grep", "Glob", "LS", "view", "read_file", "read_many_files", "list_directory", "glob",
    "search_file_content", "grep",
))  # fmt: skip
_OWN = (".codex", ".gemini", ".copilot")  # directories of agents, which also hold what is not guarded
_NOT_GUARDED = frozenset((
    "skills", "sessions", "session-state", "tmp", "plans", "memories", "agents.md", "gemini.md",
))  # fmt: skip
_POLICY, _SECRET = ".cortex", ".env"
_PAIRS = frozenset((
    (".claude", "agents"), (".github", "hooks"), (".github", "copilot"), (".cursor", "hooks.json"),
    (".cursor", "mcp.json"), (".vscode", "mcp.json"),
))  # fmt: skip
HOLDERS = frozenset((".claude", ".github", ".cursor", ".vscode"))  # of pairs: whoever moves one replaces them
_SINGLE = frozenset((_POLICY, _SECRET, ".mcp.json"))
_MARKS = (*_OWN, *HOLDERS, *_SINGLE)
# where a guarded file or its directory may be a link, below the root, the working directory and home
PLACES = (
    *_OWN,
    *HOLDERS,
    *_SINGLE,
    *map("/".join, sorted(_PAIRS)),
    ".claude/settings.json",
    ".claude/settings.local.json",
)
# HFS+ does not see these characters in a name
_INVISIBLE = dict.fromkeys((*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF))
_PARTS_OF_PATTERN = str.maketrans(dict.fromkeys("{},()|!@+", "/"))
_SEPARATORS = " \t\n\r\v\f'\"`=:,;|&<>()"
_ENTERING = frozenset(("cd", "pushd", "-c", "-d", "--directory", "--chdir", "--cwd", "find"))  # folded: `-C` too
_BLANKS = str.maketrans(dict.fromkeys(_SEPARATORS, " "))
_UNQUOTED = str.maketrans({"'": "", '"': "", "\\": "", "{": " ", "}": " "} | dict.fromkeys("=:,;|&<>()`", " "))


def find_guarded_path_denial_text(path: str, call: "ToolCall", rules: "HookRules") -> str:
    """Return why a tool may not touch an absolute path, '' if no guarded file is there: as spelled, or resolved."""
    parts = _components(collapse_path(path))
    is_reader = call.tool in READERS and not call.mcp
    if is_reader:
        return format_guarded_name_denial((_SECRET,)) if _SECRET in parts else ""
    found = find_guarded_components(parts) or (tuple(parts[-1:]) if parts and parts[-1] in HOLDERS else ())
    if found:
        return format_guarded_name_denial(found)
    is_listed = any(_is_at_or_below(parts, _components(collapse_path(file))) for file in rules.guard)
    return format_guarded_name_denial(("",)) if is_listed else ""


def find_secret_glob_denial_text(pattern: str) -> str:
    """Return why a pattern of file names is denied, '' if it does not name secrets."""
    for part in fold_path(pattern).translate(_PARTS_OF_PATTERN).split("/"):
        start = part[: min((at for at in map(part.find, "*?[") if at >= 0), default=len(part))]
        if part == _SECRET or (start != part and len(start) > 1 and _SECRET.startswith(start)):
            return format_guarded_name_denial((_SECRET,))
    return ""


def find_guarded_command_denial_text(command: str, directories: "Sequence[str]", rules: "HookRules", home: str) -> str:
    """Return why a shell command is denied for a word that names a guarded file, '' if none does.

    In a directory such as `.claude` the word `settings.json` does, and after `cd .claude` or `-C .claude`.
    """
    folded = fold_path(command)
    places = map(_components, (*directories, *_entered_directories(folded)))
    holders = [[parts[-1]] for parts in places if parts and parts[-1] in HOLDERS]
    is_marked = any(mark in text for text in _command_spellings(folded) for mark in _MARKS)
    if not is_marked and not rules.guard and not holders:
        return ""
    listed = [_components(collapse_path(file)) for file in rules.guard]
    for word in _command_words(folded):
        shown = _expand_home(word, home)
        parts = [part for part in word.split("/") if part not in ("", ".")]
        for spelled in (parts, _components(collapse_path(shown)), *(holder + parts for holder in holders)):
            if found := find_guarded_components(spelled):
                return format_guarded_name_denial(found)
        if shown.startswith("/") and any(_is_at_or_below(_components(collapse_path(shown)), file) for file in listed):
            return format_guarded_name_denial(("",))
    return ""


def may_command_reach_guarded_file(command: str) -> bool:
    """Whether a shell may expand words of a command, or a word may be a directory with guarded files."""
    folded = _command_spellings(fold_path(command))
    return any(mark in command for mark in "*?[{$`") or any(mark in text for text in folded for mark in HOLDERS)


def _command_spellings(folded: str) -> tuple[str, str]:
    """Return a command with blanks for what separates words, and without quotes, braces and joined lines as well."""
    return folded.translate(_BLANKS), folded.replace("\\\n", "").translate(_UNQUOTED)


def _command_words(folded: str) -> "Iterator[str]":
    """Yield the words of a command, as docs/hooks.md splits them, and as they are without quotes and braces."""
    seen: set[str] = set()
    for text in _command_spellings(folded):
        for word in text.split():
            if word not in seen:
                seen.add(word)
                yield word


def _entered_directories(folded: str) -> "Iterator[str]":
    """Yield each word of a command that names the directory which a program enters."""
    words = _command_spellings(folded)[1].split()
    yield from (word for word, before in zip(words[1:], words, strict=False) if before in _ENTERING)


def list_paths_text_may_mean(text: str, home: str) -> "Iterator[str]":
    """Yield a path as programs may read it: as it is, without outer blanks and backslashes, from home, from a URL."""
    yield text
    trimmed = text.strip().replace("\\", "/")
    shown = _expand_home(trimmed, home)
    if shown != text:
        yield shown
    if shown[:5].casefold() == "file:":
        rest = shown[5:]
        if rest.startswith("//"):
            rest = rest[2:]
            rest = rest[max(rest.find("/"), 0) :]  # without the host
        yield _percent_decode(rest)


def _expand_home(text: str, home: str) -> str:
    for mark in ("~", "$HOME", "${HOME}", "$home", "${home}"):  # a folded word too
        if text == mark or text.startswith(f"{mark}/"):
            return home + text[len(mark) :]
    return text


def _percent_decode(text: str) -> str:
    first, *rest = text.split("%")
    parts = [first.encode("utf-8", "surrogatepass")]
    for part in rest:
        try:
            parts.append(bytes([int(part[:2], 16)]) + part[2:].encode("utf-8", "surrogatepass"))
        except ValueError:
            parts.append(b"%" + part.encode("utf-8", "surrogatepass"))
    return b"".join(parts).decode("utf-8", "replace")


def fold_path(text: str) -> str:
    """Return a text without case, in one normal form, and without characters that a file system may ignore."""
    if text.isascii():
        return text.lower()
    from cortex_policy.core.unicode_equivalence import to_nfc  # noqa: PLC0415 - few paths need it

    return to_nfc(to_nfc(text.translate(_INVISIBLE)).casefold())


def _components(path: str) -> list[str]:
    return [part for part in fold_path(path).split("/") if part]


def _is_at_or_below(parts: list[str], above: list[str]) -> bool:
    return parts[: len(above)] == above


def find_guarded_components(parts: list[str]) -> tuple[str, ...]:
    """Return the components that make a path guarded, at any depth; none if it is not."""
    for index, part in enumerate(parts):
        inner = parts[index + 1] if index + 1 < len(parts) else ""
        if part in _SINGLE or (part in _OWN and inner not in _NOT_GUARDED):
            return (part,)
        is_settings = part == ".claude" and inner.startswith("settings") and inner.endswith(".json")
        if is_settings or (part, inner) in _PAIRS:
            return part, inner
    return ()


def format_guarded_name_denial(found: tuple[str, ...]) -> str:
    """Return why a name is guarded, by its components; `('',)` is one that `guard` lists."""
    name = "/".join(found)
    if name == _SECRET:
        return "a file called `.env` holds secrets, and no tool may touch it"
    if name == _POLICY:
        return "it touches the policy that checks this call, and no tool may do that"
    what = f"`{name}`" if name else "a file on the list of guarded files"
    return f"{what} controls agents and their hooks, and no tool that can write may touch it"
