"""What an answer is made of: pure, without files, clock, environment or output.

The helpers for values and messages are here, since each check loads this module anyway.
"""

_MAX_SHORT = 1000  # characters, of at most four bytes each
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Never, dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        """Stand in for the decorator that only type checkers read (`typing` costs 10 ms)."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Value:
    """Hold named fields that never change; compare, print and match by them.

    Dataclasses say the same in 12 ms more at every start.
    """

    __match_args__: "ClassVar[tuple[str, ...]]" = ()
    _required: "ClassVar[frozenset[str]]" = frozenset()

    def __init_subclass__(cls) -> None:
        """Take the annotated names as fields, those without a default as required."""
        cls.__match_args__ = tuple(cls.__annotations__)  # type: ignore[misc] # each subclass has its own
        cls._required = frozenset(name for name in cls.__match_args__ if name not in vars(cls))

    if not TYPE_CHECKING:

        def __init__(self, *values: object, **named: object) -> None:
            """Take the fields in their order or by name."""
            names = self.__match_args__
            if len(values) == len(names) and not named:
                vars(self).update(zip(names, values, strict=True))
                return
            fields = dict(zip(names, values, strict=False))
            if named:
                fields.update(named)
            is_odd = len(fields) != len(values) + len(named) or not self._required <= fields.keys()
            if is_odd or (named and not fields.keys() <= set(names)):
                from cortex_policy.core.deprecated import rename_old_keywords_or_none  # noqa: PLC0415 - only wrong and old names

                keywords = rename_old_keywords_or_none(type(self).__name__, named)
                if keywords is None:
                    message = f"{type(self).__name__} takes {', '.join(names)}"
                    raise TypeError(message)
                self.__init__(*values, **keywords)
            else:
                vars(self).update(fields)

    def _fields(self) -> "tuple[Any, ...]":
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Value) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __reduce__(self) -> "tuple[Any, ...]":
        return type(self), self._fields()  # for `pickle` and `copy`: by the constructor, which knows the fields

    def __repr__(self) -> str:
        pairs = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({pairs})"

    def __setattr__(self, name: str, value: object) -> "Never":
        message = f"{type(self).__name__}.{name} cannot be set: values are immutable"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> "Never":
        message = f"{type(self).__name__}.{name} cannot be deleted: values are immutable"
        raise AttributeError(message)


class DeprecatedField:
    """The old name of a field. Reading it warns with the new name."""

    def __init__(self, new: str) -> None:
        """Take the name of the field that is meant."""
        self._new = new

    def __set_name__(self, owner: type, name: str) -> None:
        self._old = name
        del owner.__annotations__[name]  # so that it is not a field

    def __get__(self, value: Value, kind: type) -> "Any":
        from cortex_policy.core.deprecated import warn_deprecated  # noqa: PLC0415 - only old names need it

        warn_deprecated(f"{kind.__name__}.{self._old}", self._new)
        return getattr(kind if value is None else value, self._new)


def shorten_message(text: str) -> str:
    """Return a message or a hint of at most 4 kB."""
    if len(text) <= _MAX_SHORT:
        return text
    from cortex_policy.core.text import elide_middle  # noqa: PLC0415 - few are so long

    return elide_middle(text)
