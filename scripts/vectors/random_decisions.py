"""Whole requests against whole grants: mostly one rule that denies, now and then several at once."""

from typing import Any

from cortex_policy.core.decode import decode_grant_document
from cortex_policy.core.path_arguments import find_path_arguments
from scripts.vectors.chance import Chance
from scripts.vectors.random_path_arguments import named_values
from scripts.vectors.random_values import declared_value, json_value
from scripts.vectors.texts import Vector, with_document

_ACTIONS = (
    "tree",
    "Tree",
    "push",
    "a,b",
    "",
    "-x",
    "caf\u00e9",
    "cafe\u0301",
    "x y",
    "a'b",
    "\u202e",
    "tree\n",
    "$(id)",
    "search",
    "K",
    "\u212a",
    "x" * 300,
)
_SCOPES = (
    "docs",
    "docs/",
    "src/a",
    "packages/a",
    "caf\u00e9",
    "cafe\u0301",
    "/docs",
    "docs/*",
    "",
    ".",
    "a b",
    " docs",
    "-x",
    "Docs",
    "docs//x",
    "../x",
    "a\\b",
)
_INSIDE = (
    "docs/x",
    "docs",
    "docs/a/b",
    "src/a/x",
    "packages/a",
    "packages/ab",
    "etc/x",
    "",
    "caf\u00e9/x",
    "cafe\u0301/x",
    "Docs/x",
    "-x/y",
    "a b/c",
    "docs-old",
    "it's",
    "docs/*",
    "x" * 400,
)
_WHY_PROTECTED = (
    "lies in `/r/.cortex/policy`, which governs grants", "leads to `/r/.cortex/policy/tools`, which governs grants", "is `/r/.cortex`, which holds what governs grants",
    "lies beside `/log/audit.jsonl`, which remembers calls", "cannot be resolved: too many links", "cannot be resolved: the working directory is gone",
)  # fmt: skip
_WHY_UNRESOLVED = (
    "cannot be resolved: `x` does not exist, but a `..` comes after it", "cannot be resolved: `file` is not a directory", "holds a NUL", "is not a path of this system",
    "leads to `/etc/x` once its `..` are collapsed, which is in no scope",
)  # fmt: skip
_ODD = ("", "~/x", "https://e/x", "a\\b", " docs/x", "docs/x ", "docs/\n", "docs/\0")
_SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {},
    {"sensitive": "ask"},
    {"sensitive": "deny"},
    {"require_path": True},
    {"undeclared_args": "deny"},
)
_BUDGETS: tuple[dict[str, Any], ...] = (
    {"used": 0, "remaining": 3, "retry_after_seconds": 0.0, "consumed": 0}, {"used": 1, "remaining": 2, "retry_after_seconds": 0.0, "consumed": 1},
    {"used": 3, "remaining": 0, "retry_after_seconds": 12.25, "consumed": 0}, {"used": 3, "remaining": 0, "retry_after_seconds": 60.0, "consumed": 0, "closed": True},
    {"used": 3, "remaining": 0, "retry_after_seconds": 60.0, "consumed": 0, "closed": True, "closed_because": "the server of budgets lost its memory"},
    {"used": 3, "remaining": 0, "retry_after_seconds": 7.5, "consumed": 0, "local": True}, {"used": 0, "remaining": 3, "retry_after_seconds": None, "consumed": 0},
)  # fmt: skip


def decision_vector(chance: Chance) -> Vector:
    """Make a vector of the kind `decide`."""
    args, declarations = _args(chance)
    document = _grant(chance, declarations)
    is_known = chance.is_true(0.88) and document["actions"]
    action = chance.pick(document["actions"]) if is_known else chance.pick(_ACTIONS)
    settings = dict(chance.pick(_SETTINGS), **chance.pick(_SETTINGS))
    vector: Vector = {
        "kind": "decide",
        "grant_id": chance.pick(("git", "fs.write", "g-1")),
        **with_document("grant", _damage(chance, document)),
        "action": action,
    }
    vector |= {**with_document("args", args), "settings": settings, **_paths(chance, document, args)}
    if chance.is_true(0.3):
        vector["approved"] = True
    return vector | _budget(chance, document["rate"]["perMinute"])


