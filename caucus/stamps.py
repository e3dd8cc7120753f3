"""Stamps: strings that rise strictly within a server, also over a clock that steps back."""

from __future__ import annotations

from datetime import UTC, datetime


class Stamps:
    """Makes the values of ``ts`` and ``created_ts``.

    A stamp is an ISO-8601 UTC instant with milliseconds, ``#`` and a 12-digit sequence number.
    """

    def __init__(self) -> None:
        self._instant = ""
        self._sequence = 0

    def next(self, wall: float) -> str:
        """The next stamp, for ``wall`` seconds since the epoch; its instant never falls."""
        instant = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        self._instant = max(self._instant, instant)
        self._sequence += 1
        return f"{self._instant}#{self._sequence:012d}"

    def resume(self, stamp: str) -> None:
        """Every later stamp is greater than ``stamp``, one of an earlier run."""
        instant, _, sequence = stamp.partition("#")
        self._instant = max(self._instant, instant)
        self._sequence = max(self._sequence, int(sequence))
