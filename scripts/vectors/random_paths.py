"""Ways through the trees of conformance/trees.json, by every spelling."""

from typing import Any

from scripts.vectors.chance import Chance
from scripts.vectors.path_answers import answer_paths
from scripts.vectors.texts import BASE, Vector

Way = tuple[str | None, Any, dict[str, Any]]  # from where, the path, and other members of the vector
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
    start: str | None = f"{BASE}/{chance.pick(_STARTS_OF[tree])}".rstrip("/")
    text: Any = given
    more: dict[str, Any] = {}
    if chance.is_true(0.16):
        start, text, more = chance.made(
            (_no_directory, _long, _long, _process, _bad_name, _protected, _twice, _twice, _absolute)
        )
    return {"kind": "paths", "tree": tree, "scopes": chance.pick(_SCOPES), "cwd": start, "given": text, **more}


def _no_directory(chance: Chance) -> Way:
    return None, chance.pick(("docs/x", "", ".", "..", "~", f"{BASE}/root/docs", f"{BASE}/state")), {}


def _long(chance: Chance) -> Way:
    """Come near the most components, of those that exist or not, or the longest name."""
    part, end = (
        chance.pick(("docs/../", "docs/a/../../", "docs/../", "missing/")),
        chance.pick(("docs/file", "x", ".cortex")),
    )
    if chance.is_true(0.4):
        name = {
            "repeat": chance.pick(("y", "é", "\U0001f600")),
            "times": chance.pick((63, 64, 127, 128, 255, 256, chance.number(257, 290))),
        }
        return f"{BASE}/root", {"parts": ["docs/", name, chance.pick(("", "/x", "/../x"))]}, {}
    return (
        f"{BASE}/root",
        {"parts": [{"repeat": part, "times": chance.pick((900, chance.number(1030, 1200)))}, end]},
        {},
    )


def _process(chance: Chance) -> Way:
    way = chance.pick(("self", "self/cwd", "thread-self", "self/root/docs", "self/../self"))
    return f"{BASE}/root", f"/proc/{way}{chance.pick(('', '/', '/x'))}", {"needs": ["linux"]}


def _bad_name(chance: Chance) -> Way:
    bad = chance.pick(("\ud800", "\udbff", "x\ud83d"))
    way = f"docs/{chance.pick(('', 'a', '../'))}{bad}{chance.pick(('', 'x', '/y'))}"
    return f"{BASE}/root", way, {"needs": ["bad-names"]}


def _protected(chance: Chance) -> Way:
    """Name what governs in letters that some file systems take for the same."""
    way = chance.pick(
        (
            "root/.CORTEX",
            "root/.Cortex/Policy/x",
            "root/docs/../.CORTEX",
            "STATE",
            "State/x",
            "log/AUDIT.jsonl.1",
            "log/audit-1.jsonl",
            "config/Cortex-Policy",
            "root/.cortex/POLICY",
        )
    )
    return f"{BASE}/root", f"{BASE}/{way}{chance.pick(('', '/', '/.', '/x'))}", {}


def _twice(chance: Chance) -> Way:
    """Go through a link and up again: as the kernel goes, and as a program that collapses first."""
    way = chance.pick(("docs/inner/../", "docs/inner/./../", "docs/a/../inner/../", "packages/../docs/inner/../"))
    end = chance.pick((
        "evil", "evil/secret", "evil/x", "to-outside", "to-outside/x", "to-etc", "to-etc/y", "loop", "self", "file", "dangling",
    ))  # fmt: skip
    return (
        f"{BASE}/root",
        way + end,
        {"tree": "maze", "scopes": chance.pick((["docs", "packages"], ["packages", "docs/"], ["docs"]))},
    )


def _absolute(chance: Chance) -> Way:
    return (
        f"{BASE}/root",
        chance.pick(
            (
                "/missing",
                "/missing/../x",
                f"{BASE}",
                f"{BASE}/",
                f"{BASE}/missing/../root/docs",
                f"/{BASE}/root/docs",
                f"{BASE}/root/docs\\x",
                f"{BASE}/root/docs/x ",
            )
        ),
        {},
    )
