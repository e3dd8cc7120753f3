"""Who may write to a journal's file: one process, by what the file is and not by what leads to it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from caucus.journals.files import DatabaseError, sync

_MOUNTS: Final = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Lock:
    """Held by the one process that writes to a file; the kernel lets go of it when the process ends.

    It is a lock on the file itself, which is made if it is not there. No other descriptor of the file may
    be opened and closed by this process while SQLite has it open: that would drop SQLite's own locks.
    ``FILE.lock``, beside it, is what earlier versions look at.

    :param path: where the file really is.
    :param may_have_names: whether there may be hard links of it, each with a log of its own.

    Raises `DatabaseError` if another holds it, or if its write-ahead log could be elsewhere; `OSError` if
    it cannot be written to.
    """

    def __init__(self, path: Path, *, may_have_names: bool = False) -> None:
        self._numbers: list[int] = []
        try:
            try:
                self._take(f"{path}.lock")
            except OSError as error:
                if error.errno == errno.EROFS or not os.path.lexists(f"{path}.lock"):
                    raise  # it is the folder's fault
                raise DatabaseError(f"{path.name}.lock: {error.strerror}") from error
            number = self._take(path)
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode):
                raise DatabaseError("it is not a file")
            if found.st_nlink > 1 and not may_have_names:
                raise DatabaseError(
                    f"it has {found.st_nlink} names (hard links), each with a write-ahead log of its own"
                )
            if _is_mounted(path):
                raise DatabaseError(
                    "it is mounted by itself, and its write-ahead log would lie elsewhere: mount its folder"
                )
        except BaseException:
            self.release()
            raise

    def header(self) -> bytes:
        """The first 100 bytes of the file: its SQLite header, if there is one."""
        return os.pread(self._numbers[-1], 100, 0)

    def release(self) -> None:
        """Let another have it. The files stay: taking one away would let two hold it."""
        while self._numbers:
            os.close(self._numbers.pop())

    def _take(self, path: Path | str) -> int:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            sync(Path(path).parent)
        number = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._numbers.append(number)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseError("another backbone is using it") from None
        return number


def _is_mounted(path: Path) -> bool:
    """Whether a file is a mount point of its own, as far as the system tells."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return False
    points = (line.split(b" ")[4] for line in lines)
    return os.fsencode(path) in {_ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), one) for one in points}
