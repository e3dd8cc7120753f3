"""Stamps: strings that rise strictly within a server, also over a clock that steps back."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


class Stamps:
    """Makes the values of ``ts`` and ``created_ts``.

    A stamp is an ISO-8601 UTC instant with milliseconds, ``#`` and a 12-digit sequence number.
    """

    def __init__(self) -> None:
        self._instant = ""
        self._number = -1
        self._sequence = 0

    def next(self, wall: float) -> str:
        """The next stamp, for ``wall`` seconds since the epoch; its instant never falls."""
        number = int(wall * 1000)
        if number != self._number:
            self._number = number
            self._instant = max(self._instant, _millisecond(number))
        self._sequence += 1
        return f"{self._instant}#{self._sequence:012d}"

    def resume(self, stamp: str) -> None:
        """Every later stamp is greater than ``stamp``, one of an earlier run."""
        instant, _, sequence = stamp.partition("#")
        self._instant = max(self._instant, instant)
        self._sequence = max(self._sequence, int(sequence))


def instant(wall: float) -> str:
    """An ISO-8601 UTC instant with milliseconds, cut and not rounded, and a ``Z``."""
    return _millisecond(int(wall * 1000))


@lru_cache(maxsize=16)  # at thousands of messages a second, most fall into one that has been written already
def _millisecond(number: int) -> str:
    seconds, milliseconds = divmod(number, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=16)
def _second(number: int) -> str:
    return f"{datetime.fromtimestamp(number, UTC):%Y-%m-%dT%H:%M:%S}"
