"""A feed as an asynchronous iterator, where nothing lies in between that could be lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from caucus.core.core import Core
from caucus.core.following import read_feed
from caucus.model.feed import FeedEvent, FeedPage, FeedReset
from caucus.model.views import LONGEST_WAIT


class FeedLoop:
    """What becomes readable of some channels, each once and in order; see `IFeed.feed`."""

    def __init__(self, core: Core, rooms: Sequence[str], since: str | None) -> None:
        self.since = since
        self._core = core
        self._rooms = tuple(rooms)
        self._read: deque[FeedEvent | FeedReset] = deque()
        self._next = since
        self._waiting: Deferred[FeedPage] | None = None
        self._asking: Deferred[FeedPage] | None = None
        self._is_closed = self._is_whole = False

    def __aiter__(self) -> FeedLoop:
        return self

    async def __aenter__(self) -> FeedLoop:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def __anext__(self) -> FeedEvent | FeedReset:
        while not self._read:
            if self._is_closed or (self._core.is_stopping and self._is_whole):
                raise StopAsyncIteration
            # One at a time, so that `since` is the position after what was handed out.
            waiting: Deferred[FeedPage] = Deferred(self._give_up)
            self._waiting = waiting
            self._asking = asking = read_feed(self._core, self._rooms, self._next, LONGEST_WAIT, 1)
            asking.addBoth(self._answered, waiting)
            try:
                page = await waiting
            except CancelledError:
                if self._is_closed:
                    raise StopAsyncIteration from None
                raise
            finally:
                self._waiting = self._asking = None
            self._is_whole = not page.events
            if page.reset is not None:
                self._read.append(FeedReset(page.reset))
            self._read.extend(page.events)
            self._next = page.since
        found = self._read.popleft()
        if not self._read:
            self.since = self._next
        return found

    def _answered(self, page: FeedPage | Failure, waiting: Deferred[FeedPage]) -> None:
        """Who is cancelled fails with that, whatever there was to tell then."""
        if self._asking is not None and not waiting.called:
            waiting.callback(page)

    def _give_up(self, _waiting: Deferred[FeedPage]) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    async def aclose(self) -> None:
        """End it: whoever waits for an event gets none, nor does whoever asks later."""
        self._is_closed = True
        self._read.clear()
        if self._waiting is not None:
            self._waiting.cancel()
