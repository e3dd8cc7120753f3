"""One reader of a live stream: written to as far as it reads, left behind where it does not."""

from __future__ import annotations

from abc import abstractmethod

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.edge.request import Request
from caucus.errors import CaucusError
from caucus.interfaces import IAlive
from caucus.metrics import Counter

_log = Logger("caucus.web")


class Common:
    """What all readers of a server have in common.

    :param page: so many messages at most are sent to a reader in one turn of the reactor.
    :param buffer_bytes: whoever is further behind, and takes nothing, is dropped.
    :param alive: is told what was shown to whom.
    """

    def __init__(self, clock: IReactorTime, page: int, buffer_bytes: int, alive: IAlive | None) -> None:
        self.clock = clock
        self.alive = alive
        self.page = page
        self.buffer_bytes = buffer_bytes
        self.dropped = Counter("caucus_streams_dropped_total", "Streams ended, being too far behind.")
        self.sent = Counter("caucus_stream_messages_total", "Messages, and other events, written to streams.")

    def next_turn(self) -> Deferred[None]:
        """Fires in the reactor's next turn, so that whoever reads much leaves room for others."""
        return deferLater(self.clock, 0, lambda: None)


@implementer(IPushProducer)
class Reader:
    """One open stream."""

    __slots__ = ("_behind", "_catching_up", "_done", "_paused", "_request", "common", "identity")

    def __init__(self, common: Common, request: Request) -> None:
        self.common = common
        self._request = request
        principal = request.principal
        self.identity = None if principal is None else principal.identity
        self._behind = 0
        self._paused = False
        self._catching_up = False
        self._done = False

    @property
    def takes(self) -> bool:
        """Whether it can be written to now, and has what came before."""
        return not (self._paused or self._catching_up or self._done)

    def open(self) -> None:
        """Be paused and resumed by the transport from now on."""
        self._request.registerProducer(self, True)

    def say(self, comment: str) -> None:
        """Send a comment, and with the first one the head."""
        if not self._done:
            self._request.write(f": {comment}\n\n".encode())

    @abstractmethod
    def leave(self) -> None:
        """It is not among the readers any more, if it was."""

    def fail(self, failure: Failure) -> None:
        """What it reads could not be had: end it, so that it comes back."""
        if not failure.check(CaucusError, CancelledError):
            _log.failure("A stream failed", failure=failure)
        self.end()

    def stop(self) -> None:
        """It is over; nothing is written any more."""
        if not self._done:
            self._done = True
            self._request.unregisterProducer()

    def end(self) -> None:
        """Let the answer end here."""
        if not self._done:
            self.stop()
            self._request.finish()

    def showed(self, channel: str, start: int, end: int) -> None:
        """The messages between two cursors were written to it."""
        if self.identity is not None and self.common.alive is not None:
            self.common.alive.showed(self.identity, channel, start, end)

    def keep_alive(self) -> None:
        """Send a comment."""
        if not (self._paused or self._done):
            self._request.write(b": keep-alive\n\n")

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._behind = 0
        self.catch_up()

    def stopProducing(self) -> None:
        self.stop()

    def fall_behind(self, size: int) -> None:
        """So many bytes more are new: it catches up, or if it is paused, is dropped when that is too much."""
        if not self._paused:
            self.catch_up()
            return
        self._behind += size
        if self._behind > self.common.buffer_bytes:
            self.common.dropped.add()
            _log.info("Dropped a stream's reader that is too far behind")
            self.stop()
            self._request.abort()

    def catch_up(self) -> None:
        """Write what it has not got yet."""
        if not (self._catching_up or self._done):
            Deferred.fromCoroutine(self._replay()).addErrback(self.fail)

    async def _replay(self) -> None:
        """Write slices until there is nothing more, or it can take no more."""
        self._catching_up = True
        try:
            while not (self._done or self._paused) and self._write_some():
                await self.common.next_turn()
        finally:
            self._catching_up = False

    @abstractmethod
    def _write_some(self) -> bool:
        """Write a slice of what it has not got yet; says whether there may be more."""

    def _write(self, data: bytes, messages: int) -> None:
        if not self._done:
            self.common.sent.add(by=messages)
            self._request.write(data)
