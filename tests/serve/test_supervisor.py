"""What starts the workers."""

import os

import pytest

from cortex_policy.batch.answerer import Answerer
from cortex_policy.serve.addresses import Address
from cortex_policy.serve.options import ServeOptions
from cortex_policy.serve.supervisor import _Supervisor


def test_a_worker_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others go on."""

    def fail() -> int:
        raise BlockingIOError(11, os.strerror(11))

    monkeypatch.setattr(os, "fork", fail)
    import socket  # noqa: PLC0415 - only here

    with socket.socket() as made:
        words = ServeOptions(Answerer(), Address(made, "", frozenset(), None, None), "")
        supervisor = _Supervisor(words)
        supervisor._due.append(0.0)  # noqa: SLF001 - no process can be made to fail when root runs the tests
        supervisor._start_due(set())  # noqa: SLF001 - as above
        assert len(supervisor._due) == 1  # noqa: SLF001 - as above
        assert supervisor._due[0] > 0  # noqa: SLF001 - as above
    assert "no worker can be started" in capsys.readouterr().err
