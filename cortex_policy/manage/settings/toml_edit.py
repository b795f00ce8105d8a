"""Change one setting in the text of its file, and leave the rest, comments too, as it is."""

import re
from itertools import chain

import tomli_w

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import flatten_settings_document
from cortex_policy.core.toml import decode_toml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

UNSET = None
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.\-]+)\s*\]\s*(#.*)?$")
_PAIR = re.compile(
    r"(\s*([A-Za-z0-9_.\-]+)\s*=\s*)(\"[^\"\\]*\"|'[^']*'|\[[^\]#]*\]|[^#\"'\[{]*[^#\"'\[{\s])(\s*(?:#.*)?)$"
)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # TOML has no other line ends, unlike `splitlines`
_BLANK_OR_COMMENT = re.compile(r"\s*(#.*)?$")


def set_or_unset_setting_in_text(text: str, name: str, value: object) -> str:
    """Return a text with a new value of a setting, UNSET to remove it; raise NotDoneError if comments would be lost.

    Each line keeps its line end; a new line gets that of the line before it.
    """
    before = flatten_settings_document(decode_toml(text.encode()))
    expected = {key: part for key, part in before.items() if key != name} | ({} if value is UNSET else {name: value})
    if expected == before:
        return text
    for candidate in _text_candidates(text, name, value):
        if _has_values(candidate, expected):
            return candidate
    if "#" in text:
        raise NotDoneError("the comments of the file would be lost", "use `cortex-policy config edit`")
    return tomli_w.dumps(_nest_values(expected)).replace("\n", _line_ending(text))


def format_toml_literal(value: object) -> str:
    """Return a value as TOML, a list on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(format_toml_literal, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").removesuffix("\n")


def _has_values(text: str, expected: dict[str, object]) -> bool:
    try:
        return flatten_settings_document(decode_toml(text.encode())) == expected
    except MalformedError:
        return False


def _nest_values(values: dict[str, object]) -> dict[str, object]:
    document: dict[str, object] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        table = document
        for key in above:
            table = table.setdefault(key, {})  # type: ignore[assignment] # names do not go on below a value
        table[last] = value
    return document


def _text_candidates(text: str, name: str, value: object) -> "Iterator[str]":
    """Yield texts that may set the value, the most natural first."""
    lines = _LINE.findall(text)
    section, _, key = name.rpartition(".")
    sections = _section_of_each_line(lines)
    for index, line in enumerate(lines):
        match = _PAIR.match(line)
        if match and name in (match[2], f"{sections[index]}.{match[2]}"):
            put = (
                ""
                if value is UNSET
                else f"{match[1]}{format_toml_literal(value)}{match[4].rstrip()}{_line_ending(line, text)}"
            )
            yield "".join([*lines[:index], put, *lines[index + 1 :]])
    if value is UNSET:
        return
    if not section or section in sections:
        yield _insert_lines(lines, _section_end(lines, sections, section), f"{key} = {format_toml_literal(value)}\n")
    yield _insert_lines(lines, len(lines), f"[{section}]\n{key} = {format_toml_literal(value)}\n", "\n")
    yield _insert_lines(lines, _section_end(lines, sections, ""), f"{name} = {format_toml_literal(value)}\n")


def _section_of_each_line(lines: list[str]) -> list[str]:
    """Return the name of the section that each line is in, '' above the first header."""
    sections, section = [], ""
    for line in lines:
        match = _HEADER.match(line)
        section = match[1] if match else section
        sections.append(section)
    return sections


def _section_end(lines: list[str], sections: list[str], section: str) -> int:
    """Return where a section ends: after its last line that is not blank or a comment."""
    lines_with_content = (
        index for index, line in enumerate(lines) if sections[index] == section and not _BLANK_OR_COMMENT.match(line)
    )
    last = max(chain(lines_with_content, [-1]))
    if last < 0:  # the top of a file that has only sections: before the first of them and its comments
        return next((index for index, line in enumerate(lines) if sections[index] or not line.strip()), len(lines))
    return last + 1


def _insert_lines(lines: list[str], index: int, new: str, gap: str = "") -> str:
    before, after = "".join(lines[:index]), "".join(lines[index:])
    ending = _line_ending(*lines[max(index - 1, 0) : index + 1], *lines[:1])
    separated = ending if lines[index:] and _HEADER.match(lines[index].rstrip()) else ""
    if before and not before.endswith("\n"):
        before += ending
    new = f"{gap if before else ''}{new}".replace("\n", ending)
    return f"{before}{new}{separated}{after}"


def _line_ending(*texts: str) -> str:
    """Return the line end of the first line that has one."""
    first = next((line for text in texts for line in _LINE.findall(text)[:1] if line.endswith("\n")), "\n")
    return first[-2:] if first.endswith("\r\n") else "\n"
