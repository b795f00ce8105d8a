"""A grant prepared for many calls: what does not change between them is computed once.

It answers only ordinary calls and leaves all others to the engine: whatever it answers, the engine
would have answered too (a property test holds it to that).
"""

from cortex_policy.core.arguments import find_declaration_problem_text_or_empty, is_annotation_keyword
from cortex_policy.core.engine import format_rate_denial, is_path_that_counts_as_declared, strip_scope_slash_or_none
from cortex_policy.core.model import ALLOWED, HUMAN_APPROVAL, RATE_LIMITED, Budget, Decision, Settings
from cortex_policy.core.path_arguments import MAX_LABEL, may_be_path_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.core.model import Grant, ResolvedPath

SCALAR, STRING, PATH, UNSUPPORTED = range(4)  # of an argument: any scalar, any string, a path, for the engine
MAX_NAMES = 256


class PreparedGrant:
    """One grant under its settings."""

    without_arguments: "dict[str, Decision]"
    digest: str | None
    full_budget: "Budget"

    __slots__ = (
        "_actions",
        "_allowed",
        "_allowed_without_budget",
        "_grant",
        "_kinds",
        "_needs_declared",
        "_needs_path",
        "_obligations",
        "_scopes",
        "digest",
        "full_budget",
        "without_arguments",
    )

    def __init__(self, grant: "Grant", settings: Settings) -> None:
        """Compute what every call needs."""
        self._grant = grant
        self.digest = grant.origin.sha256 if grant.origin is not None else None
        is_free = grant.data_class != "sensitive" or settings.sensitive == "allow"
        self._actions = frozenset(grant.actions) if is_free else frozenset()
        self._needs_path, self._needs_declared = settings.require_path, settings.undeclared_args != "allow"
        self._obligations = (HUMAN_APPROVAL,) if grant.data_class == "sensitive" else ()
        usable = ((scope, strip_scope_slash_or_none(scope)) for scope in grant.fs_scope)
        self._scopes = tuple((scope, prefix, f"{prefix}/") for scope, prefix in usable if prefix is not None)
        self._kinds: dict[str, int] = {}
        limit = grant.rate.per_minute
        self.full_budget = Budget(limit, 0, limit, 0.0, 0)
        self._allowed, self._allowed_without_budget = (
            self._make_allowing_decision(self.full_budget, ()),
            self._make_allowing_decision(None, ()),
        )
        # the answers to calls without arguments
        self.without_arguments = {} if self._needs_path else dict.fromkeys(self._actions, self._allowed)

    def try_path_arguments(self, action: str, args: "Mapping[str, object]") -> "list[tuple[str, str]] | None":
        """Return the path arguments of a call that the rules before the path let pass; None to decline.

        Each must be spelled plainly: that is for who resolves them to ask.
        """
        if type(action) is not str or type(args) is not dict or action not in self._actions:
            return None
        given_paths = []
        for name, value in tuple(args.items()):  # at once: another thread may change them
            kind = self._kinds.get(name) if type(name) is str else UNSUPPORTED
            if kind is None:
                kind = self._argument_kind(name)
            if kind == SCALAR:
                given = type(value)  # INVARIANT: compared by identity: a metaclass may claim to equal any type
                if (
                    given is not str
                    and given is not int
                    and given is not float
                    and given is not bool
                    and value is not None
                ):
                    return None
            elif kind == UNSUPPORTED or type(value) is not str:
                return None
            elif kind == PATH:
                given_paths.append((name, value))
        return given_paths if given_paths or not self._needs_path else None

    def try_allow(self, resolved_paths: "list[ResolvedPath]", budget: Budget | None) -> Decision | None:
        """Allow a call by its places, which neither a guard nor a fault denies; None to decline."""
        if not resolved_paths:
            return self._allowed_without_budget if budget is None else self._allowed
        covered = []
        for path in resolved_paths:
            scope = None
            if self._grant.fs_scope:
                scope = self._find_matching_scope(path.resolved_inside)
                if scope is None or path.normalized != path.resolved_inside:
                    return None
            covered.append((path, scope))
        return self._make_allowing_decision(budget, tuple(covered))

    def rate_denial(self, yes: Decision, budget: Budget) -> Decision:
        """Return the denial by the rate for a call that is allowed otherwise; the budget will have room again."""
        return Decision(RATE_LIMITED, format_rate_denial(budget), (), budget, yes.paths, self.digest)

    def _make_allowing_decision(
        self, budget: Budget | None, resolved_paths: "tuple[tuple[ResolvedPath, str | None], ...]"
    ) -> Decision:
        return Decision(ALLOWED, "", self._obligations, budget, resolved_paths, self.digest)

    def _find_matching_scope(self, inside: str | None) -> str | None:
        if inside is not None:
            for scope, prefix, below in self._scopes:
                if inside == prefix or inside.startswith(below):
                    return scope
        return None

    def _argument_kind(self, name: str) -> int:
        kind = self._find_argument_kind(name)
        if len(self._kinds) < MAX_NAMES:  # callers may make up names without end
            self._kinds[name] = kind
        return kind

    def _find_argument_kind(self, name: str) -> int:
        is_declared = name in self._grant.args
        if is_declared and not _takes_any_text(self._grant.args[name]):
            return UNSUPPORTED
        if len(name) > MAX_LABEL:  # the engine cuts its label
            return UNSUPPORTED
        if not is_declared and self._needs_declared and not is_path_that_counts_as_declared(self._grant, name, ""):
            return UNSUPPORTED
        if may_be_path_argument(self._grant, name):  # what of it is not a string, the engine looks at
            return PATH
        return STRING if is_declared else SCALAR


def _takes_any_text(declaration: object) -> bool:
    if (
        not isinstance(declaration, dict)
        or find_declaration_problem_text_or_empty(declaration, 0)
        or declaration.get("type") != "string"
    ):
        return False
    return all(keyword in ("type", "format") or is_annotation_keyword(keyword) for keyword in declaration)


def is_plain_path(given: str) -> bool:
    """Whether no rule could deny a path by its spelling, and its text collapses to itself."""
    if not given or not given.isascii() or not given.isprintable() or given[0] in " ~" or given[-1] in " /":
        return False
    if "\\" in given or ":" in given or "//" in given:
        return False
    return not ("." in given and any(part in (".", "..") for part in given.split("/")))
