"""Live streams: server-sent events, pushed in the turn in which a message becomes readable.

The log is the buffer: a reader that cannot take more is left behind at its cursor and catches up
when it can, and is dropped once what it has not taken passes a bound.
"""

from __future__ import annotations

from typing import Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.edge.request import Request
from caucus.edge.response import Live
from caucus.errors import NotFound, StreamCapacity
from caucus.interfaces import IBackbone, IWatchable
from caucus.limits import Limits
from caucus.metrics import Counter, Metric, Reading
from caucus.model.records import Page
from caucus.wire.frames import frames

HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
PAGE: Final = 100
"""So many messages at most, and about a slice of bytes, are sent to a reader in one turn of the reactor."""
QUIET_SECONDS: Final = 15
"""After so much quiet a comment keeps the connection alive."""

_log = Logger("caucus.web")


class Streams:
    """All open streams of a server."""

    def __init__(self, backbone: IBackbone, limits: Limits, clock: IReactorTime) -> None:
        self.watchable = cast("IWatchable", backbone)
        self.clock = clock
        self.page = min(PAGE, limits.max_read_limit)
        self.buffer_bytes = limits.max_stream_buffer_bytes
        self._limit = limits.max_streams
        self._feeds: dict[str, Feed] = {}
        self._open = 0
        self.dropped = Counter("caucus_streams_dropped_total", "Streams ended, being too far behind.")
        self.sent = Counter("caucus_stream_messages_total", "Messages written to streams.")
        self.metrics: tuple[Metric, ...] = (
            Reading("caucus_streams", "Streams that are open.", lambda: self._open),
            self.dropped,
            self.sent,
        )

    def stream(self, channel: str, start: int, head: int, comment: str) -> Live:
        """What answers a request with a channel's messages from the cursor ``start`` on.

        ``head`` is the channel's, as just read. It goes on until the reader goes, is dropped, or
        the server closes. Raises `StreamCapacity`, and `NotFound` if the backbone cannot be watched.
        """
        if self._open >= self._limit:
            raise StreamCapacity(self._limit)
        if not IWatchable.providedBy(self.watchable):
            raise NotFound
        return lambda request: self.attach(request, channel, start, head, comment)

    def attach(self, request: Request, channel: str, start: int, head: int, comment: str) -> None:
        """Open a stream on a request whose answer's head is set."""
        if request.is_gone:
            return
        feed = self._feeds.get(channel)
        if feed is None:
            feed = self._feeds[channel] = Feed(self, channel, head)
        reader = Reader(feed, request, start)
        feed.readers.add(reader)
        self._open += 1
        reader.start(comment)
        request.settle_in()
        request.notifyFinish().addBoth(lambda _: self._detach(reader))
        reader.catch_up()

    def _detach(self, reader: Reader) -> None:
        feed = reader.feed
        self._open -= 1
        reader.stop()
        feed.readers.discard(reader)
        if not feed.readers and self._feeds.get(feed.channel) is feed:
            del self._feeds[feed.channel]
            feed.close()

    def close(self) -> None:
        """End every stream, as an answer that is complete."""
        for feed in list(self._feeds.values()):
            feed.end()


