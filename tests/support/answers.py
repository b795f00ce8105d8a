"""Answer a call in this process, as `check` and `explain` do."""

from cortex_policy.check import Call, decide_outcome_with_wait
from cortex_policy.cli.output.explanation import explain_and_render_outcome
from cortex_policy.render import RenderedCall, render_outcome_unless_silent


def answer(call: Call) -> RenderedCall:
    """Decide a call and return what would be printed, with the exit code."""
    outcome = decide_outcome_with_wait(call)
    return explain_and_render_outcome(outcome) if call.explain else render_outcome_unless_silent(outcome)
