"""What a journal that outlives its process counts: commits, and the writes that it did not take."""

from __future__ import annotations

from caucus.metrics import SECONDS, SIZES, Counter, Histogram, Metric, Reading


class CommitFigures:
    """Commits by how long they took and how many events they had, and writes that were refused undecided."""

    def __init__(self, *more: Metric) -> None:
        self.refused = Counter(
            "caucus_writes_not_taken_total", "Writes that were refused, since storage had failed or stalled."
        )
        self._seconds = Histogram("caucus_commit_seconds", "How long the store took for a commit.", SECONDS)
        self._events = Histogram("caucus_commit_events", "How many events a commit had.", SIZES)
        commits = Reading(
            "caucus_commits_total",
            "Commits that were durable.",
            lambda: self._events.counts()[()],
            kind="counter",
        )
        self.metrics: tuple[Metric, ...] = (commits, self._seconds, self._events, *more, self.refused)

    def committed(self, events: int, seconds: float) -> None:
        """A commit of so many events took so long, and is durable."""
        self._events.observe(events)
        self._seconds.observe(seconds)
