"""The live feed: any number of channels on one connection, each frame made once for all readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.edge.request import Request
from caucus.interfaces import IWatchableFeed
from caucus.model.feed import Begun, ChannelMade, FeedEvent, FeedMessage, FeedSlice, Place
from caucus.model.views import View
from caucus.web.reader import Common, Reader
from caucus.web.stream import QUIET_SECONDS
from caucus.wire.feed import feed_frame, reset_frame
from caucus.wire.frames import SLICE

ALL: Final = View(None)

_log = Logger("caucus.web")


class FeedReaders:
    """The readers of all feeds, by the channels that they read.

    ``at`` is how far the frames have been made; there is always a reader, or nothing is watched.
    """

    def __init__(self, feed: IWatchableFeed, common: Common) -> None:
        self.common = common
        self.feed = feed
        self.at = 0
        self._by_channel: dict[str, dict[FeedReader, None]] = {}
        self._all: dict[FeedReader, None] = {}
        self._quiet_since: dict[FeedReader, float] = {}
        self._advancing = False
        self._woken = False
        self._unwatch: Any = None
        self._timer: IDelayedCall | None = None

    def add(self, reader: FeedReader, end: int) -> None:
        """One more, whose place is known; ``end`` is that of all there was to see then."""
        if not self._quiet_since:
            self.at = end
            self._unwatch = self.feed.watch_feed(self._wake)
        for readers in self._groups(reader):
            readers[reader] = None
        self.was_written(reader)
        reader.catch_up()

    def remove(self, reader: FeedReader) -> None:
        """One less."""
        if self._quiet_since.pop(reader, None) is None:
            return
        for readers in self._groups(reader):
            readers.pop(reader, None)
        for name in reader.view.rooms or ():
            if not self._by_channel[name]:
                del self._by_channel[name]
        if not self._quiet_since:
            self._unwatch()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def end(self) -> None:
        """End every reader's stream."""
        for reader in list(self._quiet_since):
            reader.end()

    def was_written(self, reader: FeedReader) -> None:
        """Something was just written to a reader: it is quiet from now on."""
        quiet, now = self._quiet_since, self.common.clock.seconds()
        quiet.pop(reader, None)
        quiet[reader] = now
        if self._timer is None:
            self._timer = self.common.clock.callLater(QUIET_SECONDS, self._tick)

    def fail(self, failure: Failure) -> None:
        """The backbone failed to answer: log it, and end the streams so that readers come back."""
        _log.failure("A feed failed", failure=failure)
        self.end()

    def _groups(self, reader: FeedReader) -> Sequence[dict[FeedReader, None]]:
        if reader.view.rooms is None:
            return (self._all,)
        return [self._by_channel.setdefault(name, {}) for name in reader.view.rooms]

    def _wake(self) -> None:
        self._woken = True
        if not self._advancing:
            Deferred.fromCoroutine(self._advance()).addErrback(self.fail)

    async def _advance(self) -> None:
        self._advancing = True
        try:
            while self._woken:
                self._woken = False
                while self._quiet_since:
                    found = self.feed.look_on(ALL, Place(self.at), self.common.page, SLICE)
                    self._push(found)
                    if found.is_whole:
                        break
                    await self.common.next_turn()
        finally:
            self._advancing = False

    def _push(self, found: FeedSlice) -> None:
        start, self.at = self.at, found.end.at
        written: dict[FeedReader, list[tuple[FeedEvent, bytes]]] = {}
        for event, position in zip(found.events, found.positions, strict=True):
            frame = feed_frame(event, position)
            named: Any = () if isinstance(event, ChannelMade) else self._by_channel.get(event.channel, ())
            for reader in (*self._all, *named):
                written.setdefault(reader, []).append((event, frame))
        for reader, made in written.items():
            reader.offer(start, made)

    def _tick(self) -> None:
        self._timer = None
        now = self.common.clock.seconds()
        while self._quiet_since:
            reader, since = next(iter(self._quiet_since.items()))
            if now - since < QUIET_SECONDS:
                self._timer = self.common.clock.callLater(since + QUIET_SECONDS - now, self._tick)
                return
            reader.keep_alive()
            self.was_written(reader)


class FeedReader(Reader):
    """A reader of any number of channels.

    ``place`` is where it is while it is not in step with what is made for all.
    """

    __slots__ = ("_in_step", "_reset", "group", "place", "view")

    def __init__(self, group: FeedReaders, request: Request, view: View) -> None:
        super().__init__(group.common, request)
        self.group = group
        self.view = view
        self.place = Place(0)
        self._in_step = False
        self._reset = b""

    def begin(self, begun: Begun) -> None:
        """It is known where it begins."""
        if not self._done:
            self.place = begun.place
            if begun.reset is not None:
                self._reset = reset_frame(begun.reset, begun.since)
            self.group.add(self, begun.end)

    def leave(self) -> None:
        self.group.remove(self)

    def offer(self, start: int, made: Sequence[tuple[FeedEvent, bytes]]) -> None:
        """Events after ``start`` are new, with their frames: take them, or fall behind."""
        if self._in_step:
            if self.takes:
                self._take(b"".join(frame for _event, frame in made), [event for event, _frame in made])
                return
            self._in_step = False
            self.place = Place(start)
        self.fall_behind(sum(len(frame) for _event, frame in made))

    def _write_some(self) -> bool:
        """As far as the frames have been made for all: then it is in step."""
        group = self.group
        found = group.feed.look_on(self.view, self.place, self.common.page, SLICE, group.at)
        data, self._reset = self._reset, b""
        data += b"".join(map(feed_frame, found.events, found.positions))
        if data:
            self._take(data, found.events)
        self.place = found.end
        self._in_step = found.is_whole and found.end.at == group.at
        return not found.is_whole

    def _take(self, data: bytes, events: Sequence[FeedEvent]) -> None:
        self._write(data, len(events))
        self.group.was_written(self)
        if self.identity is not None:
            for event in events:
                if isinstance(event, FeedMessage):
                    self.showed(event.channel, event.cursor - 1, event.cursor)
