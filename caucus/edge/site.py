"""A listener's connections: what they share, and how they are closed together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime

from caucus.edge.access_log import AccessLog
from caucus.edge.body import BodyCap
from caucus.edge.counts import Counts
from caucus.edge.crowd import Crowd
from caucus.edge.door import Door
from caucus.edge.request import Request
from caucus.errors import CaucusError

Admit = Callable[[Request], BodyCap]
Knows = Callable[[Request], bool]


class Peered(Protocol):
    """One connection, as its listener knows it."""

    def finish_up(self) -> None:
        """Close once the request under way is answered; at once if there is none."""

    def forceAbortClient(self) -> None:
        """Close at once."""


@frozen
class Shared:
    """What all listeners of a server share, whichever transport carries them.

    ``admit`` is called when a request's headers are here, before its body: the cap of the body, or a
    refusal, raised; and ``hear`` where the same headers were let in before. ``knows`` says whether a
    request, whose headers are here, has a good token.
    ``clock`` runs the deadlines.
    """

    admit: Admit
    hear: Callable[[Request], None]
    knows: Knows
    clock: IReactorTime
    access: AccessLog
    crowd: Crowd
    counts: Counts


class Edge:
    """What the connections of one listener share.

    ``door`` knows whom to let in; until the listener is bound it lets nobody in.
    """

    def __init__(self, shared: Shared) -> None:
        self.admit = shared.admit
        self.hear = shared.hear
        self.knows = shared.knows
        self.clock = shared.clock
        self.access = shared.access
        self.crowd = shared.crowd
        self.counts = shared.counts
        self.door = Door((), local=False, literals=False)
        self.channels: set[Peered] = set()
        self.closing = False
        self._gone: Deferred[None] | None = None

    def log_answer(self, request: Request, sent: int, peer: str, began: float) -> None:
        """A request that reached the routes has its answer; ``sent`` counts its body."""
        principal = request.principal
        who = None if principal is None else principal.identity.agent_id
        seconds = self.clock.seconds() - began
        self.counts.answered(request, request.code, seconds, request.error)
        self.access.add(peer, request.method, request.uri, request.code, sent, seconds, who)

    def log_refusal(
        self, request: Request | None, error: CaucusError, status: int, sent: int, peer: str, began: float
    ) -> None:
        """A request was refused below the routes."""
        method, target = (b"", b"") if request is None else (request.method, request.uri)
        seconds = self.clock.seconds() - began
        self.counts.answered(request, status, seconds, error.code)
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
