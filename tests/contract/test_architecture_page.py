"""docs/architecture.md names what exists."""

import re

from tests.support.checkout import CHECKOUT, page

PAGE = page("architecture")


def test_every_file_and_package_of_the_page_exists() -> None:
    """A module that moves takes its name on the page with it."""
    names = re.findall(r"`([a-z_/]+(?:\.py|/)|(?:docs|tests|scripts)/[\w/.]+)`", PAGE)
    assert len(names) > 30
    assert [
        name for name in names if not any((top / name).exists() for top in (CHECKOUT, CHECKOUT / "cortex_policy"))
    ] == ["set.py"]


def test_every_package_of_the_tree_is_on_the_page() -> None:
    """A new layer is described when it comes."""
    layers = {path.name for path in (CHECKOUT / "cortex_policy").iterdir() if (path / "__init__.py").exists()}
    assert layers == set(re.findall(r"^  ([a-z_]+)/", PAGE, re.MULTILINE))
