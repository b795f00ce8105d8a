"""Which answers occur how often: reasons, classes of errors, and each sentence without what it names."""

import re
from collections import Counter
from collections.abc import Iterator

from scripts.vectors.files import case_files, generated_files, read_lines
from scripts.vectors.texts import Vector

LOAD = "load: "  # of which there are few: each needs a tree of its own
_NAMED = re.compile(r"`[^`]*`|\"[^\"]*\"|[0-9][0-9,.]*")
_LIST = re.compile(
    r"(allowed actions|paths in these scopes are allowed|give a path in one of these scopes): "
    r".*?(?=; it reads|; an operator|$)",
    re.DOTALL,
)
_NESTED = re.compile(r"\((an item|its items)\) ")
_TEXTS = (
    (re.compile(r"must be one of `enum`: .*", re.DOTALL), "must be one of `enum`: _"),
    (re.compile(r"must be the `const` .*", re.DOTALL), "must be the `const` _"),
    (re.compile(r"must match `pattern` .*?( within [0-9].*)?$", re.DOTALL), r"must match `pattern` _\1"),
    (re.compile(r"must be of type .*"), "must be of type _"),
    (re.compile(r"must meet `(\w+)` .*"), r"must meet <\1> _"),
)
_SENTENCES = (
    "argument not allowed",
    "path not within fsScope",
    "rate limit exceeded",
    "grant invalid",
    "action not allowed",
)
_HINT_OF_GRANT = re.compile(r" in (git|fs\.write|g-1)\b")


def count_answers() -> "Counter[str]":
    """Return how many vectors have each answer."""
    counts: Counter[str] = Counter()
    for file in (*case_files(), *generated_files()):
        for vector in read_lines(file):
            counts.update(set(answers_of(vector)))
    return counts


def report() -> str:
    """Return a line for each answer, the rarest last."""
    lines = [f"{number:6} {answer}" for answer, number in count_answers().most_common()]
    return "\n".join(lines) + "\n"


def answers_of(vector: Vector) -> Iterator[str]:
    """Yield what a vector expects, each part without what it names."""
    expect, kind = vector["expect"], vector["kind"]
    if kind == "load":
        yield f"{LOAD}{expect['reason']}"
        return
    if "reason" in expect:
        yield f"reason: {expect['reason']}"
    if kind == "decode":
        yield f"decode: {expect.get('error', {}).get('class', 'a grant')}"
    yield from (f"hint: {part}" for part in _hint_parts(expect.get("hint", "")))
    for name in ("message", "violation", "refused", "denied"):
        yield from _sentences(expect.get(name, ""))
    for name in ("error", "protected_reason"):
        yield from _sentences(expect.get("path", {}).get(name, ""))
    yield from _sentences(expect.get("error", {}).get("message", ""))
    yield from (f"match: {_NAMED.sub('_', str(one))}" for one in expect.get("matches", ()))
    yield from (f"rate: {_rate_answer(one)}" for one in expect.get("answers", ()))
    yield from (f"{name}: {expect[name]}" for name in ("is_id", "usage", "retryable", "allowed") if name in expect)
    yield f"kind: {kind}"


def _sentences(message: str) -> Iterator[str]:
    """Yield the sentences of a message: of a reason, of each problem, of a pattern that is refused."""
    sentence, colon, detail = message.partition(": ")
    if sentence in _SENTENCES and colon:
        yield f"sentence: {sentence}"
        message = detail
    for nested in set(_NESTED.findall(message)):
        yield f"part: ({nested})"
    message = _NESTED.sub("", message)
    for pattern, text in _TEXTS:
        message = pattern.sub(text, message)
    _, broken, refused = message.partition("`pattern`, which cannot be enforced: ")
    if broken:
        yield f"part: {_NAMED.sub('_', refused)}"
        message = "_ is declared with `pattern`, which cannot be enforced: _"
    for part in message.split("; "):
        if part:
            yield f"part: {_NAMED.sub('_', part).removeprefix('_ ')}"


def _hint_parts(hint: str) -> Iterator[str]:
    hint = _HINT_OF_GRANT.sub(" in _", _LIST.sub(r"\1: _", hint))
    for part in hint.split("; "):
        yield re.sub(r"form: .*", "form: _", _NAMED.sub("_", part)) or "none"


def _rate_answer(one: Vector) -> str:
    never = one["retry_after_seconds"] is None
    return "never" if never else f"allowed {one['allowed']}, waits {one['retry_after_seconds'] > 0}"
