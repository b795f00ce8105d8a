"""Cases: calls of a grant, each with the expected decision."""

from cortex_policy.core import Value
from cortex_policy.core.model import (
    ACTION_NOT_ALLOWED,
    ALLOWED,
    APPROVAL_REQUIRED,
    ARGUMENT_NOT_ALLOWED,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    Reason,
    Settings,
)
from cortex_policy.manage.cases.temporary_file_tree import FileTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TOML_SUFFIX, JSON_SUFFIX = ".cases.toml", ".cases.json"
MAX_TIMES = 10_000
MAX_SECONDS = 86_400  # a day
MAX_CASES = 10_000  # of a file
MAX_CALLS = 250_000  # that they make
MAX_HITS = 10**18
NANOSECONDS = 10**9
EXPECTABLE_REASONS: dict[str, Reason] = {
    str(reason): reason
    for reason in (
        ALLOWED, ACTION_NOT_ALLOWED, ARGUMENT_NOT_ALLOWED, PATH_OUTSIDE_SCOPE, APPROVAL_REQUIRED, RATE_LIMITED,
    )
}  # fmt: skip


class Case(Value):
    """A call and the expected decision; a member that is None is not checked. All of `times` calls must be alike."""

    name: str
    action: str
    args: "Mapping[str, object]"
    expect: Reason
    line: int = 0
    remaining: int | None = None
    obligations: tuple[str, ...] | None = None
    tool: str | None = None
    cost: int = 1
    cwd: str = ""
    times: int = 1
    advance_ns: int = 0


class CaseFileProblem(Value):
    """An error that keeps a case file, or a part of it, from being run."""

    file: str
    line: int
    message: str
    hint: str = ""


class CaseFile(Value):
    """The cases of one grant, in the order in which they run, and the errors of its file.

    `own_line` is the line after which the cases are not generated, 0 if the file does not say.
    """

    file: str
    grant_id: str = ""
    settings: Settings = Settings()
    tree: FileTree = FileTree()
    cases: tuple[Case, ...] = ()
    is_complete: bool = False
    grant_line: int = 1
    complete_line: int = 1
    errors: tuple[CaseFileProblem, ...] = ()
    own_line: int = 0


def is_case_file(name: str) -> bool:
    """Whether a file has the name of a case file."""
    return name.endswith((TOML_SUFFIX, JSON_SUFFIX))
