"""Read a case file strictly: every flaw is told with its line."""

from itertools import islice
from math import isfinite

from cortex_policy.core.closest_match import closest_word
from cortex_policy.core.decode import MAX_BYTES, MAX_DEPTH, MAX_DIGITS, MalformedError, decode_json, is_grant_id
from cortex_policy.core.model import Settings, shorten
from cortex_policy.core.settings import BY_NAME
from cortex_policy.core.toml import decode_toml
from cortex_policy.manage.cases.line_numbers import Lines
from cortex_policy.manage.cases.model import (
    EXPECTED,
    JSON,
    MOST_CALLS,
    MOST_CASES,
    MOST_HITS,
    MOST_SECONDS,
    MOST_TIMES,
    NANOSECONDS,
    Case,
    CaseFile,
    Flaw,
)
from cortex_policy.manage.cases.sandbox import Tree
from cortex_policy.manage.regular_files import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Members = Mapping[str, tuple[Callable[[Any], bool], str]]

MOST_FLAWS = 50  # that are told: to find the line of each takes a look through the file
SETTINGS = ("sensitive", "require_path", "undeclared_args")
_MOST_WHOLE: int = 10 ** (MAX_DIGITS - 1)


def read(path: str, shown: str) -> CaseFile:
    """Read a case file; what is wrong with it stands in its flaws."""
    try:
        data = _bytes(path)
        document = decode_json(data) if path.endswith(JSON) else decode_toml(data)
    except MalformedError as error:
        return CaseFile(shown, flaws=(Flaw(shown, 1, str(error)),))
    except OSError as error:
        return CaseFile(shown, flaws=(Flaw(shown, 1, (error.strerror or str(error)).lower()),))
    return _Reader(shown, Lines(data.decode(), is_json=path.endswith(JSON))).read(document)


def _bytes(path: str) -> bytes:
    data = read_regular(path, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        message = f"larger than {MAX_BYTES} bytes"
        raise MalformedError(message)
    return data


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_whole(least: int, most: int) -> "Callable[[object], bool]":
    def is_whole(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return is_whole


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_SECONDS


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, dict) for part in value)


