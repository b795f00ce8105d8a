"""What the call of a tool asks: the grants that must all allow it, or why it is denied already (docs/hooks.md).

One module of more than 250 lines: each module costs a hook time.
"""

from cortex_policy.core import Value
from cortex_policy.core.decode import has_surrogate
from cortex_policy.core.engine import find_path_syntax_problem_text_or_empty
from cortex_policy.core.hooks import DENY, InputError
from cortex_policy.core.hooks.guarded_files import (
    find_guarded_command_denial_text,
    find_guarded_path_denial_text,
    find_secret_glob_denial_text,
    list_paths_text_may_mean,
    may_command_reach_guarded_file,
)
from cortex_policy.core.hooks.hook_rules import find_action_of_rule, select_first_fitting_rules
from cortex_policy.core.hooks.payload import CANARY, ToolCall
from cortex_policy.core.hooks.tool_inputs import (
    any_text_has_surrogate,
    find_all_paths_of_rule,
    find_commands,
    find_globs_in_known_inputs,
    find_globs_of_rule,
    find_values_at_label,
    find_working_directories,
    remove_members,
    walk_texts,
)
from cortex_policy.core.model import Grant, Rate
from cortex_policy.core.path_arguments import find_path_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cortex_policy.core.hooks.hook_rules import HookRule, HookRules, RuleMatch
    from cortex_policy.core.hooks.tool_inputs import Place
    from cortex_policy.core.model import CortexPolicyError, Decision, Request

    PathValues = list[tuple[str, str]]

MAX_DIRECTORIES = 16  # from which the relative paths of one call are judged
PATCH_TOOL = "apply_patch"
_BY_NAME_ALONE = Grant("", "-", (), Rate(1), {})  # declares nothing: only names tell which inputs are paths


class GrantCheck(Value):
    """What one grant must allow.

    `rule` is the number of the rule, from 1. `args` are the inputs without those that the rule ignores. `path_values`
    are (label, path) of what the rule says is a path, besides those that the grant finds in `args`. A relative path is
    judged from each of `directories`, which are absolute, and must be allowed from all of them. `within_root`: a path
    outside of the root is denied (12) before the grant is asked. Unless `no_path`, a grant with scopes denies a call
    in which there is no path. Of those that `consume`, the first takes the one hit; the others are only asked.
    `json_texts` is what a server may read in texts among `args`, None for a tool that no server has.
    """

    rule: int
    grant: str
    action: str
    args: "dict[str, object]"
    path_values: tuple[tuple[str, str], ...]
    directories: tuple[str, ...]
    within_root: bool
    no_path: bool
    consumes: bool
    json_texts: "dict[str, object] | None" = None


class Ruling(Value):
    """What the rules say of a call: why it is denied ('' if it is not), and what its grants are asked, all of them.

    `paths` are absolute, and spelled as the call spells them: whatever links they lead through, none may end where
    `find_guarded_path_denial_text` says why it is denied. That holds without a check too.
    """

    denial: str
    checks: tuple[GrantCheck, ...] = ()
    paths: tuple[str, ...] = ()


class ToolOutcome(Value):
    """How a call was decided: `text` says why it is denied, in words for a model, and is '' if it is not.

    `check` is None where the rules decided alone; `error` is what kept the call from being decided.
    """

    text: str
    check: "GrantCheck | None" = None
    grant: "Grant | None" = None
    decision: "Decision | None" = None
    error: "CortexPolicyError | None" = None


def apply_rules(call: "ToolCall", rules: "HookRules", home: str) -> Ruling:
    """Return what the rules say of a call; `home` is absolute. Whatever is in doubt is denied."""
    try:
        return _Judge(call, rules, home).judge_call()
    except InputError as error:
        from cortex_policy.core.hooks.ruling_denial import format_rules_denial  # noqa: PLC0415 - only a denial needs it

        return Ruling(format_rules_denial(call.tool, str(error), is_final=error.is_final))


