"""What of the log is applied here, and how what others wrote gets there: in order, once, by its chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Final, NamedTuple

from attrs import frozen
from psycopg import pq
from twisted.logger import Logger

from caucus.journals.chain import BEGINNING, link
from caucus.journals.codec import decode_event
from caucus.journals.doors import nobody_to_tell, nothing_to_undo
from caucus.journals.postgres.link import Statement, integer
from caucus.journals.postgres.log_clock import BOOT_ID, LogClock
from caucus.model.events import Event, EvidenceAdded

MOST_EVENTS: Final = 1000
"""So many events are asked for at once, while others run."""

_log = Logger("caucus.journals")
_position = Struct("!q").unpack
_time = Struct("!d").unpack


class Broken(Exception):
    """The log is not what it was, or has what this release cannot read. Its text is one line."""


class Row(NamedTuple):
    """An event as it is kept."""

    position: int
    body: bytes
    digest: bytes
    evidence: bytes


@frozen
class Place:
    """Up to where the log was applied when more of it was asked for."""

    position: int
    digest: bytes

    def tail(self, most: int = MOST_EVENTS + 1) -> Statement:
        """What asks for the events after it."""
        return "tail", (integer(self.position), integer(most + 1))

    def fresh(self) -> tuple[Statement, ...]:
        """What asks for them, for the time, and whether there is a standby, beside the one that is there."""
        if not self.position:
            return self.tail(), ("time", ())
        return (("fresh", (integer(self.position), integer(MOST_EVENTS + 2))),)


def time_of(result: pq.abc.PGresult, column: int = 0) -> float:
    """A time that was asked for."""
    value: float = _time(result.get_value(0, column) or bytes(8))[0]
    return value


class Applied:
    """How far the log is applied, and durable: what lies between was decided here, and is on its way.

    ``head`` is the digest beside the event at ``durable``.
    """

    def __init__(self, clock: LogClock) -> None:
        self.position = self.durable = 0
        self.head = BEGINNING
        self.server = b""
        """Whose word is good: the one where the last session for turns has begun."""
        self.advanced: Callable[[], None] = nobody_to_tell
        self.apply: Callable[[Event, bytes, int], None] = _nobody_applies
        self.undo: Callable[[int], None] = nothing_to_undo
        self.clock = clock

    @property
    def place(self) -> Place:
        """Up to where what is applied here is everybody's."""
        return Place(self.durable, self.head)

    def rows(self, asked: Place, result: pq.abc.PGresult) -> list[Row]:
        """The events after a place, from what was answered. Raises `Broken` if it is not there any more."""
        count, value = result.ntuples, result.get_value
        rows = [
            Row(_position(value(n, 0))[0], value(n, 1) or b"", value(n, 2) or b"", value(n, 3) or b"")  # type: ignore[arg-type]
            for n in range(count)
        ]
        if not asked.position:
            return rows
        if not rows or rows[0].position != asked.position:
            raise Broken(f"event {asked.position}, which was there, is not there any more")
        if rows[0].digest != asked.digest:
            raise Broken(f"event {asked.position} is not the one that was there")
        return rows[1:]

    def take(self, event: Event, evidence: bytes, position: int) -> None:
        """Apply the next event. Raises `Broken` if that cannot be done, or its evidence is not as long."""
        if isinstance(event, EvidenceAdded):
            _require_whole(event, evidence, position)
        self.position = self.durable = position
        try:
            self.apply(event, evidence, position)
        except Exception as error:
            raise _not_applied(position) from error

    def take_piece(self, events: Sequence[Event], evidence: Mapping[int, bytes], head: bytes) -> None:
        """As `take`, for the next ones, of an earlier run; ``head`` is the digest beside the last."""
        apply, position = self.apply, self.durable
        try:
            for event in events:
                position += 1
                if type(event) is EvidenceAdded:
                    data = evidence.get(position, b"")
                    _require_whole(event, data, position)
                    apply(event, data, position)
                else:
                    apply(event, b"", position)
        except Broken:
            raise
        except Exception as error:
            raise _not_applied(position) from error
        self.position = self.durable = position
        self.head = head
        note_time(self, events[-1])

    def deliver(self, rows: Sequence[Row]) -> bool:
        """Apply what is not applied yet; nothing that was decided here may be on its way.

        Says whether there was any. Raises `Broken` if they do not follow from what is applied.
        """
        before = self.durable
        for row in rows:
            if row.position <= self.durable:
                if row.position == self.durable and row.digest != self.head:
                    raise Broken(f"event {row.position} is not the one that was there")
                continue
            if row.position != self.durable + 1:
                raise Broken(f"event {self.durable + 1} is missing")
            if link(self.head, row.body) != row.digest:
                raise Broken(f"event {row.position} is not the one that was written: the chain breaks")
            try:
                event = decode_event(row.body)
            except ValueError as error:
                raise Broken(f"event {row.position} cannot be read by this release: {error}") from error
            note_time(self, event)
            self.head = row.digest
            self.take(event, row.evidence, row.position)
        return self.durable > before


def note_time(applied: Applied, event: Event) -> None:
    """It is not earlier than when an event was decided by the log's clock."""
    if event.when.boot_id == BOOT_ID:
        applied.clock.not_before(event.when.wall)


def _require_whole(event: EvidenceAdded, evidence: bytes, position: int) -> None:
    if event.size != len(evidence):
        raise Broken(f"the evidence of event {position} is not what was written")


def _not_applied(position: int) -> Broken:
    _log.failure("Event {position} could not be applied", position=position)
    return Broken(f"event {position} could not be applied")


def _nobody_applies(_event: Event, _evidence: bytes, _position: int) -> None:
    raise AssertionError("the journal is replayed before anything else")