class Feed:
    """One channel's readers, and the frames of what is new, made once for all who are in step.

    ``cursor`` is how far the frames have been made.
    """

    def __init__(self, streams: Streams, channel: str, cursor: int) -> None:
        self.streams = streams
        self.channel = channel
        self.cursor = cursor
        self.readers: set[Reader] = set()
        self._advancing = False
        self._woken = False
        self._quiet_since = streams.clock.seconds()
        self._unwatch = streams.watchable.watch(channel, self._wake)
        self._timer: IDelayedCall = streams.clock.callLater(QUIET_SECONDS, self._tick)

    def look(self, cursor: int) -> Page:
        """A page of what there is to see of the channel after ``cursor``."""
        return self.streams.watchable.look(self.channel, cursor, self.streams.page)

    def next_turn(self) -> Deferred[None]:
        """Fires in the reactor's next turn, so that whoever reads much leaves room for others."""
        return deferLater(self.streams.clock, 0, lambda: None)

    def end(self) -> None:
        """End every reader's stream."""
        for reader in list(self.readers):
            reader.end()

    def close(self) -> None:
        """Nobody reads any more."""
        self._unwatch()
        self._timer.cancel()

    def _wake(self) -> None:
        self._woken = True
        if not self._advancing:
            Deferred.fromCoroutine(self._advance()).addErrback(self.fail)

    async def _advance(self) -> None:
        self._advancing = True
        try:
            while self._woken:
                self._woken = False
                while self.readers and (page := self.look(self.cursor)).messages_json:
                    self._push(page)
                    if self.cursor < page.cursor or len(page.messages_json) >= self.streams.page:
                        await self.next_turn()
        finally:
            self._advancing = False

    def _push(self, page: Page) -> None:
        start = self.cursor
        data, self.cursor = frames(page, start)
        self._quiet_since = self.streams.clock.seconds()
        for reader in list(self.readers):
            reader.offer(start, data, self.cursor)

    def fail(self, failure: Failure) -> None:
        """The backbone failed to answer: log it, and end the streams so that readers come back."""
        _log.failure("A stream failed", failure=failure)
        self.end()

    def _tick(self) -> None:
        now = self.streams.clock.seconds()
        quiet = now - self._quiet_since
        if quiet >= QUIET_SECONDS:
            self._quiet_since, quiet = now, 0.0
            for reader in list(self.readers):
                reader.keep_alive()
        self._timer = self.streams.clock.callLater(QUIET_SECONDS - quiet, self._tick)


@implementer(IPushProducer)
class Reader:
    """One open stream. ``cursor`` is the cursor after the last message written to it."""

    __slots__ = ("_behind", "_catching_up", "_done", "_paused", "_request", "cursor", "feed")

    def __init__(self, feed: Feed, request: Request, cursor: int) -> None:
        self.cursor = cursor
        self.feed = feed
        self._request = request
        self._behind = 0
        self._paused = False
        self._catching_up = False
        self._done = False

    def start(self, comment: str) -> None:
        """Send an opening comment, and with it the head."""
        self._request.registerProducer(self, True)
        self._request.write(f": {comment}\n\n".encode())

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

    def offer(self, start: int, data: bytes, cursor: int) -> None:
        """Frames from ``start`` to ``cursor`` are new: take them, or fall behind."""
        if self._paused:
            self._behind += len(data)
            if self._behind > self.feed.streams.buffer_bytes:
                self._drop()
        elif self.cursor == start and not self._catching_up:
            self._write(data, cursor)
        else:
            self.catch_up()

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

    def catch_up(self) -> None:
        """Write what it has not got yet."""
        if not self._catching_up:
            Deferred.fromCoroutine(self._replay()).addErrback(self.feed.fail)

    async def _replay(self) -> None:
        """Write pages from its own cursor until it is in step with the feed, or can take no more."""
        self._catching_up = True
        try:
            while not (self._done or self._paused):
                start = self.cursor
                page = self.feed.look(start)
                if page.messages_json:
                    self._write(*frames(page, start))
                    if self.cursor < page.cursor or len(page.messages_json) >= self.feed.streams.page:
                        await self.feed.next_turn()
                elif self.cursor >= self.feed.cursor:
                    break
                else:  # it is not as far as it was
                    await self.feed.next_turn()
        finally:
            self._catching_up = False

    def _write(self, data: bytes, cursor: int) -> None:
        if not self._done:
            self.feed.streams.sent.add(by=cursor - self.cursor)
            self.cursor = cursor
            self._request.write(data)

    def _drop(self) -> None:
        self.feed.streams.dropped.add()
        _log.info("Dropped a stream's reader that is too far behind")
        self.stop()
        self._request.abort()
