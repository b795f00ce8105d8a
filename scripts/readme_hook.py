"""README as a package index shows it: links to files of the repository lead nowhere there, so their names are text."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_IMAGE = re.compile(r"!\[[^\]]*\]\((?![a-z]+:)[^)]*\)\n*")
_LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")


def without_links(text: str) -> str:
    """Return a text without its pictures, whose links to other files are the name of the file, behind what the link says."""
    return _LINK.sub(lambda link: link[1] if link[1] == link[2] else f"{link[1]} ({link[2]})", _IMAGE.sub("", text))


class CustomMetadataHook(MetadataHookInterface):
    """The hook of the build backend."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the long description."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": without_links(text)}
