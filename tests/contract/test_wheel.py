"""What people install: the wheel holds all that it should and nothing else, and checks without a dependency."""

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from cortex_policy.serve.page.access import FILES
from cortex_policy.shell.init_script import SHELLS
from tests.support.checkout import CHECKOUT
from tests.support.shared import build_once

PACKAGE = CHECKOUT / "cortex_policy"
COMPLETIONS = {
    "share/bash-completion/completions/cortex-policy": "cortex-policy.bash",
    "share/fish/vendor_completions.d/cortex-policy.fish": "cortex-policy.fish",
    "share/zsh/site-functions/_cortex-policy": "_cortex-policy",
}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once, with the backend itself: neither isolation nor a registry."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    directory = build_once(
        tmp_path_factory,
        "wheel",
        lambda directory: subprocess.run([*command, directory], cwd=CHECKOUT, capture_output=True, check=True),
    )
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


def test_the_console_script_is_our_own(members: dict[str, bytes]) -> None:
    """The one that pip before 26 makes of an entry point imports `re`, so there is none."""
    (program,) = below(members, ".data/scripts/").values()
    assert program == (CHECKOUT / "bin" / "cortex-policy").read_bytes()
    assert program.startswith(b"#!python\n")
    assert ".dist-info/entry_points.txt" not in members


def test_man_pages_and_completions_lie_where_they_are_looked_for(members: dict[str, bytes]) -> None:
    """Byte for byte what is committed, and nothing beside them."""
    pages = {f"share/{page.relative_to(CHECKOUT)}": page.read_bytes() for page in (CHECKOUT / "man").rglob("*.[15]")}
    scripts = {name: (CHECKOUT / "completions" / file).read_bytes() for name, file in COMPLETIONS.items()}
    assert {"share/man/man1/cortex-policy.1", "share/man/man5/cortex-policy-grant.5"} <= pages.keys()
    assert below(members, ".data/data/") == pages | scripts


def test_the_wheel_has_every_file_of_the_package(members: dict[str, bytes]) -> None:
    """Every module, the schema for editors, what commands print or write, the page of `serve`, the mark of types."""
    modules = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py")}
    scripts = {f"completions/{file}" for file in COMPLETIONS.values()}
    scripts |= {f"shell/init.{shell}" for shell in SHELLS}
    scripts |= {f"serve/page/{file}" for file in FILES.values()} | {"policy.wasm", "policy.mjs"}
    assert below(members, "cortex_policy/").keys() == modules | scripts | {"py.typed", "schema/grant.schema.json"}
    for name in ("policy.wasm", "policy.mjs"):
        assert members[f"cortex_policy/{name}"] == (CHECKOUT / "wasm" / name).read_bytes()


def test_the_wheel_has_no_other_files(members: dict[str, bytes]) -> None:
    """No tests, no grants of this project, no caches; the licence is there."""
    beside = {name for name in members if not name.startswith(("cortex_policy/", ".data/"))}
    assert beside == {f".dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}


def test_links_of_the_description_lead_to_existing_pages(members: dict[str, bytes]) -> None:
    """A package index shows README without the files beside it; the project's addresses are whole."""
    head, _, description = members[".dist-info/METADATA"].decode().partition("\n\n")
    assert "\nDescription-Content-Type: text/markdown" in head
    urls = dict(re.findall(r"^Project-URL: (.+), (.+)$", head, re.MULTILINE))
    assert "Homepage" in urls  # `pip show` and SARIF name no other
    assert all(url.startswith("https://") for url in urls.values())
    links = re.findall(r"\]\(([^)]*)\)", description)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert ".svg" not in description
    assert "[validate](docs/validate.md)" in (CHECKOUT / "README.md").read_text()
    assert "validate (docs/validate.md)" in description


def installed(wheel: Path, directory: Path) -> Path:
    """Install the wheel alone into a fresh environment; return the directory of its programs."""
    venv.create(directory)
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        directory / "bin" / "python",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*install, wheel], capture_output=True, check=True)
    return directory / "bin"


CALLS = [(["tree", "--path", "docs/x"], 0), (["push"], 10)]


@pytest.mark.usefixtures("root")
def test_an_installed_check_needs_no_dependency(wheel: Path, tmp_path: Path) -> None:
    """In a fresh environment that holds the wheel alone: 0 for an allowed call, 10 for a denied one."""
    program = installed(wheel, tmp_path / "venv") / "cortex-policy"
    for words, code in CALLS:
        for command in ([program], [program.with_name("python"), "-I", program]):
            done = subprocess.run([*command, "check", "git", *words], capture_output=True, check=False)
            assert done.returncode == code, done.stderr


@pytest.mark.usefixtures("root")
def test_the_program_starts_from_a_path_too_long_for_a_shebang_line(wheel: Path, tmp_path: Path) -> None:
    """A shell reads the script then, and starts the interpreter beside it; by a link, too."""
    programs = installed(wheel, tmp_path / ("d" * 120) / ("d" * 120))
    assert len(str(programs)) > 255
    (tmp_path / "link").symlink_to(programs / "cortex-policy")
    for words, code in CALLS:
        for program in (programs / "cortex-policy", tmp_path / "link"):
            command = ["sh", "-c", '"$0" "$@"', program, "check", "git", *words]
            done = subprocess.run(command, capture_output=True, check=False)
            assert done.returncode == code, done.stderr


@pytest.mark.usefixtures("root")
def test_a_path_with_a_space_never_allows(wheel: Path, tmp_path: Path) -> None:
    """The kernel reads what pip writes up to the space, so docs/deploy.md names what starts there."""
    programs = installed(wheel, tmp_path / "a b")
    for words, code in CALLS:
        done = subprocess.run(
            ["sh", "-c", '"$0" "$@"', programs / "cortex-policy", "check", "git", *words], check=False
        )
        assert done.returncode in (code, 126, 127)
        assert words == CALLS[0][0] or done.returncode
        for how in (["-m", "cortex_policy"], [programs / "cortex-policy"]):
            command = [programs / "python", "-I", *how, "check", "git", *words]
            done = subprocess.run(command, capture_output=True, check=False)
            assert done.returncode == code, done.stderr


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("name", ["venv", "a b", "d" * 200])
def test_a_script_written_by_uv_starts_everywhere(wheel: Path, tmp_path: Path, name: str) -> None:
    """It writes a line for a shell before ours."""
    directory = tmp_path / name
    subprocess.run(["uv", "venv", "-q", "-p", sys.executable, directory], check=True)
    install = ["uv", "pip", "install", "-q", "--offline", "--no-deps", "--python", directory / "bin" / "python", wheel]
    subprocess.run(install, check=True)
    for words, code in CALLS:
        done = subprocess.run([directory / "bin" / "cortex-policy", "check", "git", *words], check=False)
        assert done.returncode == code
