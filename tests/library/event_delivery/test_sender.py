"""What becomes of events, by what the receiver answers."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cortex_policy.library.event_delivery.cursor import Cursor
from cortex_policy.library.event_delivery.line_delivery_queue import LineQueue
from cortex_policy.library.event_delivery.receiver import EventReceiver
from cortex_policy.library.event_delivery.refused_events import RefusedEvents
from cortex_policy.library.event_delivery.sender import EventSender
from cortex_policy.manage.audit.unsent_lines import LogLines
from tests.support.event_receiver import Receiver, write_events


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    """Share one process."""
    with Receiver() as running:
        yield running


class Setup:
    """A sender of a file of events."""

    def __init__(self, top: Path, url: str, mode: str) -> None:
        self.reports, self.refused = list[str](), top / "refused"
        self.file = top / "log"
        self.cursor = Cursor(str(top / "cursor"))
        lines = LogLines(str(self.file), self.cursor.read(), self.reports.append)
        self.receiver = EventReceiver(url)
        self.sender = EventSender(
            LineQueue(lines.follow(), self.cursor), self.receiver, mode,
            RefusedEvents(str(self.refused), lambda: 1_764_500_000_000_000_000), self.reports.append,
        )  # fmt: skip

    def send_all(self) -> list[float]:
        """Send without waiting until nothing waits; return the delays that it asked for."""
        delays = []
        with closing(self.receiver):
            while (delay := self.sender.send_next()) is not None:
                if delay:
                    delays.append(delay)
        return delays


@pytest.mark.parametrize("mode", ["structured", "batch"])
def test_what_fails_is_sent_again_in_order(server: Receiver, tmp_path: Path, mode: str) -> None:
    """Each kind of failure waits; nothing is left out, and a sentence tells of each new reason."""
    ids = write_events(tmp_path / "log", *range(5))
    did = ("500", "503:3", "close", "close", "junk", "401", "404", "307", "204", "429", "408")
    setup = Setup(tmp_path, server.url(f"fails-{mode}", *did), mode)
    delays = setup.send_all()
    assert server.ids(f"fails-{mode}") == ids
    assert len(delays) == (9 if mode == "structured" else 7)
    assert delays[1] >= 3.0
    assert min(delays[4:7]) >= 30.0
    assert setup.sender.delivered == 5
    assert not setup.refused.exists()
    assert setup.reports[0].endswith(f"/fails-{mode}` wait: the receiver answers 500")
    assert "takes events again" in setup.reports[7]


def test_an_event_that_is_refused_is_set_aside_alone(server: Receiver, tmp_path: Path) -> None:
    """Of a batch, the others are delivered: it is sent in halves until the one is found."""
    ids = write_events(tmp_path / "log", *range(8))
    # 8, 4, 2, 1: the first is the one
    setup = Setup(tmp_path, server.url("poison", "422", "400", "422", "422"), "batch")
    assert setup.send_all() == []
    assert server.ids("poison") == ids[1:]
    kept = [json.loads(line) for line in setup.refused.read_bytes().splitlines()]
    assert [(one["status"], one["refused_at"], one["event"]["id"]) for one in kept] == [
        (422, "2025-11-30T10:53:20.000000Z", "0"),
    ]  # fmt: skip
    assert setup.refused.stat().st_mode & 0o777 == 0o600
    assert (setup.sender.delivered, setup.sender.refused) == (7, 1)
    assert "is kept in" in setup.reports[0]


def test_too_large_a_batch_is_sent_in_smaller_ones(server: Receiver, tmp_path: Path) -> None:
    """And one event that is too large is set aside."""
    ids = write_events(tmp_path / "log", *range(100))
    setup = Setup(tmp_path, server.url("large", "413", "413"), "batch")
    assert setup.send_all() == []
    assert server.ids("large") == ids
    sizes = [len(json.loads(one["body"])) for one in server.requests("large")]
    assert sizes[:3] == [100, 50, 25]
    assert sizes[3] == 26
    (tmp_path / "alone").mkdir()
    write_events(tmp_path / "alone" / "log", 1, 2)
    alone = Setup(tmp_path / "alone", server.url("alone", "413"), "structured")
    alone.send_all()
    assert server.ids("alone") == ["2"]
    assert alone.sender.refused == 1


def test_a_position_is_kept_for_each_delivery(server: Receiver, tmp_path: Path) -> None:
    """Another process goes on behind it."""
    write_events(tmp_path / "log", *range(3))
    first = Setup(tmp_path, server.url("one"), "structured")
    assert first.sender.send_next() == 0.0
    first.receiver.close()
    first.cursor.close()
    Setup(tmp_path, server.url("two"), "structured").send_all()
    assert server.ids("one") == ["0"]
    assert server.ids("two") == ["1", "2"]


def test_if_a_refused_event_cannot_be_kept_it_stays(server: Receiver, tmp_path: Path) -> None:
    """It is neither lost nor left out."""
    write_events(tmp_path / "log", 1)
    setup = Setup(tmp_path, server.url("kept", "400", "400"), "structured")
    setup.refused.touch()
    setup.refused.chmod(0o644)
    with pytest.raises(PermissionError):
        setup.send_all()
    setup.refused.unlink()
    setup.refused.symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        setup.send_all()
    assert not (tmp_path / "target").exists()
    setup.refused.unlink()
    setup.send_all()
    assert server.ids("kept") == ["1"]


def test_refused_events_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are kept, in two files."""
    monkeypatch.setattr("cortex_policy.library.event_delivery.refused_events.MAX_BYTES", 1000)
    refused = RefusedEvents(str(tmp_path / "refused"), lambda: 0)
    for number in range(100):
        refused.add(b'{"n":%d}' % number, 400)
    kept = b"".join((tmp_path / name).read_bytes() for name in ("refused.1", "refused"))
    assert len(kept) <= 2000
    assert sorted(os.listdir(tmp_path)) == ["refused", "refused.1", "state"]
    numbers = [json.loads(line)["event"]["n"] for line in kept.splitlines()]
    assert numbers == list(range(100 - len(numbers), 100))
    assert len(numbers) > 10


def test_refused_events_are_kept_in_a_file_of_ours_alone(tmp_path: Path) -> None:
    """It has one name, and a line that a killed sender left does not spoil the next one."""
    file = tmp_path / "refused"
    file.write_bytes(b'{"status": 40')
    file.chmod(0o600)
    refused = RefusedEvents(str(file), lambda: 0)
    refused.add(b'{"n":1}', 400)
    assert json.loads(file.read_bytes().splitlines()[1])["event"] == {"n": 1}
    file.unlink()
    (tmp_path / "other").touch(mode=0o600)
    file.hardlink_to(tmp_path / "other")
    with pytest.raises(PermissionError):
        refused.add(b'{"n":1}', 400)
    assert (tmp_path / "other").read_bytes() == b""
