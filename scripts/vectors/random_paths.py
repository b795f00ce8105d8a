"""Ways through the trees of conformance/trees.json, by every spelling."""

from scripts.vectors.chance import Chance
from scripts.vectors.path_answers import BASE, answer_paths
from scripts.vectors.texts import Vector

_PARTS = {
    "plain": ("docs", "a", "b", "file", "packages", "etc", "README", ".", "..", "", "missing", "Docs", "docs-old"),
    "maze": ("docs", "a", "up", "self", "loop", "one", "link", "to-outside", "to-etc", "dangling", "dangling-inside", "to-file", "to-file-slash", "to-directory-slash",
             "inner", "evil", "content", "absolute-dots", "packages", "etc", "file", "missing", ".", "..", "..", ""),
    "governed": (".cortex", "policy", "tools", "git.json", ".CORTEX", "Policy", "docs", "up", "self", "to-policy", "to-cortex", "to-state", "to-log", "to-logs", "to-config", "link",
                 "to-grant", "file", "missing", "audit.jsonl", "..", ".", "..", "audit-2026.jsonl", "cortex-policy", "policy-old"),
    "links": ("docs", "0", "1", "38", "39", "40", "41", "42", "x", "..", "."),
}  # fmt: skip
_SCOPES = (
    ["docs"],
    ["docs"],
    ["docs/"],
    ["docs/a", "packages"],
    ["packages/a", "docs"],
    [],
    [],
    ["content", "docs"],
    ["docs", "packages", "etc"],
    ["/docs"],
    ["docs/*"],
    ["."],
    ["Docs"],
    [".cortex/policy", "docs"],
    ["etc", "packages"],
)
_STARTS = (
    "root",
    "root",
    "root",
    "root/docs",
    "root/docs/a",
    "root/packages",
    "",
    "outside",
    "alias/docs",
    "root/docs/self",
    "state",
)
_ABSOLUTE = (
    "root/",
    "root/docs/",
    "alias/",
    "outside/",
    "state/",
    "log/",
    "config/cortex-policy/",
    "root//",
    "",
    "root/docs/../",
    "alias-of-docs/",
    "roots/",
)
_ODD = (
    "~/x",
    "~",
    "file:x",
    "https://e/x",
    "a\\b",
    " docs/x",
    "docs/x ",
    "docs/\u3000",
    "docs/\n",
    "docs/\u0085",
    "c:x",
    "docs/é",
    "docs/x\u0000",
    "docs/\u007f",
    "1ab:x",
    "a+b:x",
    "docs/a b",
    "docs/~",
)
_STARTS_OF = {
    "plain": _STARTS[:6],
    "links": ("root", "root/docs"),
    "maze": _STARTS[:10],
    "governed": (*_STARTS[:7], "alias/docs", "state"),
}
_ABSOLUTE_OF = {"plain": ("root/", "root/docs/", "root//"), "links": ("root/docs/",)}


def path_vector(chance: Chance) -> Vector | None:
    """Make a vector of the kind `paths`; None if its answer depends on where the tree is built."""
    vector = _vector(chance)
    return vector if answer_paths(vector) == answer_paths(vector, "deeper/still") else None


def _vector(chance: Chance) -> Vector:
    tree = chance.pick(("plain", "maze", "maze", "maze", "governed", "governed", "links"))
    given = "/".join(chance.some(_PARTS[tree], 1, 5))
    if chance.is_true(0.3):
        given = "docs/" + given
    if chance.is_true(0.25):
        given = f"{BASE}/{chance.pick(_ABSOLUTE_OF.get(tree, _ABSOLUTE))}{given}"
    if chance.is_true(0.06):
        given = chance.pick(_ODD)
    if chance.is_true(0.05):
        given += chance.pick(("/", "/.", "\0", "\0.txt", "//", "/" + "y" * 255, "/" + "y" * 256))
    start = f"{BASE}/{chance.pick(_STARTS_OF[tree])}".rstrip("/")
    return {"kind": "paths", "tree": tree, "scopes": chance.pick(_SCOPES), "cwd": start, "given": given}