class _Judge:
    """Judges one call by the rules; each step raises InputError if it denies the call."""

    def __init__(self, call: "ToolCall", rules: "HookRules", home: str) -> None:
        if CANARY in (call.tool, *(tool for _, tool in call.mcp)):
            why = f"`{CANARY}` is not a tool: a hook always denies it, which shows that the hook works"
            raise InputError(why, is_final=True)
        self._call, self._rules, self._home = call, rules, home
        self._fits = select_first_fitting_rules(call, rules)
        self._json_texts = self._read_json_texts() if call.mcp else {}
        self._readings = [call]
        if self._json_texts:
            self._readings.append(ToolCall(**{**vars(call), "inputs": self._json_texts}))
        named = dict.fromkeys(one for reading in self._readings for one in find_working_directories(reading.inputs))
        if len(named) >= MAX_DIRECTORIES:
            raise InputError("the call names too many working directories")
        places = (one if one.startswith("/") else f"{call.cwd}/{one}" for one in named)
        self._directories = tuple(dict.fromkeys((call.cwd, *places)))
        self._paths: dict[str, None] = {}

    def _read_json_texts(self) -> "dict[str, object]":
        from cortex_policy.core.hooks.mcp_interpretations import read_json_texts  # noqa: PLC0415 - only for MCP

        return read_json_texts(self._call, [self._rules.rules[index].ignore for index, _ in self._fits])

    def judge_call(self) -> Ruling:
        """Return the grants to ask, and the paths that may lead to guarded files."""
        fitting = [self._rules.rules[index] for index, _ in self._fits]
        self._guard_paths_by_name(fitting)
        checks = list(self._checks_of_rules(self._fits, self._call))
        for reading in self._readings:
            for command, quoted in find_commands(reading.inputs, self._patch_places(fitting)):
                checks += self._checks_of_command(command, quoted)
        return Ruling("", tuple(checks), tuple(self._paths))

    def _guard_paths_by_name(self, fitting: "list[HookRule]") -> None:
        """Guard what the call takes for a path by its name, or by what it is: a URL of a file, a pattern."""
        patterns = [pattern for rule in fitting for _, pattern in find_globs_of_rule(rule, self._call.inputs)]
        for reading in self._readings:
            inputs = reading.inputs
            self._raise_if_guarded(
                path for _, path, _ in find_path_arguments(_BY_NAME_ALONE, inputs) if path is not None
            )
            self._raise_if_guarded(text for text in walk_texts(inputs) if text.lstrip()[:5].casefold() == "file:")
            patterns += find_globs_in_known_inputs(reading)
        for pattern in patterns:
            spelled = f"{self._call.cwd}/{pattern}"
            if why := self._why_pattern_is_secret(pattern) or find_guarded_path_denial_text(
                spelled, self._call, self._rules
            ):
                raise InputError(why, is_final=True)

    @staticmethod
    def _why_pattern_is_secret(pattern: str) -> str:
        if "{" not in pattern:
            return find_secret_glob_denial_text(pattern)
        from cortex_policy.core.hooks.globs import expand_braces  # noqa: PLC0415 - few patterns have braces

        return next(filter(None, map(find_secret_glob_denial_text, expand_braces(pattern))), "")

    def _raise_if_guarded(self, paths: "Iterable[str]") -> None:
        """Raise InputError for a path that leads to a guarded file, as text; note where else it may lead."""
        for path in dict.fromkeys(paths):
            if "\0" in path or has_surrogate(path):
                raise InputError("a path contains a NUL or an incomplete character")
            for spelled in list_paths_text_may_mean(path, self._home):
                tops = ("",) if spelled.startswith("/") else self._directories
                for place in [f"{top}/{spelled}" if top else spelled for top in tops]:
                    if why := find_guarded_path_denial_text(place, self._call, self._rules):
                        raise InputError(why, is_final=True)
                    self._paths[place] = None

    def _checks_of_rules(
        self, fits: "list[RuleMatch]", call: "ToolCall", patched: "PathValues | None" = None
    ) -> "Iterator[GrantCheck]":
        """Yield what the grants of these rules are asked; for patched files, without a hit."""
        for position, (index, part) in enumerate(fits):
            rule = self._rules.rules[index]
            if rule.decide == DENY:
                raise InputError(f"rule {index + 1} of the hooks denies `{call.tool}`", is_final=True)
            args = remove_members(call.inputs, frozenset(rule.ignore)) if rule.ignore else call.inputs
            if any_text_has_surrogate(args):
                raise InputError("an input contains an incomplete character, which cannot be judged")
            json_texts = self._read_as_server(rule, args, call)
            values = find_all_paths_of_rule(rule, call) if patched is None else patched
            self._raise_if_guarded(path for _, path in values)
            if rule.grant and isinstance(args, dict):
                yield GrantCheck(
                    index + 1, rule.grant, find_action_of_rule(rule, part, call.inputs), args, tuple(values),
                    self._directories, rule.within_root, rule.no_path, consumes=position == 0 and patched is None,
                    json_texts=json_texts,
                )  # fmt: skip
        last = self._rules.rules[fits[-1][0]] if fits else None
        if self._rules.unmapped == DENY and (last is None or (last.subagents is not None and last.grant)):
            from cortex_policy.core.hooks.ruling_denial import make_unmapped_tool_error  # noqa: PLC0415 - only a denial needs it

            raise make_unmapped_tool_error(call, self._rules)
        if last is None and any_text_has_surrogate(call.inputs):
            raise InputError("an input contains an incomplete character, which cannot be judged")

    def _read_as_server(self, rule: "HookRule", args: object, call: "ToolCall") -> "dict[str, object] | None":
        """Return what a server may read in texts that the rule does not ignore; None for a tool that no server has."""
        if not call.mcp or not isinstance(args, dict):
            return None
        from cortex_policy.core.hooks.mcp_interpretations import select_json_texts_not_ignored  # noqa: PLC0415 - only for MCP

        return select_json_texts_not_ignored(rule, args, self._json_texts)

    def _patch_places(self, fitting: "list[HookRule]") -> "frozenset[Place]":
        labels = [label for rule in fitting for label in rule.patch]
        return frozenset(place for label in labels for place, _ in find_values_at_label(self._call.inputs, label))

    def _checks_of_command(self, command: str, quoted: str) -> "Iterator[GrantCheck]":
        """Yield what a patch in a shell command asks; raise InputError for a command that no grant can allow."""
        from cortex_policy.core.hooks.forbidden_commands import UNREADABLE, find_forbidden_command_denial_text  # noqa: PLC0415 - only for shells

        if has_surrogate(command):
            raise InputError("a command contains an incomplete character, which cannot be judged")
        why = find_forbidden_command_denial_text(command)
        if quoted and why in ("", UNREADABLE):
            why = find_forbidden_command_denial_text(quoted)
        if why:
            raise InputError(why)
        if why := find_guarded_command_denial_text(command, self._directories, self._rules, self._home):
            raise InputError(f"a word of the command is guarded: {why}", is_final=True)
        if "." in command and may_command_reach_guarded_file(command):
            from cortex_policy.core.hooks.guarded_globs import find_expandable_command_denial_text  # noqa: PLC0415 - only for shells

            if why := find_expandable_command_denial_text(command):
                raise InputError(f"a word of the command may become a guarded name: {why}", is_final=True)
        if "*** begin patch" in command.casefold():
            yield from self._checks_of_patch(command)

    def _checks_of_patch(self, command: str) -> "Iterator[GrantCheck]":
        from cortex_policy.core.hooks.patches import list_files_of_patch, require_patch_in_shell_command  # noqa: PLC0415 - few hold one

        patch, call = require_patch_in_shell_command(command), self._call
        inner = ToolCall(**{**vars(call), "tool": PATCH_TOOL, "mcp": (), "inputs": {"command": patch}})
        files = [(PATCH_TOOL, file) for file in list_files_of_patch(patch)]
        self._raise_if_guarded(file for _, file in files)
        yield from self._checks_of_rules(select_first_fitting_rules(inner, self._rules), inner, files)


