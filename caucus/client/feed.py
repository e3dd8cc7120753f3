"""Following any number of channels over one connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from caucus.client.exchange import Opened
from caucus.client.live import LiveStream
from caucus.errors import InvalidRequest
from caucus.model.feed import EVERYTHING, FeedEvent, FeedReset
from caucus.model.views import View
from caucus.wire.feed import read_event
from caucus.wire.following import READ_FEED
from caucus.wire.frames import NotEvents

LONGEST_QUERY: Final = 8192
"""In bytes: what does not fit is asked for as all channels, of which the others are left out here."""
POSITION_BYTES: Final = 12_288
"""As long as a position can become: it names each channel that began at a cursor and has not caught up."""
CURSOR_BYTES: Final = 24
"""What such a channel takes of a query beside its name, at most; of a position it is less."""

Open = Callable[[str, Mapping[str, str]], Deferred[Opened]]


class Feed(LiveStream[FeedEvent | FeedReset, str | None]):
    """What becomes readable of some channels, as `caucus.interfaces.IFeed.feed` says."""

    def __init__(self, open_route: Open, view: View, since: str | None, clock: IReactorTime) -> None:
        self._open_route = open_route
        self._view = view
        self._wanted = None if view.rooms is None else frozenset(view.rooms)
        behind = sum(len(name) + CURSOR_BYTES for name, _cursor in view.starts)
        if behind > POSITION_BYTES:
            raise InvalidRequest(f"One feed cannot begin {len(view.starts)} channels at cursors.")
        super().__init__(self._connected, since, clock)

    @property
    def since(self) -> str | None:
        """The position after what was handed out last."""
        return self._handed_out

    def _connected(self, since: str | None, resumed: bool) -> Deferred[Opened]:
        rooms = [("room", room) for room in rooms_of(self._view)]
        if len(urlencode(rooms)) > LONGEST_QUERY:
            starts = () if since is not None else self._view.starts
            rooms = [("room", EVERYTHING), *(("room", f"{name}:{cursor}") for name, cursor in starts)]
        # Last-Event-ID wins over since where it is known, and starts anew if the log was lost.
        headers = {"Last-Event-ID": since} if resumed and since is not None else {}
        query = rooms if since is None or headers else [*rooms, ("since", since)]
        return self._open_route(f"{READ_FEED.target()}?{urlencode(query)}", headers)

    def _read(self, name: bytes | None, data: bytes) -> tuple[FeedEvent | FeedReset | None, str | None]:
        if name is None or len(name) > POSITION_BYTES:
            raise NotEvents
        try:
            position = name.decode("ascii")
            if not data:  # it says where it is
                return None, position
            event = read_event(data)
        except (ValueError, RecursionError):
            raise NotEvents from None
        return self._chosen(event), position

    def _chosen(self, event: FeedEvent | FeedReset) -> FeedEvent | FeedReset | None:
        """The event, if it is of a channel that was asked for."""
        wanted = self._wanted
        if wanted is None:
            return event
        if isinstance(event, FeedReset):
            return FeedReset(tuple(name for name in event.reset if name in wanted))
        return event if event.channel in wanted else None


def rooms_of(view: View) -> Sequence[str]:
    """The channels of a view, as a request names them."""
    starts = dict(view.starts)
    names = [EVERYTHING, *starts] if view.rooms is None else view.rooms
    return [f"{name}:{starts[name]}" if name in starts else name for name in names]
