"""Be another user for a while."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

CALLER = 12345  # an ordinary user


@contextmanager
def by_caller() -> Iterator[None]:
    """Be the caller, an ordinary user, for a while."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.setegid(CALLER)
    os.seteuid(CALLER)
    try:
        with patch.dict(os.environ, XDG_CONFIG_HOME="/nowhere"):  # settings of their own, not those of root
            yield
    finally:
        os.seteuid(0)
        os.setegid(0)
