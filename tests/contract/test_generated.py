"""What is generated is fresh, and what it is made from is complete."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import CHECKOUT


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the generator as its script does."""
    monkeypatch.syspath_prepend(str(CHECKOUT / "scripts"))
    import generate  # type: ignore[import-not-found]  # noqa: PLC0415 - found by the line above

    return generate


@pytest.fixture
def pages(generate: Any) -> list[Any]:
    """Return every command."""
    return list(generate.top_page().every())


def test_no_generated_file_has_drifted(generate: Any) -> None:
    """Man pages, completions and the reference say what the commands say; the picture shows what they print."""
    assert generate.drifted_files() == {}
    with pytest.raises(SystemExit) as left:
        generate.main(["--check"])
    assert left.value.code == 0


BY_HAND = {
    "man/man1/cortex-policy-check.1": "EXIT STATUS",
    "docs/reference.md": "| 2 | usage |",
    "docs/first-steps.svg": "allowed,",
    "cortex_policy/schema/grant.schema.json": "perMinute",
    "completions/_cortex-policy": "--root",
}


def test_a_change_by_hand_is_noticed(generate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is named, and the exit code is 1; without --check all are written again."""
    for copied in ("man", "completions", "docs", "cortex_policy/schema"):
        shutil.copytree(CHECKOUT / copied, tmp_path / copied)
    shutil.copy(CHECKOUT / "CHANGELOG.md", tmp_path)
    monkeypatch.setattr(generate, "TOP", tmp_path)
    before = {tmp_path / name: (tmp_path / name).read_text() for name in BY_HAND}
    for (file, text), words in zip(before.items(), BY_HAND.values(), strict=True):
        assert words in text
        file.write_text(text.replace(words, "by hand"))
    with pytest.raises(SystemExit) as left:
        generate.main(["--check"])
    assert [name for name in BY_HAND if name not in str(left.value.code)] == []
    generate.main([])
    assert {file: file.read_text() for file in before} == before


def test_man_pages_have_the_date_of_the_changelog(generate: Any) -> None:
    """The newest one, released or not; a changelog without any is refused."""
    text = "# Changelog\n\n## [Unreleased]\n\n## [1.0.0] - 2026-02-03\n\n## [0.9.0] - 2026-01-02\n"
    assert generate.newest_date(text) == "2026-02-03"
    assert generate.newest_date(text.replace("[Unreleased]", "[Unreleased] - 2026-03-04")) == "2026-03-04"
    with pytest.raises(SystemExit, match="no heading has a date"):
        generate.newest_date("## [Unreleased]\n\n## [1.0.0] - soon\n")
    date = generate.newest_date((CHECKOUT / "CHANGELOG.md").read_text())
    for file in (CHECKOUT / "man").rglob("*.[15]"):
        section = file.suffix[1:]
        assert f' "{section}" "{date}" ' in file.read_text().splitlines()[0]


def test_everything_has_help(pages: list[Any]) -> None:
    """Each command and each of its arguments and options says what it is, in a sentence."""
    for page in pages:
        assert page.sentence.endswith("."), page.words
        for param in [*page.arguments, *page.options]:
            assert (param.help or "").endswith("."), (page.words, param.name)


def test_every_command_has_examples(pages: list[Any]) -> None:
    """They name the command they stand under."""
    for page in pages:
        if not page.pages or not page.below:
            assert page.examples, page.words
            assert all(" ".join(page.words) in example for example in page.examples)


def test_every_word_in_the_completions_exists(generate: Any, pages: list[Any]) -> None:
    """A word for an option or an argument that is gone, or is called otherwise, would be offered nowhere."""
    import shells  # type: ignore[import-not-found]  # noqa: PLC0415 - found once the generator is

    assert generate
    options = {(" ".join(page.below), option.name) for page in pages for option in page.options}
    assert options >= shells.CHOICES.keys()
    assert {argument.name for page in pages for argument in page.arguments} == shells.OFFERS.keys()


def test_help_reads_well_at_80_columns(pages: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer, no sentence is cut, and the examples stand as they were written."""
    monkeypatch.setenv("COLUMNS", "80")
    for page in pages:
        shown = page.context.command.get_help(page.context)
        assert max(map(len, shown.splitlines())) <= 80
        assert "[ARGS]..." in shown or "..." not in shown.replace("COMMAND...", "")
        assert all(f"  {example}\n" in shown for example in page.examples)
        assert all(sub.sentence in shown for sub in page.pages)


def test_groff_reads_the_man_pages_without_warnings() -> None:
    """Not one warning."""
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed here; .ci/run installs it")
    for file in sorted((CHECKOUT / "man").rglob("*.[15]")):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", file], capture_output=True, text=True, check=True)
        assert not done.stderr
        assert re.search(r"cortex-policy +[0-9]{4}-[0-9]{2}-[0-9]{2} *CORTEX", done.stdout.splitlines()[-1])
        titles = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO")
        for title in titles if file.suffix == ".1" else ("NAME", "DESCRIPTION", "FILES", "SEE ALSO"):
            assert f".SH {title}\n" in file.read_text()
