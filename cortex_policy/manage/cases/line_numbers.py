"""Find the line of a member in a case file, which `tomllib` does not report."""

import re
from bisect import bisect_left

from cortex_policy.core.json_tree import format_json_pointer, parse_tree, require_node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.json_tree import JsonNode

_MULTILINE_STRING = re.compile(r'"""[\s\S]*?"""|' + r"'''[\s\S]*?'''")


class LineNumbers:
    """The line numbers of values, by the keys and indexes that lead to them."""

    def __init__(self, text: str, *, is_json: bool) -> None:
        """Take the text of a file that decodes."""
        self._text = text
        self._node: JsonNode | None = parse_tree(text) if is_json else None
        # a file may have thousands of cases: its newlines are found once
        self._newlines = [match.start() for match in re.finditer("\n", text)] if is_json else []
        self._lines: list[str] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._sections: dict[tuple[object, ...], int] = {}
        if not is_json:
            self._index_toml_lines()

    def find_line(self, keys: tuple[object, ...]) -> int:
        """Return the line of a value, or of the nearest value around it whose line is known; lines start at 1."""
        if self._node is not None:
            pointer = format_json_pointer(*keys)
            node = require_node(self._node, pointer) if keys else self._node
            return bisect_left(self._newlines, node.start_in_container) + 1
        return self._line_in_toml(keys)

    def _index_toml_lines(self) -> None:
        blanked = _MULTILINE_STRING.sub(lambda match: "\n" * match[0].count("\n"), self._text)
        self._lines = blanked.split("\n")
        cases = 0
        for number, line in enumerate(self._lines, 1):
            steps = _keys_of_header(line)
            if line.lstrip().startswith("[[") and steps:
                steps, cases = (*steps, cases), cases + 1
            elif steps[:1] == ("case",) and cases:
                steps = ("case", cases - 1, *steps[1:])
            if steps:
                self._sections.setdefault(steps, number)

    def _line_in_toml(self, keys: tuple[object, ...]) -> int:
        if not keys:
            return 1
        if keys in self._sections:
            return self._sections[keys]
        if keys not in self._known:
            self._known[keys] = self._find_line_of_member(keys)
        return self._known[keys]

    def _find_line_of_member(self, keys: tuple[object, ...]) -> int:
        above = keys[:-1]
        start = self._sections.get(above, 0) if above else 0
        if above and not start:
            return self._line_in_toml(above)
        member = re.compile(rf"\s*[\"']?{re.escape(str(keys[-1]))}[\"']?\s*[=.]")
        for number in range(start + 1, len(self._lines) + 1):
            line = self._lines[number - 1]
            if member.match(line):
                return number
            if _keys_of_header(line):
                break
        return start or 1


def _keys_of_header(line: str) -> tuple[object, ...]:
    """Return the keys of the table whose header is this line, none for another line."""
    text = line.strip()
    inner, end, _ = text.lstrip("[").partition("]")
    return tuple(part.strip(" \t\"'") for part in inner.split(".")) if text[:1] == "[" and end else ()
