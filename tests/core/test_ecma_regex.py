"""A pattern means here what it means to ECMAScript with the flag `u`, or it is refused; and it ends within its bounds."""

import contextlib
import json
import random
import re
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cortex_policy.core import ecma_regex
from cortex_policy.core.ecma_regex import (
    MAX_STEPS,
    PatternError,
    PatternLimitError,
    Regex,
    SharedSteps,
    compile_pattern,
)
from tests.support.ecma_patterns import node_verdicts, pattern, value

PAIR = "\U0001f600"


def matches(text: str, *, by: str) -> bool:
    """Whether a text holds a match of a pattern that is made ready anew."""
    return Regex(by).search(text)


@pytest.mark.parametrize(("by", "text", "expected"), [
    (r"^\S+$", "a\xa0b", False), (r"^\S+$", "a\u2028b", False), (r"^\S+$", "ab", True), (r"^\s$", "\ufeff", True), (r"^\s$", "\x1c", False),
    (r"^\s$", "\u180e", False), (r"^[^\s]+$", "a\xa0", False), (r"^[\s,]+$", ", \u3000", True), (r"^[\s\S]*$", "a\nb", True), (r"^[\S\s]{3}$", "a\nb", True),
    (r"^[\w.-]+$", "a.b-c", True), (r"^[\w.-]+$", "ä", False), (r"^[^\W_]$", "_", False), (r"^[\S]$", " ", False), (r"^\d$", "\u0663", False),
    (r"^\x41\u0042\u{43}\u{000044}$", "ABCD", True), (r"^\cA\cz\0[\b]$", "\x01\x1a\0\b", True), (r"^[\cA\0]+$", "\x01\0", True),
    ("^(?:a|b)+?$", "abab", True), ("a??b$", "b", True), ("^a{2}$", "aa", True), ("^a{2,}$", "aaa", True), ("^a{2,}$", "a", False), ("^a{1,2}$", "aaa", False),
    ("^a{0}$", "", True), ("^a{00}b{01}$", "b", True), ("^(?:){99999999}$", "", True), ("^(a?){3}$", "aa", True), ("^(?:a{2}){2}$", "aaa", False),
    ("^.$", "\n", False), ("^.$", "\r", False), ("^.$", "\u2029", False), ("^.$", PAIR, True), ("^[^]$", PAIR, True), ("^[^a]$", PAIR, True),
    ("[]", "a", False), ("^[^]$", "\n", True), (r"^[\]\[]+$", "[]", True), ("^[[a]$", "[", True), (r"^\.\/\-$".replace(r"\-", "-"), "./-", True),
    ("^[$]$", "$", True), ("^[a-]+$", "-a", True), ("^[-a]+$", "-a", True), (r"^[\--/]+$", "-./", True), (r"^[\-]$", "-", True), ("^[--9]+$", "5-.", True),
    (r"^\B.$", "a", False), (r"\bis\b", "this is", True), (r"\bis\b", "this", False), (r"\B", "", True), (r"\b", "", False), (r"\B", "a", False), (r"\bä", "ä", False),
    ("^", "", True), ("$", "a", True), ("a$", "a\n", False), ("^a", "b\na", False), ("^a|b$", "xb", True), ("", "x", True), ("(^|x)a", "bxa", True),
    ("(?<year>[0-9]{4})", "in 2026", True), ("(?<$a_1>a)(?<b>b)", "ab", True), ("()|a", "", True), ("^(|a)b$", "b", True), ("a|", "b", True),
    (r"^\uD83D\uDE00$", PAIR, True), (r"^[\uD83D\uDE00]$", PAIR, True), (r"\uD83D", PAIR, False), (r"\u{D83D}\u{DE00}", PAIR, False), (r"^\uD83D$", "\ud83d", True),
    (r"^.$", "\ud83d\ude00", True), (r"^..$", "\ud83d\ude00", False), ("^[\\uD800-\\uDFFF]$", "\ude00", True), ("^\ud83d\ude00$", PAIR, False),
])  # fmt: skip
def test_a_pattern_is_read_as_ecma_reads_it(by: str, text: str, expected: bool) -> None:
    """Characters, classes, counts, ends, borders, groups, and characters of two code units."""
    assert matches(text, by=by) == expected


