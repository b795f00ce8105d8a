"""How an account reads: each rule in a row with its line, and below what is near, what is allowed, and who can help."""

import os
import re
from textwrap import wrap

from cortex_policy.core.model import UsageError
from cortex_policy.core.rule_steps import DENIES, FAILS, PASSES, RuleStep
from cortex_policy.core.text import escape, join_words, one_line, printable, truncate
from cortex_policy.manage.explain import explain_call
from cortex_policy.render import Output, headline, json_line, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.check import CallOutcome
    from cortex_policy.manage.explain import CallExplanation
    from cortex_policy.state.users import Steward

_WIDTH = 80
_COLUMN = 11
_MOST_ALLOWED = 600  # bytes
_GLUE = "\0"  # a blank at which no line breaks: none is left in a text that was escaped
_QUOTATION = re.compile("`[^`]*`")
_STYLES = {PASSES: "32", DENIES: "1;31", FAILS: "1;31"}
_NOBODY = RuleStep("none denies", PASSES)
_NEAREST = {"action": "action", "arguments": "value", "path": "scope"}
_ALLOWED = {"action": "actions ", "path": "paths in "}


def render_explanation(outcome: "CallOutcome") -> Output:
    """Return the answer with its explanation; on stdout for `explain`, for a check on stderr if it is denied."""
    code, call = outcome.exit_code, outcome.call
    if outcome.is_silent or isinstance(outcome.error, UsageError):
        return render(outcome)
    explained = explain_call(outcome)
    if call.json:
        return Output(code, json_line(outcome, explanation=_members(explained)) + "\n")
    is_out = call.command == "explain" or bool(outcome.decision)
    is_coloured = os.isatty(1 if is_out else 2) and not os.environ.get("NO_COLOR")
    head = [one_line(headline(outcome)), *_decisive(explained, outcome)]
    rows = [line for step in explained.explanation.steps for line in _row(step, is_coloured=is_coloured)]
    more = [line for label, *texts in _help(explained) for line in _hung(f"{label:<{_COLUMN}}", *map(truncate, texts))]
    text = "".join(f"{line}\n" for line in [*head, "", *rows, *([""] if more else []), *more])
    return Output(code, out=text) if is_out else Output(code, err=text)


def _decider(told: "CallExplanation") -> RuleStep:
    return next((step for step in told.explanation.steps if step.verdict in (DENIES, FAILS)), _NOBODY)


def _decisive(told: "CallExplanation", outcome: "CallOutcome") -> list[str]:
    """Name the rule that decided, the file and line it went by, and the exit code with its reason."""
    step = _decider(told)
    line = f":{step.line}" if step.line else ""
    answer = outcome.error if outcome.error is not None else outcome.decision
    reason = [f"exit: {answer.reason.exit_code} ({answer.reason})"] if answer is not None else []
    return [
        f"rule: {step.rule}",
        *([f"file: {printable(_shown(told.file))}{line}"] if told.file is not None else []),
        *reason,
    ]


def _row(step: RuleStep, *, is_coloured: bool) -> list[str]:
    head = f"{step.rule:<{_COLUMN}}{step.verdict:<{_COLUMN}}"
    lines = _hung(head, truncate(step.message), f"(line{_GLUE}{step.line})" if step.line else "")
    if is_coloured and step.verdict in _STYLES:
        painted = f"\x1b[{_STYLES[step.verdict]}m{step.verdict}\x1b[0m"
        lines[0] = lines[0].replace(step.verdict, painted, 1)
    return lines


def _hung(head: str, text: str, end: str = "") -> list[str]:
    """Wrap a text behind its head; no quotation is broken, nor a word without a blank. The end is escaped already."""
    glued = _QUOTATION.sub(lambda found: found[0].replace(" ", _GLUE), printable(text))
    lines = wrap(f"{glued} {end}".strip(), _WIDTH - len(head), break_long_words=False, break_on_hyphens=False) or [""]
    heads = [head, *[" " * len(head)] * (len(lines) - 1)]
    return [escape(f"{first}{line}".replace(_GLUE, " ").rstrip()) for first, line in zip(heads, lines, strict=True)]


def near_by(rule: str, nearest: str) -> str:
    """Say what comes nearest by a rule, '' where that is nothing to be given instead."""
    return f"{_NEAREST[rule]} `{nearest}`" if nearest and rule in _NEAREST else ""


def _help(told: "CallExplanation") -> list[tuple[str, ...]]:
    """Return what would help, each with its label; the operator's command stays in one line, to be copied."""
    found, rule, steward = told.explanation, _decider(told).rule, told.steward
    near = near_by(rule, found.nearest)
    allowed = _ALLOWED.get(rule, "") + join_words(found.allowed, _MOST_ALLOWED) if found.allowed else ""
    rows = [
        ("nearest", near),
        ("allowed", allowed),
        ("hint", found.advice.replace(f"`{_here()}", "`")),
        ("operator", "", found.remedy.replace(" ", _GLUE)),
        ("run by", _named(steward) if steward is not None else ""),
        ("note", told.note),
    ]
    return [row for row in rows if any(row[1:])]


def _named(steward: "Steward") -> str:
    where = f"write in {_shown(steward.directory)}"
    others = "root" if steward.name == "root" else f"{steward.name} or root"
    return f"you, who may {where}" if steward.is_caller else f"{others}; you may not {where}"


def _shown(path: str) -> str:
    """Return a path from the working directory on, if it lies there."""
    return path.removeprefix(_here())


def _here() -> str:
    try:
        return os.getcwd().rstrip("/") + "/"
    except OSError:  # it is gone
        return "\0"  # no path begins so


def _members(told: "CallExplanation") -> dict[str, object]:
    found = told.explanation
    return {
        "steps": [
            {
                "rule": step.rule,
                "verdict": step.verdict,
                "said": step.message or None,
                "file": told.file if step.line else None,
                "line": step.line or None,
                "pointer": step.pointer or None,
            }
            for step in found.steps
        ],
        "nearest": found.nearest or None,
        "allowed": list(found.allowed),
        "remedy": found.remedy or None,
        "advice": found.advice or None,
        "owner": told.steward.name if told.steward is not None else None,
        "note": told.note or None,
    }
