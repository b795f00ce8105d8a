"""What came of cases, in each format: a pure function from the outcome to what is written."""

from cortex_policy.cli.trials import junit, members, text

FORMATS = {"text": text.draw, "json": members.draw, "junit": junit.draw}
