"""Past calls are decided again as the engine would, and what a log does not say is never guessed."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.decode import decode_grant
from cortex_policy.core.ecma_regex import SharedSteps
from cortex_policy.core.engine import decide
from cortex_policy.core.model import ALLOWED, Request, ResolvedPath, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.audit.reader import ReadCounts, parse_since
from cortex_policy.manage.replay.decision_without_rate import iterate_resolved_paths_in_event
from cortex_policy.manage.replay.rate_replay import MAX_LAG, RateReplay
from cortex_policy.manage.replay.replay import (
    MAX_GROUPS,
    ReplayResult,
    load_grants_of_root_or_dir_or_revision,
    replay_logged_calls,
)
from cortex_policy.state import Root
from tests.support.json_documents import MANY
from tests.support.logs import event, on_path, place
from tests.support.work import peak_memory

GRANT = {"tool": "git", "actions": ["tree"], "rate": {"perMinute": 3}, "fsScope": ["docs"]}


def changed(**members: object) -> dict[str, bytes]:
    """Return a policy of one grant."""
    return {"git": json.dumps({**GRANT, **members}).encode()}


def replayed(lines: list[str], policy: dict[str, bytes] | None = None, since: float = float("-inf")) -> ReplayResult:
    """Replay lines in a root without settings."""
    return replay_logged_calls(
        Root("/r", trusts_owner=True), [line.encode() for line in lines], ReadCounts(), policy or changed(), since
    )


def flips(done: ReplayResult) -> list[tuple[str, str, int]]:
    """Return what flips, in short."""
    return [(str(flip.before), str(flip.after), flip.count) for flip in done.flips]


CASES = [
    ("an action", on_path(0, "push", "docs/x", "action_not_allowed"), {"actions": ["tree", "push"]}, "allowed"),
    ("an action less", on_path(0, "tree", "docs/x"), {"actions": []}, "action_not_allowed"),
    ("a scope", on_path(0, "tree", "src/x", "path_outside_scope"), {"fsScope": ["docs", "src"]}, "allowed"),
    ("a scope less", on_path(0, "tree", "docs/x"), {"fsScope": ["src"]}, "path_outside_scope"),
    ("an enum", event(0, "tree", args={"n": 3}), {"args": {"n": {"maximum": 2}}}, "argument_not_allowed"),
    ("a bound", event(0, "tree", "argument_not_allowed", args={"n": 3}), {"args": {"n": {"maximum": 4}}}, "allowed"),
    ("a rate", event(0, "tree", cost=4), {}, "rate_limited"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "change", "after"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_change_flips_what_it_decides(line: str, change: dict[str, object], after: str) -> None:
    """Each rule, in both directions."""
    done = replayed([line], changed(**change))
    assert [flip[1:] for flip in flips(done)] == [(after, 1)]
    assert (done.call_count, done.undecided_count) == (1, 0)


def test_newly_allowed_flips_come_first_with_their_first_call() -> None:
    """Grouped by grant and reasons, the most frequent first."""
    lines = [on_path(0, "tree", "docs/a"), *(on_path(n, "push", f"src/{n}", "action_not_allowed") for n in (1, 2))]
    lines.append(on_path(3, "tree", "src/a", "path_outside_scope"))
    done = replayed(lines, changed(actions=["tree", "push"], fsScope=["src"]))
    assert flips(done) == [
        ("action_not_allowed", "allowed", 2), ("path_outside_scope", "allowed", 1), ("allowed", "path_outside_scope", 1),
    ]  # fmt: skip
    first = done.flips[0].example
    assert (first.action, first.args, first.time) == ("push", {"path": "src/1"}, "2026-11-25T08:00:01.000000Z")


@pytest.mark.parametrize(
    ("policy", "after"), [({}, "grant_not_found"), ({"git": b"{"}, "grant_invalid"), ({"git": b"[]"}, "grant_invalid")]
)
def test_a_grant_that_is_not_there_denies(policy: dict[str, bytes], after: str) -> None:
    """Absent or invalid."""
    done = replay_logged_calls(
        Root("/r", trusts_owner=True), [on_path(0, "tree", "docs/x").encode()], ReadCounts(), policy
    )
    assert flips(done) == [("allowed", after, 1)]


UNKNOWN = [
    ("a value that is declared", event(0, "tree", args=["n"], full=False), {"args": {"n": {"type": "integer"}}}),
    ("paths under a scope", event(0, "tree", args=["path"], full=False), {}),
    ("paths that a scope denied", event(0, "tree", "path_outside_scope", args=["path"], full=False), {"fsScope": []}),
    ("a fingerprint", event(0, "tree", args={"path": "sha256:0"}, full=False), {}),
    ("a path that was never resolved", event(0, "tree", args={"path": "docs/x"}), {}),
    ("a path that is one now", event(0, "tree", args={"at": "docs/x"}), {"args": {"at": {"format": "path"}}}),
    ("a `..` behind a link", event(0, "tree", args={"path": "docs/l/../x"},
                                   paths=[place("docs/l/../x", collapsed="docs/x", landed="docs/y/x")]), {}),
    ("a stop", on_path(0, "tree", "docs/x", "stopped"), {}),
    ("a path that the call itself asked for", event(0, "tree", "path_outside_scope"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "change"), [case[1:] for case in UNKNOWN], ids=[case[0] for case in UNKNOWN])
def test_a_call_with_unknown_arguments_is_undecided(line: str, change: dict[str, object]) -> None:
    """Neither a flip nor the same."""
    done = replayed([line], changed(**change))
    assert (done.flips, done.same, done.undecided_count) == ((), 0, 1)
    assert done.undecided[0].why


def test_full_arguments_are_suggested_if_they_would_help() -> None:
    """What no log could tell is told once, however much of each call it holds."""
    stops = [on_path(0, "tree", "docs/x", "stopped"), event(1, "tree", "stopped", full=False)]
    (one,) = replayed(stops).undecided
    assert (one.count, one.hint) == (2, "")
    (one,) = replayed([event(0, "tree", args=["path"], full=False)]).undecided
    assert "audit.args" in one.hint


KNOWN = [
    ("an action that is not allowed", event(0, "push", args=["path"], full=False), {}, "action_not_allowed"),
    ("no arguments", event(0, "tree", "rate_limited", full=False), {}, None),
    ("no scope", event(0, "tree", args=["path"], full=False), {"fsScope": []}, None),
    ("nothing meets it", event(0, "tree", args=["n"], full=False), {"args": {"n": {"enum": []}}}, "argument_not_allowed"),
    ("a path that is outside in any case", event(0, "tree", args={"path": "/etc/../x"}, paths=[
        {"argument": "path", "given": "/etc/../x", "resolved": "/x"}]), {}, "path_outside_scope"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "change", "after"), [case[1:] for case in KNOWN], ids=[case[0] for case in KNOWN])
def test_a_call_that_any_value_would_decide_alike_is_decided(
    line: str, change: dict[str, object], after: str | None
) -> None:
    """By names alone, or by what holds of a path under any scope."""
    done = replayed([line, event(100, "other", "action_not_allowed")], changed(**change))
    if after is None:
        assert done.undecided_count <= ("rate_limited" in line)  # the log may start in mid-window
        assert not done.flips
    else:
        assert flips(done) == [("allowed", after, 1)]


def test_a_smaller_rate_limits_and_a_larger_one_lets_pass() -> None:
    """Counted in the sliding minute of the log's times, by the calls that pass now."""
    start = [event(0, "other", "action_not_allowed")]
    lines = start + [event(100 + n, "tree", "allowed" if n < 3 else "rate_limited") for n in range(5)]
    assert flips(replayed(lines)) == []
    assert flips(replayed(lines, changed(rate={"perMinute": 4}))) == [("rate_limited", "allowed", 1)]
    assert flips(replayed(lines, changed(rate={"perMinute": 2}))) == [("allowed", "rate_limited", 1)]


