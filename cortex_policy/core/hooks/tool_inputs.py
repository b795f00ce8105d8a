"""The inputs of a tool's call: labels that name some of them, paths that a rule names, what is ignored, commands."""

from cortex_policy.core.decode import MAX_DEPTH, has_surrogate
from cortex_policy.core.hooks import InputError
from cortex_policy.core.path_arguments import find_path_condition_of_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.core.hooks.hook_rules import HookRule, HookRules
    from cortex_policy.core.hooks.payload import ToolCall

    Inputs = dict[str, object]
    PathValue = tuple[str, str]
    Place = tuple[str | int, ...]

_EACH = "[]"
_DIRECTORY_NAMES = frozenset(("dirpath", "workdir", "workingdirectory", "cwd", "dir", "directory"))
_PATTERN_NAMES = frozenset(("glob", "globs", "include", "includes", "includepattern"))
_COMMAND_NAMES = frozenset(("command", "cmd", "commands", "script"))


def parse_input_label_or_none(label: str) -> tuple[tuple[str, ...], bool] | None:
    """Return the steps of a label, and whether it may be absent (`?`); None if it is none.

    A step is the name of a member, or `[]` for each part of an array.
    """
    steps: list[str] = []
    for part in label.removesuffix("?").split("."):
        name = part
        while name.endswith(_EACH):
            name = name.removesuffix(_EACH)
        if not name or not {"[", "]", "?"}.isdisjoint(name):
            return None
        steps += [name, *[_EACH] * ((len(part) - len(name)) // 2)]
    return (tuple(steps), label.endswith("?")) if len(steps) <= MAX_DEPTH else None


def label_leads_through_member(label: str, name: str) -> bool:
    """Whether a label leads through a member of this name."""
    parsed = parse_input_label_or_none(label)
    return parsed is not None and name in parsed[0]


def find_values_at_label(inputs: "dict[str, object]", label: str) -> "Iterator[tuple[Place, object]]":
    """Yield each value that a label names, with its place; None for one that is absent or null.

    Of an array that is absent or empty nothing is yielded. Raises InputError if the label does not fit the inputs.
    """
    parsed = parse_input_label_or_none(label)
    yield from _walk_steps(inputs, parsed[0] if parsed is not None else (label,), ())


def _walk_steps(value: object, steps: "tuple[str, ...]", place: "Place") -> "Iterator[tuple[Place, object]]":
    if not steps:
        yield place, value
    elif steps[0] == _EACH:
        if value is not None and not isinstance(value, list):
            raise InputError(f"`{_place_to_label(place)}` is not an array")
        for index, part in enumerate(value or ()):
            yield from _walk_steps(part, steps[1:], (*place, index))
    else:
        if value is not None and not isinstance(value, dict):
            raise InputError(f"`{_place_to_label(place)}` is not an object")
        yield from _walk_steps((value or {}).get(steps[0]), steps[1:], (*place, steps[0]))


def _place_to_label(place: "Place") -> str:
    """Return a place as a label: `edits[0].target`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def remove_members(value: object, names: "frozenset[str]") -> object:
    """Return a value without the members of these names, at any depth."""
    if isinstance(value, dict):
        return {name: remove_members(part, names) for name, part in value.items() if name not in names}
    return [remove_members(part, names) for part in value] if isinstance(value, list) else value


def remove_ignored_inputs(inputs: "Inputs", rules: "HookRules") -> "Inputs":
    """Return inputs without what some rule ignores: such text is not logged."""
    names = frozenset(name for rule in rules.rules for name in rule.ignore)
    return {name: remove_members(part, names) for name, part in inputs.items() if name not in names}


def any_text_has_surrogate(value: object) -> bool:
    """Whether a name or a text in a value contains an incomplete character."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            if has_surrogate(part):
                return True
        elif isinstance(part, dict):
            left += part
            left += part.values()
        elif isinstance(part, list):
            left += part
    return False


def walk_texts(value: object) -> "Iterator[str]":
    """Yield each text in a value, in its order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from walk_texts(part)


def find_working_directories(inputs: "dict[str, object]") -> "Iterator[str]":
    """Yield what a call names as the directory that it runs in: relative paths may start there."""
    for _, name, value in _walk_members((), inputs):
        if _fold_name(name) in _DIRECTORY_NAMES:
            yield from (text for text in walk_texts(value) if text)


def find_globs_in_known_inputs(call: "ToolCall") -> "Iterator[str]":
    """Yield each text that a tool takes for a pattern of file names, by its name alone, without backslashes."""
    for place, name, value in _walk_members((), call.inputs):
        if _fold_name(name) in _PATTERN_NAMES or (place == ("pattern",) and call.tool in ("Glob", "glob")):
            yield from (text.replace("\\", "") for text in walk_texts(value))


def find_commands(inputs: "Inputs", patches: "frozenset[Place]") -> "Iterator[tuple[str, str]]":
    """Yield each shell command of a call, but those at the places of patches, and as a shell would read it with quotes.

    The latter is '' unless it is an array: its words are one command, unless it is called `commands`.
    """
    for place, name, value in _walk_members((), inputs):
        folded = _fold_name(name)
        if folded in _COMMAND_NAMES and place not in patches:
            parts = value if isinstance(value, list) and folded != "commands" else []
            words = [one for one in parts if isinstance(one, str)]
            if words and len(words) == len(parts):
                yield " ".join(words), " ".join(map(_quote, words))
            else:
                yield from ((text, "") for text in walk_texts(value))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _walk_members(place: "Place", value: object) -> "Iterator[tuple[Place, str, object]]":
    """Yield the place, the name and the value of each member in a value, at any depth."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield (*place, name), name, part
            yield from _walk_members((*place, name), part)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            if isinstance(part, dict | list):
                yield from _walk_members((*place, index), part)


def _fold_name(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def find_all_paths_of_rule(rule: "HookRule", call: "ToolCall") -> "list[PathValue]":
    """Return (label, path) for each path that a rule names; raise InputError for one that is not there."""
    values = [pair for label in rule.paths for pair in _paths_of_label(label, call)]
    for place, pattern in find_globs_of_rule(rule, call.inputs):
        values += _paths_of_glob(place, pattern, call.inputs)
    for label in rule.patch:
        values += _paths_of_patch(label, call.inputs)
    return values


def _paths_of_label(label: str, call: "ToolCall") -> "Iterator[PathValue]":
    parsed = parse_input_label_or_none(label)
    is_optional = parsed is not None and parsed[1]
    for place, value in find_values_at_label(call.inputs, label):
        if value is None and is_optional:
            yield _place_to_label(place), call.cwd
        else:
            yield from _require_texts(_place_to_label(place), value)


def _require_texts(place: str, value: object) -> "Iterator[PathValue]":
    if value is None:
        raise InputError(f"the rule takes its path from the input `{place}`, which the call does not have")
    parts = value if isinstance(value, list) else [value]
    for part in parts:
        if not isinstance(part, str):
            raise InputError(f"the input `{place}` is not a path")
        yield place, part


def find_globs_of_rule(rule: "HookRule", inputs: "Inputs") -> "Iterator[PathValue]":
    """Yield (label, pattern) for each pattern that a rule names and that is there, without backslashes."""
    for label in rule.globs:
        for place, value in find_values_at_label(inputs, label):
            if value is not None:
                yield from (
                    (label, text.replace("\\", "")) for label, text in _require_texts(_place_to_label(place), value)
                )


def _paths_of_glob(place: str, pattern: str, inputs: "Inputs") -> "Iterator[PathValue]":
    from cortex_policy.core.hooks.globs import find_path_before_wildcard  # noqa: PLC0415 - few tools take patterns

    directory = find_path_before_wildcard(pattern)
    if directory:
        yield place, directory
        if not directory.startswith("/"):  # where the search may start
            tops = (
                value
                for name, value in inputs.items()
                if find_path_condition_of_name(name) and isinstance(value, str) and value
            )
            yield from ((place, f"{top}/{directory}") for top in tops)


def _paths_of_patch(label: str, inputs: "Inputs") -> "Iterator[PathValue]":
    from cortex_policy.core.hooks.patches import list_files_of_patch  # noqa: PLC0415 - few tools take patches

    parsed = parse_input_label_or_none(label)
    for place, value in find_values_at_label(inputs, label):
        if value is None and parsed is not None and parsed[1]:
            continue
        if not isinstance(value, str):
            raise InputError(f"the input `{_place_to_label(place)}` is not a patch")
        for file in list_files_of_patch(value):
            yield _place_to_label(place), file
