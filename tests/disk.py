"""A disk for tests: an SQLite VFS that fails, stalls, or forgets at a power cut what was not synced."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
_names = itertools.count()


def nothing(_operation: str) -> None:
    """Every operation succeeds."""


class Disk(apsw.VFS):
    """Counts writes, truncations and syncs in ``operations``; ``before`` is called with each and may raise.

    ``real_syncs`` says whether a sync reaches the machine's own disk, which takes most of the time.
    """

    def __init__(self, *, real_syncs: bool = False) -> None:
        self.name = f"disk-{next(_names)}"
        self.operations = 0
        self.before: Callable[[str], None] = nothing
        self.real_syncs = real_syncs
        self.unsynced: dict[str, list[tuple[int, bytes, bytes, int]]] = {}
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _File(self, name, flags)

    def operate(self, operation: str) -> None:
        self.operations += 1
        self.before(operation)

    def cut_power(self, chance: random.Random) -> None:
        """Take back any of the writes that were not synced, as a whole or from some sector on."""
        for name, writes in self.unsynced.items():
            path = Path(name)
            if not path.exists():
                continue
            with path.open("r+b") as file:
                for offset, data, old, size in reversed(writes):
                    fate = chance.random()
                    if fate < 0.4:
                        continue
                    kept = 0 if fate < 0.8 else SECTOR * chance.randrange(len(data) // SECTOR + 1)
                    file.seek(offset + kept)
                    file.write(old[kept:])
                    if offset + len(data) > size and kept == 0:
                        file.truncate(max(size, offset + len(old)))
        self.unsynced.clear()


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.operate("write")
        size = super().xFileSize()
        there = max(0, min(len(data), size - offset))
        old = super().xRead(there, offset) if there else b""
        self._disk.unsynced.setdefault(self._path, []).append((offset, bytes(data), old, size))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._disk.operate("truncate")
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        self._disk.operate("sync")
        if self._disk.real_syncs:
            super().xSync(flags)
        self._disk.unsynced.pop(self._path, None)


def fail_at(number: int, error: type[apsw.Error] = apsw.IOError, times: int = 1) -> Callable[[str], None]:
    """What makes ``times`` operations fail, from the ``number``-th on, counted from 1."""
    counted = itertools.count(1)

    def before(_operation: str) -> None:
        if number <= next(counted) < number + times:
            raise error("injected")

    return before
