"""The paths of a call that its rule names: `paths`, `globs` and `patch` (docs/hooks.md)."""

from cortex_policy.core.hooks.inputs import InputError, parse_label, spell_place, values_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.core.hooks.payload import ToolCall
    from cortex_policy.core.hooks.rules import HookRule

    Inputs = dict[str, object]
    PathValue = tuple[str, str]


def path_values(rule: "HookRule", call: "ToolCall") -> "list[PathValue]":
    """Return (label, path) for each path that a rule names; raise InputError for one that is not there."""
    values = [pair for label in rule.paths for pair in _plain_paths(label, call)]
    for place, pattern in glob_patterns(rule, call.inputs):
        values += _glob_paths(place, pattern, call.inputs)
    for label in rule.patch:
        values += _patch_paths(label, call.inputs)
    return values


def _plain_paths(label: str, call: "ToolCall") -> "Iterator[PathValue]":
    parsed = parse_label(label)
    is_optional = parsed is not None and parsed[1]
    for place, value in values_at(call.inputs, label):
        if value is None and is_optional:
            yield spell_place(place), call.cwd
        else:
            yield from _texts(spell_place(place), value)


def _texts(place: str, value: object) -> "Iterator[PathValue]":
    if value is None:
        raise InputError(f"the call needs the input `{place}`, which is a path")
    parts = value if isinstance(value, list) else [value]
    for part in parts:
        if not isinstance(part, str):
            raise InputError(f"the input `{place}` is not a path")
        yield place, part


def glob_patterns(rule: "HookRule", inputs: "Inputs") -> "Iterator[PathValue]":
    """Yield (label, pattern) for each pattern of file names that a rule names; one may be absent."""
    for label in rule.globs:
        for place, value in values_at(inputs, label):
            if value is not None:
                yield from _texts(spell_place(place), value)


def _glob_paths(place: str, pattern: str, inputs: "Inputs") -> "Iterator[PathValue]":
    from cortex_policy.core.hooks.globs import glob_directory  # noqa: PLC0415 - few tools take patterns

    directory, top = glob_directory(pattern), inputs.get("path")
    if directory:
        yield place, directory
        if isinstance(top, str) and top and not directory.startswith("/"):  # where the search starts
            yield place, f"{top}/{directory}"


def _patch_paths(label: str, inputs: "Inputs") -> "Iterator[PathValue]":
    from cortex_policy.core.hooks.patches import patched_files  # noqa: PLC0415 - few tools take patches

    parsed = parse_label(label)
    for place, value in values_at(inputs, label):
        if value is None and parsed is not None and parsed[1]:
            continue
        if not isinstance(value, str):
            raise InputError(f"the input `{spell_place(place)}` is not a patch")
        for file in patched_files(value):
            yield spell_place(place), file
