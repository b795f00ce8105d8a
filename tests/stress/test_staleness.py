"""No decision is made on a grant that was replaced before the decision began, by whatever means."""

from pathlib import Path

import pytest
import staleness


@pytest.mark.parametrize(("writes", "decisions"), [(24, 240), pytest.param(60, 600, marks=pytest.mark.storm)])
def test_no_decision_is_older_than_the_last_finished_write(tmp_path: Path, writes: int, decisions: int) -> None:
    """A short run of `staleness.py`: eight means, two processes of readers, threads that share a store."""
    outcome = staleness.run(tmp_path, writes, seed=2026)
    assert outcome.stale == []
    assert len(outcome.writes) == staleness.MEANS
    assert outcome.decisions >= decisions