def test_a_denial_by_rate_in_the_first_minute_of_a_log_is_left_open() -> None:
    """Hits from before its first line may have filled the window."""
    done = replayed([event(0, "tree", "rate_limited")])
    assert (done.flips, done.undecided_count) == ((), 1)
    assert "log starts" in done.undecided[0].why


def test_a_peek_takes_nothing() -> None:
    """However often somebody looks."""
    lines = [event(n, "tree", peek=True) for n in range(9)]
    assert flips(replayed(lines)) == []


def test_calls_before_the_time_that_was_asked_for_count_by_their_hits_alone() -> None:
    """They are not reported."""
    lines = [event(100 + n, "tree") for n in range(3)] + [event(104, "tree")]
    start = parse_since("2026-11-25T08:01:43.500000Z", 0.0)
    done = replayed(lines, since=start)
    assert (flips(done), done.call_count, done.earlier) == ([("allowed", "rate_limited", 1)], 1, 3)


def test_a_cost_of_any_size_is_replayed() -> None:
    """Larger than any float."""
    lines = [event(n, "tree", "rate_limited", cost=10**400, args={"at": "x"}, full=n % 2 == 0) for n in range(4)]
    assert replayed(lines).flips == ()


@pytest.mark.parametrize("member", ["argument", "given", "collapsed", "landed", "resolved", "fault", "guard"])
@pytest.mark.parametrize("value", [None, 1, [], {"a": 1}, "docs/x"])
def test_a_path_of_a_log_may_be_anything(member: str, value: object) -> None:
    """It is no error, and what is no path is no proof."""
    line = event(0, "tree", args={"path": "docs/x"}, paths=[place("docs/x") | {member: value}])  # type: ignore[list-item]
    done = replayed([line])
    assert done.call_count == 1
    if value in (1, [], {"a": 1}):
        assert done.undecided_count == 1


