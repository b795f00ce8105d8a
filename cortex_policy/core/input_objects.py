"""Grants, requests and settings that a Python caller built or passed, rebuilt from exact fields."""

from cortex_policy.core import Value
from cortex_policy.core.decode import DATA_CLASSES
from cortex_policy.core.input_values import rebuild_arguments, require_positive_int, require_text
from cortex_policy.core.model import Grant, Origin, Rate, Request, ResolvedPath, Settings, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Kind = TypeVar("Kind", bound=Value)

_dictionary_of = vars(Value)["__dict__"].__get__  # a subclass may shadow it with a property


def rebuild_grant(grant: object) -> Grant:
    """Return a grant rebuilt from its fields; raise UsageError for another object, and for fields of other types."""
    fields = _fields_of(grant, Grant, "a grant")
    data_class = require_text(fields["data_class"], "`data_class`")
    if data_class not in DATA_CLASSES:
        message = f"`data_class` is one of {', '.join(DATA_CLASSES)}"
        raise UsageError(message)
    rate, origin = _fields_of(fields["rate"], Rate, "`rate`"), fields["origin"]
    return Grant(
        require_text(fields["id"], "`id`"),
        require_text(fields["tool"], "`tool`"),
        _require_texts(fields["actions"], "`actions`"),
        Rate(require_positive_int(rate["per_minute"], "`per_minute`")),
        rebuild_arguments(fields["args"]),
        data_class,
        _require_texts(fields["fs_scope"], "`fs_scope`"),
        None if origin is None else _rebuild_origin(origin),
    )


def rebuild_request(request: object) -> Request:
    """Return a request rebuilt from its fields; raise UsageError for another object, or fields of other types."""
    fields = _fields_of(request, Request, "a request")
    return Request(
        require_text(fields["action"], "an action"),
        rebuild_arguments(fields["args"]),
        tuple(map(_rebuild_path, _require_tuple(fields["paths"], "`paths`"))),
        require_positive_int(fields["cost"], "cost"),
        _require_bool(fields["approved"], "`approved`"),
    )


def rebuild_settings(settings: object) -> Settings:
    """Return settings rebuilt from their fields; raise UsageError for another object, or fields of other types."""
    fields = _fields_of(settings, Settings, "`settings`")
    return _rebuild(
        Settings, {name: _require_like(vars(Settings)[name], value, f"`{name}`") for name, value in fields.items()}
    )


def _require_like(default: object, value: object, what: str) -> object:
    """Return a value of the same kind as its default."""
    if default is None:
        return None if value is None else require_text(value, what)
    if default is True or default is False:
        return _require_bool(value, what)
    if type(default) is str:
        return require_text(value, what)
    if type(default) is float:
        return float(value) if type(value) in (int, float) else require_positive_int(value, what)  # type: ignore[arg-type]
    return value if type(value) is int else require_positive_int(value, what)


def _rebuild_origin(origin: object) -> Origin:
    fields = _fields_of(origin, Origin, "`origin`")
    names, identities = Origin.__match_args__[:3], Origin.__match_args__[3:]
    texts = (require_text(fields[name], f"`{name}`") for name in names)
    return _rebuild(
        Origin, dict(zip(names, texts, strict=True)) | {n: _require_integers(fields[n], f"`{n}`") for n in identities}
    )


def _require_integers(value: object, what: str) -> tuple[int, ...]:
    parts = _require_tuple(value, what)
    if len(parts) != 2 or not all(type(part) is int for part in parts):  # noqa: PLR2004 - device and inode
        message = f"{what} is a device and an inode"
        raise UsageError(message)
    return parts  # type: ignore[return-value] # the line above


def _rebuild_path(place: object) -> ResolvedPath:
    fields = _fields_of(place, ResolvedPath, "a resolved path")
    needed = ResolvedPath.__match_args__[:2]
    return _rebuild(
        ResolvedPath,
        {
            name: None if value is None and name not in needed else require_text(value, f"`{name}`")
            for name, value in fields.items()
        },
    )


def _rebuild(kind: "type[Kind]", fields: "dict[str, Any]") -> "Kind":
    return kind(**fields)


def _fields_of(value: object, kind: "type[Kind]", what: str) -> "dict[str, object]":
    """Return the fields of a value in their order; a missing field gets its default."""
    if not issubclass(type(value), kind):
        message = f"{what} is a `{kind.__name__}`"
        raise UsageError(message)
    given, defaults = _dictionary_of(value), vars(kind)
    known = {name: dict.get(given, name, defaults.get(name)) for name in kind.__match_args__}
    if not all(dict.__contains__(given, name) or name in defaults for name in known):
        message = f"{what} takes {', '.join(kind.__match_args__)}"
        raise UsageError(message)
    return known


def _require_texts(value: object, what: str) -> tuple[str, ...]:
    return tuple(require_text(part, f"each of {what}") for part in _require_tuple(value, what))


def _require_tuple(value: object, what: str) -> "tuple[object, ...]":
    if issubclass(type(value), tuple):
        return tuple(tuple.__iter__(value))  # type: ignore[arg-type]
    if issubclass(type(value), list):
        return tuple(list.__iter__(value))  # type: ignore[arg-type]
    message = f"{what} is a tuple"
    raise UsageError(message)


def _require_bool(value: object, what: str) -> bool:
    if value is True or value is False:
        return value
    message = f"{what} is True or False"
    raise UsageError(message)
