"""A decorated function does not run if its grant denies the call, however it is called."""

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_policy import AccessDenied, PolicyStore, enforced
from cortex_policy.core.model import UsageError


@pytest.fixture(params=["store", "no store"])
def store(root: Path, request: pytest.FixtureRequest) -> Iterator[PolicyStore | None]:
    """Decorate with a store and without one."""
    assert root.is_dir()
    if request.param == "no store":
        yield None
        return
    with PolicyStore() as store:
        yield store


def test_arguments_are_bound_by_name_however_they_are_passed(store: PolicyStore | None) -> None:
    """By position, by name, and by default; under the name that they have in the grant."""
    ran = []

    @enforced("git", "tree", store=store, path="target")
    def read(depth: int, /, target: str = "etc", *, loud: bool = False) -> str:
        """Read."""
        ran.append((depth, target, loud))
        return target

    assert read(1, "docs/a") == read(1, target="docs/a", loud=True) == "docs/a"
    for call in (lambda: read(1), lambda: read(1, "etc"), lambda: read(1, target="/etc")):
        with pytest.raises(AccessDenied):
            call()
    with pytest.raises(TypeError):
        read()
    assert ran == [(1, "docs/a", False), (1, "docs/a", True)]
    assert (read.__name__, read.__doc__) == ("read", "Read.")


def test_the_call_of_a_coroutine_function_is_decided_when_it_is_awaited(store: PolicyStore | None) -> None:
    """It stays a coroutine function."""
    ran = []

    @enforced("git", "tree", store=store, path="path")
    async def read(path: str) -> str:
        ran.append(path)
        return path

    async def main() -> None:
        assert inspect.iscoroutinefunction(read)
        refused = read("etc")
        with pytest.raises(AccessDenied):
            await refused
        assert await read("docs/a") == "docs/a"

    asyncio.run(main())
    assert ran == ["docs/a"]


def test_methods_are_decorated_like_functions(store: PolicyStore | None) -> None:
    """Their instance is a parameter, too."""

    class Reader:
        """Reads."""

        @enforced("git", "tree", store=store, path="path")
        def read(self, path: str) -> str:
            return path

        @staticmethod
        @enforced("git", "push", store=store)
        def push() -> None:
            raise AssertionError

    assert Reader().read("docs/a") == "docs/a"
    with pytest.raises(AccessDenied):
        Reader().read("etc")
    with pytest.raises(AccessDenied):
        Reader.push()


@pytest.mark.parametrize("name", ["file", "words", "named"])
def test_a_parameter_that_the_function_does_not_have_is_an_error_when_it_is_decorated(name: str) -> None:
    """Names of `*words` and `**named` are not parameters: the caller may leave them out."""
    with pytest.raises(UsageError, match=f"has no parameter `{name}`"):

        @enforced("git", "tree", path=name)
        def read(path: str, *words: str, **named: str) -> None:
            raise AssertionError(path, words, named)


def test_generators_and_classes_cannot_be_decorated() -> None:
    """The call of an asynchronous generator does not start its body."""
    with pytest.raises(UsageError, match="asynchronous generator"):

        @enforced("git", "tree")
        async def stream() -> object:  # type: ignore[misc]
            yield 1

    with pytest.raises(UsageError, match="is not a function"):

        @enforced("git", "tree")
        class Tool:
            """A tool."""
