"""The module answers every vector of conformance/ as this program does, and fails closed."""

import hashlib
import json
from itertools import permutations, product
from pathlib import Path

import pytest
import wasmtime

from scripts.vectors.files import case_files, generated_files, read_lines
from scripts.vectors.texts import Vector
from tests.support.wasm_policy import MODULE, WasmPolicy
from tests.support.wasm_vectors import answer, is_same

DATA = MODULE.read_bytes()
BY_HAND, BY_CHANCE = (  # the module has no disk
    [file for file in files if not file.name.startswith("load.")] for files in (case_files(), generated_files())
)
MAX_BYTES = 50_000
AT_ONCE = 500  # vectors for one instance: grants and budgets stay in its memory
SMALL = 5_000  # characters of a vector; larger ones take most of the time
GRANT = b'{"tool": "git", "actions": ["tree"], "rate": {"perMinute": 2}}'
MINUTE = 60_000_000_000


def wrong_answers(vectors: list[Vector]) -> list[tuple[str, object, object]]:
    """Return the vectors with another answer."""
    wrong = []
    for start in range(0, len(vectors), AT_ONCE):
        policy = WasmPolicy(DATA, ring_bytes=1 << 22)
        for vector in vectors[start : start + AT_ONCE]:
            found = answer(policy, vector)
            if not is_same(vector, found):
                wrong.append((vector["id"], vector["expect"], found))
    return wrong


def is_small(vector: Vector) -> bool:
    """Whether a vector takes no time worth mentioning."""
    text = json.dumps(vector)
    return len(text) < SMALL and '"repeat"' not in text


@pytest.mark.parametrize("file", BY_HAND, ids=lambda file: file.name)
def test_vectors_made_by_hand_have_their_answers(file: Path) -> None:
    """All but the large ones, which a storm asks."""
    assert wrong_answers(list(filter(is_small, read_lines(file)))) == []


@pytest.mark.parametrize("file", BY_CHANCE, ids=lambda file: file.name)
def test_a_sample_of_the_generated_vectors_has_its_answers(file: Path) -> None:
    """Each twentieth; a storm asks all."""
    assert wrong_answers(list(filter(is_small, read_lines(file)[::20]))) == []


@pytest.mark.storm
@pytest.mark.parametrize("file", [*BY_HAND, *BY_CHANCE], ids=lambda file: file.name)
def test_every_vector_has_its_answer(file: Path) -> None:
    """All of them, large ones too."""
    assert wrong_answers(read_lines(file)) == []


def test_the_digest_is_that_of_the_module() -> None:
    """CI also builds the module again, and compares."""
    digest = MODULE.with_name("policy.wasm.sha256").read_text().split()[0]
    assert hashlib.sha256(DATA).hexdigest() == digest


def test_it_is_smaller_than_50_kb() -> None:
    """Without grants, so that a page can load it; README.md of `wasm` says what it has."""
    assert len(DATA) < MAX_BYTES


def test_it_imports_its_memory_and_nothing_else() -> None:
    """So that no host has to trust it with more."""
    config = wasmtime.Config()
    config.wasm_threads = True
    config.shared_memory = True
    module = wasmtime.Module(wasmtime.Engine(config), DATA)
    assert [(one.module, one.name) for one in module.imports] == [("env", "memory")]


