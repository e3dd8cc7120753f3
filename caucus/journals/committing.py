"""A journal over a local store: events are committed in groups, by a thread of its own.

A commit costs about the same for one event as for thirty. So a group does not begin with its first event, but
at the end of a turn of the reactor in which no more came, or soon: with 32 writers, most groups have 32 then,
and had 16.

What the store is, it does not know. It knows when a disk has stalled; what follows when a commit has
failed is in `caucus.journals.recovery`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, Unpack

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail, succeed  # noqa: A004
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.errors import CaucusError, OutcomeUnknown, StorageUnavailable
from caucus.interfaces import IJournal, IMeasured
from caucus.journals.codec import encode_event
from caucus.journals.doors import look_now, nobody_to_tell, nothing_to_undo, refuse_to_record
from caucus.journals.figures import CommitFigures
from caucus.journals.recovery import Recoverable, Situation, recovery
from caucus.journals.waits import Waits
from caucus.journals.worker import Worker
from caucus.model.events import Event
from caucus.model.text import one_line
from caucus.reactor import at_end_of_turn

MOST_EVENTS: Final = 4096
MOST_BYTES: Final = 16 * 1024 * 1024
STALL_SECONDS: Final = 5.0
"""With so many events or bytes waiting for the disk, or after so long without progress, no more are taken."""
GATHER_SECONDS: Final = 0.002
"""For so long, at most, a group waits for more: some dozens of requests take that."""
CLOSE_SECONDS: Final = 1.5
"""How long `CommittingJournal.close` waits for the disk."""
CHUNK: Final = 2000
"""Events read at a time on replay."""
PROGRESS_SECONDS: Final = 1.0

_log = Logger("caucus.journals")
Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class Store(Recoverable, Protocol):
    """Where the bytes of events lie, by position. Used by one thread, which may wait for it."""

    journal_id: str
    """Names the log, in hexadecimal digits."""

    def append(self, position: int, bodies: Sequence[bytes], evidence: Sequence[tuple[int, bytes]]) -> None:
        """Keep these events after ``position``, all or none of them, and return once they are durable.

        ``evidence`` is what is kept beside some of them, by position.
        """

    def tail(self) -> int:
        """The position of the last event."""

    def read(self, position: int, count: int) -> tuple[list[Event], dict[int, bytes]]:
        """At most ``count`` events after ``position``, and what is kept beside some of them, by position."""

    def close(self) -> None:
        """Let go of it."""


@implementer(IJournal, IMeasured)
class CommittingJournal:
    """A thread commits what is recorded; what comes during a commit goes into the next one.

    The log is this journal's alone, so that its turn is always there.

    :param store: is used by ``worker`` alone.
    :param release: is called when the journal is closed.
    :param reactor: is called back from the thread.
    :param clock: measures stalls, and the pauses between attempts.
    """

    def __init__(
        self,
        store: Store,
        release: Callable[[], None],
        worker: Worker,
        reactor: Any,
        clock: IReactorTime,
    ) -> None:
        self.position = self.durable = 0
        self.journal_id = store.journal_id
        self._store = store
        self._reactor = reactor
        self._clock = clock
        self._worker = worker
        self._release = release
        self._queue: list[bytes] = []
        self._evidence: list[tuple[int, bytes]] = []
        self._pending_bytes = 0
        self._since = 0.0  # when the disk was last seen to get on, while something is pending
        self._is_committing = self._is_gathering = False
        self._last = 0  # so many events were committed together last
        self._gathered = 0  # so many there were, when it was looked last
        self._until = 0.0
        self._waits = Waits()
        self._undo: Callable[[int], None] = nothing_to_undo
        self._advanced: Callable[[], None] = nobody_to_tell
        self._is_deciding = False
        self._step: list[bytes] = []  # what is being decided: it is queued as one, and so committed as one
        self._has_failed = self._is_beyond_repair = False
        self._situation = Situation(
            store=store,
            worker=worker,
            clock=clock,
            durable=lambda: self.durable,
            position=lambda: self.position,
            doubt=self._begin_to_doubt,
            settle=self._settle,
            tell=self._tell,
            opened=self._go_on,
            rest=self._tell_if_idle,
        )
        self._recovery = recovery(self._situation)
        self._idle: Deferred[None] | None = None
        self._figures = CommitFigures()
        self.metrics = self._figures.metrics

    @property
    def refusal(self) -> CaucusError | None:
        if self._situation.is_closing:
            return StorageUnavailable("closed")
        if self._has_failed:
            return StorageUnavailable("failed")
        pending = self.position - self.durable
        if pending and (
            pending >= MOST_EVENTS
            or self._pending_bytes >= MOST_BYTES
            or self._clock.seconds() - self._since >= STALL_SECONDS
        ):
            return StorageUnavailable("stalled")
        return None

    def replay(
        self,
        apply: Callable[[Event, bytes, int], None],
        undo: Callable[[int], None],
    ) -> Deferred[None]:
        self._undo = undo
        return Deferred.fromCoroutine(self._replay(apply))

    def follow(self, advanced: Callable[[], None]) -> None:
        self._advanced = advanced

    def write(self, decide: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        refusal = self.refusal
        if refusal is not None:
            self._figures.refused.add()
            return fail(refusal)
        answer: T | Failure
        self._is_deciding = True
        try:
            answer = decide(*args)
        except Exception:
            # No name here holds it, since its traceback holds this frame.
            return self._once_durable(Failure())
        finally:
            self._is_deciding = False
        return self._once_durable(answer)

    def _once_durable(self, answer: T | Failure) -> Deferred[T]:
        if self._step:
            self._queue.extend(self._step)
            self._step.clear()
            self._commit_soon()
        if self.durable < self.position or self._waits:  # some may be about to be told
            return self._waits.add(self.position, answer)
        return fail(answer) if isinstance(answer, Failure) else succeed(answer)

    def read(self, look: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        return look_now(look, *args)

    def record(self, event: Event, evidence: bytes = b"") -> int:
        if not self._is_deciding:
            refuse_to_record()
        body = encode_event(event)
        if self.position == self.durable:
            self._since = self._clock.seconds()
        self._pending_bytes += len(body) + len(evidence)
        self._step.append(body)
        self.position += 1
        if evidence:
            self._evidence.append((self.position, evidence))
        return self.position

    def close(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close())

    # Committing

    def _commit_soon(self) -> None:
        if not (self._is_committing or self._is_gathering):
            self._is_gathering = True
            at_end_of_turn(self._reactor, self._begin)

    def _begin(self) -> None:
        """At the end of a turn: commit, if there is one writer and was the last time; else see who comes."""
        if not self._is_gathering:
            return
        if len(self._queue) == self._last == 1:
            self._commit()
        else:
            self._gathered = 0
            self._until = self._clock.seconds() + GATHER_SECONDS
            self._reactor.callLater(0, self._gather)

    def _gather(self) -> None:
        """Between two turns: commit, or see first who else comes in the next, which waits for nothing."""
        if not self._is_gathering:
            return
        count = len(self._queue)
        if count > self._gathered and self._clock.seconds() < self._until:
            self._gathered = count
            self._reactor.callLater(0, self._gather)
        else:
            self._commit()

    def _commit(self) -> None:
        self._is_gathering, self._is_committing = False, True
        bodies, evidence, size = self._queue, self._evidence, self._pending_bytes
        self._last = len(bodies)
        self._queue, self._evidence = [], []
        position = self.position - len(bodies)
        self._worker.run(self._append, position, bodies, evidence).addCallbacks(
            self._committed, self._failed, callbackArgs=(len(bodies), size)
        )

    def _append(self, position: int, bodies: list[bytes], evidence: list[tuple[int, bytes]]) -> float:
        """On the thread: commit these events after ``position``; gives how many seconds that took."""
        began = self._clock.seconds()
        self._store.append(position, bodies, evidence)
        return self._clock.seconds() - began

    def _committed(self, seconds: float, count: int, size: int) -> None:
        self._figures.committed(count, seconds)
        self.durable += count
        self._pending_bytes -= size
        self._since = self._clock.seconds()
        self._is_committing = False
        self._advanced()
        self._waits.fire(self.durable)
        if self._queue:
            self._commit_soon()
        self._tell_if_idle()

    # When a commit fails

    def _failed(self, failure: Failure) -> None:
        self._has_failed = True
        self._is_committing = False
        self._recovery.fail(failure)

    def _begin_to_doubt(self) -> None:
        """It takes too long: whoever waits is told that nobody knows."""
        self._waits.fail(OutcomeUnknown)

    def _settle(self, tail: int) -> bool:
        """The events up to the store's tail were kept, and no more. Says whether memory is as it is."""
        self.position = self.durable = tail
        self._queue.clear()
        self._evidence.clear()
        self._pending_bytes = 0
        try:
            if not self._is_beyond_repair:
                self._undo(tail)
        except Exception:
            # Whoever waits must be told all the same; but what is in memory is not what the file says.
            _log.failure("{store}: what was lost could not be undone", store=self._store.name)
            self._is_beyond_repair = True
        return not self._is_beyond_repair

    def _tell(self) -> None:
        self._advanced()
        self._waits.settle(self.durable, partial(StorageUnavailable, "failed"))

    def _go_on(self) -> None:
        self._has_failed = False

    # The beginning and the end

    async def _replay(self, apply: Callable[[Event, bytes, int], None]) -> None:
        total = await self._worker.run(self._store.tail)
        told = self._clock.seconds()
        while True:
            events, evidence = await self._worker.run(self._store.read, self.position, CHUNK)
            for position, event in enumerate(events, start=self.position + 1):
                apply(event, evidence.get(position, b"") if evidence else b"", position)
            self.position += len(events)
            self.durable = self.position
            self._tell_if_idle()
            if self._situation.is_closing:
                raise CancelledError
            if len(events) < CHUNK:
                break
            if self._clock.seconds() - told >= PROGRESS_SECONDS:
                told = self._clock.seconds()
                _log.info("Replayed {count:,} of {total:,} events", count=self.position, total=total)

    async def _close(self) -> None:
        self._situation.is_closing = True
        until = self._reactor.seconds() + CLOSE_SECONDS
        idle = self._idle = Deferred()
        if self._is_gathering:
            self._commit()
        self._tell_if_idle()
        try:
            await idle.addTimeout(CLOSE_SECONDS, self._reactor)
        except TimeoutError:
            pending = self.position - self.durable
            _log.error(
                "{store}: closed with {pending} events not known to be kept",
                store=self._store.name,
                pending=pending,
            )
        was_open = self._recovery.close()
        self._has_failed = True
        self._waits.fail(OutcomeUnknown)
        if was_open and not self._worker.busy:
            closing = self._worker.run(self._store.close)
            try:
                await closing.addTimeout(max(0.1, until - self._reactor.seconds()), self._reactor)
            except Exception as error:  # a store fails in its own way
                _log.error("{store}: {reason}", store=self._store.name, reason=one_line(error))
        if self._worker.busy:
            return  # a disk that does not answer: the thread ends with the process, and so does the lock
        self._worker.stop()
        self._release()

    def _tell_if_idle(self) -> None:
        """End the wait of `close` once nothing is on its way to the disk, or nothing gets there."""
        settled = (self.position == self.durable or self._has_failed) and not self._worker.busy
        if self._idle is not None and settled:
            idle, self._idle = self._idle, None
            idle.callback(None)
