"""Four hosts share one budget to the last call, and none of them counts by itself unless it was told to."""

import re
from collections import Counter
from pathlib import Path

from tests.support.examples import Example
from tests.support.redis_servers import skip_without_server


def test_the_fleet_works_as_its_page_says(tmp_path: Path) -> None:
    """It checks itself; what it prints is what each host was answered."""
    skip_without_server()
    fleet = Example("fleet", tmp_path)
    done = fleet.run(str(fleet.root))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^  all:    (.*)", done.stdout, re.MULTILINE) == [
        "30 allowed, 50 rate_limited", "80 state_unavailable", "28 allowed local, 52 rate_limited local", "80 rate_limited",
    ]  # fmt: skip
    assert done.stdout.count("  host 3: 7 allowed local, 13 rate_limited local") == 1


def test_an_answer_that_is_not_as_expected_is_told(tmp_path: Path) -> None:
    """Then the program ends with 1."""
    tell = Example("fleet", tmp_path).module().tell
    assert tell("one call too many", [Counter(allowed=20), Counter(allowed=11)], {"allowed": 30}) is False
    assert tell("right", [Counter(allowed=20), Counter(allowed=10)], {"allowed": 30}) is True