def _is_json(value: object, depth: int = 0) -> bool:
    """Whether a value can be an argument: TOML has dates, NaN, infinities and giant hexadecimal numbers too."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict | list):
        return all(_is_json(part, depth + 1) for part in (value.values() if isinstance(value, dict) else value))
    if isinstance(value, int):
        return abs(value) < _MOST_WHOLE
    return value is None or isinstance(value, str) or (isinstance(value, float) and isfinite(value))


def _arguments(value: object) -> "dict[str, Any] | None":
    """Return the arguments of a call, None where these are none; as text they are JSON, which has a null."""
    if isinstance(value, str):
        try:
            value = decode_json(value.encode("utf-8", "surrogatepass"))
        except MalformedError:
            return None
    return value if isinstance(value, dict) and _is_json(value) else None


_OF_FILE: "Members" = {
    "grant": (lambda value: isinstance(value, str) and is_grant_id(value), "the id of a grant"),
    "complete": (lambda value: isinstance(value, bool), "true or false"),
    "settings": (lambda value: isinstance(value, dict), f"a table of {' and '.join(SETTINGS)}"),
    "tree": (lambda value: isinstance(value, dict), "a table of directories, files and links"),
    "case": (_are_tables, "tables `[[case]]`"),
}  # fmt: skip
_OF_CASE: "Members" = {
    "name": (lambda value: _is_text(value) and value.isprintable(), "a text of one line"),
    "action": (lambda value: isinstance(value, str), "a text"),
    "args": (lambda value: _arguments(value) is not None, "a table of JSON values, or a JSON object as text"),
    "expect": (lambda value: isinstance(value, str) and value in EXPECTED, f"one of {', '.join(EXPECTED)}"),
    "remaining": (_is_whole(0, MOST_HITS), "a whole number"),
    "obligations": (_are_texts, "an array of texts"),
    "tool": (_is_text, "a text that is not empty"),
    "cost": (_is_whole(1, MOST_HITS), "a whole number of at least 1"),
    "cwd": (lambda value: isinstance(value, str), "a directory of the tree"),
    "times": (_is_whole(1, MOST_TIMES), f"a whole number from 1 to {MOST_TIMES}"),
    "advance_seconds": (_is_seconds, f"a number from 0 to {MOST_SECONDS}"),
}  # fmt: skip
_OF_TREE: "Members" = {
    "directories": (_are_texts, "an array of paths"),
    "files": (_are_texts, "an array of paths"),
    "links": (
        lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
        "a table from paths to where each leads",
    ),
}
_OF_SETTINGS: "Members" = {
    name: (BY_NAME[name].accepts, f"one of {', '.join(map(str, BY_NAME[name].values)).lower()}") for name in SETTINGS
}


class _Reader:
    """Reads one document, and gathers all that is wrong with it."""

    def __init__(self, file: str, lines: Lines) -> None:
        self._file, self._lines = file, lines
        self._flaws: list[Flaw] = []

    def read(self, document: "Any") -> CaseFile:
        """Return what can be run of it."""
        if not isinstance(document, dict):
            self._tell("it is no object", (), "write members as in `cortex-policy test --init ID`")
            return self._file_of({}, ())
        known = self._checked(document, _OF_FILE, (), ("grant", "case"))
        cases = [self._case(one, index) for index, one in enumerate(known.get("case", ())[: MOST_CASES + 1])]
        if len(cases) > MOST_CASES:
            self._tell(f"it has more than {MOST_CASES} cases", ("case",), "write several files")
        if (calls := sum(case.times for case in cases if case is not None)) > MOST_CALLS:
            hint = "use smaller `times`, or several files"
            self._tell(f"its cases make {calls:,} calls, and may make {MOST_CALLS:,}", ("case",), hint)
        names: dict[str, int] = {}
        for case in filter(None, cases):
            first = names.setdefault(case.name, case.line)
            if first != case.line:
                self._flaws.append(
                    Flaw(self._file, case.line, f"a case is called `{case.name}` in line {first} already")
                )
        return self._file_of(known, tuple(filter(None, cases)))

    def _file_of(self, known: "dict[str, Any]", cases: tuple[Case, ...]) -> CaseFile:
        settings = Settings(**self._checked(known.get("settings", {}), _OF_SETTINGS, ("settings",)))
        tree = self._tree(known.get("tree", {}))
        directories = tree.all_directories()
        for case in cases:
            if case.cwd and case.cwd.rstrip("/") not in directories:
                why = shorten(f"`{case.cwd}` is no directory of the tree")
                self._flaws.append(Flaw(self._file, case.line, why, "name it in `directories`"))
        grant_line, complete_line = (self._lines.of((name,) if name in known else ()) for name in ("grant", "complete"))
        return CaseFile(
            self._file, known.get("grant", ""), settings, tree, cases, known.get("complete", False),
            grant_line, complete_line, tuple(sorted(self._flaws, key=lambda flaw: flaw.line)),
        )  # fmt: skip

    def _case(self, document: "dict[str, Any]", index: int) -> Case | None:
        known = self._checked(document, _OF_CASE, ("case", index), ("name", "action", "expect"))
        if not {"name", "action", "expect"} <= known.keys():
            return None
        known["args"] = _arguments(known.get("args", {})) or {}
        known["expect"] = EXPECTED[known["expect"]]
        known["advance_ns"] = round(known.pop("advance_seconds", 0) * NANOSECONDS)
        if "obligations" in known:
            known["obligations"] = tuple(known["obligations"])
        return Case(line=self._lines.of(("case", index)), **known)

    def _tree(self, document: "dict[str, Any]") -> Tree:
        known = self._checked(document, _OF_TREE, ("tree",))
        tree = Tree(
            tuple(known.get("directories", ())), tuple(known.get("files", ())), tuple(known.get("links", {}).items())
        )
        faults = list(islice(tree.faults(), MOST_FLAWS))
        for why in faults:
            self._tell(why, ("tree",), "a path of the tree is relative, plain, and lies below no file or link of it")
        return Tree() if faults else tree

    def _checked(
        self, document: "dict[str, Any]", members: "Members", at: tuple[object, ...], required: tuple[str, ...] = ()
    ) -> "dict[str, Any]":
        """Return the members that are as they must be, and tell of all others."""
        for name in required:
            if name not in document:
                self._tell(f"`{name}` is missing", at, f"it is {members[name][1]}")
        known = {}
        for name, value in document.items():
            if len(self._flaws) > MOST_FLAWS:
                break
            if name not in members:
                self._tell(f"`{name}` means nothing here", (*at, name), _meant(name, members))
            elif not members[name][0](value):
                hint = _meant(value, EXPECTED) if name == "expect" and isinstance(value, str) else ""
                self._tell(f"`{name}` must be {members[name][1]}", (*at, name), hint)
            else:
                known[name] = value
        return known

    def _tell(self, message: str, at: tuple[object, ...], hint: str = "") -> None:
        if len(self._flaws) == MOST_FLAWS:
            self._flaws.append(Flaw(self._file, 1, "it has more flaws, which are not looked for"))
        if len(self._flaws) < MOST_FLAWS:
            self._flaws.append(Flaw(self._file, self._lines.of(at), shorten(message), hint))


def _meant(word: str, known: "Mapping[str, object]") -> str:
    near = closest_word(word.lower(), list(known))
    return f"did you mean `{near}`?" if near else f"there is {', '.join(known)}"
