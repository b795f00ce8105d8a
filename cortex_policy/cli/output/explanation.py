"""Print an explanation: where it goes, and in which colours."""

import os

from cortex_policy.cli.streams import find_wrap_width, is_colour_wanted
from cortex_policy.core.model import UsageError
from cortex_policy.manage.explain import explain_outcome
from cortex_policy.render import RenderedCall, render_outcome_unless_silent
from cortex_policy.render_explanation import format_explanation, format_explanation_json_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.check import CallOutcome


def explain_and_render_outcome(outcome: "CallOutcome") -> RenderedCall:
    """Return the answer with its explanation; on stdout for `explain`, for a check on stderr if it is denied."""
    code, call = outcome.exit_code, outcome.call
    if outcome.is_silent or isinstance(outcome.error, UsageError):
        return render_outcome_unless_silent(outcome)
    explained = explain_outcome(outcome)
    if call.json:
        return RenderedCall(code, format_explanation_json_line(outcome, explained) + "\n")
    is_out = call.command == "explain" or bool(outcome.decision)
    descriptor = 1 if is_out else 2
    is_coloured = is_colour_wanted(is_terminal=os.isatty(descriptor))
    text = format_explanation(outcome, explained, width=find_wrap_width(descriptor), is_coloured=is_coloured)
    return RenderedCall(code, out=text) if is_out else RenderedCall(code, err=text)
