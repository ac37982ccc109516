"""A place in memory for what a test throws away: hundreds of git repositories, synced databases."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")  # noqa: S108 - private folders are made in it
ENOUGH = 2**30  # bytes; some containers have 64 MiB


@contextmanager
def in_memory() -> Iterator[None]:
    """Make temporary files and folders in memory while the block lasts, where there is enough of it."""
    before = tempfile.tempdir
    try:
        if shutil.disk_usage(MEMORY).free >= ENOUGH:
            with tempfile.TemporaryFile(dir=MEMORY):  # refused where nothing may be written
                tempfile.tempdir = str(MEMORY)
    except OSError:
        pass
    try:
        yield
    finally:
        tempfile.tempdir = before
