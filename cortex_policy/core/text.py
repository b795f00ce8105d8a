"""Text of others, so that what reads it does not act on it: a terminal, the log of a job, a reader of a list.

What leaves the program goes through `escape_output`; before that a value that has to stay in its line goes through
`escape_unprintable`. A job's log takes for a command what Azure, GitHub and TeamCity do: `##`, a word, `[` anywhere in
a line, in upper or lower case, and `::` at its start, after spaces too.
"""

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_BRACKET = "\\x5b"
_COLON = "\\x3a"
MAX_MESSAGE_BYTES = 4000  # bytes of a message or a hint
_MAX_WORD_BYTES = 200  # bytes of one name in a list


def escape_unprintable(text: str) -> str:
    """Escape a value: control characters, line separators, bidi marks, lone surrogates, commands of a job."""
    if not text.isprintable():
        text = "".join(map(_escape_character, text))
    return _escape_job_commands(text)


def escape_output(text: str, before: str = "") -> str:
    """Escape what leaves, but line feeds and tabs; `before` is what of the first line has left already."""
    first, *more = text.split("\n")
    return "\n".join([_escape_line(before + first)[len(before) :], *map(_escape_line, more)])


def escape_job_commands_in_ascii_json(text: str) -> str:
    """Escape a complete JSON text in ASCII by JSON's own rules: a reader gets the same values."""
    return _escape_job_commands(text, "\\u005b").replace("\x7f", "\\u007f")


def escape_xml_output(text: str) -> str:
    """Escape a complete XML document by XML's own rules; `&` and `<` in its texts were escaped before."""
    shown = "".join(one if one.isprintable() or one in "\t\n" else f"&#{ord(one)};" for one in text)
    return "\n".join(_escape_job_commands(line, "&#91;", "&#58;") for line in shown.split("\n"))


def elide_middle(text: str, max_bytes: int = MAX_MESSAGE_BYTES) -> str:
    """Return a text cut to a number of bytes: its start, how much was left out, its end."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= max_bytes:
        return text
    start, end = data[: max_bytes // 2], data[-max_bytes // 4 :]
    ends = (part.decode("utf-8", "ignore") for part in (start, end))
    return f" ... {len(data) - len(start) - len(end):,} bytes more ... ".join(ends)


def format_os_error_cause(error: Exception) -> str:
    """Say in lower case what the system answered, such as `permission denied`."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def format_guess_hint(name: str) -> str:
    """Return a hint at the name that was meant, '' for no name."""
    return f"did you mean `{name}`?" if name else ""


def escape_message_to_one_line(text: str) -> str:
    """Return a message or a hint as it is printed: in one line, escaped, and not longer than it may be."""
    return elide_middle(escape_unprintable(elide_middle(text)))


def join_words_that_fit(words: "tuple[str, ...] | list[str]", max_bytes: int = MAX_MESSAGE_BYTES // 2) -> str:
    """Return words with commas between, as many as there is room for, and how many more there are."""
    shown, length = list[str](), 0
    for word in words:
        length += min(len(word), _MAX_WORD_BYTES) + 2
        if length > max_bytes:
            break
        shown.append(elide_middle(word, _MAX_WORD_BYTES))
    more = len(words) - len(shown)
    return ", ".join(shown) + (f" ... and {more:,} more" if more else "")


def _escape_line(line: str) -> str:
    # INVARIANT: what is escaped already stays as it is, and a longer line begins as a shorter one
    if not line.isprintable():
        line = "\t".join("".join(map(_escape_character, part)) for part in line.split("\t"))
    return _escape_job_commands(line)


def _escape_character(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _escape_job_commands(line: str, bracket: str = _BRACKET, colon: str = _COLON) -> str:
    """Return a line in which nothing begins a command: the bracket, or the second colon, is escaped."""
    if "##" in line:
        parts = line.split("[")
        ends = [bracket if part.rstrip(_LETTERS).endswith("##") else "[" for part in parts[:-1]]
        line = "".join([text for pair in zip(parts, [*ends, ""], strict=True) for text in pair])
    if line.lstrip(" \t")[:2] == "::":
        start = line.index("::")
        return f"{line[: start + 1]}{colon}{line[start + 2 :]}"
    return line


def format_count_with_noun(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 file` or `3 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def format_duration(seconds: float) -> str:
    """Return a duration in its largest unit, such as `3 minutes`."""
    units = ((86_400, "day"), (3600, "hour"), (60, "minute"))
    size, noun = next((unit for unit in units if seconds >= unit[0]), (1, "second"))
    return format_count_with_noun(max(0, int(seconds // size)), noun)
