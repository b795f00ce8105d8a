"""What this program answers to paths: trees of files are built in a scratch directory, and each path is resolved there."""

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cortex_policy.core.engine import find_matching_scope, find_violation_text_of_one_path
from cortex_policy.core.model import Grant, Origin, Rate, ResolvedPath, Settings
from cortex_policy.state import paths
from scripts.vectors.texts import BASE, Vector, expand_text, replace_text

TREES = Path(__file__).parents[2] / "conformance" / "trees.json"


def answer_paths(vector: Vector, depth: str = "") -> Vector:
    """Return both spellings of a path, and the scope that it is in or why it is denied; `depth` moves the tree."""
    base, origin, protected = _build_tree(vector["tree"], depth)
    located: Vector = replace_text(vector, BASE, base)
    scopes = tuple(located["scopes"])
    grant = Grant("g", "t", (), Rate(1), {}, "internal", scopes)
    given, start = expand_text(located["given"]), located["cwd"]
    with patch.object(paths, "read_working_directory_or_none", lambda: None):  # for `"cwd": null`
        (path,) = paths.resolve_path_arguments(grant, origin, {"path": given}, protected, start)
    denied = find_violation_text_of_one_path(scopes, path)
    answer = {
        "path": members_of(path),
        "denied": denied,
        "scope": None if denied else find_matching_scope(scopes, path.resolved_inside),
    }
    return replace_text(answer, base, BASE)


def members_of(path: ResolvedPath) -> Vector:
    """Return what is known of a path; an empty spelling is the root itself, and stays."""
    spellings = {name: getattr(path, name) for name in ("normalized", "resolved_inside", "resolved")}
    whys = {name: getattr(path, name) for name in ("error", "protected_reason")}
    known = {name: value for name, value in spellings.items() if value is not None}
    return known | {name: value for name, value in whys.items() if value}


@cache
def _scratch() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="vectors-")


@cache
def _trees() -> dict[str, Any]:
    return json.loads(TREES.read_text())["trees"]


@cache
def _build_tree(name: str, depth: str) -> tuple[str, Origin, paths.ProtectedPaths]:
    """Build a tree; return its base, its origin and what no path of it may lead to."""
    base = os.path.join(os.path.realpath(_scratch().name), depth, name)
    tree = replace_text(_trees()[name], BASE, base)
    for directory in ("root/.cortex/policy/tools", "state", "config/cortex-policy", *tree["directories"]):
        os.makedirs(f"{base}/{directory}", exist_ok=True)
    for file in ("root/.cortex/policy/tools/git.json", *tree["files"]):
        Path(f"{base}/{file}").touch()
    for link, target in tree["links"].items():
        os.symlink(target, f"{base}/{link}")
    root = f"{base}/root"
    policy = f"{root}/.cortex/policy"
    identities = [_identity(directory) for directory in (root, policy, f"{policy}/tools")]
    origin = Origin(root, f"{policy}/tools/git.json", "", *identities)
    settings = Settings(state_dir=f"{base}/state", audit_file=tree.get("audit_file"))
    with patch.dict(os.environ, {"XDG_CONFIG_HOME": f"{base}/config"}):
        return base, origin, paths.find_protected_paths(origin, settings)


def _identity(directory: str) -> tuple[int, int]:
    status = os.stat(directory)
    return status.st_dev, status.st_ino
