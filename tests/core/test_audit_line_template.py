"""Lines of one grant and action, written from what they share: byte for byte those that an event makes by itself."""

from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.audit_event import MAX_LINE_BYTES, Event, event_to_cloudevent_line
from cortex_policy.core.audit_line_template import AuditLineTemplate, Caller
from cortex_policy.core.model import ALLOWED, RATE_LIMITED, Decision, ResolvedPath
from tests.support.logs import digest

texts = st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.sampled_from(["docs/x"])
names = st.text(min_size=1, max_size=20)
places = st.builds(ResolvedPath, texts, texts, st.none() | texts, st.none() | texts, st.none() | texts, texts)
answers = st.builds(
    lambda reason, found: Decision(reason, "", (), None, tuple((place, None) for place in found)),
    st.sampled_from([ALLOWED, RATE_LIMITED]),
    st.lists(places, max_size=2),
)
callers = st.builds(Caller, texts, st.none() | st.just("0a" * 16), st.none() | texts)
calls = st.lists(
    st.tuples(
        st.integers(0, 1 << 62), st.none() | st.integers(0), st.dictionaries(names, scalars, max_size=3), answers, callers
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


def by_event(names: tuple[str, str, str, str | None], detail: str, number: int, call: tuple) -> bytes:  # type: ignore[type-arg]
    """Return the line that an event makes."""
    grant, tool, action, root = names
    at_ns, version, args, answer, caller = call
    event = Event(
        f"{number:032}", at_ns, grant, tool, action, args, bool(answer), answer.reason, 1, False,  # noqa: FBT003
        tuple(place for place, _ in answer.paths), root, caller.cwd, version, caller.run, caller.trace,
    )  # fmt: skip
    return event_to_cloudevent_line(event, detail, digest)


@given(st.tuples(names, names, names, st.none() | names), st.sampled_from(["names", "fingerprints", "full"]), calls)
def test_every_line_is_the_one_of_its_event(
    names: tuple[str, str, str, str | None],
    detail: str,
    calls: list,  # type: ignore[type-arg]
) -> None:
    """Whatever names, arguments and callers hold, at any time and in any order."""
    form = AuditLineTemplate(*names, detail, digest)
    for number, call in enumerate(calls):
        assert form.make_line(f"{number:032}", *call) == by_event(names, detail, number, call)


def test_a_line_that_is_too_long_says_less() -> None:
    """As the line of its event does."""
    names, answer = ("git", "git-map", "tree", "/r"), Decision(ALLOWED, "", (), None, ())
    call = (1, None, {"x": "y" * MAX_LINE_BYTES}, answer, Caller())
    text = AuditLineTemplate(*names, "full", digest).make_line("0" * 32, *call)
    assert text == by_event(names, "full", 0, call)
    assert len(text) < MAX_LINE_BYTES


def test_any_number_of_texts_has_different_fingerprints() -> None:
    """Their fingerprints are kept for a while, and no longer."""
    names, answer = ("git", "git-map", "tree", "/r"), Decision(ALLOWED, "", (), None, ())
    form = AuditLineTemplate(*names, "fingerprints", digest)
    for _ in range(2):
        for number in range(1200):
            call = (1, None, {"x": str(number)}, answer, Caller())
            assert form.make_line("0" * 32, *call) == by_event(names, "fingerprints", 0, call)