def find_misread_mcp_argument_denial_text(grant: "Grant", check: "GrantCheck") -> str:
    """Return why a server may read other arguments than the grant judges; '' if it does not."""
    if check.json_texts is None:
        return ""
    from cortex_policy.core.hooks.mcp_interpretations import find_misread_argument_denial_text  # noqa: PLC0415 - only for MCP

    return find_misread_argument_denial_text(grant, check.args, check.json_texts)


def find_outside_path_denial_text(grant: "Grant", request: "Request") -> str:
    """Return a sentence about the first path that is not below the root, as text or resolved; '' if all are.

    A spelling that some tools read in another way, as `~/x` or a URL, is in doubt, as it is in a grant with scopes.
    """
    path_by_key = {(path.argument, path.given): path for path in request.paths}
    for argument, given, is_path in find_path_arguments(grant, request.args):
        path = path_by_key.get((argument, given)) if given is not None else None
        if is_path and given and (problem := find_path_syntax_problem_text_or_empty(given)):
            return f"`{given}` {problem}"
        if is_path and (path is None or path.normalized is None or path.resolved_inside is None):
            what = f"argument `{argument}`" if given is None else f"`{given}`"
            return f"{what} is outside the project, or leads out of it"
    return ""


def add_paths_to_arguments(grant: "Grant", check: "GrantCheck") -> "dict[str, object]":
    """Return the arguments with the other paths of the call, under a name that makes them paths for every grant."""
    paths = [path for _, path in check.path_values]
    if check.json_texts:
        from cortex_policy.core.hooks.mcp_interpretations import find_paths_in_json_texts  # noqa: PLC0415 - few texts are JSON

        paths += find_paths_in_json_texts(grant, check.args, check.json_texts)
    if not paths:
        return check.args
    name = "paths"  # INVARIANT: a name that the path rule knows with underscores too, and that the grant exempts not
    while name in check.args or name in grant.args:
        name = f"_{name}"
    return {**check.args, name: paths}
