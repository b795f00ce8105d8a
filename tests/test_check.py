"""The room behind the doors: whatever the words are, there is an answer."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cortex_policy.check import Call
from tests.support.answers import answer

texts = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["\ud800", "docs/x", "\0", "../x", "git", "tree", "a" * 5000]
)
objects = st.dictionaries(
    st.sampled_from(["path", "repo"]) | texts, texts | st.integers() | st.lists(texts, max_size=2), max_size=3
)
json_words = st.none() | texts.filter(lambda text: text != "-") | objects.map(json.dumps)
calls = st.builds(
    Call,
    st.just("git") | texts,
    st.just("tree") | texts,
    st.lists(texts, max_size=2).map(tuple),
    st.lists(texts | st.builds("{}={}".format, texts, texts), max_size=2).map(tuple),
    json_words,
    st.none() | texts,
    cost=st.integers(1, 40) | st.just(10**4000),
    peek=st.booleans(),
    require_path=st.booleans(),
    explain=st.booleans(),
    json=st.booleans(),
    quiet=st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(calls)
@example(Call("git", "tree", arg_words=("x=" + "[" * 10_000,)))
@example(Call("git", "tree", args_json="[" * 10_000))
@example(Call("git", "tree", ("\ud800",), json=True))
@example(Call("git", "tree", root="\ud800", json=True))
@example(Call("git", "tree", cost=10**4000, explain=True))
@pytest.mark.usefixtures("root")
def test_any_words_after_check_get_an_answer(call: Call) -> None:
    """No text raises; a no says why unless it is to be quiet; JSON is one line that says what the code says."""
    given_answer = answer(call)
    assert given_answer.exit_code in {0, 2, 10, 11, 12, 14, 20, 25}
    if call.quiet:
        assert not given_answer.out + given_answer.err
    elif call.json:
        told = json.loads(given_answer.out)
        assert (given_answer.err, given_answer.out.count("\n")) == ("", 1)
        assert (told["exit_code"], told["decision"]) == (given_answer.exit_code, given_answer.exit_code == 0)
    else:
        assert bool(given_answer.err) == (given_answer.exit_code != 0)
        assert all(line.isprintable() for line in (given_answer.out + given_answer.err).split("\n"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(calls)
@example(Call("git", "tree", cost=10**4000))
@example(Call("git", "tree", args_json='{"paths": ["\\u0000`", "a b`"]}'))
@pytest.mark.usefixtures("root")
def test_any_words_after_explain_get_an_answer(call: Call) -> None:
    """On stdout alone unless they do not fit together, and each line can be printed."""
    asked = Call(**{**vars(call), "explain": True, "peek": True, "quiet": False, "command": "explain"})
    told = answer(asked)
    assert told.exit_code in {0, 2, 10, 11, 12, 14, 20, 25}
    assert bool(told.err) == (told.exit_code == 2 and not call.json)
    assert all(line.isprintable() for line in (told.out + told.err).split("\n"))
    if call.json:
        assert ("explanation" in json.loads(told.out)) == (told.exit_code != 2)


@pytest.mark.parametrize(
    ("words", "args"),
    [("x=1", 1), ("x=true", True), ("x=[1]", [1]), ("x=a", "a"), ("x=", ""), ("x=1=2", "1=2"), ("repo=3", "3"), ("path=3", "3"),
     ("x={", "{"), ("x=NaN", "NaN"), ("x=null", None)],
)  # fmt: skip
def test_a_word_takes_its_declared_type_or_else_that_of_json(root: Path, words: str, args: object) -> None:
    """A path and a declared string stay as typed; the rest is JSON where it parses as such."""
    name = words.partition("=")[0]
    document = {"tool": "t", "actions": ["a"], "rate": {"perMinute": 9}, "args": {name: {"const": args}}}
    if name == "repo":
        document["args"] = {name: {"type": "string", "const": args}}
    if name == "path":
        document["fsScope"] = ["3"]
    (root / ".cortex" / "policy" / "tools" / "typed.json").write_text(json.dumps(document))
    assert answer(Call("typed", "a", arg_words=(words,), peek=True)).exit_code == 0
