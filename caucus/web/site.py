"""A listener's connections: what they share, and how they are closed together."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web.http import Request as TwistedRequest
from twisted.web.resource import IResource
from twisted.web.server import Site

from caucus.web.access import AccessLog
from caucus.web.connection import EdgeChannel
from caucus.web.door import Door
from caucus.web.request import BodyCap, Request

Admit = Callable[[Request], BodyCap]


class EdgeSite(Site):
    """Serves one resource on one listener, and knows its connections.

    :param resource: renders every request.
    :param admit: called when a request's headers are here, before its body: the cap of the body,
        or a refusal, raised.
    :param clock: runs the deadlines.
    :param door: knows whom to let in; it is put in place once the listener is bound.
    """

    noisy = False
    protocol = EdgeChannel  # type: ignore[assignment]  # HTTPFactory types its own proxy, which only serves h2
    requestFactory = Request  # type: ignore[assignment]  # it takes a channel and nothing else

    def __init__(
        self,
        resource: IResource,
        admit: Admit,
        clock: IReactorTime,
        access: AccessLog,
        door: Door | None = None,
    ) -> None:
        super().__init__(resource, timeout=None, reactor=clock, parsePOSTFormSubmission=False)
        self.admit = admit
        self.clock = clock
        self.access = access
        self.door = Door((), local=False, literals=False) if door is None else door
        self.channels: set[EdgeChannel] = set()
        self.closing = False
        self._gone: Deferred[None] | None = None

    def startFactory(self) -> None:
        """Nothing: Twisted's own access log would set a timer each second."""

    def stopFactory(self) -> None:
        """Nothing to stop."""

    def log(self, request: TwistedRequest) -> None:
        request = cast("Request", request)
        seconds = self.clock.seconds() - request.channel.began
        self.access.add(
            peer_name(request.client),
            request.method,
            request.uri,
            request.code,
            request.sentLength,
            seconds,
            request.agent_id,
        )

    def log_refusal(self, channel: EdgeChannel, request: Request | None, status: int, sent: int) -> None:
        """The access line of what was refused below the routes."""
        method, target = (b"-", b"-") if request is None else (request.method, request.uri)
        seconds = self.clock.seconds() - channel.began
        self.access.add(peer_name(channel.getPeer()), method, target, status, sent, seconds, None)

    def close_connections(self, grace: float) -> Deferred[None]:
        """Close each connection once it is idle, all after ``grace`` seconds; fires when all are gone."""
        self.closing = True
        self._gone = Deferred()
        late = self.clock.callLater(grace, self._abort_all)
        gone = self._gone.addCallback(lambda _: late.cancel() if late.active() else None)
        for channel in list(self.channels):
            channel.finish_up()
        self._tell_if_all_gone()
        return gone

    def connection_lost(self, channel: EdgeChannel) -> None:
        """One connection is gone; the last one ends `close_connections`."""
        self.channels.discard(channel)
        self._tell_if_all_gone()

    def _tell_if_all_gone(self) -> None:
        if self._gone is not None and not self.channels:
            gone, self._gone = self._gone, None
            gone.callback(None)

    def _abort_all(self) -> None:
        for channel in list(self.channels):
            channel.forceAbortClient()


def peer_name(address: IAddress) -> str:
    """The peer's host, or ``unix`` for a Unix socket's peer, which has no name."""
    return str(getattr(address, "host", "unix"))