def test_paths_that_a_grant_treats_alike_are_told_apart_where_it_does_not() -> None:
    """By scope, by spelling, and by what its declaration says of values."""
    lines = [on_path(n, "tree", path) for n, path in enumerate(("docs/x", "docs/y", "src/x", "docs/ ", "docs/z"))]
    assert replayed(lines, changed(rate={"perMinute": 9})).newly_denied_count == 2
    pattern = {"path": {"type": "string", "pattern": "x$"}}
    assert replayed(lines, changed(rate={"perMinute": 9}, args=pattern)).newly_denied_count == 4
    assert replayed(lines, changed(rate={"perMinute": 9}, args={"path": {"type": "integer"}})).newly_denied_count == 5


def test_rate_windows_of_a_replay_are_bounded() -> None:
    """Also where every call is undecided."""
    windows = RateReplay(lambda *_: None)
    data = {"reason": ALLOWED, "args": []}
    for number in range(100_000):
        windows.answer_due_calls(number / 10)
        windows.add_possible_call(number / 10, ("git", "tree"), data)
    (budget,) = windows._budgets.values()  # noqa: SLF001 - nothing else shows it
    assert len(budget.possible) + len(budget.doubtful) < 2_000
    assert budget.high < 1_000


def test_calls_that_are_too_long_to_be_remembered_are_each_decided() -> None:
    """None answers for another."""
    lines = [event(n, "tree", args={"n": n, "long": "x" * 5000}) for n in range(3)]
    assert replayed(lines, changed(args={"n": {"maximum": 1}}, rate={"perMinute": 9})).newly_denied_count == 1


def test_any_number_of_grants_in_a_log_makes_a_bounded_report() -> None:
    """A hostile log may name a new one in each line."""
    done = replayed([event(0, "tree", grant=f"g{n}") for n in range(MAX_GROUPS + 50)])
    assert len(done.flips) <= MAX_GROUPS + 1
    assert done.newly_denied_count == MAX_GROUPS + 50


def test_a_clock_that_was_set_back_is_accepted() -> None:
    """What was in the windows is not known then, and a denial by rate stays open."""
    lines = [event(10_000 + n, "tree") for n in range(3)] + [event(0, "tree"), event(1, "tree", "rate_limited")]
    done = replayed(lines)
    assert (done.flips, done.undecided_count) == ((), 1)


