"""A call with values of any type is decided like the same call with plain values, or refused, by every function."""

import asyncio
import os
from collections import UserList, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_policy.core.engine import decide
from cortex_policy.core.model import CortexPolicyError, Request
from cortex_policy.library.decorator import enforced
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.library.store import PolicyStore
from cortex_policy.state.file_budgets import FileBudgets
from cortex_policy.state.memory_budgets import MemoryBudgets

Door = Callable[[str, Any, Any, Any], Any]
HOOKS = [
    "__eq__", "__ne__", "__hash__", "__format__", "__str__", "__repr__", "__len__", "__iter__", "__getitem__", "__contains__", "__bool__",
    "__index__", "__int__", "__float__", "__fspath__", "__lt__", "__le__", "__gt__", "__ge__", "__add__", "__radd__", "__class__",
    "items", "keys", "values", "get", "copy", "encode", "startswith", "partition", "casefold", "strip", "isascii", "split", "replace",
    "is_integer", "__reduce_ex__", "__getattribute__",
]  # fmt: skip
ANSWERS: list[Any] = [
    True,
    False,
    0,
    1,
    -1,
    "docs/x",
    "",
    "note",
    b"docs/x",
    (),
    str,
    dict,
    "items",
    ValueError,
    KeyError,
    TypeError,
    None,
]


def hook(answer: Any) -> Callable[..., Any]:
    """Return a method that always gives this answer."""

    def answered(*_: Any, **__: Any) -> Any:
        if isinstance(answer, type) and issubclass(answer, Exception):
            raise answer
        return iter(answer) if answer == () else answer

    return answered


def hostile(base: type, hooks: dict[str, Any], meta: dict[str, Any]) -> type:
    """Return a subclass with these methods, and a metaclass with those."""
    members = {name: property(hook(answer)) if name == "__class__" else hook(answer) for name, answer in hooks.items()}
    made = type("Meta", (type(base),), {name: hook(answer) for name, answer in meta.items()})
    return made("Hostile", (base,), members)


METAS = ["__eq__", "__hash__", "__instancecheck__", "__subclasscheck__", "__getattribute__", "__len__"]
META_ANSWERS: list[Any] = [True, False, 0, hash(str), hash(dict), ValueError]
plain = st.sampled_from([
    "docs/x", "etc/x", "docs/link/x", "../secret", ".cortex/policy/tools/git.json", "docs/../.cortex/policy", "", "~", 3, -1, 2.5, 10**400, True,
    ["docs/x", "etc"], [".cortex/policy"], {"file": ".cortex/policy/x"}, {"a": [{"file": "etc/x"}]}, {"x": 1}, [], {}, ["docs/x"], "tree",
])  # fmt: skip
names = st.sampled_from(["path", "repo", "Target_Path", "note", "file", "count", "paths"])


def disguised(value: Any, chance: Random) -> Any:
    """Return a value with parts of hostile types; not with hypothesis, which would call their methods."""
    if isinstance(value, dict):
        with suppress(Exception):  # keys that claim to equal each other
            value = {disguised(name, chance): disguised(part, chance) for name, part in value.items()}
    elif isinstance(value, list):
        value = chance.choice([list, list, tuple, deque, UserList])(disguised(part, chance) for part in value)
    base = type(value)
    if base in (bool, UserList) or chance.random() < 0.3:  # what is of no built-in type is what it gives
        return value
    with suppress(Exception):  # a type may refuse to be made so
        hooks = {name: chance.choice(ANSWERS) for name in chance.sample(HOOKS, chance.randrange(6))}
        metas = {name: chance.choice(META_ANSWERS) for name in chance.sample(METAS, chance.randrange(3))}
        made = hostile(base, hooks, metas)
        return base.__new__(made, value) if base in (str, int, float, tuple) else filled(made, value)
    return value


def filled(made: type, value: Any) -> Any:
    """Return a dictionary, list or deque of a hostile type, filled without its own methods."""
    found = made.__new__(made)
    dict.update(found, value) if isinstance(value, dict) else type(value).extend(found, value)
    return found


