"""What the core counts."""

from __future__ import annotations

from collections import deque

from caucus.core.clock import DecisionClock
from caucus.interfaces import IJournal
from caucus.metrics import Counter, Metric, Reading
from caucus.model.events import Event, MessageAppended
from caucus.rules.state import State


class Counts:
    """Operations that were decided and events that were recorded, and what the state holds."""

    def __init__(self, state: State, journal: IJournal, clock: DecisionClock) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._replay_seconds = 0.0
        self._durable_at = 0.0
        self._recorded: deque[tuple[int, float]] = deque()
        self.operations = Counter(
            "caucus_operations_total",
            "Operations that write, by what was decided.",
            ("operation", "outcome"),
        )
        self._messages = Counter("caucus_messages_total", "Messages recorded since the start.")
        self.metrics: tuple[Metric, ...] = (
            self.operations,
            self._messages,
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
                self._last_durable,
            ),
            Reading(
                "caucus_replay_seconds",
                "How long this run took to replay the journal.",
                lambda: self._replay_seconds,
            ),
        )

    def recorded(self, event: Event, position: int) -> None:
        """An event was taken by the journal."""
        if isinstance(event, MessageAppended):
            self._messages.add()
        self._forget_durable()
        self._recorded.append((position, event.when.wall))

    def replayed(self, seconds: float, last: float) -> None:
        """It took so long to replay the journal, whose last event was decided at ``last``."""
        self._replay_seconds = seconds
        self._durable_at = last

    def lost(self, kept: int) -> None:
        """The events after the position ``kept`` were lost."""
        while self._recorded and self._recorded[-1][0] > kept:
            self._recorded.pop()

    def _forget_durable(self) -> None:
        durable, recorded = self._journal.durable, self._recorded
        while recorded and recorded[0][0] <= durable:
            self._durable_at = recorded.popleft()[1]

    def _last_durable(self) -> float:
        self._forget_durable()
        return self._durable_at

    def _claims(self) -> float:
        now = self._clock.now()
        return sum(channel.ledger.count(now) for channel in self._state.channels.values())
