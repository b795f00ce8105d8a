"""Every link between pages leads to a file, and to a heading that it has."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/*.md"), *TOP.glob("bench/*.md"), *TOP.glob("examples/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the pages of a forge make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Links to other sites are not followed."""
    for name, anchor in LINK.findall(re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)):
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"


def test_the_pages_that_the_code_names_exist() -> None:
    """Docstrings, help and messages name the source of a rule as a page, with a heading or without."""
    texts = "".join(file.read_text() for file in (TOP / "cortex_policy").rglob("*.py"))
    named = set(re.findall(r"\b(docs/[a-z-]+\.md)(?:#([a-z_-]+))?", texts))
    assert named
    for name, anchor in named:
        assert not anchor or anchor in anchors(TOP / name), f"{name}#{anchor}"
        assert (TOP / name).exists(), name


def test_readme_leads_to_every_page() -> None:
    """Directly, or by one page that it names."""
    seen, ahead = set[Path](), {TOP / "README.md"}
    while ahead:
        page = ahead.pop()
        seen.add(page)
        found = {(page.parent / name).resolve() for name, _ in LINK.findall(page.read_text()) if name.endswith(".md")}
        ahead |= found - seen
    assert set(PAGES) - seen == set()
