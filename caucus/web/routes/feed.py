"""The feed: in pages, or live."""

from __future__ import annotations

from sys import intern

from twisted.internet.defer import Deferred, succeed

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import NotFound
from caucus.interfaces import IFeed, IWatchableFeed
from caucus.model.feed import FeedMessage
from caucus.model.views import View, read_view
from caucus.web.operation import answered
from caucus.web.query import count, text, texts, wait
from caucus.web.routes.serving import Serving, serves
from caucus.web.streams import HEADERS
from caucus.wire.answers import EVENTS
from caucus.wire.following import READ_FEED
from caucus.wire.frames import EVENT_STREAM


@serves(READ_FEED)
async def read_feed(on: Serving, request: Request) -> Response:
    feed = IFeed(on.backbone, None)
    if feed is None:
        raise NotFound
    request.principal = on.speaker(request)
    rooms, since = [intern(one) for one in texts(request, "room") if one], text(request, "since")
    if request.names(EVENT_STREAM):
        return await _live(on, request, rooms, since)
    limit, patience = count(request, "limit"), wait(request)
    _hear(on, request, read_view(rooms))
    page = await feed.read_feed(rooms, since, wait=patience, limit=limit)
    for event in page.events:
        if isinstance(event, FeedMessage):
            on.showed(request, event.channel, event.cursor - 1, event.cursor)
    return answered(READ_FEED, page)


def _hear(on: Serving, request: Request, view: View) -> None:
    """Whoever asks has asked about these channels."""
    if on.alive is not None and request.principal is not None:
        for name in view.rooms or ():
            on.alive.heard_of(request.principal.identity, name)


async def _live(on: Serving, request: Request, rooms: list[str], since: str | None) -> Response:
    view = read_view(rooms)
    live = IWatchableFeed(on.backbone, None)
    if live is None:
        raise NotFound
    _hear(on, request, view)
    last = request.values(b"last-event-id")
    where = last[0].decode("latin-1") if last else since
    opening = Deferred.fromCoroutine(on.once_known(lambda: live.begin_feed(view, where)))
    named = (*(view.rooms or ()), *(name for name, _cursor in view.starts))
    if where is None or not on.streams.knows(*named):
        begun = await opening
        opening = succeed(begun)
    return Response(READ_FEED.status, on.streams.feed(view, opening), HEADERS, EVENTS.content_type)
