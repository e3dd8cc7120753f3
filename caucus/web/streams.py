"""All live streams of a server: how many there are, how one is opened, and how all of them end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from caucus.edge.request import Request
from caucus.edge.response import Live
from caucus.errors import NotFound, StreamCapacity, UnknownChannel
from caucus.interfaces import IAlive, IBackbone, IWatchable, IWatchableFeed
from caucus.limits import Limits
from caucus.metrics import Metric, Reading
from caucus.model.feed import Begun
from caucus.model.views import View
from caucus.web.feed import FeedReader, FeedReaders
from caucus.web.reader import Common, Reader
from caucus.web.stream import ChannelReader, ChannelReaders

HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
PAGE: Final = 100
"""So many messages at most, and about a slice of bytes, are sent to a reader in one turn of the reactor."""
RESUMING: Final = "where you were is looked up"


class Streams:
    """All open streams of a server."""

    def __init__(self, backbone: IBackbone, limits: Limits, clock: IReactorTime) -> None:
        self._watchable = cast("IWatchable", backbone)
        page, buffer_bytes = min(PAGE, limits.max_read_limit), limits.max_stream_buffer_bytes
        self._alive = IAlive(backbone, None)
        self._common = Common(clock, page, buffer_bytes, self._alive)
        self._limit = limits.max_streams
        self._channels: dict[str, ChannelReaders] = {}
        feed = IWatchableFeed(backbone, None)
        self._feed = None if feed is None else FeedReaders(feed, self._common)
        self._open: dict[Reader, Callable[[], None] | None] = {}
        self.metrics: tuple[Metric, ...] = (
            Reading("caucus_streams", "Streams that are open.", lambda: len(self._open)),
            self._common.dropped,
            self._common.sent,
        )

    @property
    def clock(self) -> IReactorTime:
        """What measures time here."""
        return self._common.clock

    def knows(self, *channels: str) -> bool:
        """Whether there are these channels, as far as is known here."""
        try:
            for channel in channels:
                self._watchable.look(channel, 0, 1)
        except (UnknownChannel, AttributeError):
            return False
        return True

    def require_room(self) -> None:
        """Raises `StreamCapacity` if there are as many streams as there may be."""
        if len(self._open) >= self._limit:
            raise StreamCapacity(self._limit)

    def stream(self, channel: str, opening: Deferred[tuple[int, int, str]]) -> Live:
        """What answers a request with a channel's messages.

        :param opening: fires with the cursor to begin at, the channel's head, and what is said of it.

        It goes on until the reader goes, is dropped, or the server closes. Raises `StreamCapacity`, and
        `NotFound` if the backbone cannot be watched.
        """
        self.require_room()
        if not IWatchable.providedBy(self._watchable):
            raise NotFound

        def begin(reader: Any, found: tuple[int, int, str]) -> Callable[[], None]:
            start, head, comment = found
            reader.say(comment)
            return lambda: reader.begin(self._group(channel, head), start)

        return self._live(lambda request: ChannelReader(self._common, request), opening, begin)

    def feed(self, view: View, opening: Deferred[Begun]) -> Live:
        """What answers a request with a feed of channels; ``opening`` fires with where it begins."""
        self.require_room()
        feed = self._feed
        if feed is None:
            raise NotFound

        def begin(reader: Any, begun: Begun) -> Callable[[], None]:
            reader.say(f"from {begun.since} on\nid: {begun.since}")
            return lambda: reader.begin(begun)

        return self._live(lambda request: FeedReader(feed, request, view), opening, begin)

    def close(self) -> None:
        """End every stream, as an answer that is complete."""
        for reader in list(self._open):
            reader.end()

    def _live(
        self,
        make: Callable[[Request], Reader],
        opening: Deferred[Any],
        begin: Callable[[Any, Any], Callable[[], None]],
    ) -> Live:
        """What answers a request with a reader; ``begin`` says where that is, and gives what lets it join."""

        def attach(request: Request) -> None:
            if request.is_gone:
                opening.cancel()
                opening.addErrback(lambda _: None)
                return
            reader = make(request)
            alive, by = self._alive, reader.identity
            self._open[reader] = None if alive is None or by is None else alive.opened(by)
            reader.open()
            is_waiting = not opening.called
            if is_waiting:  # the head is sent, and then nothing until it is known
                reader.say(RESUMING)
                self._settle(request, reader, opening)

            def go_on(found: Any) -> None:
                join = begin(reader, found)
                if not is_waiting:
                    self._settle(request, reader, opening)
                join()

            def fail(failure: Failure) -> None:
                if not (is_waiting or failure.check(CancelledError)):
                    reader.say(RESUMING)
                    self._settle(request, reader, opening)
                reader.fail(failure)

            opening.addCallbacks(go_on, fail).addErrback(reader.fail)

        return attach

    def _settle(self, request: Request, reader: Reader, opening: Deferred[Any]) -> None:
        request.settle_in()
        request.notifyFinish().addBoth(lambda _: self._detach(reader, opening))

    def _detach(self, reader: Reader, opening: Deferred[Any]) -> None:
        close = self._open.pop(reader)
        if close is not None:
            close()
        reader.stop()
        reader.leave()
        opening.cancel()

    def _forget(self, channel: str) -> None:
        """Nobody reads a channel any more."""
        del self._channels[channel]

    def _group(self, channel: str, head: int) -> ChannelReaders:
        group = self._channels.get(channel)
        if group is None:
            group = ChannelReaders(self._watchable, self._common, channel, head, self._forget)
            self._channels[channel] = group
        return group
