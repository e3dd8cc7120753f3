"""Files: what is wrong with one, in a line, and how it gets to the disk."""

from __future__ import annotations

import os
from pathlib import Path


class DatabaseError(Exception):
    """The file is not a journal that this version can use. Its text is one line."""


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
