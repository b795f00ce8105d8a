"""What is of a type of its own is taken by its value, and nothing that it says of itself is believed."""

import enum
import os
from collections import OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import pytest

from cortex_policy.core.input_objects import rebuild_grant, rebuild_request, rebuild_settings
from cortex_policy.core.input_values import (
    MAX_PARTS,
    convert_path_value_to_text,
    rebuild_arguments,
    require_budget_arguments,
    require_positive_int,
    require_timestamp,
)
from cortex_policy.core.model import Grant, Rate, Request, ResolvedPath, Settings, UsageError


class Where(str, enum.Enum):  # noqa: UP042 - as it is written everywhere
    """An everyday idiom: since Python 3.11 it is formatted by its name."""

    HIDDEN = "../secret"


class Number(int):
    """A number that is everything to everyone."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ge__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Text(str):
    """A string that answers otherwise than it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "docs/x"

    def __format__(self, _: str) -> str:
        return "docs/x"

    def __eq__(self, other: object) -> bool:
        return True

    def __len__(self) -> int:
        return 0

    def casefold(self) -> str:
        return "note"

    __hash__ = str.__hash__


class Other(str):
    """A string that is another key than its value."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 5

    def __eq__(self, other: object) -> bool:
        return self is other


class Names(dict[Any, Any]):
    """A dictionary that shows nothing of what it holds."""

    def items(self) -> Any:
        return ()

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


class Parts(list[Any]):
    """A list that shows nothing of what it holds."""

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


class TextPath:
    """A path-like object that answers with a string of its own type."""

    def __fspath__(self) -> str:
        return Text(".cortex/policy")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Where.HIDDEN, "../secret"), (Text("etc"), "etc"), (Number(3), 3), (float.__new__(type("F", (float,), {}), 2.5), 2.5),
        (TextPath(), ".cortex/policy"), (Parts(["etc", Text("a")]), ["etc", "a"]), (Names({Text("path"): "etc"}), {"path": "etc"}),
        (type("B", (bytes,), {"__bytes__": lambda _: b"docs"})(b"etc"), "etc"), (OrderedDict(a=1), {"a": 1}), (UserList("a"), ["a"]),
        (defaultdict(list, a=[]), {"a": []}), (MappingProxyType({"a": 1}), {"a": 1}), (UserDict({1: 2}), {"1": 2}), (deque("a"), ["a"]),
        ({None: 1, True: 2, 1.5: 3}, {"None": 1, "True": 2, "1.5": 3}), ({PurePosixPath("a"): b"b"}, {"a": "b"}), ({"x"}, ["x"]),
        (type("T", (tuple,), {"__iter__": None})(("a",)), ["a"]), (type("S", (frozenset,), {"__iter__": None})("a"), ["a"]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_subclass_is_taken_by_its_value(value: object, expected: object) -> None:
    """And what comes out is of exact types, all the way down."""
    found = rebuild_arguments({"x": value})
    assert repr(found) == repr({"x": expected})
    assert is_exact(found)


def is_exact(value: object) -> bool:
    """Whether there is no subclass in a value."""
    if type(value) is dict:
        return all(type(name) is str and is_exact(part) for name, part in value.items())
    if type(value) is list:
        return all(map(is_exact, value))
    return type(value) in (str, int, float, bool, type(None))


class Equal(type):
    """A metaclass whose types equal any type, and are named like one."""

    def __eq__(cls, other: object) -> bool:
        return True

    def __hash__(cls) -> int:
        return hash(str)

    def __instancecheck__(cls, _: object) -> bool:
        return True

    def __subclasscheck__(cls, _: object) -> bool:
        return True

    def __getattribute__(cls, name: str) -> Any:
        raise OSError(name)


class Liar(metaclass=Equal):
    """An object that says it is a string."""

    __class__ = str  # type: ignore[assignment]

    def __fspath__(self) -> str:
        return ".cortex/policy"


class Failing:
    """A mapping, a sequence and a path that fail in any case."""

    def keys(self) -> Any:
        raise SystemError

    def __iter__(self) -> Any:
        raise ValueError

    def __fspath__(self) -> str:
        raise KeyError


class Endless(UserList[str]):
    """A sequence that has no end."""

    def __iter__(self) -> Any:
        while True:
            yield "a"


@pytest.mark.parametrize("value", [
    object(), 1j, Failing(), UserString("etc"), Endless(), iter("a"), range(3), bytearray(b"a"), memoryview(b"a"), {("a", 1): 2},
    {object(): 1}, {1: 2, "1": 3}, {Other("a"): 1, "a": 2}, {PurePosixPath("a"): 1, b"a": 2}, {10**5000: 1}, [[{1: 1, "1": 1}]],
    type("IntPath", (int,), {"__fspath__": lambda _: "etc"})(0), type("DictPath", (dict,), {"__fspath__": lambda _: "etc"})(),
    type("ListPath", (list,), {"__fspath__": lambda _: "etc"})(), type("Odd", (), {"__fspath__": lambda _: 5})(),
    type("Pairs", (UserDict,), {"items": lambda _: [1]})(), type("Class", (), {"__class__": property(lambda _: dict)})(),
])  # fmt: skip
def test_a_value_of_an_unknown_type_is_refused(value: object) -> None:
    """In an error of ours, whatever its methods raise."""
    for args in ({"x": value}, {"x": [value]}, value):
        with pytest.raises(UsageError):
            rebuild_arguments(args)


def test_methods_of_the_type_of_a_value_are_not_trusted() -> None:
    """Neither its class, nor what it equals, nor what its metaclass answers."""
    assert rebuild_arguments({"x": Liar()}) == {"x": ".cortex/policy"}


def test_a_tree_that_shares_its_branches_ends() -> None:
    """It holds more values than a call may, in 60 lists."""
    tree: list[object] = ["a"]
    for _ in range(60):
        tree = [tree, tree]
    with pytest.raises(UsageError, match=str(MAX_PARTS)):
        rebuild_arguments({"x": tree})


@pytest.mark.parametrize("value", [True, 0, -1, 1.0, "1", None, Number(0), type("I", (), {"__index__": lambda _: 1})()])
def test_a_count_is_an_integer_of_at_least_one(value: object) -> None:
    """An object with `__index__` is none."""
    with pytest.raises(UsageError, match="cost"):
        require_positive_int(value, "cost")
    with pytest.raises(UsageError, match="cost"):
        require_budget_arguments("tool", "action", 1, value)
    assert type(require_positive_int(Number(2), "cost")) is int


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, 10**400])
def test_a_time_is_a_finite_number(value: object) -> None:
    """At a time that is none no hit would count."""
    with pytest.raises(UsageError):
        require_timestamp(value)


GRANT = Grant("git", "git-map", ("tree",), Rate(1), {"a": {"type": "string"}}, "internal", ("docs",))


def test_values_are_rebuilt_field_by_field() -> None:
    """Lists become tuples, subclasses exact; what is exact stays equal."""
    mine = Grant(
        Text("git"),
        Text("git-map"),
        [Text("tree")],
        Rate(Number(1)),
        {"a": {"type": Text("string")}},
        "internal",
        ["docs"],
    )  # type: ignore[arg-type]
    assert repr(rebuild_grant(mine)) == repr(rebuild_grant(GRANT)) == repr(GRANT)
    request = Request(Text("tree"), {"path": Where.HIDDEN}, (ResolvedPath("path", Text("x")),), Number(1))
    assert repr(rebuild_request(request)) == repr(Request("tree", {"path": "../secret"}, (ResolvedPath("path", "x"),)))
    assert rebuild_settings(Settings(Text("deny"), True)) == Settings("deny", True)  # noqa: FBT003


class Open(Grant):
    """A grant that allows everything."""

    __annotations__ = {}  # no field is new
    actions = property(lambda _: Parts(["push"]))  # type: ignore[assignment]


@pytest.mark.parametrize("fields", [
    {"actions": "tree"}, {"fs_scope": "docs"}, {"data_class": "secret"}, {"rate": 5}, {"rate": Rate(0)}, {"rate": Rate(per_minute=True)}, {"id": 1},
    {"args": [1]}, {"origin": "x"}, {"actions": (1,)},
])  # fmt: skip
def test_a_grant_of_other_types_is_refused(fields: dict[str, Any]) -> None:
    """`"e" in "tree"` is true, and such a grant would allow it."""
    with pytest.raises(UsageError):
        rebuild_grant(Grant(**{**vars(GRANT), **fields}))
    with pytest.raises(UsageError):
        rebuild_grant(object())
    made: Grant = object.__new__(Open)
    vars(made).update(vars(GRANT))
    assert rebuild_grant(made).actions == ("tree",)


@pytest.mark.parametrize("settings", [Settings(require_path=1), Settings(5), object(), None])  # type: ignore[arg-type]
def test_settings_of_other_types_are_refused(settings: Any) -> None:
    """A truth is True or False."""
    with pytest.raises(UsageError):
        rebuild_settings(settings)


@pytest.mark.parametrize("request_", [
    None, Request(1, {}), Request("tree", 5), Request("tree", {}, "x"), Request("tree", {}, (1,)), Request("tree", {}, (), 0),
    Request("tree", {}, (), 1, 1), Request("tree", {}, (ResolvedPath(1, "x"),)),
])  # type: ignore[arg-type] # fmt: skip
def test_requests_of_other_types_are_refused(request_: Any) -> None:
    """In an error of ours."""
    with pytest.raises(UsageError):
        rebuild_request(request_)


def test_a_path_may_be_text_bytes_or_path_like() -> None:
    """As `open` takes them."""
    assert [convert_path_value_to_text(value) for value in (Text("a"), b"a", PurePosixPath("a"))] == ["a", "a", "a"]
    for value in (5, None, Failing()):
        with pytest.raises(UsageError, match="is not a path"):
            convert_path_value_to_text(value)
    assert os.fsencode(convert_path_value_to_text(b"\xff")) == b"\xff"
