"""What the core counts."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Final

from caucus.core.clock import DecisionClock
from caucus.errors import CaucusError
from caucus.interfaces import IJournal
from caucus.metrics import Labels, Metric, Reading
from caucus.model.events import Event, Stepped
from caucus.rules.state import State

MOST_INSTANTS: Final = 100
"""Of events that were durable when they were last looked at; then those that are now are forgotten."""


class Counts:
    """Operations that were decided and events that were recorded, and what the state holds."""

    def __init__(self, state: State, journal: IJournal, clock: DecisionClock) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._replay_seconds = 0.0
        self._durable_at = 0.0
        self._recorded: deque[tuple[int, float]] = deque()
        self.decided = defaultdict[tuple[Callable[..., object], type], int](int)
        """How often each operation ended with something of a type: a result, or an error."""
        self._messages = 0
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
                "Messages recorded since the start.",
                lambda: self._messages,
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
        if isinstance(event, Stepped):
            self._messages += len(event.said)
        if self._journal.durable >= position:
            self._durable_at = event.when.wall
        else:
            self._recorded.append((position, event.when.wall))
            if len(self._recorded) > MOST_INSTANTS:
                self._forget_durable()

    def replayed(self, seconds: float, last: float) -> None:
        """It took so long to replay the journal, whose last event was decided at ``last``."""
        self._replay_seconds = seconds
        self._durable_at = last

    def lost(self, kept: int) -> None:
        """The events after the position ``kept`` were lost."""
        while self._recorded and self._recorded[-1][0] > kept:
            self._recorded.pop()

    def _operations(self) -> Mapping[Labels, float]:
        found = defaultdict[Labels, float](float)
        for (decide, kind), count in self.decided.items():
            found[decide.__name__, _outcome(kind)] += count
        return found

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


def _outcome(kind: type) -> str:
    if issubclass(kind, CaucusError):
        return "refused"
    return "failed" if issubclass(kind, BaseException) else getattr(kind, "outcome", "done")
