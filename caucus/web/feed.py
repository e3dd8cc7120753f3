"""The live feed: any number of channels on one connection, each frame made once for all readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall

from caucus.edge.request import Request
from caucus.interfaces import IWatchableFeed
from caucus.model.feed import Begun, ChannelMade, FeedEvent, FeedMessage, FeedSlice, Place
from caucus.model.views import View
from caucus.web.fan import Fan
from caucus.web.reader import Common, Reader
from caucus.web.stream import QUIET_SECONDS
from caucus.wire.feed import feed_frame, reset_frame
from caucus.wire.frames import SLICE

ALL: Final = View(None)
TICK_SECONDS: Final = 1
"""How often it is looked for readers to whom nothing was written for a while."""


class FeedReaders(Fan):
    """The readers of all feeds, by the channels that they read.

    ``at`` is how far the frames have been made; where there is no reader, nothing is watched.
    """

    def __init__(self, feed: IWatchableFeed, common: Common) -> None:
        super().__init__(common)
        self.feed = feed
        self.at = 0
        self._by_channel: dict[str, dict[FeedReader, None]] = {}
        self._all: dict[FeedReader, None] = {}
        self._readers: dict[FeedReader, None] = {}
        self._unwatch: Any = None
        self._timer: IDelayedCall | None = None

    def add(self, reader: FeedReader, end: int) -> None:
        """One more, whose place is known; ``end`` is that of all there was to see then."""
        if not self._readers:
            self.at = end
            self._unwatch = self.feed.watch_feed(self.wake)
            self._tick()
        for readers in (self._readers, *self._groups(reader)):
            readers[reader] = None
        reader.wrote_at = self.common.clock.seconds()
        reader.catch_up()

    def remove(self, reader: FeedReader) -> None:
        """One less."""
        if reader not in self._readers:
            return
        for readers in (self._readers, *self._groups(reader)):
            del readers[reader]
        for name in reader.view.rooms or ():
            if not self._by_channel[name]:
                del self._by_channel[name]
        if not self._readers:
            self._unwatch()
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            self.rest()

    def end(self) -> None:
        """End every reader's stream."""
        for reader in list(self._readers):
            reader.end()

    def _groups(self, reader: FeedReader) -> Sequence[dict[FeedReader, None]]:
        if reader.view.rooms is None:
            return (self._all,)
        return [self._by_channel.setdefault(name, {}) for name in reader.view.rooms]

    def push(self) -> bool:
        if not self._readers:
            return False
        found = self.feed.look_on(ALL, Place(self.at), self.common.page, SLICE)
        self._push(found)
        return not found.is_whole

    def _push(self, found: FeedSlice) -> None:
        """Have whoever reads these events take them; most often it is one event."""
        start, self.at = self.at, found.end.at
        frames = list(map(feed_frame, found.events, found.positions))
        now = self.common.clock.seconds()
        if len(frames) == 1:
            readers, shown = self._readers_of(found.events[0]), _addressed(found.events)
            taken = sum([reader.offer(start, frames[0], shown, now) for reader in readers])
            self.common.sent.add(by=taken)
            return
        written: dict[FeedReader, list[int]] = {}
        for number, event in enumerate(found.events):
            for reader in self._readers_of(event):
                written.setdefault(reader, []).append(number)
        for reader, numbers in written.items():
            data = b"".join([frames[number] for number in numbers])
            shown = _addressed([found.events[number] for number in numbers])
            if reader.offer(start, data, shown, now):
                self.common.sent.add(by=len(numbers))

    def _readers_of(self, event: FeedEvent) -> list[FeedReader]:
        """Those who read what an event is of; whoever names channels knew them from the start."""
        named = () if isinstance(event, ChannelMade) else self._by_channel.get(event.channel, ())
        return [*self._all, *named]

    def _tick(self) -> None:
        now = self.common.clock.seconds()
        for reader in list(self._readers):
            if now - reader.wrote_at >= QUIET_SECONDS:
                reader.wrote_at = now
                reader.keep_alive()
        self._timer = self.common.clock.callLater(TICK_SECONDS, self._tick)


class FeedReader(Reader):
    """A reader of any number of channels.

    ``place`` is where it is while it is not in step with what is made for all, and ``wrote_at`` when
    something was last written to it.
    """

    __slots__ = ("_in_step", "_reset", "group", "place", "view", "wrote_at")

    def __init__(self, group: FeedReaders, request: Request, view: View) -> None:
        super().__init__(group.common, request)
        self.group = group
        self.view = view
        self.place = Place(0)
        self.wrote_at = 0.0
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

    def offer(self, start: int, data: bytes, shown: Sequence[FeedMessage], now: float) -> bool:
        """Events after ``start`` are new, as the frames in ``data``: take them, or fall behind.

        ``shown`` are those among them that may be owed to somebody. Says whether it took them.
        """
        if self._in_step:
            if not (self._paused or self._catching_up or self._done):
                self.wrote_at = now
                self._request.push(data)
                if shown:
                    self._show(shown)
                return True
            self._in_step = False
            self.place = Place(start)
        self.fall_behind(len(data))
        return False

    def _write_some(self) -> bool:
        """As far as the frames have been made for all: then it is in step."""
        if self._in_step:
            return False
        group = self.group
        found = group.feed.look_on(self.view, self.place, self.common.page, SLICE, group.at)
        data, self._reset = self._reset, b""
        data += b"".join(map(feed_frame, found.events, found.positions))
        if data:
            self.wrote_at = self.common.clock.seconds()
            self._write(data, len(found.events))
            self._show(_addressed(found.events))
        self.place = found.end
        self._in_step = found.is_whole and found.end.at == group.at
        return not found.is_whole

    def _show(self, shown: Sequence[FeedMessage]) -> None:
        for event in shown:
            self.showed(event.channel, event.cursor - 1, event.cursor)


def _addressed(events: Sequence[FeedEvent]) -> list[FeedMessage]:
    """Those that may be owed to somebody."""
    return [event for event in events if isinstance(event, FeedMessage) and event.is_addressed]