def test_a_directory_a_root_and_a_revision_are_policies(tmp_path: Path, root: Path) -> None:
    """And nothing else is."""
    (tmp_path / "git.json").write_text("{}")
    assert load_grants_of_root_or_dir_or_revision(Root(str(root), trusts_owner=True), str(tmp_path)) == {"git": b"{}"}
    assert set(load_grants_of_root_or_dir_or_revision(Root("/r", trusts_owner=True), str(root))) == {
        "git",
        "model-gateway",
    }
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError):
        load_grants_of_root_or_dir_or_revision(Root(str(root), trusts_owner=True), str(tmp_path / "empty"))
    with pytest.raises(NotDoneError):
        load_grants_of_root_or_dir_or_revision(Root(str(root), trusts_owner=True), "nowhere")


calls = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.1, 0.3, 20.0, 40.0, 59.95, 60.0, 60.0, 60.2]),  # seconds since the one before
        st.sampled_from(["tree", "tree", "tree", "snippet", "push"]),
        st.sampled_from(["docs/x", "docs/y", "docs/z", "src/x"]),
        st.sampled_from([1, 1, 1, 2, 3]),  # cost
        st.sampled_from([False, False, False, True]),  # peek
        st.sampled_from([0.0, MAX_LAG]) | st.floats(0, MAX_LAG),  # until it is logged
        st.sampled_from([0.0, MAX_LAG]) | st.floats(0, MAX_LAG),  # until it stands in the log
    ),
    min_size=2,
    max_size=40,
)


def asked_call(gap: float, lag: float = 0.0, delay: float = 0.0, action: str = "tree") -> tuple[object, ...]:
    """Return a call that costs 1, as `calls` has them."""
    return gap, action, "docs/x", 1, False, lag, delay


# a call that was limited just before the window moved on is written behind one that was allowed just after
LATE_LINE = [asked_call(0)] * 12 + [asked_call(60), asked_call(0), asked_call(59.95)]
LATE_LINE += [asked_call(0, MAX_LAG, MAX_LAG), asked_call(0.1, MAX_LAG)]
# a lost line holds a hit that is later than the first line that is left
LOST_HIT = [asked_call(0, delay=MAX_LAG, action="push"), asked_call(0.1), asked_call(59.95, MAX_LAG)]


@MANY
@given(calls, st.sampled_from([1, 1, 2, 3, 5]), st.sampled_from([0, 0, 0, 1, 5, 20]))
@example(LATE_LINE, 2, 0)
@example(LOST_HIT, 1, 1)
def test_an_unchanged_policy_flips_nothing(asked: list[tuple[object, ...]], limit: int, lost: int) -> None:
    """Whatever the lag of the log, the order of its lines, and where it starts."""
    text = json.dumps({**GRANT, "actions": ["tree", "snippet"], "rate": {"perMinute": limit}}).encode()
    grant, hits, now, logged = decode_grant(text), {}, 0.0, []
    for gap, action, path, cost, peek, lag, delay in asked:
        now += float(gap)  # type: ignore[arg-type]
        spelled = ResolvedPath("path", str(path), str(path), str(path), f"/r/{path}")
        taken = hits.setdefault(action, [])
        decision = decide(grant, Request(str(action), {"path": path}, (spelled,), int(str(cost))), taken, now)
        if decision and not peek:
            taken += [now] * int(str(cost))
        at = now + float(lag)  # type: ignore[arg-type]
        more = {"cost": cost} | ({"peek": True} if peek else {})
        logged.append((at + float(delay), on_path(at, str(action), str(path), str(decision.reason), **more)))  # type: ignore[arg-type]
    done = replayed([line for _, line in sorted(logged)][lost:], {"git": text})
    assert done.flips == ()


grants = st.fixed_dictionaries(
    {
        "tool": st.just("git"),
        "actions": st.lists(st.sampled_from(["tree", "push"]), unique=True),
        "rate": st.just({"perMinute": 1000}),
        "fsScope": st.lists(st.sampled_from(["docs", "src", "docs/a/"]), unique=True),
        "args": st.dictionaries(
            st.sampled_from(["path", "n", "at"]),
            st.sampled_from(
                [{}, {"type": "string"}, {"type": "integer"}, {"enum": ["docs/x"]}, {"format": "not-path"}]
            ),
        ),
    }
)
asked = st.lists(
    st.tuples(
        st.sampled_from(["tree", "push"]),
        st.dictionaries(st.sampled_from(["path", "n"]), st.sampled_from(["docs/x", "docs/a/b", "src/x", "/etc", " "])),
    ),
    max_size=20,
)