def test_hits_are_counted_by_the_clock_of_the_host() -> None:
    """Two of two, no third, and one more when the first is a minute old."""
    policy = WasmPolicy(DATA)
    handle = policy.load("git", GRANT)
    answers = [policy.decide(handle, '{"action": "tree"}', at * MINUTE // 4)["reason"] for at in (40, 41, 42, 45)]
    assert answers == ["allowed", "allowed", "rate_limited", "allowed"]


def test_a_call_waits_for_the_last_hit_after_the_clock_went_back() -> None:
    """Hits that are out of order count until each is a minute old."""
    policy = WasmPolicy(DATA)
    handle = policy.load("git", GRANT.replace(b"2}", b"3}"))
    seconds = (100, 90, 110)
    assert all(policy.decide(handle, '{"action": "tree"}', 10**9 * at)["allowed"] for at in seconds)
    budget = policy.decide(handle, '{"action": "tree", "cost": 3}', 10**9 * 120)["budget"]
    assert budget["used"] == len(seconds)
    assert budget["retry_after_seconds"] == pytest.approx(50, abs=1e-4)


@pytest.mark.parametrize(
    ("request_text", "reason"),
    [
        ("", "usage"),
        ("[]", "usage"),
        ('{"action": "tree", "action": "tree"}', "usage"),
        ('{"action": "tree", "cost": 0}', "usage"),
        ('{"action": "tree", "approved": 1}', "usage"),
        ('{"action": "tree", "more": 1}', "usage"),
        ('{"action": "tree", "budget": {"limit": "2"}}', "state_unavailable"),
        ('{"action": "tree", "args": {"path": "docs"}}', "path_outside_scope"),
        ('{"action": "tree", "now": 1' + "0" * 400 + ', "hits": [0, 0]}', "usage"),
    ],
)
def test_what_it_does_not_understand_is_denied(request_text: str, reason: str) -> None:
    """Also a path that the host has not resolved."""
    policy = WasmPolicy(DATA)
    handle = policy.load("git", GRANT)
    decision = policy.decide(handle, request_text)
    assert (decision["allowed"], decision["reason"]) == (False, reason)


def test_a_grant_that_is_not_loaded_is_not_found() -> None:
    """And one that does not decode leaves the one before it as it was."""
    policy = WasmPolicy(DATA)
    assert policy.decide(policy.find("git"), '{"action": "tree"}')["reason"] == "grant_not_found"
    handle = policy.load("git", GRANT)
    assert policy.load("git", GRANT[:-1]) == -1
    assert policy.read()["error"]["class"] == "syntax"
    assert policy.find("git") == handle
    assert policy.decide(handle, '{"action": "tree"}', MINUTE)["allowed"]


def test_a_memory_that_is_full_is_a_trap_or_a_denial() -> None:
    """Of the calls no module must answer yes; of the hits it says that it cannot count them."""
    policy = WasmPolicy(DATA, ring_bytes=128)
    assert policy.decide(policy.load("git", GRANT), '{"action": "tree"}', MINUTE)["reason"] == "state_unavailable"
    small = WasmPolicy(DATA, heap_bytes=1 << 16)
    handle = small.load("git", GRANT)
    with pytest.raises(wasmtime.Trap):
        small.decide(handle, '{"action": "tree", "args": {"x": [' + "1," * 5000 + "1]}}", MINUTE)
    assert small.decide(handle, '{"action": "tree"}', MINUTE)["budget"]["used"] == 1


def test_a_grant_that_trapped_half_loaded_decides_nothing() -> None:
    """Its id could have the place of the next one."""
    policy = WasmPolicy(DATA, heap_bytes=1 << 16)
    policy.load("git", GRANT)
    with pytest.raises(wasmtime.Trap):
        policy.load("large", GRANT + b" " * 30_000)
    with pytest.raises(wasmtime.Trap):
        policy.find("large")


@pytest.mark.parametrize("sizes", [(0xFFFF_FFFF, 1 << 20), (1 << 20, 0xFFFF_FFFF), (64, 1 << 20)])
def test_sizes_that_do_not_fit_into_addresses_are_refused(sizes: tuple[int, int]) -> None:
    """A sum that is larger than an address would end in memory that is used."""
    with pytest.raises(AssertionError):
        WasmPolicy(DATA, *sizes)


@pytest.mark.parametrize("scopes", [1, 20])
@pytest.mark.parametrize(
    "told", ["docs/../secret", "docs/..", "docs//x", "docs/./x", "docs/x/", "/docs/x", "docs/a/../../.."]
)
def test_a_path_that_the_host_has_not_normalized_is_in_no_scope(told: str, scopes: int) -> None:
    """A host that passes what it was given passes `..` too."""
    policy = WasmPolicy(DATA)
    scope = json.dumps(["docs", *(f"other{number}" for number in range(1, scopes))])
    handle = policy.load("git", GRANT[:-1] + f', "fsScope": {scope}}}'.encode())
    allowed = [
        decide_path(policy, handle, normalized, there) for normalized, there in product(("docs/x", told), repeat=2)
    ]
    assert allowed == [True, False, False, False]


def decide_path(policy: WasmPolicy, handle: int, normalized: str, there: str) -> bool:
    """Return whether a path is allowed that leads where it is said to."""
    path = {"argument": "path", "given": "docs/x", "normalized": normalized, "resolved_inside": there}
    request = {"action": "tree", "args": {"path": "docs/x"}, "paths": [path]}
    return bool(policy.decide(handle, json.dumps(request), MINUTE)["allowed"])


def test_a_path_that_is_told_twice_leads_to_one_place() -> None:
    """A member of an object that is a path is asked for twice; entries that differ are no request."""
    policy = WasmPolicy(DATA)
    handle = policy.load("git", GRANT[:-1] + b', "fsScope": ["docs"]}')
    inside = {"argument": "path", "given": "docs/x", "normalized": "docs/x", "resolved_inside": "docs/x"}
    told = {"error": "e", "protected_reason": "p", "normalized": None, "resolved_inside": "etc", "resolved": "/etc"}
    for paths in (pair for name in told for pair in permutations([inside, inside | {name: told[name]}])):
        request = {"action": "tree", "args": {"path": "docs/x"}, "paths": paths}
        assert policy.decide(handle, json.dumps(request), MINUTE)["reason"] == "usage"
    request = {"action": "tree", "args": {"path": "docs/x"}, "paths": [inside, inside]}
    assert policy.decide(handle, json.dumps(request), MINUTE)["allowed"]


def test_each_member_is_found_by_its_name() -> None:
    """By its bits: also where one name begins another, is empty, or has bits that no other has."""
    policy = WasmPolicy(DATA)
    names = ["", *("a" * length for length in range(1, 300)), *map(chr, range(1, 300)), "\U0001f600", "\uffff"]
    names = list(dict.fromkeys(names))
    declared = {name: {"const": place} for place, name in enumerate(names)}
    handle = policy.load("git", json.dumps({**json.loads(GRANT), "args": declared}).encode())
    args = {name: place for place, name in enumerate(names)}
    assert policy.decide(handle, json.dumps({"action": "tree", "args": args}), MINUTE)["allowed"]
    for name in ("", "aa", "\u0101", "\uffff"):
        wrong = json.dumps({"action": "tree", "args": args | {name: -1}})
        assert policy.decide(handle, wrong, MINUTE)["reason"] == "argument_not_allowed"
