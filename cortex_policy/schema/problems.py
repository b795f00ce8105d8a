"""What a rule found wrong in the text of a grant, before and after its place in the file is known."""

from cortex_policy.core import Value, shorten_message
from cortex_policy.core.engine import DEFAULTS
from cortex_policy.core.json_tree import JsonNode, JsonSyntaxError, find_line_and_column, parse_tree, require_node
from cortex_policy.core.model import Settings
from cortex_policy.schema.fixes import apply_fix_or_none_if_it_widens, compute_max_fixes_for_file
from cortex_policy.schema.rule_catalog import ERROR, find_severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.schema.fixes import Fix

MAX_PROBLEMS = 100  # in one file
MAX_LINE_LENGTH = 100  # characters of a line


class UnlocatedProblem(Value):
    """What a rule found wrong, before its line and column are known.

    It is at the value or the key that a JSON Pointer names, else at a span of the text, a pair of offsets.
    The message is one sentence, lower case, with text of the file in backticks. The hint says what can be done,
    and may be empty.
    """

    code: str
    message: str
    hint: str = ""
    pointer: str = ""
    at_key: bool = False
    span: tuple[int, int] | None = None
    fix: "Fix | None" = None


class Replacement(Value):
    """A fix as an edit: the text between two positions is replaced."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


class Problem(Value):
    """Something wrong at a place of a file (docs/validate.md).

    Lines and columns start at 1, columns count characters. The end is the place after the last character.
    `source` is the line, or what surrounds the place in a long one, and starts at the column `source_column`.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    pointer: str
    code: str
    severity: str
    message: str
    hint: str = ""
    fix: Replacement | None = None
    source: str = ""
    source_column: int = 1


class Report(Value):
    """The result of a run: the number of files, and their problems, sorted."""

    files: int
    problems: tuple[Problem, ...]

    @property
    def status(self) -> str:
        """Return `fail` if there is an error, else `ok` (docs/validate.md)."""
        return "fail" if any(problem.severity == ERROR for problem in self.problems) else "ok"


def make_file_problem(file: str, code: str, message: str, hint: str = "") -> Problem:
    """Return a problem of a whole file or directory."""
    return Problem(file, 1, 1, 1, 1, "", code, find_severity(code), shorten_message(message), shorten_message(hint))


def locate_problems(
    file: str, data: bytes, unlocated: "Iterable[UnlocatedProblem]", settings: Settings = DEFAULTS
) -> tuple[Problem, ...]:
    """Give problems their places in a file, and sort them by line; a fix must not widen under the settings."""
    text = data.decode("utf-8", "replace")
    try:
        root = parse_tree(text)
    except JsonSyntaxError:
        root = None  # what was found there has a span
    fixes_left = compute_max_fixes_for_file(data)
    problems = []
    for problem in unlocated:
        fix = problem.fix if fixes_left else None
        fixes_left -= fix is not None
        new = apply_fix_or_none_if_it_widens(text, fix, settings) if fix is not None else None
        problems.append(_locate_problem(file, text, root, problem, new))
    return tuple(sorted(problems, key=lambda one: (one.line, one.column, one.code)))


def _locate_problem(file: str, text: str, root: JsonNode | None, problem: UnlocatedProblem, new: str | None) -> Problem:
    start, end = problem.span or _text_span(root, problem)
    line, column = find_line_and_column(text, start)
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    whole = text[first : last if last >= 0 else None].removesuffix("\r")
    shown = max(0, column - 1 - MAX_LINE_LENGTH // 2) if len(whole) > MAX_LINE_LENGTH else 0
    return Problem(
        file, line, column, *find_line_and_column(text, max(start, end)), problem.pointer, problem.code,
        find_severity(problem.code), shorten_message(problem.message), shorten_message(problem.hint),
        _replacement_between(text, new), whole[shown : shown + MAX_LINE_LENGTH], shown + 1,
    )  # fmt: skip


def _text_span(root: JsonNode | None, problem: UnlocatedProblem) -> tuple[int, int]:
    if root is None:
        return 0, 0
    node = require_node(root, problem.pointer)
    if problem.at_key:
        return node.key_start, node.key_end
    return (node.start, node.end) if problem.pointer else (node.start, node.start + 1)


def _replacement_between(text: str, new: str | None) -> Replacement | None:
    if new is None:
        return None
    min_length = min(len(text), len(new))
    start = next((index for index in range(min_length) if text[index] != new[index]), min_length)
    common_end = next(
        (index for index in range(min_length - start) if text[-1 - index] != new[-1 - index]), min_length - start
    )
    end = len(text) - common_end
    return Replacement(
        *find_line_and_column(text, start), *find_line_and_column(text, end), new[start : len(new) - common_end]
    )
