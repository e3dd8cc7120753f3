"""The live stream of one channel: server-sent events, pushed in the turn after a message became readable.

The log is the buffer: a reader that cannot take more is left behind at its cursor and catches up
when it can, and is dropped once what it has not taken passes a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall

from caucus.edge.request import Request
from caucus.interfaces import IWatchable
from caucus.model.records import Page
from caucus.web.fan import Fan
from caucus.web.reader import Common, Reader
from caucus.wire.frames import frames

QUIET_SECONDS: Final = 15
"""After so much quiet a comment keeps the connection alive."""


class ChannelReaders(Fan):
    """One channel's readers, and the frames of what is new, made once for all who are in step.

    ``cursor`` is how far the frames have been made.
    """

    def __init__(
        self, watchable: IWatchable, common: Common, channel: str, cursor: int, forget: Callable[[str], None]
    ) -> None:
        super().__init__(common)
        self._forget = forget
        self.channel = channel
        self.cursor = cursor
        self.readers: set[ChannelReader] = set()
        self._watchable = watchable
        self._quiet_since = common.clock.seconds()
        self._unwatch = watchable.watch(channel, self.wake)
        self._timer: IDelayedCall = common.clock.callLater(QUIET_SECONDS, self._tick)

    def look(self, cursor: int) -> Page:
        """A page of what there is to see of the channel after ``cursor``."""
        return self._watchable.look(self.channel, cursor, self.common.page)

    def end(self) -> None:
        """End every reader's stream."""
        for reader in list(self.readers):
            reader.end()

    def remove(self, reader: ChannelReader) -> None:
        """One reader less; after the last, nothing is watched."""
        self.readers.discard(reader)
        if not self.readers:
            self._forget(self.channel)
            self._unwatch()
            self._timer.cancel()
            self.rest()

    def push(self) -> bool:
        page = self.look(self.cursor) if self.readers else None
        if page is None or not page.messages_json:
            return False
        start = self.cursor
        data, self.cursor = frames(page, start)
        self._quiet_since = self.common.clock.seconds()
        for reader in list(self.readers):
            reader.offer(start, data, self.cursor)
        return self.cursor < page.cursor or len(page.messages_json) >= self.common.page

    def _tick(self) -> None:
        now = self.common.clock.seconds()
        quiet = now - self._quiet_since
        if quiet >= QUIET_SECONDS:
            self._quiet_since, quiet = now, 0.0
            for reader in list(self.readers):
                reader.keep_alive()
        self._timer = self.common.clock.callLater(QUIET_SECONDS - quiet, self._tick)


class ChannelReader(Reader):
    """A reader of one channel. ``cursor`` is the cursor after the last message written to it."""

    __slots__ = ("cursor", "group")

    def __init__(self, common: Common, request: Request) -> None:
        super().__init__(common, request)
        self.group: ChannelReaders | None = None
        self.cursor = 0

    def begin(self, group: ChannelReaders, cursor: int) -> None:
        """Read from this cursor on."""
        self.group = group
        self.cursor = cursor
        group.readers.add(self)
        self.catch_up()

    def leave(self) -> None:
        if self.group is not None:
            self.group.remove(self)

    def offer(self, start: int, data: bytes, cursor: int) -> None:
        """Frames from ``start`` to ``cursor`` are new: take them, or fall behind."""
        if self.takes and self.cursor == start:
            self._take(data, cursor)
        else:
            self.fall_behind(len(data))

    def _write_some(self) -> bool:
        group = self.group
        if group is None:
            return False
        page = group.look(self.cursor)
        if page.messages_json:
            self._take(*frames(page, self.cursor))
            if self.cursor == page.cursor and len(page.messages_json) < self.common.page:
                return self._write_some()
            return True
        return self.cursor < group.cursor  # it is not as far as it was

    def _take(self, data: bytes, cursor: int) -> None:
        self._write(data, cursor - self.cursor)
        if self.identity is not None and self.group is not None:
            self.showed(self.group.channel, self.cursor, cursor)
        self.cursor = cursor
