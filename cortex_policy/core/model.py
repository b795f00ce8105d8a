"""The values that all parts exchange, and the errors that they raise: one module, as a check pays for each.

It has more than 300 lines: a pickle names the module of a class, so that an older version cannot read one that moved.
"""

from cortex_policy.core import DeprecatedField, Value, shorten_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar, Self


class Reason(str):
    """Name why a decision fell; a stable word with its sentence and exit code."""

    __slots__ = ("exit_code", "message")
    message: str
    exit_code: int

    def __new__(cls, word: str, message: str, exit_code: int) -> "Self":
        """Make the word carry its sentence and exit code."""
        reason = str.__new__(cls, word)
        reason.message, reason.exit_code = message, exit_code
        return reason

    def __reduce__(self) -> "tuple[Any, ...]":
        # INVARIANT: only ALLOWED itself allows, so nothing else may come back as ALLOWED from `pickle` or `copy`
        word = str.__str__(self)
        if known_reason(word) is not self:
            message = f"`{word}` is not a reason of this program, so it cannot be copied"
            raise ValueError(message)
        return known_reason, (word,)


ALLOWED = Reason("allowed", "allowed", 0)
ACTION_NOT_ALLOWED = Reason("action_not_allowed", "action not allowed", 10)
ARGUMENT_NOT_ALLOWED = Reason("argument_not_allowed", "argument not allowed", 11)
PATH_OUTSIDE_SCOPE = Reason("path_outside_scope", "path not within fsScope", 12)
APPROVAL_REQUIRED = Reason("approval_required", "approval required", 13)
RATE_LIMITED = Reason("rate_limited", "rate limit exceeded", 14)
STOPPED = Reason("stopped", "emergency stop", 15)
GRANT_NOT_FOUND = Reason("grant_not_found", "grant not found", 20)
GRANT_INVALID = Reason("grant_invalid", "grant invalid", 21)
GRANT_UNSAFE = Reason("grant_unsafe", "grant file is unsafe", 22)
STAMP_MISMATCH = Reason("stamp_mismatch", "grant differs from its stamp", 23)
STATE_UNAVAILABLE = Reason("state_unavailable", "rate state unavailable", 24)
ROOT_NOT_FOUND = Reason("root_not_found", "no policy root", 25)
ROOT_AMBIGUOUS = Reason("root_ambiguous", "more than one policy root", 26)
SETTINGS_INVALID = Reason("settings_invalid", "settings invalid", 27)

REASONS = (
    ALLOWED, ACTION_NOT_ALLOWED, ARGUMENT_NOT_ALLOWED, PATH_OUTSIDE_SCOPE, APPROVAL_REQUIRED, RATE_LIMITED, STOPPED,
    GRANT_NOT_FOUND, GRANT_INVALID, GRANT_UNSAFE, STAMP_MISMATCH, STATE_UNAVAILABLE, ROOT_NOT_FOUND, ROOT_AMBIGUOUS,
    SETTINGS_INVALID,
)  # fmt: skip

NOT_DONE = Reason("not_done", "not done, nothing was changed", 3)
USAGE = Reason("usage", "usage", 2)


def known_reason(word: str) -> Reason:
    """Return the reason of this word: one object in each process; raise ValueError if this version has none."""
    for reason in (*REASONS, NOT_DONE, USAGE):
        if reason == word:
            return reason
    message = f"unknown reason `{word}`"
    raise ValueError(message)


HUMAN_APPROVAL = "human_approval"  # the one obligation there is


class Rate(Value):
    """Say how many calls of `tool:action` a sliding minute may hold."""

    per_minute: int


class Origin(Value):
    """Say where a grant was read: absolute paths, and (device, inode) of the root, its policy directory and `tools`."""

    root: str
    file: str
    sha256: str
    root_identity: tuple[int, int]
    policy_identity: tuple[int, int]
    tools_identity: tuple[int, int]


class Grant(Value):
    """Allow one tool some actions on some paths, up to a rate a minute."""

    id: str
    tool: str
    actions: tuple[str, ...]
    rate: Rate
    args: "Mapping[str, object]"
    data_class: str = "internal"
    fs_scope: tuple[str, ...] = ()
    origin: Origin | None = None


