"""Where things lie in a root."""

from pathlib import Path

from cortex_policy.state import Root


def grant_file(root: Path | Root, grant_id: str = "git") -> Path:
    """Return the file of a grant."""
    path = root.path if isinstance(root, Root) else root
    return Path(path, ".cortex", "policy", "tools", f"{grant_id}.json")
