"""No decision is made on a grant that was replaced before the decision began, by whatever means."""

from pathlib import Path

import staleness

WRITES, DECISIONS = 60, 10_000


def test_no_decision_is_older_than_the_last_finished_write(tmp_path: Path) -> None:
    """A short run of `staleness.py`: eight means, two processes of readers, threads that share a store."""
    outcome = staleness.run(tmp_path, WRITES, seed=2026)
    assert outcome.stale == []
    assert len(outcome.writes) == staleness.MEANS
    assert outcome.decisions >= DECISIONS