class ResolvedPath(Value):
    """A path argument, as text and as the kernel resolves it.

    `normalized` and `resolved_inside` are relative to the root: empty for the root itself, None outside of it.
    `normalized` has `.` and `..` removed from the text, `resolved_inside` follows links as the kernel does.
    `resolved` is the same as an absolute path. `error` says why the path could not be resolved, `protected_reason`
    why no scope can ever allow it.
    """

    argument: str
    given: str
    normalized: str | None = None
    resolved_inside: str | None = None
    resolved: str | None = None
    error: str = ""
    protected_reason: str = ""

    collapsed: "ClassVar[DeprecatedField]" = DeprecatedField("normalized")
    landed: "ClassVar[DeprecatedField]" = DeprecatedField("resolved_inside")
    fault: "ClassVar[DeprecatedField]" = DeprecatedField("error")
    guard: "ClassVar[DeprecatedField]" = DeprecatedField("protected_reason")


class PathVerdict(Value):
    """A path in the arguments of a call, and why it is denied: '' if it is allowed.

    `given` is None where a path should be, and none is; `resolved` is None then, and if nobody resolved it.
    """

    argument: str
    given: str | None
    resolved: ResolvedPath | None
    why_denied: str

    @property
    def label(self) -> str:
        """What a sentence calls it."""
        return f"`{self.given}`" if self.given is not None else f"argument `{self.argument}`"


class Request(Value):
    """A call to decide: what is asked for, with its paths already resolved.

    `unseen` is a digest of what the call holds besides its arguments, '' for nothing: an approval is bound to it.
    """

    action: str
    args: "Mapping[str, object]"
    paths: tuple[ResolvedPath, ...] = ()
    cost: int = 1
    approved: bool = False
    unseen: str = ""

    places: "ClassVar[DeprecatedField]" = DeprecatedField("paths")


class Settings(Value):
    """What an operator sets beside the grants.

    `sensitive` is `allow`, `ask` or `deny`, `stamp` is `off` or `require`, `undeclared_args` is `allow` or `deny`.
    `state_dir` is where rate state lives, set or not; None if it is not known yet. `audit_file` is an absolute
    path, None if nothing is recorded; `audit_args` is `names`, `fingerprints` or `full`, `audit_on_error` `ignore`
    or `deny`. A log that would grow over `audit_max_bytes` is rotated, unless that is 0; `audit_keep` old ones stay.
    `approvals_file` is an absolute path, None if it is beside the rate state. Budgets are counted by the server of
    `budgets_url`, None for the files of this host; the other `budgets_` fields matter only then.
    """

    sensitive: str = "allow"
    require_path: bool = False
    stamp: str = "off"
    state_dir: str | None = None
    audit_file: str | None = None
    audit_args: str = "fingerprints"
    audit_on_error: str = "deny"
    audit_max_bytes: int = 0
    audit_keep: int = 5
    approvals_file: str | None = None
    approvals_timeout_seconds: int = 300
    undeclared_args: str = "allow"
    budgets_url: str | None = None
    budgets_name: str | None = None
    budgets_key_file: str | None = None
    budgets_password_file: str | None = None
    budgets_timeout_ms: int = 50
    budgets_on_error: str = "deny"
    budgets_local_share: float = 0.0
    budgets_wait_replicas: int = 0


class Budget(Value):
    """What a rate leaves: hits in the window, hits left, and how long to wait.

    `retry_after_seconds` is the time until the call that was asked for fits, 0 if it fits now; once it is `consumed`,
    the time until one more hit fits. None: it costs more than the limit, and waiting cures nothing.
    `closed`: its hits may be lost, and every call is denied until a window has passed: its file was damaged, or its
    server says why in `closed_because`.
    `repeat`: another line of an agent's settings has delivered the same call before, and its hit was taken then.
    `local`: the server of budgets did not answer, and this host counted by itself, with its share of the limit.
    """

    limit: int
    used: int
    remaining: int
    retry_after_seconds: float | None
    consumed: int
    closed: bool = False
    repeat: bool = False
    local: bool = False
    closed_because: str = ""

    def fits(self, cost: int) -> bool:
        """Whether the call of this cost that the budget was asked for is within the limit: consumed, or free now."""
        return self.consumed == cost or self.retry_after_seconds == 0