@pytest.mark.parametrize(("by", "text", "expected"), [
    (r"^(?=.*\d)(?=.*[a-z]).{4,8}$", "abc1", True), (r"^(?=.*\d)(?=.*[a-z]).{4,8}$", "abcd", False), ("^(?!.*--)[a-z-]+$", "a-b", True),
    ("^(?!.*--)[a-z-]+$", "a--b", False), ("^(?!)a", "a", False), ("(?=a)^a", "a", True), ("^^(?=b)", "a", False), ("^(?=b)", "ab", False), ("^(?!b)a", "ab", True), ("^(?=a|b)(?!bb).", "bb", False),
    ("(?=a)a(?:b)", "xab", True), ("(?!b)[ab]c", "bcac", True), ("(?!b)[ab]c", "bc", False), (r"(?=.*\d)(?=.*[A-Z]).{4}", "xx1yA zz", True),
    (r"(?=.*\d)(?=.*[A-Z]).{4}", "xx1yyyyA", True), (r"(?=.*\d)(?=.*[A-Z]).{9}", "xx1yyyyA", False), (r"(?=\bA)(?!AB$)A", "xA ABC", True), (r"(?=\bA)(?!AB$)A", "xA AB", False),
    ("(?=a)", "", False), ("(?!a)", "", True), ("(?!a)", "a", True), ("(?!a|$)", "aa", False), ("(?=b$)", "ab", True), ("(?=^b)", "ab", False), ("^(?=(?:ab)*$)a", "abab", True),
])  # fmt: skip
def test_lookahead_at_the_very_start_holds_where_the_match_begins(by: str, text: str, expected: bool) -> None:
    """One or several, each wanted or not; where the value begins, or anywhere."""
    assert matches(text, by=by) == expected


@pytest.mark.parametrize("text", [
    "^a{,5}$", r"^ab\Z", r"\Aab", "(?m)^a$", "(?i)ABC", "(?x)a b", "(?u)abc", "(?i:a)", "(?P<n>a)", "(?P=n)", "(?#x)a", "(?>a)", "a++", "a*+", "a?+",
    "a{1,2}+", "a**", "[]a]", "[a", "[^", "[a-", r"[\B]", r"[\1]", "\\", r"[\a]", r"\a", r"\e", r"\-", r"\_", r"\c", r"\c1", r"\ca"[:2], r"\x4", r"\u12", r"\u{}",
    r"\u{110000}", r"\u{00 1}", r"\u{1", r"\xg1", r"\u+123", r"\00", r"\01", "(", ")", "a)", "(a", "*", "?a", "|+", "(?", "(?<", "(?<1>a)", "(?<a>a)(?<a>b)", "(?<ä>a)",
    "^*", "$+", r"\b?", "(?=a)*", "(?!a){2}", "a{2,1}", "a{99999999999999999999,99999999999999999998}", "{", "}", "]", "a{", "a{1", "a{1,", "a{x}", "a{1}{2}",
    r"[b-a]", r"[\w-a]", r"[a-\d]", r"[\d-\w]", r"\1", r"(a)\1", r"\k<a>", r"(?<a>a)\k<a>", r"\k", r"\p{L}", r"\P{Lu}", "(?<=a)b", "(?<!a)b", "a(?=b)", "(?:(?=a)b)",
    "a|(?=b)", "(?=a)|b", "(?=(?=a)a)", "^.(?!b)", "(?:)(?=a)",
])  # fmt: skip
def test_invalid_and_unsupported_patterns_are_refused(text: str) -> None:
    """What the grammar with `u` has not, what Python has besides, backreferences, and looking around elsewhere."""
    with pytest.raises(PatternError, match=r"at character [0-9]+$"):
        compile_pattern(text)
    with pytest.raises(PatternError):  # kept, too
        compile_pattern(text)


