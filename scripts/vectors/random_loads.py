"""Trees with several faults at once: which of them is said first, and which are said together."""

import json
from typing import Any

from cortex_policy.state.stamp import compute_checksum_of_digests, compute_content_digest
from scripts.vectors.chance import Chance
from scripts.vectors.texts import BASE, Vector

_POLICY = "root/.cortex/policy"
_TOOLS, _GRANT = f"{_POLICY}/tools", f"{_POLICY}/tools/git.json"
_TEXT = '{"tool": "git", "actions": ["tree"], "rate": {"perMinute": 30}, "fsScope": ["docs"]}\n'
_OPEN_FILE, _OPEN_DIRECTORY = "0646", "0757"
_RIGHT, _OTHER = compute_content_digest(_TEXT.encode()), compute_content_digest(b"other")


def _file(path: str, content: str = "", **more: Any) -> Vector:
    return {"path": path, "kind": "file", "content": content, **more}


def _directory(path: str, **more: Any) -> Vector:
    return {"path": path, "kind": "directory", **more}


def _link(path: str, target: str) -> Vector:
    return {"path": path, "kind": "link", "target": target}


def _stamp(digest: str, **more: Any) -> Vector:
    members = {
        "format": 1,
        "version": 7,
        "checksum": compute_checksum_of_digests({"git": digest}),
        "grants": {"git": digest},
        **more,
    }
    return _file(f"{_POLICY}/stamp.json", json.dumps(members))


def _settings(path: str, *more: str) -> tuple[list[Vector], ...]:
    texts = ("require_path = true\n", 'stamp = "require"\n', 'undeclared_args = "deny"\n', "unknown = 1\n", "x = [\n")
    odd = ([_file(path, mode=_OPEN_FILE)], [_link(path, "nowhere")], [_directory(path)])
    return (*([_file(path, text)] for text in (*texts, *more)), *odd)


_SAFE = [_file(_GRANT, _TEXT)]
_PARTS: tuple[tuple[float, tuple[list[Vector], ...]], ...] = (  # how often a part is there, and what it may be
    (0.15, ([_file(f"{_POLICY}/stop", "why", mtime=0)], [{**_link(f"{_POLICY}/stop", "nowhere"), "mtime": 0}])),
    (0.4, (*_settings(f"{_POLICY}/config.toml"), *[[_file(f"{_POLICY}/config.toml", 'stamp = "require"\n')]] * 3)),
    (0.25, _settings("config/cortex-policy/config.toml", 'sensitive = "ask"\n', "history.keep = 1.5\n")),
    (0.6, (
        [_stamp(_RIGHT)], [_stamp(_RIGHT)], [_stamp(_OTHER)], [_stamp(_OTHER, pending={"git": [_OTHER, _RIGHT]})],
        [_stamp(_RIGHT, pending=None)], [_stamp(_RIGHT, version=0)], [{**_stamp(_RIGHT), "mode": _OPEN_FILE}],
        [_link(f"{_POLICY}/stamp.json", "nowhere")], [_directory(f"{_POLICY}/stamp.json")],
    )),
    *((0.06, ([_directory(path, mode=_OPEN_DIRECTORY)],)) for path in ("root", "root/.cortex", _POLICY, _TOOLS)),
)  # fmt: skip
_GRANTS = (
    *[_SAFE] * 24, [_directory(_TOOLS)], [_directory(_POLICY)], [_file(_GRANT, "[]")], [_link(_GRANT, "other.json")],
    [_directory(_GRANT)], [_file(_GRANT, _TEXT, mode=_OPEN_FILE)], [_link(_TOOLS, "other")], [_link(_POLICY, "other")],
    [_file(_GRANT, _TEXT.replace('"fsScope"', '"dataClass": "sensitive", "fsScope"'))],
)  # fmt: skip
_ENVIRONMENTS = ({"CORTEX_POLICY_STATE_DIR": "relative"}, {"CORTEX_POLICY_STAMP": "require"}, {"CORTEX_POLICY_X": ""})
_WAYS: tuple[Vector, ...] = (
    *[{"root": f"{BASE}/root"}] * 4,
    *[{"cwd": f"{BASE}/root"}] * 3,
    {"cwd": f"{BASE}/root/docs/in"},
    {"cwd": f"{BASE}", "environment": {"CORTEX_POLICY_ROOT": f"{BASE}/root"}},
    {"root": f"{BASE}/nowhere"},
    {"cwd": f"{BASE}"},
)


def load_vector(chance: Chance) -> Vector:
    """Make a vector of the kind `load` that every user of a system can ask."""
    grant, way = chance.pick(_GRANTS), {**chance.pick(_WAYS)}
    parts = [chance.pick(choices) for share, choices in _PARTS if chance.is_true(share)]
    is_policy_here = grant != [_link(_POLICY, "other")]
    tree = [*grant, *(entry for part in parts for entry in part if is_policy_here or _POLICY not in entry["path"])]
    if any(entry["kind"] == "link" and entry["path"] == _TOOLS for entry in grant):
        tree = [entry for entry in tree if entry["path"] != _TOOLS or entry["kind"] == "link"]
    if "cwd" in way:
        inner = f"root/docs/in{'/.cortex/policy/tools/git.json' if chance.is_true(0.5) else '/file'}"
        tree = [_file(inner, _TEXT), *tree]
    if chance.is_true(0.2):
        way["environment"] = {**way.get("environment", {}), **chance.pick(_ENVIRONMENTS)}
    call = {"grant_id": chance.pick(("git",) * 9 + ("../git",)), "action": chance.pick(("tree",) * 4 + ("push",))}
    args = chance.pick(({"path": f"{BASE}/root/docs/x"}, {"path": f"{BASE}/root/docs/x"}, {}, {"path": "/", "x": 1}))
    return {"kind": "load", "tree": tree, **way, **call, "args": args}
