"""Reports to draw: one of real problems, one of hostile words, and any at all."""

import os

from hypothesis import strategies as st

from cortex_policy.schema.fixes import Fix
from cortex_policy.schema.problems import (
    Problem,
    Replacement,
    Report,
    UnlocatedProblem,
    locate_problems,
    make_file_problem,
)
from cortex_policy.schema.rule_catalog import RULES

GRANT = """{
\t"tool": "日本 git",
  "actions": ["tree", "tree"],
  "rate": {"perMinute": 30},
  "fsscope": [
    "docs"
  ],
  "fsScope": ["docs/**"]
}
"""
FOUND = (
    UnlocatedProblem("tool-id", "the tool is `日本 git`, the file `git`", pointer="/tool"),
    UnlocatedProblem("action-twice", "the action `tree` appears twice", pointer="/actions/1", fix=Fix("/actions/1")),
    UnlocatedProblem("key-unknown", "`fsscope` is no key of a grant", "did you mean `fsScope`?", "/fsscope"),
    UnlocatedProblem("scope-dead", "the scope `docs/**` can never match", "write `docs`", "/fsScope/0"),
)
CHMOD = "run `chmod go-w .cortex/policy/tools/*`"
TOOLS = ".cortex/policy/tools"
REAL = Report(
    5,
    (
        *locate_problems(f"{TOOLS}/git.json", GRANT.encode(), FOUND),
        make_file_problem(f"{TOOLS}/hg.json", "file-unsafe", "everyone may write to it", CHMOD),
        make_file_problem(f"{TOOLS}/svn.json", "file-unsafe", "everyone may write to it", CHMOD),
        make_file_problem(".cortex/policy/stamp.json", "stamp-missing", "there is no stamp"),
    ),
)
HOSTILE = "a\n::error::b\r%0A\x1b[31m\u202ec\0]]>&<\"'{0}[d](http://e)##[stop-commands]f,g:h\ufffe\udcff\x85\u2028`"


def hostile() -> Report:
    """Return a report in which each word of a file says something to a terminal, a log, a parser or a reader."""
    file = os.fsdecode(HOSTILE.replace("\0", "").replace("\udcff", "").encode() + b"\xff")
    fix = Replacement(1, 1, 1, 2, HOSTILE)
    source = HOSTILE.replace("\n", "")
    return Report(1, (Problem(file, 1, 2, 1, 40, HOSTILE, "scope-dead", "error", HOSTILE, HOSTILE, fix, source),))


def many(severity: str, number: int) -> tuple[Problem, ...]:
    """Return so many problems, each in a line of its own."""
    return tuple(Problem("a", at, 1, at, 2, "", "scope-dead", severity, f"no {at}") for at in range(1, number + 1))


_places = st.integers(1, 1 << 20)
_words = st.text(st.characters(), max_size=20) | st.sampled_from([HOSTILE, "::", "##[a]", "%25", "e\u0301", "\t", "\\"])
_files = st.binary(max_size=20).map(os.fsdecode) | st.sampled_from(["./a", "/a b", "a:b", "../c", "::error::d"])
_fixes = st.none() | st.builds(Replacement, _places, _places, _places, _places, _words)
_problems = st.builds(
    Problem,
    file=_files,
    line=_places,
    column=_places,
    end_line=_places,
    end_column=_places,
    pointer=_words,
    code=st.sampled_from([rule.code for rule in RULES]),
    severity=st.sampled_from(["error", "warning", "note"]),
    message=_words,
    hint=_words,
    fix=_fixes,
    source=_words.map(lambda words: words.replace("\n", "")),
    source_column=_places,
)
# any text in each member, as no rule would write it
reports = st.builds(Report, st.integers(0, 9), st.lists(_problems, max_size=25).map(tuple))


def is_quiet(text: str) -> bool:
    """Whether nothing in a text, its newlines aside, makes a terminal do anything but print."""
    return all(character.isprintable() or character == "\n" for character in text)
