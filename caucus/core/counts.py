"""What the core counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from caucus.core.clock import DecisionClock
from caucus.core.feeds import Feeds
from caucus.errors import CaucusError
from caucus.interfaces import IJournal
from caucus.metrics import Labels, Metric, Reading
from caucus.model.changes import named
from caucus.model.events import ClaimsChanged, Lived
from caucus.rules.state import State


class Counts:
    """Operations that were decided, and what the state holds."""

    def __init__(self, state: State, journal: IJournal, clock: DecisionClock, feeds: Feeds) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._replay_seconds = 0.0
        self.decided = defaultdict[tuple[Callable[..., object], str | type], int](int)
        """How often each operation ended in a way: an outcome, or what is of a type, such as an error."""
        self.changed = defaultdict[str, int](int)
        """How often what became of a claim with a lease."""
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
                "caucus_waiting_claims", "Claims that wait in line.", lambda: state.claims.leases.waiting
            ),
            Reading("caucus_agents", "Agents that were heard of within a day.", lambda: len(state.heard)),
            Reading(
                "caucus_owed",
                "Messages that are owed, for each name that they are addressed to.",
                lambda: state.receipts.count,
            ),
            Reading(
                "caucus_claim_changes_total",
                "What became of claims with a lease, and signs of life, as it was decided here.",
                self._changes,
                ("change",),
                "counter",
            ),
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

    def _changes(self) -> Mapping[Labels, float]:
        return {(change,): count for change, count in self.changed.items()}

    def count(self, event: ClaimsChanged | Lived) -> None:
        """An event about claims with a lease was decided."""
        if isinstance(event, Lived):
            self.changed["lived"] += 1
            return
        for change in event.changed:
            self.changed[named(change)] += 1

    def _claims(self) -> float:
        now, leases = self._clock.now(), self._state.claims.leases
        plain = sum(channel.ledger.count(now) for channel in self._state.channels.values())
        return plain + len(leases) - leases.waiting


def _outcome(how: str | type) -> str:
    if isinstance(how, str):
        return how
    if issubclass(how, CaucusError):
        return "refused"
    return "failed" if issubclass(how, BaseException) else getattr(how, "outcome", "done")
