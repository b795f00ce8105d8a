"""What policy.wasm answers to the vectors of conformance/."""

import json
from typing import Any

from scripts.vectors.texts import Vector, document_bytes, expand_bytes, expand_text
from tests.support.wasm_policy import WasmPolicy

_BASE = "/b"  # where the trees of the kind `paths` would be
_REQUEST = ("cost", "approved", "budget", "paths")


def _json_object(**texts: str) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in texts.items()) + "}"


def answer(policy: WasmPolicy, vector: Vector) -> Any:
    """Return the answer to a vector, without what the module does not say (hints)."""
    kind = vector["kind"]
    if kind == "decode":
        return _answer_decode(policy, expand_bytes(vector["bytes"]))
    if kind == "decide":
        return _answer_decide(policy, vector)
    if kind == "rate":
        return {"answers": [_answer_event(policy, vector["id"], event) for event in vector["events"]]}
    return policy.examine(_question(kind, vector))


def _question(kind: str, vector: Vector) -> str:
    texts = {"kind": json.dumps(kind)}
    for name in ("declarations", "args"):
        if kind in ("arguments", "path_arguments"):
            texts[name] = document_bytes(vector, name).decode()
    for name in ("pattern", "word"):
        if name in vector:
            texts[name] = json.dumps(expand_text(vector[name]))
    if kind == "patterns":
        texts["values"] = json.dumps([expand_text(value) for value in vector["values"]])
    if kind == "arguments" and "words" in vector:
        texts["words"] = json.dumps({name: expand_text(word) for name, word in vector["words"].items()})
    if kind == "paths":
        located = json.loads(json.dumps(vector).replace("{base}", _BASE))
        texts["scopes"] = json.dumps(located["scopes"])
        texts["path"] = json.dumps(
            {"argument": "path", "given": expand_text(located["given"]), **located["expect"]["path"]}
        )
    return _json_object(**texts)


def _answer_decode(policy: WasmPolicy, data: bytes) -> Any:
    handle = policy.load("g", data)
    if handle < 0:
        return policy.read()
    policy.call("describe", handle)
    return {"grant": policy.read()}


def _answer_decide(policy: WasmPolicy, vector: Vector) -> Any:
    settings = vector.get("settings", {})
    policy.configure(settings)
    handle = policy.load(vector["grant_id"], document_bytes(vector, "grant"))
    if handle < 0:
        error = policy.read()["error"]
        answer = {"allowed": False, "reason": "grant_invalid", "exit_code": 21}
        return answer | {"message": f"grant invalid: {error['message']}"}
    texts = {"action": json.dumps(vector["action"]), "args": document_bytes(vector, "args").decode()}
    texts |= {name: json.dumps(vector[name]) for name in _REQUEST if name in vector}
    if "budget" not in vector:
        texts |= {"hits": json.dumps(vector.get("hits", [])), "now": json.dumps(vector.get("now", 0))}
    return policy.decide(handle, _json_object(**texts))


def _answer_event(policy: WasmPolicy, tool: str, event: dict[str, Any]) -> Any:
    question = {"kind": "rate", "tool": tool, "action": "a", **event}
    del question["at"]
    budget = policy.examine(json.dumps(question), event["at"])
    retry = budget["retry_after_seconds"]
    allowed = retry == 0 if event["op"] == "peek" else budget["consumed"] == event["cost"]
    if retry is None:
        return {"allowed": False, "retry_after_seconds": None}
    return {
        "allowed": allowed,
        **{name: budget[name] for name in ("used", "remaining", "consumed")},
        "retry_after_seconds": retry,
    }


def is_same(vector: Vector, found: Any) -> bool:
    """Whether an answer is what the vector expects; the wording of errors that vectors leave open does not count."""
    expect = vector["expect"]
    if vector["kind"] == "decode" and "error" in expect:
        return "error" in found and all(found["error"].get(name) == value for name, value in expect["error"].items())
    if vector["kind"] == "decode":
        return all(found.get("grant", {}).get(name) == value for name, value in expect["grant"].items())
    if vector["kind"] == "rate":
        return all(map(_is_near, expect["answers"], found["answers"]))
    if vector["kind"] == "paths":
        located = json.loads(json.dumps(expect).replace("{base}", _BASE))
        return bool(found == {name: located[name] for name in ("denied", "scope")})
    return all(found.get(name) == value for name, value in expect.items() if name != "hint")


def _is_near(one: Vector, other: Vector) -> bool:
    seconds, others = one["retry_after_seconds"], other["retry_after_seconds"]
    if seconds is None or others is None:
        return one == other
    is_near = abs(seconds - others) <= 2e-5 and (seconds == 0) == (others == 0)
    return is_near and {**one, "retry_after_seconds": 0} == {**other, "retry_after_seconds": 0}
