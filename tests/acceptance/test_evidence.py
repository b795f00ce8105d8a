"""From a call to the change that would have allowed it: check, log, replay, edit, suggest, check."""

import json
import shlex
from pathlib import Path

import pytest

from tests.support.command import run_command

# each with the code that `check` answers by the grants of the fixture `root`
CALLS = [
    (("git", "tree", "--path", "docs/x"), 0),
    (("git", "tree", "--path", "packages/a/x", "--arg", "depth=2"), 0),
    (("git", "push", "--path", "docs/x"), 10),
    (("git", "tree", "--path", "src/main.py"), 12),
    (("git", "snippet", "--path", "docs/link/passwd"), 12),
    (("model-gateway", "chat"), 0),
    (("model-gateway", "embed"), 10),
    (("model-gateway", "chat", "--arg", "model=small"), 0),
    (("gti", "tree"), 20),
]


class Machine:
    """A root with an audit log, in which commands are run as an operator or an agent would."""

    def __init__(self, log: Path, detail: str) -> None:
        self.log = log
        self.variables = {"CORTEX_AUDIT_LOG": str(log), "CORTEX_POLICY_AUDIT_ARGS": detail}

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command, which must answer this code."""
        return run_command(*words, code=code, **self.variables).stdout

    def json(self, *words: str) -> dict[str, object]:
        """Run a command, and read what it prints."""
        found: dict[str, object] = json.loads(self.run(*words, "--json"))
        return found


@pytest.fixture(params=["full", "fingerprints"])
def machine(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Machine:
    """Ask for some calls, of which each leaves its line."""
    assert root.is_dir()
    machine = Machine(tmp_path / "audit.jsonl", request.param)
    for words, code in CALLS:
        machine.run("check", *words, code=code)
    assert len(machine.log.read_text().splitlines()) == len(CALLS)
    return machine


def test_replay_gives_each_logged_call_its_logged_answer(machine: Machine) -> None:
    """No answer flips; what a log of fingerprints does not hold is undecided, and nothing else is."""
    found = machine.json("replay", "--fail-on", "any")
    scoped = 4  # by paths that were asked of scopes
    undecided = 0 if '"cwd"' in machine.log.read_text() else scoped
    assert (found["calls"], found["unreadable"], found["other_roots"]) == (len(CALLS), 0, 0)
    assert (found["no_to_yes"], found["yes_to_no"], found["undecided"]) == (0, 0, undecided)


def test_a_narrowed_grant_flips_what_it_takes_back(machine: Machine) -> None:
    """What `set` said beforehand is what `replay` says afterwards."""
    told = machine.json("set", "model-gateway", "--allow", "embed", "--revoke", "chat", "--allow-widening")
    assert told["past"] == {"calls": 3, "no_to_yes": 1, "yes_to_no": 2, "undecided": 0}
    found = machine.json("replay")
    assert (found["no_to_yes"], found["yes_to_no"]) == (1, 2)
    machine.run("replay", "--fail-on", "allow", code=1)


def test_the_suggested_command_makes_the_call_allowed(machine: Machine) -> None:
    """Each command as it is printed: then its example is allowed, and no other grant was touched."""
    found = machine.json("suggest", "--since", "1h")["suggestions"]
    assert isinstance(found, list)
    for one in found:
        command = shlex.split(one["command"])
        assert command[0] == "cortex-policy"
        machine.run(*command[1:], "--allow-widening")
    words = {" ".join(words[:2]): words for words, code in CALLS if code}
    for one in found:
        machine.run("check", *words[f"{one['id']} {one['example']['action']}"])
    helped = {(one["id"], one["example"]["action"]) for one in found}
    is_full = '"cwd"' in machine.log.read_text()
    blind = {("model-gateway", "embed"), ("gti", "tree")}
    assert helped == (blind | {("git", "push"), ("git", "tree")} if is_full else blind)
    assert machine.json("replay")["no_to_yes"] == len(found)
