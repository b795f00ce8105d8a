"""Damage files."""

import os
from pathlib import Path


def flip_byte(file: Path, offset: int) -> None:
    """Flip a byte in place: a fixed one could be what is there."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        byte = os.pread(descriptor, 1, offset)[0]
        os.pwrite(descriptor, bytes([byte ^ 0xFF]), offset)
    finally:
        os.close(descriptor)
