"""What the core counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from caucus.core.clock import DecisionClock
from caucus.core.feeds import Feeds
from caucus.errors import CaucusError
from caucus.interfaces import IJournal
from caucus.metrics import Labels, Metric, Reading
from caucus.rules.state import State


class Counts:
    """Operations that were decided, and what the state holds."""

    def __init__(self, state: State, journal: IJournal, clock: DecisionClock, feeds: Feeds) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._replay_seconds = 0.0
        self.decided = defaultdict[tuple[Callable[..., object], type], int](int)
        """How often each operation ended with something of a type: a result, or an error."""
        self._earlier = 0
        self.metrics: tuple[Metric, ...] = (
            Reading(
                "caucus_operations_total",
                "Operations that write, by what was decided.",
                self._operations,
                ("operation", "outcome"),
                "counter",
            ),
            Reading(
                "caucus_messages_total",
                "Messages that came since the start and can be read.",
                lambda: self._readable() - self._earlier,
                kind="counter",
            ),
            Reading("caucus_channels", "Channels there are.", lambda: len(state.channels)),
            Reading("caucus_claims", "Claims that are held.", self._claims),
            Reading(
                "caucus_ready",
                "1 while writes are taken, 0 while storage has failed or has stalled.",
                lambda: journal.refusal is None,
            ),
            Reading(
                "caucus_pending_events",
                "Events recorded that are not durable yet.",
                lambda: journal.position - journal.durable,
            ),
            Reading(
                "caucus_last_durable_event_timestamp_seconds",
                "When the last durable event was decided, in seconds since the epoch; 0 if none was.",
                lambda: feeds.last_seen,
            ),
            Reading(
                "caucus_replay_seconds",
                "How long this run took to replay the journal.",
                lambda: self._replay_seconds,
            ),
        )

    def replayed(self, seconds: float) -> None:
        """It took so long to replay the journal."""
        self._replay_seconds = seconds
        self._earlier = self._readable()

    def _operations(self) -> Mapping[Labels, float]:
        found = defaultdict[Labels, float](float)
        for (decide, kind), count in self.decided.items():
            found[decide.__name__, _outcome(kind)] += count
        return found

    def _readable(self) -> int:
        durable = self._journal.durable
        return sum(channel.head(durable) for channel in self._state.channels.values())

    def _claims(self) -> float:
        now = self._clock.now()
        return sum(channel.ledger.count(now) for channel in self._state.channels.values())


def _outcome(kind: type) -> str:
    if issubclass(kind, CaucusError):
        return "refused"
    return "failed" if issubclass(kind, BaseException) else getattr(kind, "outcome", "done")
