"""Modules that are loaded from kept bytecode without Python's import system are the same modules."""

import compileall
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cortex_policy

LOAD = 'from cortex_policy import import_from_bytecode; import_from_bytecode("core/__init__", "core/model")\n'
TELL = 'import cortex_policy.core.model as model; print(getattr(model, "ADDED", "as it was"), "asked" in globals())'
WATCH = """
import sys
class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        global asked
        if name == "cortex_policy.core.model":
            asked = True
import cortex_policy
sys.meta_path.insert(0, Watch)
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the package, with bytecode that Python keeps of it."""
    copy = tmp_path_factory.mktemp("compiled") / "cortex_policy"
    shutil.copytree(Path(cortex_policy.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(copy, quiet=1, maxlevels=1)
    return copy


@pytest.fixture
def package(compiled: Path, tmp_path: Path) -> Path:
    """Copy both, with the times by which Python knows whose bytecode it is."""
    return shutil.copytree(compiled, tmp_path / "cortex_policy")


def printed(package: Path, program: str) -> str:
    """Run a program that imports the copy, and return what it prints."""
    program = f"import sys; sys.path.insert(0, {str(package.parent)!r}); {program}"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def add_to(source: Path) -> None:
    """Change a module."""
    source.write_text(source.read_text() + 'ADDED = "added"\n')


def test_kept_bytecode_is_loaded_without_a_question_to_a_finder(package: Path) -> None:
    """So the tests below would see it if Python had loaded the module."""
    assert printed(package, WATCH + LOAD + TELL) == "as it was False"


def test_without_kept_bytecode_python_loads_the_module(package: Path) -> None:
    """As where the package was installed without compiling."""
    shutil.rmtree(package / "core" / "__pycache__")
    assert printed(package, WATCH + LOAD + TELL) == "as it was True"


def test_a_module_that_was_edited_is_loaded_as_it_is_now(package: Path) -> None:
    """Its bytecode has the size and the time of the old file."""
    add_to(package / "core" / "model.py")
    assert printed(package, WATCH + LOAD + TELL) == "added True"


def test_bytecode_that_is_found_by_a_hash_is_left_to_python(package: Path) -> None:
    """It compares the hash with that of the file."""
    source = package / "core" / "model.py"
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    add_to(source)
    assert printed(package, WATCH + LOAD + TELL) == "added True"


@pytest.mark.parametrize("data", [b"", b"\0" * 16, b"\0" * (1 << 17)])
def test_bytecode_of_another_python_is_left_to_python(package: Path, data: bytes) -> None:
    """So is an empty file, and one that is too large to be read at once."""
    (kept,) = (package / "core" / "__pycache__").glob("model.*.pyc")
    kept.write_bytes(data)
    assert printed(package, WATCH + LOAD + TELL) == "as it was True"


def test_a_file_system_that_gives_half_of_the_bytecode_is_left_to_python(package: Path) -> None:
    """It reads until nothing comes any more."""
    half = "import os; read = os.read; os.read = lambda file, size: read(file, 9000)\n"
    assert printed(package, half + WATCH + LOAD + TELL) == "as it was True"


def test_a_module_that_fails_is_not_left_half_loaded(package: Path) -> None:
    """The next import tries again."""
    source = package / "core" / "model.py"
    source.write_text(source.read_text() + "raise OSError(5)\n")
    py_compile.compile(str(source))
    program = f"""
try:
    {LOAD}
except OSError:
    print("cortex_policy.core.model" in sys.modules, "cortex_policy.core" in sys.modules)
"""
    assert printed(package, program) == "False True"


def test_a_module_has_what_an_import_gives_it(package: Path) -> None:
    """Path, package, specification, loader, and its place in its parent."""
    names = [file.removesuffix("/__init__").replace("/", ".") for file in cortex_policy.DECISION_MODULES]
    program = f"""
import importlib
for name in {names!r}:
    module = importlib.import_module("cortex_policy." + name)
    spec, (parent, _, tail) = module.__spec__, module.__name__.rpartition(".")
    print(
        module.__name__, module.__file__, module.__package__, getattr(module, "__path__", None), module.__loader__,
        spec.name, spec.origin, spec.parent, spec.has_location, spec.cached, spec.submodule_search_locations,
        spec.loader is module.__loader__, getattr(sys.modules[parent], tail) is module,
    )
"""
    as_kept = printed(
        package,
        f"import cortex_policy; cortex_policy.import_from_bytecode(*{cortex_policy.DECISION_MODULES!r})\n{program}",
    )
    as_imported = printed(package, f"import cortex_policy\n{program}")
    assert without_addresses(as_kept) == without_addresses(as_imported)
    assert len(as_kept.splitlines()) == len(names)


def without_addresses(text: str) -> list[str]:
    """Return the words of a text but those that name an object's place in memory."""
    return [word for word in text.split() if not word.startswith("0x")]
