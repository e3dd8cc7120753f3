"""A listener's connections: what they share, and how they are closed together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime

from caucus.edge.access_log import AccessLog
from caucus.edge.body import BodyCap
from caucus.edge.crowd import Crowd
from caucus.edge.door import Door
from caucus.edge.request import Request

Admit = Callable[[Request], BodyCap]
Knows = Callable[[Request], bool]


class Peered(Protocol):
    """One connection, as its listener knows it."""

    def finish_up(self) -> None:
        """Close once the request under way is answered; at once if there is none."""

    def forceAbortClient(self) -> None:
        """Close at once."""


class Edge:
    """What the connections of one listener share, whichever transport carries them.

    :param admit: called when a request's headers are here, before its body: the cap of the body,
        or a refusal, raised.
    :param knows: whether a request, whose headers are here, has a good token.
    :param clock: runs the deadlines.
    :param crowd: counts the connections of all listeners.
    :param door: knows whom to let in; it is put in place once the listener is bound.
    """

    def __init__(
        self,
        admit: Admit,
        knows: Knows,
        clock: IReactorTime,
        access: AccessLog,
        crowd: Crowd,
        door: Door | None = None,
    ) -> None:
        self.admit = admit
        self.knows = knows
        self.clock = clock
        self.access = access
        self.crowd = crowd
        self.door = Door((), local=False, literals=False) if door is None else door
        self.channels: set[Peered] = set()
        self.closing = False
        self._gone: Deferred[None] | None = None

    def log_answer(self, request: Request, sent: int, peer: str, began: float) -> None:
        """The access line of a request that reached the routes; ``sent`` counts its answer's body."""
        seconds = self.clock.seconds() - began
        who = None if request.principal is None else request.principal.agent_id
        self.access.add(peer, request.method, request.uri, request.code, sent, seconds, who)

    def log_refusal(self, request: Request | None, status: int, sent: int, peer: str, began: float) -> None:
        """The access line of what was refused below the routes."""
        method, target = (b"", b"") if request is None else (request.method, request.uri)
        seconds = self.clock.seconds() - began
        self.access.add(peer, method, target, status, sent, seconds, None)

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

    def connection_made(self, channel: Peered) -> bool:
        """One more connection: whether there is room for it."""
        if self.crowd.enter():
            self.channels.add(channel)
            return True
        return False

    def connection_lost(self, channel: Peered) -> None:
        """One connection is gone; the last one ends `close_connections`."""
        if channel in self.channels:
            self.channels.discard(channel)
            self.crowd.leave()
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
