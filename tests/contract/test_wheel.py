"""What people install: the wheel holds all that it should and nothing else, and checks without a dependency."""

import re
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "cortex_policy"
COMPLETIONS = {
    "share/bash-completion/completions/cortex-policy": "cortex-policy.bash",
    "share/fish/vendor_completions.d/cortex-policy.fish": "cortex-policy.fish",
    "share/zsh/site-functions/_cortex-policy": "_cortex-policy",
}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once, with the backend itself: neither isolation nor a registry."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def members(wheel: Path) -> dict[str, bytes]:
    """Read the wheel: names without its version, and the bytes of each."""
    with ZipFile(wheel) as archive:
        stem = "-".join(wheel.name.split("-")[:2])
        return {name.removeprefix(stem): archive.read(name) for name in archive.namelist()}


def below(members: dict[str, bytes], directory: str) -> dict[str, bytes]:
    """Return the members below a directory, by their names in it."""
    return {name.removeprefix(directory): data for name, data in members.items() if name.startswith(directory)}


def test_the_console_script_is_three_lines(members: dict[str, bytes]) -> None:
    """The one that pip before 26 makes of an entry point imports `re`, so there is none."""
    program = b"#!python\nfrom cortex_policy.door import main\nmain()\n"
    assert below(members, ".data/scripts/") == {"cortex-policy": program}
    assert ".dist-info/entry_points.txt" not in members


def test_man_pages_and_completions_lie_where_they_are_looked_for(members: dict[str, bytes]) -> None:
    """Byte for byte what is committed, and nothing beside them."""
    pages = {
        f"share/man/{section}/{page.name}": page.read_bytes()
        for directory, section in (("man", "man1"), ("man5", "man5"))
        for page in (CHECKOUT / directory).iterdir()
    }
    scripts = {name: (PACKAGE / "completions" / file).read_bytes() for name, file in COMPLETIONS.items()}
    assert {"share/man/man1/cortex-policy.1", "share/man/man5/cortex-policy-config.5"} <= pages.keys()
    assert below(members, ".data/data/") == pages | scripts


def test_the_package_is_whole(members: dict[str, bytes]) -> None:
    """Every module, the completions that `completions` prints, and the mark that says it is typed."""
    modules = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py")}
    scripts = {f"completions/{file}" for file in COMPLETIONS.values()}
    assert below(members, "cortex_policy/").keys() == modules | scripts | {"py.typed"}


def test_nothing_leaks_in(members: dict[str, bytes]) -> None:
    """No tests, no grants of this project, no caches; the licence is there."""
    beside = {name for name in members if not name.startswith(("cortex_policy/", ".data/"))}
    assert beside == {f".dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}


def test_the_description_links_to_nothing_that_is_not_there(members: dict[str, bytes]) -> None:
    """A package index shows README without the files beside it; the project's addresses are whole."""
    head, _, description = members[".dist-info/METADATA"].decode().partition("\n\n")
    assert "\nDescription-Content-Type: text/markdown" in head
    urls = re.findall(r"^Project-URL: .+, (.+)$", head, re.MULTILINE)
    assert urls
    assert all(url.startswith("https://") for url in urls)
    links = re.findall(r"\]\(([^)]*)\)", description)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert "[validate](docs/validate.md)" in (CHECKOUT / "README.md").read_text()
    assert "validate (docs/validate.md)" in description


def test_an_installed_check_needs_no_dependency(wheel: Path, root: Path, tmp_path: Path) -> None:
    """In a fresh environment that holds the wheel alone: 0 for an allowed call, 10 for a denied one."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    install = [programs / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run(install, capture_output=True, check=True)
    assert root == Path.cwd()
    for words, code in ((["tree", "--path", "docs/x"], 0), (["push"], 10)):
        done = subprocess.run([programs / "cortex-policy", "check", "git", *words], capture_output=True, check=False)
        assert done.returncode == code, done.stderr