@pytest.mark.parametrize(("text", "what"), [
    (r"ab\p{L}", r"`\p`, which is not supported: its tables change with Unicode, at character 3"), (r"(a)\1", "a backreference, which is not supported, at character 4"),
    ("a(?<!b)", "lookbehind, which is not supported, at character 2"), ("a(?=b)", "lookahead elsewhere than at the very start, which is not supported, at character 2"),
    (r"\a", r"an unknown `\a`, at character 1"), (r"a\u{110000}b", r"an unknown `\u`, at character 2"), (r"[\u{1]", r"an unknown `\u`, at character 2"), ("a\\", "a `\\` at the end, at character 2"), ("ab[", "a class that is not closed, at character 3"), ("a)", "an unmatched `)`, at character 2"),
    ("x[b-a]", "a range that ends before it starts, at character 5"), ("a{,5}", "a `{` that begins no count, at character 2"), ("(?i)a", "a group that begins with an unknown `(?`, at character 1"),
    ("^{3}", "a count after an assertion, at character 2"), ("x(a", "a group that is not closed, at character 2"),
])  # fmt: skip
def test_a_refused_pattern_is_named_with_its_position(text: str, what: str) -> None:
    """Characters count from 1."""
    with pytest.raises(PatternError) as caught:
        compile_pattern(text)
    assert str(caught.value) == what


@pytest.mark.parametrize(("text", "is_taken"), [
    ("a{1000}", True), ("a{1001}", False), ("^.{0,998}$", True), ("^.{0,999}$", False), ("(?:[ab]{10}){100}", True), ("(?:[ab]{10}){101}", False),
    ("(((a{999}){999}){999}){999}", False), ("a{999999999999999999999}", False), ("(?:a{0}){9999999}", True), ("a" * 1000, True), ("a" * 1001, False),
    ("|" * 60_000, True), ("(?:" * 64 + "a" + ")*" * 64, True), ("(" * 65 + ")" * 65, False), ("(" * 60_000, False), ("a" * 70_000, False), ("[" + "a" * 65_000 + "]", True),
    ("(?=)" * 999 + "a", True), ("(?=)" * 1000 + "a", False), ("^" + "(?!|a{0})" * 1000, False),
    ("^(?=a{500})a{499}", True), ("^(?=a{500})a{500}", False), ("\\u{" + "0" * 60_000 + "61}", True), ("a{" + "0" * 60_000 + "1}", True), ("a{" + "9" * 60_000 + "}", False),
])  # fmt: skip
def test_a_pattern_has_at_most_a_thousand_positions(text: str, is_taken: bool) -> None:
    """Counts are unrolled; groups are at most 64 in each other, and the text is at most 65,536 characters."""
    try:
        Regex(text)
    except PatternError:
        assert not is_taken
    else:
        assert is_taken


@pytest.mark.parametrize(
    "by",
    [
        "^(a|a)+$",
        "^(a|aa)+$",
        "(x+x+)+y",
        r"^(\w+\s?)*$",
        "^(.*?,){15}P",
        r"\s+$",
        "^(a{1,20}){1,20}$",
        "^a*a*a*a*a*a*b$",
        "^(?:a?){60}a{60}$",
    ],
)
@pytest.mark.parametrize("letter", ["a", "x", " ", ",", "a "])
def test_patterns_that_stop_backtracking_engines_finish_at_once(by: str, letter: str) -> None:
    """With 4,000 characters: `re` would take longer than the world is old."""
    assert matches(letter * 4000 + "!", by=by) is False


@pytest.mark.parametrize(
    "text", ["a" * 65_537, "\u00e4" * 32_769, "\u20ac" * 21_846, PAIR * 16_385, "\ud83d\ude00" * 16_385]
)
def test_a_value_over_64_kib_does_not_match(text: str) -> None:
    """In UTF-8, however it comes; one character less does."""
    with pytest.raises(PatternLimitError, match=r"^within 65,536 bytes$"):
        matches(text, by="^")
    assert matches(text[:-2], by="^[^]")


def test_steps_are_the_positions_that_are_active() -> None:
    """Here nine letters and the end for each character, and the start for the first one besides."""
    nine = "(?:" + "|".join("abcdefghi") + ")*"
    assert matches("a" * 29_999, by=f"^{nine}$") is True
    with pytest.raises(PatternLimitError, match=r"^within 300,000 steps$"):
        matches("a" * 30_000, by=f"^{nine}$")
    assert MAX_STEPS == 300_000


