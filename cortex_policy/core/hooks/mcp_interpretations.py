"""How servers of MCP tools may read the inputs of a call, besides as they are written (docs/hooks.md).

Servers in Go and C# take `Path` for `path`, some in C end a name at a NUL, some in JavaScript read members through
`__proto__`, and those with the SDK for Python read a text as JSON where a tool wants something else than a text.
"""

from cortex_policy.core.decode import MAX_DEPTH, MalformedError, decode_json
from cortex_policy.core.hooks import INPUT_ACTION, InputError
from cortex_policy.core.hooks.tool_inputs import find_values_at_label, parse_input_label_or_none, remove_members
from cortex_policy.core.path_arguments import (
    IF_TEXT,
    NEVER,
    find_path_arguments,
    find_path_condition_of_argument,
    find_path_condition_of_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cortex_policy.core.hooks.hook_rules import HookRule
    from cortex_policy.core.hooks.payload import ToolCall
    from cortex_policy.core.model import Grant

    Inputs = dict[str, object]

_EACH = "[]"
# what JSON, Python or JavaScript drops at the ends of a text
_SPACES = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_CONTAINERS = ("[", "{")
_CONTAINERS_AND_TEXTS = (*_CONTAINERS, '"')


def fold_case_and_trim_name(name: str) -> str:
    """Return what is the same for all names that some server takes for one; JavaScript trims byte order marks, too."""
    return name.partition("\0")[0].replace("\ufeff", "").strip().casefold()


def read_json_texts(call: "ToolCall", ignored: "Iterable[tuple[str, ...]]") -> "Inputs":
    """Return the inputs that a server may read as JSON, as it reads them, but those that each rule ignores.

    Raises InputError for JSON that servers read in different ways, and for `null` as a path.
    """
    sets = list(map(frozenset, ignored))
    skipped = frozenset.intersection(*sets) if sets else frozenset[str]()
    inputs = {name: value for name, value in call.inputs.items() if name not in call.plain_texts | skipped}
    if call.has_nested_json:
        values = {name: _read_all_texts(name, value, skipped, MAX_DEPTH) for name, value in inputs.items()}
    else:
        values = {name: _read_text(name, value, _CONTAINERS) for name, value in inputs.items()}
    return {name: value for name, value in values.items() if value != inputs[name]}


def _read_all_texts(name: str, value: object, skipped: frozenset[str], depth: int) -> object:
    """Return a value with each text in it as a server may read it, and each text in that; `name` is the member's."""
    if depth < 0:
        raise InputError(f"the input `{name}` is JSON that is nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        return {
            key: part if key in skipped else _read_all_texts(key, part, skipped, depth - 1)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_read_all_texts(name, part, skipped, depth - 1) for part in value]
    inner = _read_text(name, value, _CONTAINERS_AND_TEXTS)
    return value if inner is value else _read_all_texts(name, inner, skipped, depth - 1)


def _read_text(name: str, value: object, starts: tuple[str, ...]) -> object:
    """Return what a text is as JSON that starts in one of these ways, or is `null`; the value itself if it is none."""
    text = value.strip(_SPACES) if isinstance(value, str) else ""
    if not text.startswith(starts) and text != "null":
        return value
    inner = _read_json(name, text)
    if inner is None and find_path_condition_of_name(name) != NEVER:
        raise InputError(f"the input `{name}` is the word null, which some servers read as no value")
    return value if inner is text else inner


def _read_json(name: str, text: str) -> object:
    """Return the value of a text; the text if it is no JSON."""
    try:
        return decode_json(text.encode("utf-8", "surrogatepass"), 1 << 25)
    except MalformedError:
        import json  # noqa: PLC0415 - few texts begin as JSON, and are not: it reads what we do not

    try:
        json.loads(text)
    except json.JSONDecodeError:
        return text
    except (RecursionError, ValueError):  # nested too deep, or a number of too many digits
        pass
    raise InputError(f"the input `{name}` is JSON that servers may read in different ways")


def select_json_texts_not_ignored(rule: "HookRule", args: "Inputs", json_texts: "Inputs") -> "Inputs":
    """Return what a server may read in texts that the rule does not ignore.

    Raises InputError if a server may read other inputs than those that the rule reads.
    """
    texts = {name: value for name, value in json_texts.items() if name in args}
    _check_names(args, rule)
    _check_names(texts, rule)
    for label in (*rule.paths, *rule.globs, *rule.patch):
        if _is_read_in_two_ways(label, args, texts):
            raise InputError(f"the input `{label}` is a text that some servers read as JSON")
    return {name: remove_members(value, frozenset(rule.ignore)) for name, value in texts.items()}


def _is_read_in_two_ways(label: str, args: "Inputs", texts: "Inputs") -> bool:
    parsed = parse_input_label_or_none(label)
    if parsed is None or parsed[0][0] not in texts:
        return False
    name = parsed[0][0]
    return isinstance(args[name], str) or [*find_values_at_label(args, label)] != [*find_values_at_label(texts, label)]


def _check_names(args: "Inputs", rule: "HookRule") -> None:
    """Raise InputError for the name of an input that a server may take for one that the rule reads."""
    labels = [
        parsed[0] for label in (*rule.paths, *rule.globs, *rule.patch) if (parsed := parse_input_label_or_none(label))
    ]
    action = [rule.action[len(INPUT_ACTION) : -1]] if rule.action.startswith(INPUT_ACTION) else []
    top = _names_by_fold([*action, *(steps[0] for steps in labels)])
    _check_members(args, top, _names_by_fold(step for steps in labels for step in steps[1:] if step != _EACH))


def _fold_argument(name: str) -> str:
    """Return what is the same for the names of an argument: some servers take `fileMode` for `file_mode`, too."""
    return fold_case_and_trim_name(name).replace("_", "").replace("-", "")


def _names_by_fold(names: "Iterable[str]") -> "dict[str, set[str]]":
    by_fold: dict[str, set[str]] = {}
    for name in names:
        by_fold.setdefault(_fold_argument(name), set()).add(name)
    return by_fold


def _check_members(value: object, known: "dict[str, set[str]]", inner: "dict[str, set[str]]") -> None:
    if isinstance(value, dict):
        for name in value:
            if name == "__proto__":
                raise InputError("an input is called `__proto__`, through which some servers read others")
            if "\0" in name:
                raise InputError("the name of an input holds a NUL, where it ends for some servers")
            if why := _misspelling_text(name, known):
                raise InputError(why)
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        if isinstance(part, dict | list):
            _check_members(part, inner, inner)


def _misspelling_text(name: str, known: "dict[str, set[str]]") -> str:
    meant = known.get(_fold_argument(name), ())
    return "" if not meant or name in meant else f"some servers take the input `{name}` for `{min(meant)}`"


def find_misread_argument_denial_text(grant: "Grant", args: "Inputs", json_texts: "Inputs") -> str:
    """Return why a server may read other arguments than those that the grant declares; '' if it does not."""
    declared = _names_by_fold(grant.args)
    for name in args:
        if why := _misspelling_text(name, declared):
            return why
    for name in json_texts:
        # a path by its name alone is asked in both readings
        if find_path_condition_of_argument(grant, name) > find_path_condition_of_name(name):
            return f"some servers read a text in `{name}` as JSON"
    if None in _paths_in_json(grant, args, json_texts):
        return "a text that some servers read as JSON has a path that is not a string"
    return ""


def find_paths_in_json_texts(grant: "Grant", args: "Inputs", json_texts: "Inputs") -> list[str]:
    """Return the paths in texts that a server may read as JSON."""
    return [path for path in _paths_in_json(grant, args, json_texts) if path is not None]


def _paths_in_json(grant: "Grant", args: "Inputs", json_texts: "Inputs") -> "Iterator[str | None]":
    judged = {name: value for name, value in json_texts.items() if not _is_exempt(grant, name, args[name])}
    return (path for _, path, is_path in find_path_arguments(grant, judged) if is_path)


def _is_exempt(grant: "Grant", name: str, value: object) -> bool:
    """Whether the grant says that a text is no path; members of an object are paths by their own names."""
    return (
        isinstance(value, str)
        and find_path_condition_of_argument(grant, name) == NEVER
        and find_path_condition_of_name(name) >= IF_TEXT
    )
