"""Patterns and values that are made by chance, and what Node says of them: for foreign_suites.py, and for a short test.

A verdict is None for a pattern that is refused, else whether each value holds a match.
"""

import json
import subprocess
from random import Random

ATOMS = [
    *"aab1_- .", "\\.", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", ".", "^", "$", "\\b", "\\B", "[ab]", "[^a]", "[a-c1]", "[^\\w]", "[\\d-]",
    "[\\s\\S]", "[]", "[^]", "[b-]", "[.$^]", "[\\b]", "[^\\W_]", "\\x61", "\\u0061", "\\u{61}", "\\u{1F600}", "\\uD83D\\uDE00", "\\uD83D",
    "\\uDE00", "[\\uD83D\\uDE00]", "[\\uD800-\\uDFFF]", "\U0001f600", "[\U0001f5ff-\U0001f601]", "\\cJ", "\\0", "\\n", "\\t", "\\v", "\\/", "\\-",
    "\\$", "\u00e4", "\u2028", "\ufeff", "()", "(?:)", "(?:a|)", "(?<n>a)", "(?<m>b)",
]  # fmt: skip
ODD = [
    "\\1", "\\k<n>", "\\p{L}", "\\P{Lu}", "\\a", "\\c", "\\x6", "\\u00", "\\u{110000}", "\\u{}", "\\8", "\\00", "\\_", "]", "}", "{", "{1", "{,2}",
    "[", "[b-a]", "[\\w-a]", "[a-\\d]", "[\\c]", "[\\B]", "[\\1]", "[\\-a]", "(?=a)", "(?!b)", "(?<=a)", "(?<!a)", "(?=a)*", "^*", "\\b+", "(?", "(?<",
    "(?<1>a)", "(?<n>", "(?P<n>a)", "(?i)", "(?i:a)", "(?>a)", "a++", "a**", "a{2}{3}", "*", "+", "?", ")", "(", "|", "\\", "a{2,1}", "a{0}", "(?#a)",
]  # fmt: skip
COUNTS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}", "{0}", "{0,}", "{1,3}"]
LETTERS = [
    *"aaabbc1_- .$^", "\n", "\r", "\u2028", "\u00e4", "\u00a0", "\ufeff", "\u180e", "\x1c", "\b", "\0", "\U0001f600", "\ud83d", "\ude00", "\u0663", "A",
]  # fmt: skip
_NODE = """
const lines = require("fs").readFileSync(0, "utf8").split("\\n").filter(Boolean);
for (const line of lines) {
  const [pattern, values] = JSON.parse(line);
  let verdict = null;
  try { const found = new RegExp(pattern, "u"); verdict = values.map((value) => found.test(value)); } catch (error) {}
  console.log(JSON.stringify(verdict));
}
"""


def pattern(random: Random, depth: int = 0) -> str:
    """Return a pattern, now and then one that is none."""
    branches = []
    for _ in range(random.choice((1, 1, 1, 2))):
        parts = []
        for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4))):
            if random.random() < 0.02:
                parts.append(random.choice(ODD))
                continue
            is_group = depth < 3 and random.random() < 0.25
            part = f"{random.choice(('(', '(?:'))}{pattern(random, depth + 1)})" if is_group else random.choice(ATOMS)
            is_bare = part in ("^", "$", "\\b", "\\B")
            parts.append(part + (random.choice(COUNTS) if random.random() < 0.3 and not is_bare else ""))
        branches.append("".join(parts))
    text = "|".join(branches)
    if depth == 0 and random.random() < 0.2:
        heads = [f"(?{random.choice('=!')}{pattern(random, 2)})" for _ in range(random.choice((1, 1, 2)))]
        text = random.choice(("^", "^", "")) + "".join(heads) + text
    if depth == 0 and random.random() < 0.4:
        text = f"^(?:{text})$" if random.random() < 0.5 else f"^{text}$"
    return text


def value(random: Random) -> str:
    """Return a short value."""
    return "".join(random.choice(LETTERS) for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4, 5, 8))))


def node_verdicts(cases: list[tuple[str, list[str]]]) -> list[list[bool] | None]:
    """Return what Node says of each pattern and its values."""
    lines = "\n".join(map(json.dumps, cases))  # ASCII: lone surrogates arrive as they are
    done = subprocess.run(["node", "-e", _NODE], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
