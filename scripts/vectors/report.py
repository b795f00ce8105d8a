"""Which answers occur how often: reasons, messages without what they name, classes of errors."""

import re
from collections import Counter
from collections.abc import Iterator

from scripts.vectors.files import case_files, generated_files, read_lines
from scripts.vectors.texts import Vector

_NAMED = re.compile(r"`[^`]*`|\"[^\"]*\"|/[^ ,]+|[0-9][0-9,.]*")


def report() -> str:
    """Return a line for each answer, the rarest last."""
    counts: Counter[tuple[str, str]] = Counter()
    for file in (*case_files(), *generated_files()):
        for vector in read_lines(file):
            counts.update((vector["kind"], answer) for answer in set(kinds_of_answer(vector)))
    lines = [
        f"{number:6} {kind:15} {answer}"
        for (kind, answer), number in sorted(counts.items(), key=lambda one: (one[0][0], -one[1]))
    ]
    return "\n".join(lines) + "\n"


def kinds_of_answer(vector: Vector) -> Iterator[str]:
    """Yield what kinds of answers a vector expects."""
    expect = vector["expect"]
    if "reason" in expect:
        yield f"reason {expect['reason']}"
    error = expect.get("error")
    if error:
        yield f"error {error['class']}: {template(error.get('message', ''))}"
    for name in ("message", "hint", "violation", "refused", "denied"):
        if name in expect:
            yield f"{name} {template(expect[name])}"
    for name in ("error", "protected_reason"):
        if name in expect.get("path", {}):
            yield f"{name} {template(expect['path'][name])}"
    yield from (f"matches {template(str(one))}" for one in expect.get("matches", ()))
    yield from (
        f"answer allowed {one['allowed']}, retry {one['retry_after_seconds'] is not None}"
        for one in expect.get("answers", ())
    )
    yield from (f"member {name} {expect[name]}" for name in ("is_id", "usage", "retryable") if name in expect)


def template(message: str) -> str:
    """Return a message without what it names, and without its list of allowed words."""
    for start in ("allowed actions: ", "allowed below: ", "give a path below: "):
        if message.startswith(start):
            _, _, rest = message.partition("; ")
            message = f"{start}...; {rest}"
    message = re.sub(r"must be one of `enum`: .*", "must be one of `enum`: ...", message, flags=re.DOTALL)
    message = re.sub(r"must be the `const` .*", "must be the `const` ...", message, flags=re.DOTALL)
    message = re.sub(r"must match `pattern` .*?( within .*)?$", r"must match `pattern` ...\1", message, flags=re.DOTALL)
    message = re.sub(r"must be of type .*", "must be of type ...", message)
    message = re.sub(r"must meet `(\w+)` \S+$", r"must meet <\1> ...", message)
    return _NAMED.sub("_", message)[:160]
