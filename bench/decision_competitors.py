"""What bench/resident.py measures: each a call that decides whether `git-map` may `tree` a path below `docs`.

Every peer gets its best interface: what can be parsed or built once is. The original package is measured by its
algorithm, written from its description: its file is read at each call, its rate an array of time stamps that is
filtered at each check.
"""

import json
import logging
import os
import time
from collections.abc import Callable

Decide = Callable[[], bool]
TOOL, ACTION, PATH = "git-map", "tree", "docs/guide.md"

CASBIN = """[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && keyMatch(r.obj, p.obj) && r.act == p.act
"""
CEDAR = """permit(principal == Tool::"git-map", action in [Action::"tree", Action::"search"], resource)
when { context.path like "docs/*" };"""


def pycasbin(directory: str) -> Decide:
    """Enforce a model with two policies; it looks at no file system."""
    import casbin  # noqa: PLC0415 - where it is installed

    with open(f"{directory}/model.conf", "w", encoding="utf-8") as file:
        file.write(CASBIN)
    with open(f"{directory}/policy.csv", "w", encoding="utf-8") as file:
        file.write(f"p, {TOOL}, docs/*, {ACTION}\np, {TOOL}, docs/*, search\n")
    enforce = casbin.Enforcer(f"{directory}/model.conf", f"{directory}/policy.csv").enforce
    return lambda: enforce(TOOL, PATH, ACTION)


def cedarpy(_: str) -> Decide:
    """Ask with policies and entities that were parsed once; it looks at no file system."""
    import cedarpy  # noqa: PLC0415 - where it is installed

    policies, entities = cedarpy.PolicySet.from_str(CEDAR), cedarpy.Entities.from_json_str("[]")
    request = {
        "principal": f'Tool::"{TOOL}"',
        "action": f'Action::"{ACTION}"',
        "resource": 'File::"x"',
        "context": {"path": PATH},
    }
    ask = cedarpy.is_authorized
    return lambda: bool(ask(request, policies, entities).allowed)


def vakt(_: str) -> Decide:
    """Ask a guard over a store in memory; it looks at no file system."""
    import vakt  # noqa: PLC0415 - where it is installed
    from vakt.rules import Eq, StartsWith  # noqa: PLC0415

    logging.getLogger("vakt").setLevel(logging.CRITICAL)
    store = vakt.MemoryStorage()
    store.add(
        vakt.Policy(
            1,
            actions=[Eq(ACTION), Eq("search")],
            resources=[StartsWith("docs/")],
            subjects=[Eq(TOOL)],
            effect=vakt.ALLOW_ACCESS,
        )
    )
    is_allowed, inquiry = vakt.Guard(store, vakt.RulesChecker()).is_allowed, vakt.Inquiry
    return lambda: is_allowed(inquiry(action=ACTION, resource=PATH, subject=TOOL))


def original(directory: str, per_minute: int = 60) -> Decide:
    """Do as the original package is described to do; its check of the path resolves no link."""
    file = f"{directory}/original.json"
    with open(file, "w", encoding="utf-8") as opened:
        json.dump(
            {"tool": TOOL, "actions": [ACTION, "search"], "rate": {"perMinute": per_minute}, "fsScope": ["docs"]},
            opened,
        )
    stamps: dict[str, list[float]] = {}

    def decide() -> bool:
        with open(file, encoding="utf-8") as opened:
            grant = json.load(opened)
        if ACTION not in grant["actions"]:
            return False
        key, now = f"{grant['tool']}:{ACTION}", time.time() * 1000
        hits = [at for at in stamps.get(key, []) if now - at < 60_000]  # noqa: PLR2004 - a minute
        if len(hits) >= grant["rate"]["perMinute"]:
            return False
        if not any(scope == PATH or PATH.startswith(f"{scope}/") for scope in grant["fsScope"]):
            return False
        hits.append(now)
        stamps[key] = hits
        return True

    return decide


def ours(call: str, *, is_counted_in_memory: bool = False) -> "Callable[[str], Decide]":
    """Ask a store by one of its methods, with a path or without."""

    def make_decide(directory: str) -> Decide:
        from cortex_policy import MemoryBudgets, PolicyStore  # noqa: PLC0415 - peers need it not

        store = PolicyStore(f"{directory}/root", budgets=MemoryBudgets() if is_counted_in_memory else None)
        store.preload()
        decide, enforce, load, args = store.decide, store.enforce, store.load, {"path": PATH}
        calls: dict[str, Decide] = {
            "load": lambda: bool(load("git")),
            "decide": lambda: bool(decide("git", ACTION)),
            "decide path": lambda: bool(decide("git", ACTION, args)),
            "enforce": lambda: bool(enforce("git", ACTION)),
            "enforce path": lambda: bool(enforce("git", ACTION, args)),
        }
        return calls[call]

    return make_decide


def ours_one_shot(directory: str) -> Decide:
    """Load and enforce without a store."""
    from cortex_policy import enforce, load_grant  # noqa: PLC0415

    return lambda: bool(enforce(load_grant("git", f"{directory}/root"), ACTION, {"path": PATH}))


def json_load(directory: str) -> Decide:
    """Read and parse a grant, and nothing else."""
    file = f"{directory}/plain.json"
    with open(file, "w", encoding="utf-8") as opened:
        json.dump({"tool": TOOL, "actions": [ACTION, "search"], "rate": {"perMinute": 30}, "fsScope": ["docs"]}, opened)

    def load() -> bool:
        with open(file, "rb") as opened:
            return bool(json.loads(opened.read()))

    return load


def stat(directory: str) -> Decide:
    """Ask for the status of one file, as deep as a grant lies."""
    file = f"{directory}/root/.cortex/policy/tools/git.json"
    look = os.stat
    return lambda: bool(look(file))


def realpath(directory: str) -> Decide:
    """Resolve the links of the path alone."""
    file = f"{directory}/root/{PATH}"
    resolve = os.path.realpath
    return lambda: bool(resolve(file))


LOAD, DECIDE, DECIDE_PATH = "**load, kept**", "**decide**", "**decide, with a path**"
ENFORCE, ENFORCE_PATH = "**enforce, file budget**", "**enforce, path and file budget**"
ENFORCE_MEMORY = "**enforce, path and memory budget**"
PYCASBIN, CEDARPY, VAKT, STAT = "pycasbin", "cedarpy, parsed once", "vakt", "one `os.stat`"
ORIGINAL, JSON = "the original's algorithm", "`json.loads` of a file"
CASES: dict[str, Callable[[str], Decide]] = {
    LOAD: ours("load"),
    DECIDE: ours("decide"),
    DECIDE_PATH: ours("decide path"),
    ENFORCE: ours("enforce"),
    ENFORCE_PATH: ours("enforce path"),
    ENFORCE_MEMORY: ours("enforce path", is_counted_in_memory=True),
    "**load and enforce, no store**": ours_one_shot,
    PYCASBIN: pycasbin,
    CEDARPY: cedarpy,
    VAKT: vakt,
    ORIGINAL: original,
    JSON: json_load,
    "`os.path.realpath`": realpath,
    STAT: stat,
}
