"""Render an explanation: a row for each rule with its line, then the nearest value, what is allowed, who can help."""

import os
import re
from textwrap import wrap

from cortex_policy.core.explanation_steps import DENIES, FAILS, PASSES, RuleStep
from cortex_policy.core.text import (
    elide_middle,
    escape_message_to_one_line,
    escape_output,
    escape_unprintable,
    join_words_that_fit,
)
from cortex_policy.render import format_outcome_json_line, format_outcome_text_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.check import CallOutcome
    from cortex_policy.manage.explain import CallExplanation
    from cortex_policy.state.users import UserWithWriteAccess

_DEFAULT_WIDTH = 80  # columns
_COLUMN = 11
_MAX_ALLOWED_BYTES = 600  # bytes
_NO_BREAK = "\0"  # replaces a space at which no line breaks; an escaped text contains none
_QUOTATION = re.compile("`[^`]*`")
_STYLES = {PASSES: "32", DENIES: "1;31", FAILS: "1;31"}
_NO_DENIAL = RuleStep("none denies", PASSES)
_NEAREST = {"action": "action", "arguments": "value", "path": "scope"}
_ALLOWED = {"action": "actions ", "path": "paths in "}


def format_explanation_json_line(outcome: "CallOutcome", explained: "CallExplanation") -> str:
    """Return the answer with its explanation as one line of JSON."""
    return format_outcome_json_line(outcome, explanation=_explanation_to_json(explained))


def format_explanation(
    outcome: "CallOutcome", explained: "CallExplanation", *, width: int = _DEFAULT_WIDTH, is_coloured: bool = False
) -> str:
    """Return the answer with its explanation as lines for people, folded at a width."""
    head = [escape_message_to_one_line(format_outcome_text_line(outcome)), *_decision_lines(explained, outcome)]
    rows = [
        line for step in explained.explanation.steps for line in _rule_step_lines(step, width, is_coloured=is_coloured)
    ]
    more = [
        line
        for label, text, *end in _advice_rows(explained)
        for line in _wrap_behind_head(
            width, f"{label:<{_COLUMN}}", escape_message_to_one_line(text), *map(elide_middle, end)
        )
    ]
    return "".join(f"{line}\n" for line in [*head, "", *rows, *([""] if more else []), *more])


def _find_deciding_step(call_explanation: "CallExplanation") -> RuleStep:
    return next((step for step in call_explanation.explanation.steps if step.verdict in (DENIES, FAILS)), _NO_DENIAL)


def _decision_lines(call_explanation: "CallExplanation", outcome: "CallOutcome") -> list[str]:
    """Return the deciding rule, its file and line, and the exit code with its reason."""
    step = _find_deciding_step(call_explanation)
    line = f":{step.line}" if step.line else ""
    answer = outcome.error if outcome.error is not None else outcome.decision
    reason = [f"exit: {answer.reason.exit_code} ({answer.reason})"] if answer is not None else []
    return [
        f"rule: {step.rule}",
        *(
            [f"file: {escape_unprintable(_relative_path(call_explanation.file))}{line}"]
            if call_explanation.file is not None
            else []
        ),
        *reason,
    ]


def _rule_step_lines(step: RuleStep, width: int, *, is_coloured: bool) -> list[str]:
    head = f"{step.rule:<{_COLUMN}}{step.verdict:<{_COLUMN}}"
    lines = _wrap_behind_head(
        width, head, escape_message_to_one_line(step.message), f"(line{_NO_BREAK}{step.line})" if step.line else ""
    )
    if is_coloured and step.verdict in _STYLES:
        coloured_verdict = f"\x1b[{_STYLES[step.verdict]}m{step.verdict}\x1b[0m"
        lines[0] = lines[0].replace(step.verdict, coloured_verdict, 1)
    return lines


def _wrap_behind_head(width: int, head: str, text: str, end: str = "") -> list[str]:
    """Wrap a text after its head; quotations and long words are not broken. The end is escaped already."""
    unbroken = _QUOTATION.sub(lambda match: match[0].replace(" ", _NO_BREAK), escape_unprintable(text))
    text = f"{unbroken} {end}".strip()
    lines = wrap(text, width - len(head), break_long_words=False, break_on_hyphens=False) or [""]
    heads = [head, *[" " * len(head)] * (len(lines) - 1)]
    return [
        escape_output(f"{first}{line}".replace(_NO_BREAK, " ").rstrip())
        for first, line in zip(heads, lines, strict=True)
    ]


def format_nearest_value(rule: str, nearest: str) -> str:
    """Return a phrase that names the nearest allowed value, '' if there is none."""
    return f"{_NEAREST[rule]} `{nearest}`" if nearest and rule in _NEAREST else ""


def _advice_rows(call_explanation: "CallExplanation") -> list[tuple[str, ...]]:
    """Return what would help, each with its label; the operator's command stays on one line, to be copied."""
    explanation, owner = call_explanation.explanation, call_explanation.owner
    rule = _find_deciding_step(call_explanation).rule
    closest = format_nearest_value(rule, explanation.nearest)
    allowed = (
        _ALLOWED.get(rule, "") + join_words_that_fit(explanation.allowed, _MAX_ALLOWED_BYTES)
        if explanation.allowed
        else ""
    )
    rows = [
        ("nearest", closest),
        ("allowed", allowed),
        ("hint", explanation.advice.replace(f"`{_cwd_prefix()}", "`").replace(f" {_cwd_prefix()}", " ")),
        ("operator", "", explanation.remedy.replace(" ", _NO_BREAK)),
        ("run by", _owner_text(owner) if owner is not None else ""),
        ("note", call_explanation.note),
    ]
    return [row for row in rows if any(row[1:])]


def _owner_text(owner: "UserWithWriteAccess") -> str:
    where = f"write in {_relative_path(owner.directory)}"
    others = "root" if owner.name == "root" else f"{owner.name} or root"
    return f"you, as you may {where}" if owner.is_caller else f"{others}; you may not {where}"


def _relative_path(path: str) -> str:
    """Return a path relative to the working directory if it is below it."""
    return path.removeprefix(_cwd_prefix())


def _cwd_prefix() -> str:
    try:
        return os.getcwd().rstrip("/") + "/"
    except OSError:  # it is gone
        return "\0"  # no path begins so


def _explanation_to_json(call_explanation: "CallExplanation") -> dict[str, object]:
    explanation = call_explanation.explanation
    return {
        "steps": [
            {
                "rule": step.rule,
                "verdict": step.verdict,
                "said": elide_middle(step.message) or None,
                "file": call_explanation.file if step.line else None,
                "line": step.line or None,
                "pointer": step.pointer or None,
            }
            for step in explanation.steps
        ],
        "nearest": elide_middle(explanation.nearest) or None,
        "allowed": list(explanation.allowed),
        "remedy": explanation.remedy or None,
        "advice": elide_middle(explanation.advice) or None,
        "owner": call_explanation.owner.name if call_explanation.owner is not None else None,
        "note": call_explanation.note or None,
    }
