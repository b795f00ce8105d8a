"""A process that was forked before the tests were loaded: what it forks costs a fifth of what a whole worker would."""

import contextlib
import gc
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from operator import attrgetter
from typing import Any, BinaryIO, Never

Test = Callable[..., object]


class SmallProcess:
    """Runs tests that fork a hundred times, each in a child of its own."""

    def __init__(self) -> None:
        self._channel, theirs = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._channel.close()
            _serve(theirs)
        theirs.close()

    def run(self, test: Test, arguments: dict[str, object]) -> str:
        """Run a test with the environment and the directory of this process; return the traceback of its failure."""
        self._channel.send((test.__module__, test.__qualname__, dict(os.environ), os.getcwd()))
        self._channel.send(arguments)  # the other side must have the module of the test to understand them
        return str(self._channel.recv())

    def end(self) -> None:
        """End it, and wait for that."""
        self._channel.close()
        os.waitpid(self._pid, 0)


def _serve(channel: Connection) -> Never:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side hears it, and goes
    with contextlib.suppress(EOFError, OSError):
        while True:
            module, name, environment, directory = channel.recv()
            test = attrgetter(name)(import_module(module))
            channel.send(_failure_of(test, channel.recv(), environment, directory))
    os._exit(0)


def _failure_of(test: Test, arguments: dict[str, Any], environment: dict[str, str], directory: str) -> str:
    gc.freeze()  # a collection in a child would copy all of it
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(directory)
            _end_with(test, arguments, said)
        status = os.waitpid(child, 0)[1]
        said.seek(0)
        return said.read().decode("utf-8", "backslashreplace") or (f"it ended with {status}" if status else "")


def _end_with(test: Test, arguments: dict[str, Any], said: BinaryIO) -> Never:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        test(**arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the other side is told
        said.write(traceback.format_exc().encode("utf-8", "backslashreplace"))
        said.flush()
    finally:
        sys.stderr.flush()
        os._exit(code)
