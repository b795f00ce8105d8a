"""What a check answers in the tree of a vector of the kind `load`: the files are real, and the root's way is its own."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from cortex_policy import state
from cortex_policy.check import Call, CallOutcome, decide_outcome_with_wait
from cortex_policy.state import (  # an ordinary user, who asks some vectors, may not be able to read them
    emergency_stop,  # noqa: F401
    grants_errors,  # noqa: F401
    settings,
    settings_errors,  # noqa: F401
    stamp,  # noqa: F401
)
from cortex_policy.state.users import format_user
from scripts.vectors.load_trees import asker, build_load_tree, can_ask
from scripts.vectors.texts import BASE, Vector, replace_text

_USER, _UID = "{user}", "{uid}"  # stand for the name and the number of whoever asks
# what comes behind these words is a parser's or the system's own
_BEGINNINGS = re.compile(
    r"settings invalid: `[^`]*`: it is not TOML|rate state unavailable|no policy root: the working directory"
    r"|(grant invalid: |grant differs from its stamp: `[^`]*`: )(?=line [0-9]+ column )"
)


def answer_load(vector: Vector) -> Vector:
    """Return what a check answers; what the vector expects already, if this process cannot ask it."""
    if not can_ask(vector):
        expected: Vector = vector["expect"]
        return expected
    with asker(vector):
        base = build_load_tree(vector["tree"])
        with surroundings(vector, base):
            outcome = decide_outcome_with_wait(build_call(vector, base))
        return _without_names(_describe(outcome), base)


def _without_names(found: Vector, base: str) -> Vector:
    uid = os.geteuid()
    named = replace_text(found, f"by {format_user(uid)} since", f"by {_USER} since")
    nameless: Vector = replace_text(replace_text(named, f"to user {uid}", f"to user {_UID}"), base, BASE)
    return nameless


def build_call(vector: Vector, base: str) -> Call:
    """Return the call of a vector: a peek, so that it leaves nothing behind."""
    args = json.dumps(replace_text(vector["args"], BASE, base))
    root = replace_text(vector.get("root"), BASE, base)
    return Call(vector["grant_id"], vector["action"], args_json=args, root=root, peek=True)


@contextmanager
def surroundings(vector: Vector, base: str) -> Iterator[None]:
    """Give a call its working directory and environment, and the host's settings a place in the tree."""
    usual = {"XDG_CONFIG_HOME": f"{BASE}/config", "CORTEX_POLICY_STATE_DIR": f"{BASE}/state"}
    given = replace_text(usual | vector.get("environment", {}), BASE, base)
    others = {name: os.environ[name] for name in os.environ if not name.startswith("CORTEX_") and name not in given}
    variables = others | {name: text for name, text in given.items() if text is not None}
    before = os.getcwd()
    with (
        patch.dict(os.environ, variables, clear=True),
        patch.object(state, "SYSTEM_SETTINGS", f"{base}/etc/cortex-policy"),
        patch.object(settings, "STABLE_NS", 0),  # nobody writes the files any more
    ):
        _enter(vector.get("cwd", BASE), base)
        try:
            yield
        finally:
            os.chdir(before)


def _enter(directory: str | None, base: str) -> None:
    """Go to a working directory; None: to one that is gone."""
    if directory is not None:
        os.chdir(directory.replace(BASE, base))
        return
    gone = f"{base}/gone"
    os.mkdir(gone)
    os.chdir(gone)
    os.rmdir(gone)


def _describe(outcome: CallOutcome) -> Vector:
    error, decision = outcome.error, outcome.decision
    if error is not None:
        reason, message = error.reason, error.message
    elif decision is not None:
        reason, message = decision.reason, decision.message
    beginning = _BEGINNINGS.match(message)
    words = {"message": message} if beginning is None else {"begins": beginning[0]}
    return {"allowed": outcome.exit_code == 0, "reason": str(reason), "exit_code": outcome.exit_code, **words}
