"""Which arguments of a call are paths: by names, by what the grant declares, by values; and what a path is as text."""

from cortex_policy.core.arguments import find_declared_path_or_not_path
from cortex_policy.core.decode import MAX_DEPTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cortex_policy.core.model import Grant

    LabelledText = tuple[str, str | None, bool]  # the argument, its text if it has one, and whether that is a path
    Container = dict[str, object] | list[object] | tuple[object, ...]

PATH_NAMES = frozenset((
    "path", "paths", "file", "files", "filepath", "filename", "targetpath", "targetfile", "notebookpath", "source",
    "src", "destination", "dest", "oldpath", "newpath", "dir", "directory", "cwd", "folder", "workdir",
    "workingdirectory",
))  # fmt: skip
LAST_WORDS = frozenset((
    "path", "paths", "pathname", "filepath", "filepaths", "file", "files", "filename", "filenames", "dir", "dirs",
    "directory", "directories", "folder", "folders",
))  # fmt: skip
MAX_LABEL = 400  # characters of an argument's label: each text in a long one would have a copy of the whole
NEVER, IF_TEXT, ALWAYS = range(3)  # when an argument is a path


def find_path_condition_of_argument(grant: "Grant", name: str) -> int:
    """Return when a top-level argument is a path, by its name and declaration: NEVER, IF_TEXT or ALWAYS."""
    declared = find_declared_path_or_not_path(grant.args, name)
    if declared is not None:
        return ALWAYS if declared == "path" else NEVER
    return find_path_condition_of_name(name)


def find_path_condition_of_name(name: str) -> int:
    """Return when an argument is a path, by its name alone: NEVER, IF_TEXT or ALWAYS."""
    if name.casefold().replace("_", "").replace("-", "") in PATH_NAMES:
        return ALWAYS
    return IF_TEXT if any(word.casefold() in LAST_WORDS for word in _possible_last_words(name)) else NEVER


def may_be_path_argument(grant: "Grant", name: str) -> bool:
    """Whether the grant treats a top-level argument of this name as a path if its value is text."""
    return find_path_condition_of_argument(grant, name) != NEVER


def is_path_argument(grant: "Grant", name: str, value: object) -> bool:
    """Whether a top-level argument of this name with this value is a path, so that the path rule checks it."""
    condition = find_path_condition_of_argument(grant, name)
    return condition == ALWAYS or next(_texts_of_value(name, value, condition, is_inner=False), None) is not None


def find_path_arguments(grant: "Grant", args: "Mapping[str, object]") -> "Iterator[LabelledText]":
    """Yield (argument, path, whether it is one) for each path in the arguments, nested ones too.

    The path is None if a value should be a path and is not: a number, an object without a path, a value nested too
    deep. Text inside such a value is yielded too: it may name files that govern grants.
    """
    for name, value in args.items():
        condition = find_path_condition_of_argument(grant, name)
        yield from _texts_of_value(name[:MAX_LABEL], value, condition, is_inner=False)
        yield from _nested_paths(name[:MAX_LABEL], value, 1, is_inner=condition != NEVER)


def _texts_of_value(label: str, value: object, condition: int, *, is_inner: bool) -> "Iterator[LabelledText]":
    """Yield the paths of a value by its name, and other text in it unless an outer value did so (`is_inner`)."""
    if condition == NEVER or value is None:
        return
    if isinstance(value, str):
        yield label, value, True
        return
    parts = value if isinstance(value, list | tuple) else [value]
    if all(isinstance(part, str) for part in parts):
        for index, part in enumerate(parts):
            yield _join_label(label, f"[{index}]"), part, True
        return
    if condition == IF_TEXT and not any(isinstance(part, str | dict | list | tuple) for part in parts):
        return  # `max_files`, `with_dir`
    if not all(isinstance(part, dict) and _holds_path(part, 1) for part in parts):
        yield label, None, True
    if not is_inner:
        yield from walk_texts_with_labels(label, value, 1)


def _holds_path(value: object, depth: int) -> bool:
    """Whether a member of an object, at any depth, is a path."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict):
        return any(
            (find_path_condition_of_name(name) != NEVER and _is_text(part)) or _holds_path(part, depth + 1)
            for name, part in value.items()
        )
    return isinstance(value, list | tuple) and any(_holds_path(part, depth + 1) for part in value)


def _is_text(value: object) -> bool:
    is_array = isinstance(value, list | tuple) and bool(value)
    return isinstance(value, str) or (is_array and all(isinstance(part, str) for part in value))  # type: ignore[attr-defined]


def walk_texts_with_labels(label: str, value: object, depth: int = 1) -> "Iterator[LabelledText]":
    """Yield each text in a value, none of which is a path by its name alone."""
    if isinstance(value, str):
        yield label, value, False
    elif isinstance(value, dict | list | tuple) and depth <= MAX_DEPTH:
        for inner, part in _labelled_parts(label, value):
            yield from walk_texts_with_labels(inner, part, depth + 1)


def _nested_paths(label: str, value: object, depth: int, *, is_inner: bool) -> "Iterator[LabelledText]":
    if not isinstance(value, dict | list | tuple):
        return
    if depth > MAX_DEPTH:
        yield label, None, True
        return
    if not isinstance(value, dict):
        for index, part in enumerate(value):
            if isinstance(part, dict | list | tuple):  # of half a million numbers none needs a label
                yield from _nested_paths(_join_label(label, f"[{index}]"), part, depth + 1, is_inner=is_inner)
        return
    for name, (inner, part) in zip(value, _labelled_parts(label, value), strict=True):
        condition = find_path_condition_of_name(name) if name else NEVER
        yield from _texts_of_value(inner, part, condition, is_inner=is_inner)
        yield from _nested_paths(inner, part, depth + 1, is_inner=is_inner or condition != NEVER)


def _labelled_parts(
    label: str, value: "dict[str, object] | list[object] | tuple[object, ...]"
) -> "Iterator[tuple[str, object]]":
    if isinstance(value, dict):
        return ((_join_label(label, f".{name}"), part) for name, part in value.items())
    return ((_join_label(label, f"[{index}]"), part) for index, part in enumerate(value))


def _join_label(label: str, step: str) -> str:
    """Return the label of a part; two parts may have the same, as a text leads to one place whatever its label."""
    return f"{label}{step}"[:MAX_LABEL]


def _possible_last_words(name: str) -> tuple[str, str]:
    """Return the last word of a name, split in two ways: `URLPath` may be one word, or `URL` and `Path`."""
    end = len(name)
    while end and not name[end - 1].isalpha():  # digits and separators
        end -= 1
    start, inner = end, 0
    while start and name[start - 1].isalpha():
        start -= 1
        if name[start].isupper():
            if start and not name[start - 1].isupper():
                break
            if not inner and start + 1 < end and not name[start + 1].isupper():
                inner = start
    return name[start:end], name[inner or start : end]


def collapse_path(path: str) -> str:
    """Collapse `.`, `..` and empty components of an absolute path as text."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def make_relative_to_root_or_none(path: str, root: str) -> str | None:
    """Return a collapsed path relative to the root: empty for the root itself, None outside of it."""
    if path == root:
        return ""
    prefix = root.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None
