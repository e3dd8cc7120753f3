"""Files: what is wrong with one, in a line, and how it gets to the disk."""

from __future__ import annotations

import os
from pathlib import Path

import apsw


class DatabaseError(Exception):
    """The file is not a journal that this version can use. Its text is one line."""


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def one_line(error: BaseException | None) -> str:
    """What went wrong, in one line and without a path.

    apsw asks a connection for the words, which may have none for another's failure.
    """
    text = getattr(error, "strerror", None) or str(error)
    if isinstance(error, apsw.Error) and text in ("", "not an error"):
        text = type(error).__name__.removesuffix("Error")
        text = {"Full": "the disk is full", "CantOpen": "it cannot be opened"}.get(text, text)
    return " ".join((text or type(error).__name__).split())
