"""Where things lie in this checkout."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = CHECKOUT / "tests" / "documents"


def page(name: str) -> str:
    """Return the text of a page of the documentation."""
    return (CHECKOUT / "docs" / f"{name}.md").read_text()