@given(grants, asked)
def test_a_full_log_is_decided_as_the_engine_decides(
    grant: dict[str, object], asked: list[tuple[str, dict[str, str]]]
) -> None:
    """Call by call, whatever was remembered of the calls before."""
    text, lines, expected = json.dumps(grant).encode(), [], []
    for number, (action, args) in enumerate(asked):
        found = [place(args["path"])] if "path" in args else []
        lines.append(event(number, action, "grant_invalid", args=args, paths=found))
        spelled = tuple(iterate_resolved_paths_in_event({"paths": found}))
        expected.append(decide(decode_grant(text), Request(action, args, spelled)).allowed)
    done = replayed(lines, {"git": text})
    assert (done.newly_allowed_count, done.undecided_count) == (sum(expected), 0)


def test_a_directory_may_hold_anything(tmp_path: Path) -> None:
    """A pipe is not waited for, nor is a device read: what is no file is no grant that anybody would believe."""
    (tmp_path / "git.json").write_text("{}")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "directory.json").mkdir()
    found = load_grants_of_root_or_dir_or_revision(Root("/r", trusts_owner=True), str(tmp_path))
    assert {name for name, text in found.items() if isinstance(text, bytes)} == {"git"}
    assert found.keys() == {"git", "pipe", "zero", "directory"}


def test_calls_that_take_too_many_pattern_steps_are_undecided() -> None:
    """The calls up to there are decided; one without patterns is, too."""
    lines = [event(n, "tree", args={"x": "ab" * (40 + n)}) for n in range(3)] + [event(9, "push")]
    with SharedSteps(500):
        done = replayed(lines, changed(args={"x": {"pattern": "^(?:a|b)*a[ab]{9}$"}}))
    assert flips(done) == [("allowed", "action_not_allowed", 1)]
    [left] = done.undecided
    assert "steps to match patterns" in left.why
    assert (done.same, left.count) == (1, 2)


def test_the_name_of_an_argument_does_not_prove_that_a_path_was_given(tmp_path: Path) -> None:
    """Without its value `path` may be null, which `require_path` denies."""
    (tmp_path / ".cortex" / "policy").mkdir(parents=True)
    (tmp_path / ".cortex" / "policy" / "config.toml").write_text("require_path = true\n")
    root = Root(str(tmp_path), trusts_owner=True)
    done = replay_logged_calls(
        root, [event(0, "tree", args=["path"], full=False).encode()], ReadCounts(), changed(fsScope=[])
    )
    assert (done.same, done.undecided_count, done.flips) == (0, 1, ())


@pytest.mark.parametrize(
    ("seconds", "grant", "flipped"), [(0, "git", 0), (1, "none", 12)], ids=["at the same time", "of many grants"]
)
def test_arguments_of_any_length_are_not_kept(seconds: int, grant: str, flipped: int) -> None:
    """Neither of calls that wait for those after them, nor of the first one of each group."""
    values = [f"v{number}" for number in range(10_000)]
    lines = (
        event(n * seconds, "tree", grant=f"{grant}{n * seconds or ''}", args={"x": values}).encode() for n in range(12)
    )
    with peak_memory(5 << 20):
        done = replay_logged_calls(
            Root("/r", trusts_owner=True), lines, ReadCounts(), changed(fsScope=[], rate={"perMinute": 99})
        )
    assert done.call_count == 12
    assert len(done.flips) == flipped
    assert all(flip.example.args == ["x"] for flip in done.flips)


def test_names_of_a_mebibyte_are_cut_in_what_is_kept() -> None:
    """Those of grants, of actions, and of arguments in why a call cannot be decided."""
    long = "x" * 100_000
    lines = [event(0, long, grant=long), event(1, "tree", args=[long], full=False)]
    done = replayed(lines, changed(args={long: {}}))
    flip, left = done.flips[0], done.undecided[0]
    assert max(len(flip.grant), len(flip.example.action), len(left.why)) <= 4_100
