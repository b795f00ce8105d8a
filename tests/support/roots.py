"""Where things lie in a root."""

from pathlib import Path

from cortex_policy.state import Root

GIT = {
    "tool": "git-map",
    "actions": ["tree", "snippet", "search"],
    "args": {"repo": {"type": "string"}, "path": {"type": "string"}},
    "dataClass": "internal",
    "rate": {"perMinute": 30},
    "fsScope": ["apps/cortex-os", "packages", "docs"],
}


def grant_file(root: Path | Root, grant_id: str = "git") -> Path:
    """Return the file of a grant."""
    path = root.path if isinstance(root, Root) else root
    return Path(path, ".cortex", "policy", "tools", f"{grant_id}.json")