WAITING, APPROVED, DENIED, USED, EXPIRED = "waiting", "approved", "denied", "used", "expired"


class Approval(Value):
    """The approval of a call by a human: `status` is `waiting`, `approved`, `denied` or `used`.

    Where it is used, it is this very call that used it; else it stays so for `expires_in_seconds`.
    """

    id: str
    status: str
    expires_in_seconds: float


class Decision(Value):
    """An answer and why; true only if the call is allowed.

    `grant_sha256` is the digest of the very bytes it was made on, where a `PolicyStore` made it. `budget` is None where
    no budget was looked at, or a resident one only said that there was room.
    """

    reason: Reason
    detail: str = ""
    obligations: tuple[str, ...] = ()
    budget: Budget | None = None
    paths: tuple[tuple[ResolvedPath, str | None], ...] = ()
    grant_sha256: str | None = None
    approval: Approval | None = None

    places: "ClassVar[DeprecatedField]" = DeprecatedField("paths")

    @property
    def allowed(self) -> bool:
        """Whether the call may go ahead."""
        return self.reason is ALLOWED

    def __bool__(self) -> bool:
        return self.reason is ALLOWED

    @property
    def retryable(self) -> bool:
        """Whether the same call can be allowed later without any other change."""
        return self.reason is RATE_LIMITED and self.budget is not None and self.budget.retry_after_seconds is not None

    @property
    def message(self) -> str:
        """The sentence of the reason, with what it was about."""
        return f"{self.reason.message}: {shorten_message(self.detail)}" if self.detail else self.reason.message

    def explain(self) -> str:
        """Return the decision in words: a line for the answer, then one for each path, the budget and the approval."""
        from cortex_policy.core.decision_report import format_decision_report  # noqa: PLC0415 - a check does not print it

        return format_decision_report(self)

    def __repr__(self) -> str:
        return f"<Decision {self.message!r}>"


class CortexPolicyError(Exception):
    """The root of all errors that a call or a file can cause; says what was known of grant, root and file by then."""

    reason: Reason
    detail: str
    hint: str
    grant_id: str | None = None
    root: str | None = None
    file: str | None = None
    sha256: str | None = None

    def __init__(self, reason: Reason, detail: str = "", hint: str = "") -> None:
        """Keep the reason, what it was about, and a hint that can be typed."""
        self.reason, self.detail, self.hint = reason, shorten_message(detail), shorten_message(hint)
        super().__init__(self.message)

    def __reduce__(self) -> "tuple[Any, ...]":
        return _new_error, (type(self), self.args), vars(self).copy()

    @property
    def message(self) -> str:
        """The sentence of the reason, with what it was about, but without the grant."""
        return f"{self.reason.message}: {self.detail}" if self.detail else self.reason.message

    def __str__(self) -> str:
        if self.grant_id is None:
            return self.message
        where = f" (root `{self.root}`)" if self.root is not None and self.root not in self.message else ""
        return f"{self.grant_id}: {self.message}{where}"

    @property
    def exit_code(self) -> int:
        """The exit code of the reason."""
        return self.reason.exit_code


def _new_error(kind: "type[CortexPolicyError]", args: "tuple[object, ...]") -> CortexPolicyError:
    """Make an error without calling its constructor; `pickle` and `copy` set its attributes."""
    return kind.__new__(kind, *args)


class GrantError(CortexPolicyError):
    """The root, the grant, its stamp or the settings of a call are missing, unsafe or invalid: exit 20-23, 25-27."""


class StateError(CortexPolicyError):
    """The rate state could not be read or written: exit 24."""


class BudgetServerError(StateError):
    """The server of shared budgets does not answer, or can count nothing just now: exit 24."""


class UsageError(CortexPolicyError):
    """The arguments of a call do not fit together: exit 2."""

    def __init__(self, detail: str, hint: str = "") -> None:
        """Say which word and why."""
        super().__init__(USAGE, detail, hint)


if not TYPE_CHECKING:  # a type checker would take any name for one of the module's

    def __getattr__(name: str) -> object:
        """Find what this module had in an older version, whose pickles name it."""
        if name.startswith("__"):  # each import asks for `__path__`
            raise AttributeError(name)
        from cortex_policy.core.deprecated import find_moved_name  # noqa: PLC0415 - only old names need it

        return find_moved_name(__name__, name)