@pytest.mark.parametrize(
    ("by", "active"), [("^a*$", 2), ("a{9}b", 10), (r"^(?:\bx|a)*$", 4), ("^(?:a|^b)*$", 2), ("^(?=a*$)(?!a*b)a*$", 6)]
)
def test_the_bound_on_steps_is_exact(by: str, active: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is kept of earlier values, and on each Python."""
    length = 3_000
    steps = total_steps(by, "a" * length)
    assert abs(steps - active * length) < 100
    for bound, is_enough in ((steps, True), (steps - 1, False)):
        monkeypatch.setattr(ecma_regex, "MAX_STEPS", bound)
        monkeypatch.setattr(ecma_regex, "STEPS_AT_ONCE", 1)
        for regex in (Regex(by), warm(by)):
            if is_enough:
                regex.search("a" * length)
            else:
                with pytest.raises(PatternLimitError, match=r"^within 300,000 steps$"):
                    regex.search("a" * length)


@pytest.mark.parametrize("by", ["(?=)", "(?=$)", "(?!a)", "(?=a*)"])
def test_each_of_many_lookaheads_takes_a_step_for_each_character(by: str) -> None:
    """Where a match may begin anywhere all of them are looked at, with a position or none; memory is that of one."""
    with pytest.raises(PatternLimitError, match=r"^within 300,000 steps$"):
        matches("a" * 60_000, by=by * 400 + "b")


def total_steps(by: str, text: str) -> int:
    """Return the steps of a search."""
    steps: list[ecma_regex.StepLimit] = []

    class Noted(ecma_regex.StepLimit):
        def __init__(self) -> None:
            super().__init__()
            steps.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ecma_regex, "StepLimit", Noted)
        Regex(by).search(text)
    return sum(one.taken for one in steps)


def warm(by: str) -> Regex:
    """Return a pattern that has seen other values."""
    regex = Regex(by)
    for text in ("a" * 500, "ab" * 300, "b" * 90, "\n", "aab" * 77):
        regex.search(text)
    return regex


@given(st.text("ab1 \n\u00e4", max_size=40), st.integers(0, 30))
def test_verdicts_do_not_depend_on_what_was_asked_before(text: str, seed: int) -> None:
    """States are dropped and made again, also in the midst of a value."""
    chance = random.Random(seed)  # noqa: S311 - it repeats
    by = pattern(chance)
    try:
        fresh, old = Regex(by), Regex(by)
    except PatternError:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cortex_policy.core.ecma_regex_automaton._MAX_CACHED", chance.choice((1, 2, 5, 2_000)))
        old.search(value(chance) * 9)
        again = old.search(text)
    assert fresh.search(text) == again


def test_every_cache_of_patterns_has_bounds() -> None:
    """Of a pattern whose states have no end, of characters without end, of values and of patterns without end."""
    regex = Regex("^(?:a|b)*a(?:a|b){12}$")
    chance = random.Random(1)  # noqa: S311 - it repeats
    for length in (12_000, *[40] * 2_000):
        regex.search("".join(chance.choice("ab") for _ in range(length)))
    regex.search("".join(map(chr, range(20_000))))
    [(automaton, _)] = regex._parts  # noqa: SLF001 - what is kept can be seen nowhere else
    states, left = {id(automaton.start): automaton.start}, [automaton.start]
    while left:
        for state, _ in left.pop().values():
            if id(state) not in states:
                states[id(state)] = state
                left.append(state)
    assert len(states) <= 2_001
    assert sum(map(len, states.values())) <= 2_001
    assert len(automaton.classes) <= 2_000
    for number in range(500):
        compile_pattern(f"a{number}" + "a" * 900)
    assert len(ecma_regex._pattern_cache) <= 64  # noqa: SLF001
    assert sum(map(len, ecma_regex._pattern_cache)) <= 1 << 18  # noqa: SLF001


def test_threads_share_a_pattern() -> None:
    """What one drops, another makes again."""
    regex, wrong = Regex("^(?:a|b)*a(?:a|b){9}$"), list[str]()

    def ask(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - it repeats
        for _ in range(60):
            text = "".join(chance.choice("ab") for _ in range(200))
            if regex.search(text) != (text[-10] == "a"):
                wrong.append(text)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []


def test_other_threads_get_a_turn_every_20_000_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether one of them takes it is up to the scheduler, so that the turns are counted."""
    turns = list[float]()
    monkeypatch.setattr(ecma_regex, "sleep", turns.append)
    with pytest.raises(PatternLimitError):
        matches("a" * 60_000, by="a{20}b")
    assert turns == [0] * (300_000 // 20_000 - 1)  # the last bound ends it


def test_the_slowest_known_patterns_finish() -> None:
    """States without end, each of hundreds of positions, and a character never met before at each step."""
    began = time.monotonic()
    chance = random.Random(2)  # noqa: S311 - it repeats
    text = "".join(chance.choice("ab") for _ in range(65_536))
    for by in ("(?:a|b)*a(?:a|b){490}c", "(?:" + "|".join(["[^c]"] * 990) + ")*c", r"(?:\b|a|b|\B){200}c"):
        with pytest.raises(PatternLimitError):
            matches(text, by=by)
    classes = "|".join(f"[{chr(code)}-{chr(code + 9_000)}]" for code in range(0x4E00, 0x4E00 + 990))
    with pytest.raises(PatternLimitError):
        matches("".join(map(chr, range(0x4E00, 0x4E00 + 12_000))), by=f"^(?:{classes})*x")
    assert time.monotonic() - began < 60


ALIKE = st.recursive(
    st.sampled_from([*"ab1 _", ".", r"\d", r"\w", r"\W", r"\.", "[ab]", "[^a]", "[a-c_]", r"[\d_]", "^", r"\b", "(?:)"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, inner).map("|".join).map("(?:{})".format),
        st.tuples(inner.map("(?:{})".format), st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,2}", "{0,2}?", "{2,}"])).map("".join),
    ),
    max_leaves=10,
)  # fmt: skip


@given(ALIKE, st.booleans(), st.lists(st.text("ab1 _.-\n", max_size=8), min_size=4, max_size=4))
@settings(max_examples=300)
@example(by="(?:a*)*", is_whole=True, texts=["", "a", "b", "aab"])
def test_matching_agrees_with_re_where_both_mean_the_same(by: str, is_whole: bool, texts: list[str]) -> None:
    r"""Which is of ASCII, without `$` and `\B`, and with `.` spelled out."""
    text = f"^(?:{by})" if is_whole else by
    known = re.compile(
        text.replace(r"\.", "[.]").replace(".", "[^\n\r\u2028\u2029]").replace("[[^\n\r\u2028\u2029]]", "[.]")
        + (r"\Z" if is_whole else ""),
        re.ASCII,
    )
    regex = Regex(text + ("$" if is_whole else ""))
    assert [regex.search(one) for one in texts] == [bool(known.search(one)) for one in texts]


@given(st.text(st.sampled_from("ab1^$.*+?{}()[]|\\-dwsbBuDxc,2:!=<>/0"), max_size=14), st.text("ab1\n-", max_size=5))
@settings(max_examples=500)
def test_any_text_is_a_pattern_or_refused(by: str, text: str) -> None:
    """And nothing else is raised."""
    with contextlib.suppress(PatternError):
        Regex(by).search(text)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_matching_agrees_with_node() -> None:
    """Some made by chance; bench/foreign_suites.py asks of 100,000."""
    chance = random.Random(14)  # noqa: S311 - it repeats
    cases = [(pattern(chance), [value(chance) for _ in range(6)]) for _ in range(2_000)]
    for (by, texts), verdict in zip(cases, node_verdicts(cases), strict=True):
        try:
            regex = Regex(by)
        except PatternError:
            continue
        assert verdict is not None, f"node refuses {by!r}"
        for text, expected in zip(texts, verdict, strict=True):
            # V8 looks for `\B` between the halves of a character, too, where ECMA has no place
            if regex.search(text) != expected:
                assert expected, f"looser: {json.dumps([by, text])}"
                assert "\\B" in by, f"stricter: {json.dumps([by, text])}"


def test_a_shared_step_limit_belongs_to_its_thread() -> None:
    """Whoever enforces in another thread meets none of it; what is done inside counts outside."""
    letters = Regex("^a+$")
    with SharedSteps(60) as outer:
        with SharedSteps() as inner:
            assert letters.search("a" * 99)  # the one that uses it up
            with pytest.raises(PatternLimitError):
                letters.search("a")
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(letters.search, "a").result()
        assert (inner.skipped_searches, outer.is_used_up) == (1, True)
    assert letters.search("a")
