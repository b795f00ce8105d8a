"""The supervisor writes what the grant allows, where the decision said, and tells agents why not and until when."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.examples import Example


@pytest.fixture
def supervisor(tmp_path: Path) -> Example:
    """Copy it, with a place beside it that no agent may write to."""
    (tmp_path / "outside").mkdir()
    return Example("supervisor", tmp_path)


def answers(supervisor: Example, *requests: dict[str, Any], code: int) -> list[dict[str, Any]]:
    """Hand requests in; return the answers."""
    done = supervisor.run(str(supervisor.root), given="".join(f"{json.dumps(request)}\n" for request in requests))
    assert (done.returncode, done.stderr) == (code, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_example_request_gets_its_answer(supervisor: Example) -> None:
    """Two are written, one into a directory made for it; two are not, with what to do instead."""
    done = supervisor.run(str(supervisor.root), given=(supervisor.root / "requests.jsonl").read_text())
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, [answer["written"] for answer in told]) == (1, [True, True, False, False])
    assert (supervisor.root / "artefacts" / "data" / "rows.csv").read_text() == "a,b\n1,2\n"
    assert [answer["reason"] for answer in told[2:]] == ["path_outside_scope"] * 2
    assert told[2]["hint"] == "write below artefacts"
    assert "governs grants" in told[3]["message"]


def test_an_existing_link_is_resolved_before_the_decision(supervisor: Example) -> None:
    """Of a directory or of a file, it is resolved before it is decided."""
    artefacts = supervisor.root / "artefacts"
    (artefacts / "out").symlink_to("../../outside")
    (artefacts / "passwd").symlink_to("../../outside/passwd")
    requests = [{"path": f"artefacts/{name}", "text": "x"} for name in ("out/x", "passwd")]
    assert [told["reason"] for told in answers(supervisor, *requests, code=1)] == ["path_outside_scope"] * 2
    assert not list((supervisor.root.parent / "outside").iterdir())


def test_a_link_within_the_scope_is_written_where_it_leads(supervisor: Example) -> None:
    """That is the path which was decided on; the link stays."""
    artefacts = supervisor.root / "artefacts"
    (artefacts / "real").mkdir()
    (artefacts / "latest").symlink_to("real/report.md")
    (told,) = answers(supervisor, {"path": "artefacts/latest", "text": "new"}, code=0)
    assert told["written"]
    assert (artefacts / "latest").is_symlink()
    assert (artefacts / "real" / "report.md").read_text() == "new"


@pytest.mark.parametrize("swapped", ["artefacts", "artefacts/data"])
def test_a_link_that_comes_after_the_decision_is_not_followed(supervisor: Example, swapped: str) -> None:
    """Whoever swaps a directory for one in that instant gets an error, and nothing is written outside."""
    place = supervisor.root / swapped
    place.mkdir(exist_ok=True)
    place.rename(supervisor.root / "before")
    (supervisor.root.parent / "outside" / "data").mkdir()
    place.symlink_to(supervisor.root.parent / "outside")
    with pytest.raises(OSError, match="directory"):
        supervisor.module().replace(os.path.realpath(supervisor.root) + "/artefacts/data/x", b"x")
    assert [path for path in (supervisor.root.parent / "outside").rglob("*") if path.is_file()] == []


def test_a_link_in_place_of_the_file_is_replaced(supervisor: Example) -> None:
    """It is the name that is written to, not what a link there leads to; nor what a second name holds."""
    victim = supervisor.root.parent / "outside" / "victim"
    victim.write_text("kept")
    artefacts = Path(os.path.realpath(supervisor.root)) / "artefacts"
    (artefacts / "link").symlink_to(victim)
    os.link(victim, artefacts / "second")
    for name in ("link", "second"):
        supervisor.module().replace(str(artefacts / name), b"new")
        assert (artefacts / name).read_bytes() == b"new"
    assert victim.read_text() == "kept"


def test_the_budget_is_exact_and_says_when_it_frees(supervisor: Example) -> None:
    """Thirty of forty are written; what an agent is told to wait is what is left of the minute."""
    requests = [{"path": f"artefacts/{number}", "text": ""} for number in range(40)]
    told = answers(supervisor, *requests, code=1)
    assert [answer["written"] for answer in told] == [True] * 30 + [False] * 10
    assert {answer["reason"] for answer in told[30:]} == {"rate_limited"}
    assert all(0 < answer["retry_after_seconds"] <= 60 for answer in told[30:])
    assert len(list((supervisor.root / "artefacts").glob("[0-9]*"))) == 30


def test_an_invalid_request_is_reported_and_takes_no_budget(supervisor: Example) -> None:
    """Whatever it is: the supervisor goes on, and the next agent has the whole budget."""
    lines = ["", "{", "[]", "[" * 100_000, '{"path": 1, "text": ""}', '{"path": "artefacts/x"}']
    lines += ['{"path": "artefacts/x", "text": "\\ud800"}', '{"path": "artefacts/\\ud800", "text": ""}']
    done = supervisor.run(str(supervisor.root), given="\n".join(lines) + "\n")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr, len(told)) == (1, "", len(lines))
    assert [answer["reason"] for answer in told] == ["bad_request"] * 7 + ["path_outside_scope"]
    requests = [{"path": f"artefacts/{number}", "text": ""} for number in range(30)]
    assert all(answer["written"] for answer in answers(supervisor, *requests, code=0))


def test_a_path_that_cannot_be_written_is_reported(supervisor: Example) -> None:
    """A directory stands there, say; and no draft is left."""
    (told,) = answers(supervisor, {"path": "artefacts", "text": "x"}, code=1)
    assert (told["reason"], told["message"]) == ("not_written", "is a directory")
    assert [path.name for path in supervisor.root.iterdir() if path.name.startswith(".new")] == []


def test_text_of_an_agent_is_escaped_on_the_terminal(supervisor: Example) -> None:
    """What would set its title is told in ASCII."""
    done = supervisor.run(
        str(supervisor.root), given='{"agent": "\\u001b]0;x\\u0007", "path": "\\u009b2J", "text": ""}\n'
    )
    assert done.stdout.isascii()
    assert all(character.isprintable() or character == "\n" for character in done.stdout)


def test_a_stop_and_a_broken_grant_deny(supervisor: Example) -> None:
    """Each with the operator's way out."""
    request = {"path": "artefacts/x", "text": "x"}
    supervisor.operator("stop", "--reason", "token leaked")
    (told,) = answers(supervisor, request, code=1)
    assert (told["reason"], "resume" in told["hint"]) == ("stopped", True)
    supervisor.operator("resume")
    (supervisor.root / ".cortex" / "policy" / "tools" / "artefacts.json").write_text("{")
    done = supervisor.run(str(supervisor.root), given=json.dumps(request))
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (1, "grant_invalid")
    assert done.stderr.startswith("supervisor: artefacts: grant invalid")
    assert not (supervisor.root / "artefacts" / "x").exists()


def test_a_missing_root_is_reported(supervisor: Example, tmp_path: Path) -> None:
    """In a sentence, with an exit code that is neither 0 nor 1."""
    for root in (tmp_path / "absent", tmp_path / "outside"):
        done = supervisor.run(str(root))
        assert (done.returncode, done.stderr.count("\n")) == (3, 1)