@pytest.fixture
def doors(root: Path) -> Iterator[list[Door]]:
    """Return every Python function that decides, with budgets that are never full."""
    with PolicyStore(root, budgets=MemoryBudgets()) as store:
        yield [
            lambda grant, action, args, cost: enforce(load_grant(grant), action, args, cost=cost, budgets=MemoryBudgets()),
            lambda grant, action, args, cost: store.enforce(grant, action, args, cost=cost),
            lambda grant, action, args, cost: store.decide(grant, action, args, cost=cost),
            lambda grant, action, args, cost: asyncio.run(store.enforce_async(grant, action, args, cost=cost)),
        ]  # fmt: skip


def answered(ask: Callable[..., Any], *words: Any) -> bool:
    """Whether a call is allowed; any error that is not of this package fails the test."""
    try:
        return bool(ask(*words))
    except CortexPolicyError:
        return False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
@given(
    st.dictionaries(names, plain, max_size=2), st.sampled_from(["tree", "chat", "push"]), st.sampled_from(["git", "model-gateway"]),
    st.integers(0, 2**32),
)  # fmt: skip
@pytest.mark.usefixtures("root")
def test_a_hostile_type_is_never_allowed_what_its_value_is_denied(
    doors: list[Door], args: dict[str, Any], action: str, grant: str, seed: int
) -> None:
    """With and without scopes, in each argument, key, action and cost."""
    chance = Random(seed)  # noqa: S311 - no secret
    mine, acted, cost = disguised(args, chance), disguised(action, chance), disguised(1, chance)
    yeses = [answered(ask, grant, acted, mine, cost) for ask in doors]
    assert not any(yeses) or answered(doors[0], grant, action, args, 1)
    requested = Request(acted, mine, (), cost)
    is_allowed = answered(lambda: decide(load_grant(grant), requested))
    assert not is_allowed or decide(load_grant(grant), Request(action, args, (), 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(plain, st.integers(0, 2**32))
def test_a_decorated_function_does_not_run_if_the_value_is_denied(root: Path, value: Any, seed: int) -> None:
    """Whatever its argument claims to be."""
    assert root.is_dir()
    with PolicyStore(root, budgets=MemoryBudgets()) as store:

        @enforced("model-gateway", "chat", store=store, path="value")
        def function(value: Any) -> bool:  # noqa: ARG001 - it is looked at before
            return True

        if answered(function, disguised(value, Random(seed))):  # noqa: S311 - as above
            assert store.decide("model-gateway", "chat", {"path": value})


def test_a_path_is_what_open_reads(root: Path) -> None:
    """`class X(str, Enum)` prints its name, but `open` reads its value."""
    import enum  # noqa: PLC0415

    where = enum.Enum("where", {"OUT": "../packages/x", "POLICY": "../.cortex/policy"}, type=str)
    os.chdir(root / "docs")
    with PolicyStore(root) as store:
        for ask in (store.enforce, lambda name, *words: enforce(load_grant(name, root), *words)):
            assert not answered(ask, "git", "tree", {"path": where.POLICY})
            assert not answered(ask, "model-gateway", "chat", {"path": where.POLICY})
        found = store.decide("git", "tree", {"path": where.OUT})
        assert [place.resolved for place, _ in found.paths] == [str(root / "packages" / "x")]
    os.chdir(root)


@pytest.mark.parametrize("make", [MemoryBudgets, lambda: FileBudgets((1, 2))], ids=["memory", "files"])
def test_a_budget_is_named_by_the_text_of_tool_and_action(make: Callable[[], Any]) -> None:
    """A string with its own hash method has no budget of its own."""
    made = hostile(str, {"__hash__": 5, "__eq__": False}, {})
    budgets = make()
    assert budgets.hit("tool", "action", 2)
    assert budgets.hit(str.__new__(made, "tool"), str.__new__(made, "action"), 2)
    assert not budgets.hit("tool", "action", 2)
    assert not budgets.hit(str.__new__(made, "tool"), "action", 2)
    assert budgets.denial(str.__new__(made, "tool"), "action", 2) if isinstance(budgets, FileBudgets) else True
    for words in ((5, "a", 1, 1), ("t", None, 1, 1), ("t", "a", "1", 1), ("t", "a", 1, 1.0), ("t", "a", 1, 0)):
        for ask in (budgets.hit, budgets.take, budgets.peek):
            with pytest.raises(CortexPolicyError):
                ask(*words)