def _args(chance: Chance) -> tuple[dict[str, Any], dict[str, Any]]:
    args: dict[str, Any] = {}
    declarations: dict[str, Any] = {}
    if chance.is_true(0.35):
        args = named_values(chance, 1, 2)
    if chance.is_true(0.45):
        args[chance.pick(("path", "path", "paths", "out_file"))] = chance.pick(
            (*_INSIDE, *_ODD[:4], ["docs/x", "src/a/y"], None, 3)
        )
    if chance.is_true(0.4):
        name = chance.pick(("n", "mode", "lines", "constructor"))
        declarations[name], args[name] = declared_value(chance)
    if chance.is_true(0.1):
        args[chance.pick(("x", "toString", "note"))] = json_value(chance)
    if chance.is_true(0.15):
        declarations[chance.pick(("target", "path", "path2", "note"))] = {"format": chance.pick(("path", "not-path"))}
    return args, declarations


def _grant(chance: Chance, declarations: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "tool": chance.pick(("git-map", "t")),
        "actions": chance.subset(_ACTIONS, 0.25) or ["tree"],
    }
    if chance.is_true(0.1):
        document["actions"] = [f"action-{number}" for number in range(chance.pick((40, 200, 400)))]
    document["rate"] = {"perMinute": chance.pick((1, 2, 3, 3, 30))}
    if declarations or chance.is_true(0.2):
        document["args"] = declarations
    if chance.is_true(0.35):
        document["dataClass"] = chance.pick(("sensitive", "sensitive", "sensitive", "public"))
    if chance.is_true(0.6):
        document["fsScope"] = (
            chance.some(_SCOPES, 1, 3)
            if chance.is_true(0.85)
            else [*chance.some(_SCOPES, 0, 3), *(f"v/{number}" for number in range(17)), "docs"]
        )
    return document


def _damage(chance: Chance, document: dict[str, Any]) -> dict[str, Any]:
    """Break the shape of a few grants."""
    if chance.is_true(0.95):
        return document
    key, value = chance.pick(
        (
            ("tool", ""),
            ("actions", "tree"),
            ("rate", {"perMinute": 0}),
            ("args", []),
            ("dataClass", "secret"),
            ("fsScope", "docs"),
            ("fsScope", [1]),
        )
    )
    return (
        {**document, key: value}
        if chance.is_true(0.7)
        else {name: part for name, part in document.items() if name not in (key, "tool")}
    )


def _paths(chance: Chance, document: dict[str, Any], args: dict[str, Any]) -> Vector:
    """Resolve the paths of the arguments: most lie where they say."""
    found = {
        (label, given): 1
        for label, given, _ in find_path_arguments(decode_grant_document(document), args)
        if given is not None
    }
    paths = [_resolved(chance, label, given) for label, given in found if chance.is_true(0.97)]
    return {"paths": paths} if paths else {}


def _resolved(chance: Chance, label: str, given: str) -> dict[str, Any]:
    path: dict[str, Any] = {"argument": label, "given": given}
    here = given if not given.startswith("/") else None
    if chance.is_true(0.3):
        here = chance.pick(_INSIDE)
    if chance.is_true(0.25):
        here = chance.pick(("caf\u00e9/x", "cafe\u0301/x", "cafe\u0301"))
    there = here if chance.is_true(0.85) else chance.pick((*_INSIDE, None))
    path |= {"normalized": here} if here is not None and chance.is_true(0.95) else {}
    path |= {"resolved_inside": there} if there is not None else {}
    path["resolved"] = f"/r/{there}".rstrip("/") if there is not None else chance.pick(("/etc/x", "/"))
    if chance.is_true(0.1):
        path["protected_reason"] = chance.pick(_WHY_PROTECTED)
    if chance.is_true(0.12):
        path["error"] = chance.pick(_WHY_UNRESOLVED)
    return path


def _budget(chance: Chance, limit: int) -> Vector:
    if chance.is_true(0.16):
        return {"budget": {"limit": limit, **chance.pick(_BUDGETS)}}
    cost: Vector = {"cost": chance.pick((2, limit, limit + 1))} if chance.is_true(0.2) else {}
    if chance.is_true(0.6):
        return cost
    now = 1000 + chance.number(0, 9999) / 16
    ages = (0, 0, 1, 12.5, 59.9375, 60, 60.0625, 30, 75, -5)
    hits = [now - chance.pick(ages) for _ in range(chance.pick((limit - 1, limit, limit, limit + 2)))]
    return {**cost, "hits": hits, "now": now}
