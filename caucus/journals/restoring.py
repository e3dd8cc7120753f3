"""Putting a backup in a journal's place."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from pathlib import Path

from caucus.journals.files import sync
from caucus.journals.lock import Lock
from caucus.journals.reader import Reader


def _give_to_owner_of(path: Path, made: Path) -> None:
    """Have the daemon's user able to use what root has made."""
    owner = path.stat()
    with suppress(PermissionError):  # who is not root makes files of one's own
        os.chown(made, owner.st_uid, owner.st_gid)


def restore(copy: Path, file: Path) -> Path | None:
    """Make ``file`` what ``copy`` is, which must be sound; gives where what was there is now.

    No daemon may use it meanwhile. What was there keeps its write-ahead log, under another name; a crash in
    between leaves a file with two names, which no daemon takes, and that can be restored again.

    Raises `DatabaseError`, `CopyError`, ``apsw.Error`` or `OSError`.
    """
    file = Path(os.path.realpath(file))
    lock = Lock(file, may_have_names=True)
    try:
        made = Path(f"{file}.restoring")
        made.unlink(missing_ok=True)
        Reader(copy).copy_to(made)
        _give_to_owner_of(file if file.stat().st_size else file.parent, made)
        aside = None
        if file.stat().st_size:
            aside = next(
                path for path in (Path(f"{file}.before-{n}") for n in itertools.count(1)) if not path.exists()
            )
            aside.hardlink_to(file)
        log = Path(f"{file}-wal")
        if log.exists():
            log.rename(f"{aside or made}-wal")
        Path(f"{file}-shm").unlink(missing_ok=True)
        made.rename(file)
        sync(file.parent)
    finally:
        lock.release()
    return aside
