"""What the edge counts: requests, what they were answered with, and how long that took."""

from __future__ import annotations

from typing import Final

from caucus.edge.crowd import Crowd
from caucus.edge.request import NO_ROUTE, PHRASES, Request
from caucus.metrics import SECONDS, Counter, Histogram, Metric, Reading
from caucus.wire.refusals import STATUS

_STATUSES: Final = {status: str(status) for status in (0, *PHRASES)}


class Counts:
    """Every request of a server, whichever listener it came in by."""

    def __init__(self, crowd: Crowd) -> None:
        self._requests = Histogram(
            "caucus_request_seconds",
            "From a request's first byte to the end of its answer; a stream's end is when it is closed.",
            SECONDS,
            ("route", "code"),
        )
        self._refusals = Counter(
            "caucus_refusals_total",
            "Requests refused, by the code told.",
            ("code",),
            sorted({(error.code,) for error in STATUS}),
        )
        self.metrics: tuple[Metric, ...] = (
            Reading(
                "caucus_requests_total",
                "Requests that are over, by operation and status; 0 if the peer went before there was one.",
                self._requests.counts,
                ("route", "code"),
                "counter",
            ),
            self._requests,
            self._refusals,
            Reading("caucus_connections", "Connections that are open.", lambda: crowd.connections),
            Reading(
                "caucus_connections_turned_away_total",
                "Connections closed at once, since there was no room for more.",
                lambda: crowd.turned_away,
                kind="counter",
            ),
            Reading(
                "caucus_arriving_bytes",
                "Bytes of bodies that are not here as a whole yet.",
                lambda: crowd.arriving,
            ),
        )

    def answered(self, request: Request | None, status: int, seconds: float, error: str) -> None:
        """A request has its answer, or as much of it as its peer took; ``error`` is its refusal's code."""
        route = NO_ROUTE if request is None else request.route
        self._requests.observe(seconds, (route, _STATUSES[status]))
        if error:
            self._refusals.add((error,))
